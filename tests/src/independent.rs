//! MQTT clients that others wrote, over WebSocket: MQTT.js and paho-mqtt, each behind the same lines of JSON.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::Process;

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    MqttJs,
    PahoMqtt,
}

/// A connected client.
pub struct IndependentClient {
    process: Process,
    cursor: usize,
    kept: Vec<Value>,
}

impl IndependentClient {
    /// Connects to `url`; `version` is `3.1.1` or `5`.
    #[track_caller]
    pub fn connect(library: Library, url: &str, version: &str) -> Self {
        let mut command = library.command();
        let process = Process::start(&format!("{library:?} {version}"), command.args([url, version]));
        let mut client = Self { process, cursor: 0, kept: Vec::new() };
        client.expect("connected");
        client
    }

    /// Subscribes and gives the granted QoS.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> u64 {
        self.process.write_line(&json!({"do": "subscribe", "filter": filter, "qos": qos}).to_string());
        self.expect("subscribed")["qos"].as_u64().unwrap()
    }

    /// Publishes and waits for the last acknowledgement of the QoS.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        let order =
            json!({"do": "publish", "topic": topic, "payload": payload, "qos": qos, "retain": retain});
        self.process.write_line(&order.to_string());
        self.expect("published");
    }

    /// Waits for the next message and checks it.
    #[track_caller]
    pub fn expect_message(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        let wanted =
            json!({"event": "message", "topic": topic, "payload": payload, "qos": qos, "retain": retain});
        assert_eq!(self.expect("message"), wanted);
    }

    /// Disconnects and checks that the client was content to the end.
    #[track_caller]
    pub fn disconnect(mut self) {
        let ended = self.process.wait();
        assert!(ended.status.success(), "the client ended with {}", ended.status);
    }

    /// The next event of one name; others are kept, as a message may come before the publisher's own PUBACK.
    #[track_caller]
    fn expect(&mut self, event: &str) -> Value {
        let Self { process, cursor, kept } = self;
        if let Some(index) = kept.iter().position(|kept| kept["event"] == event) {
            return kept.remove(index);
        }
        process.wait_for_line(cursor, &format!("the event `{event}`"), |line| {
            let value: Value = serde_json::from_str(line).expect("the client prints lines of JSON");
            if value["event"] == event {
                return Some(value);
            }
            kept.push(value);
            None
        })
    }
}

impl Library {
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
