//! MQTT clients that others wrote, each behind the same lines of JSON: MQTT.js and paho-mqtt.
//!
//! One process a library serves all tests at once, because Node.js and Python take long to start; it ends with its input.
//! A line in is an order to the client that it names, and every order is answered by one line:
//!
//! | `do` | with | answered by |
//! |---|---|---|
//! | `connect` | `url`, `version`, `id`, `clean`, `expiry` (seconds), `will` (a message or null) | `connected` with `session` |
//! | `subscribe` | `filters`, pairs of filter and QoS, for one SUBSCRIBE | `subscribed` with `reasons`, the codes of SUBACK |
//! | `publish` | `topic`, `payload`, `qos`, `retain`, `properties` | `published`, after the last acknowledgement |
//! | `disconnect` | | `disconnected` |
//! | `cut` | | `cut`; the socket was closed without a DISCONNECT |
//!
//! A message that comes is a line `message` with the fields of `publish`, and `failed` with `why` tells what went wrong.
//! A payload is `{"text": …}`; a large one is said as `{"bytes": …, "cycle": …}`, the bytes 0, 1, 2 … up to the
//! cycle and again, and heard as `{"bytes": …, "sha256": …}`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use hearth_protocol::Version;
use serde_json::{Value, json};

use crate::interop::client::Connection;
use crate::interop::message::{CYCLE, Content, Filter, Heard, Message, Payload, Properties, Session};
use crate::process::Process;

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    MqttJs,
    PahoMqtt,
}

/// A connected client.
pub struct IndependentClient {
    process: &'static Process,
    name: String,
    cursor: usize,
    kept: Vec<Value>,
    session_present: Option<bool>,
    is_over: bool,
}

impl IndependentClient {
    /// Connects to `url`, `mqtt://HOST:PORT` or `ws://HOST:PORT/PATH`, without a session that lasts.
    #[track_caller]
    pub fn connect(library: Library, url: &str, version: Version) -> Self {
        static CLIENTS: AtomicU32 = AtomicU32::new(0);
        let id = format!("client-{}", CLIENTS.fetch_add(1, Ordering::Relaxed));
        Self::connect_with(library, url, version, &Session::transient(id))
    }

    /// Connects with a session.
    #[track_caller]
    pub fn connect_with(library: Library, url: &str, version: Version, session: &Session) -> Self {
        static CONNECTIONS: AtomicU32 = AtomicU32::new(0);
        let name = format!("connection-{}", CONNECTIONS.fetch_add(1, Ordering::Relaxed));
        let process = library.process();
        let (cursor, kept) = (process.line_count(), Vec::new());
        let mut client = Self { process, name, cursor, kept, session_present: None, is_over: false };
        let version_name = match version {
            Version::V31 => "3.1",
            Version::V311 => "3.1.1",
            Version::V5 => "5",
        };
        let Session { id, clean, lasts, will } = session;
        let expiry = if *lasts { 3600 } else { 0 };
        let will = will.as_ref().map(message_to_json);
        let more = json!({
            "url": url, "version": version_name, "id": id, "clean": clean, "expiry": expiry, "will": will,
        });
        let is_told = client.obey("connect", more, "connected")["session"].as_bool().unwrap();
        client.session_present = (version >= Version::V311).then_some(is_told);
        client
    }

    /// Subscribes and gives the granted QoS.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        Connection::subscribe(self, &[Filter::new(filter, qos)])[0]
    }

    /// Publishes and waits for the last acknowledgement of the QoS.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        Connection::publish(self, &Message { retain, ..Message::new(topic, payload, qos) });
    }

    /// Waits for the next message and checks it.
    #[track_caller]
    pub fn expect_message(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        let wanted = Heard { retain, ..Message::new(topic, payload, qos).heard(qos) };
        assert_eq!(self.next_message(), wanted);
    }

    /// Disconnects and checks that the client was content to the end.
    #[track_caller]
    pub fn disconnect(mut self) {
        self.end("disconnect", "disconnected");
    }

    #[track_caller]
    fn end(&mut self, order: &str, event: &str) {
        self.obey(order, json!({}), event);
        self.is_over = true;
    }

    #[track_caller]
    fn obey(&mut self, order: &str, mut more: Value, event: &str) -> Value {
        more["client"] = json!(self.name);
        more["do"] = json!(order);
        self.process.write_line(&more.to_string());
        self.expect(event)
    }

    /// The next event of one name; others are kept, as a message may come before the publisher's own PUBACK.
    #[track_caller]
    fn expect(&mut self, event: &str) -> Value {
        let Self { process, name, cursor, kept, .. } = self;
        if let Some(index) = kept.iter().position(|kept| kept["event"] == event) {
            return kept.remove(index);
        }
        let quoted = format!("\"{name}\"");
        let found = process.wait_for_line(cursor, &format!("the event `{event}` of {name}"), |line| {
            // Most lines are about other clients, and need no parsing to see it.
            if !line.contains(&quoted) {
                return None;
            }
            let value: Value = serde_json::from_str(line).expect("the client prints lines of JSON");
            if value["client"] != name.as_str() {
                return None;
            }
            if value["event"] == event || value["event"] == "failed" {
                return Some(value);
            }
            kept.push(value);
            None
        });
        assert_eq!(found["event"], event, "what comes is {found}");
        found
    }
}

impl Connection for IndependentClient {
    fn session_present(&self) -> Option<bool> {
        self.session_present
    }

    #[track_caller]
    fn subscribe(&mut self, filters: &[Filter]) -> Vec<u8> {
        let filters: Vec<Value> = filters.iter().map(|it| json!([it.filter, it.qos])).collect();
        let subscribed = self.obey("subscribe", json!({"filters": filters}), "subscribed");
        serde_json::from_value(subscribed["reasons"].clone()).unwrap()
    }

    #[track_caller]
    fn publish(&mut self, message: &Message) {
        self.obey("publish", message_to_json(message), "published");
    }

    #[track_caller]
    fn next_message(&mut self) -> Heard {
        heard_from_json(&self.expect("message"))
    }

    #[track_caller]
    fn leave(mut self: Box<Self>) {
        self.end("disconnect", "disconnected");
    }

    #[track_caller]
    fn cut(mut self: Box<Self>) {
        self.end("cut", "cut");
    }
}

impl Drop for IndependentClient {
    fn drop(&mut self) {
        if !self.is_over && std::thread::panicking() {
            // The process goes on for other tests, and must not keep what a failed one left.
            let _ended = self.process.try_write_line(&json!({"client": self.name, "do": "cut"}).to_string());
        }
    }
}

impl Library {
    /// The one process of this library.
    fn process(self) -> &'static Process {
        static MQTT_JS: OnceLock<Process> = OnceLock::new();
        static PAHO_MQTT: OnceLock<Process> = OnceLock::new();
        let process = match self {
            Self::MqttJs => &MQTT_JS,
            Self::PahoMqtt => &PAHO_MQTT,
        };
        process.get_or_init(|| Process::start(&format!("{self:?}"), &mut self.command()))
    }

    fn command(self) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        match self {
            Self::MqttJs => {
                let mut command = Command::new("node");
                command.env("HEARTH_NODE_MODULES", installed("HEARTH_NODE_MODULES"));
                command.arg(scripts.join("mqtt_js.mjs"));
                command
            }
            Self::PahoMqtt => {
                let mut command = Command::new(installed("HEARTH_PYTHON"));
                command.arg(scripts.join("paho_mqtt.py"));
                command
            }
        }
    }
}

/// A path that `cargo xtask test` gives to the tests.
fn installed(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.filter(|path| path.exists()).unwrap_or_else(|| {
        panic!("{variable} does not name an installed client; run `cargo xtask test`, which installs it")
    })
}

fn message_to_json(message: &Message) -> Value {
    let payload = match &message.payload {
        Payload::Text(text) => json!({"text": text}),
        Payload::Large(bytes) => json!({"bytes": bytes, "cycle": CYCLE}),
    };
    let Properties { response_topic, correlation, content_type, user } = &message.properties;
    json!({
        "topic": message.topic,
        "payload": payload,
        "qos": message.qos,
        "retain": message.retain,
        "properties": {
            "response_topic": response_topic,
            "correlation": correlation,
            "content_type": content_type,
            "user": user,
        },
    })
}

fn heard_from_json(value: &Value) -> Heard {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (payload, properties) = (&value["payload"], &value["properties"]);
    let content = match text(&payload["text"]) {
        Some(text) => Content::Text(text),
        None => Content::Large {
            bytes: payload["bytes"].as_u64().unwrap() as usize,
            sha256: text(&payload["sha256"]).unwrap(),
        },
    };
    Heard {
        topic: text(&value["topic"]).unwrap(),
        content,
        qos: value["qos"].as_u64().unwrap() as u8,
        retain: value["retain"].as_bool().unwrap(),
        properties: Properties {
            response_topic: text(&properties["response_topic"]),
            correlation: text(&properties["correlation"]),
            content_type: text(&properties["content_type"]),
            user: serde_json::from_value(properties["user"].clone()).unwrap(),
        },
    }
}
