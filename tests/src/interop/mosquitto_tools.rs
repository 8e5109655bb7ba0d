//! mosquitto_pub, mosquitto_sub and mosquitto_rr as a client: a process each time.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use hearth_protocol::Version;
use rustix::process::Signal;
use tempfile::NamedTempFile;

use super::client::{Client, Listener};
use super::message::{Content, Filter, Heard, Message, Payload, Properties, Session};
use crate::process::{PATIENCE, Process};

/// How a message is printed; the topic may hold anything and stands last.
const FORMAT: &str = r"heard\t%q\t%r\t%x\t%R\t%D\t%C\t%P\t%t";

/// The tools, speaking one version to one broker.
pub struct MosquittoTools {
    broker: SocketAddr,
    version: Version,
}

struct Listening {
    process: Process,
    cursor: usize,
    granted: Vec<u8>,
}

impl MosquittoTools {
    pub fn new(broker: SocketAddr, version: Version) -> Self {
        Self { broker, version }
    }

    fn command(&self, tool: &str) -> Command {
        // Without stdbuf its lines come in blocks of 4 KiB when nobody sits at a terminal.
        let mut command = Command::new("stdbuf");
        let version = match self.version {
            Version::V31 => "mqttv31",
            Version::V311 => "mqttv311",
            Version::V5 => "mqttv5",
        };
        let (host, port) = (self.broker.ip().to_string(), self.broker.port().to_string());
        command.args(["-oL", tool, "-h", &host, "-p", &port, "-V", version]);
        command
    }

    fn subscriber(&self, session: &Session, filters: &[Filter]) -> Command {
        let mut command = self.command("mosquitto_sub");
        command.args(["-d", "-F", FORMAT, "-i", &session.id, "-q", &filters[0].qos.to_string()]);
        for filter in filters {
            assert_eq!(filter.qos, filters[0].qos, "mosquitto_sub has one QoS for all filters");
            command.args(["-t", &filter.filter]);
        }
        if !session.clean {
            command.arg("-c");
        }
        if session.lasts && self.version.is_v5() {
            command.args(["-x", "3600"]);
        }
        if let Some(Message { topic, payload, qos, retain, .. }) = &session.will {
            let payload = String::from_utf8(payload.bytes()).unwrap();
            command.args(["--will-topic", topic, "--will-payload", &payload, "--will-qos", &qos.to_string()]);
            command.args(retain.then_some("--will-retain"));
        }
        command
    }

    /// `-t`, `-q` and whatever else is said of the first message only.
    fn add_head(&self, command: &mut Command, message: &Message) {
        command.args(["-t", &message.topic, "-q", &message.qos.to_string()]);
        command.args(message.retain.then_some("-r"));
        let Properties { response_topic, correlation, content_type, user } = &message.properties;
        let tool_is_rr = command.get_args().any(|argument| argument == "mosquitto_rr");
        // mosquitto_rr adds the response topic itself.
        if let Some(topic) = response_topic.as_ref().filter(|_| !tool_is_rr) {
            command.args(["-D", "PUBLISH", "response-topic", topic]);
        }
        if let Some(data) = correlation {
            command.args(["-D", "PUBLISH", "correlation-data", data]);
        }
        if let Some(content_type) = content_type {
            command.args(["-D", "PUBLISH", "content-type", content_type]);
        }
        for (name, value) in user {
            command.args(["-D", "PUBLISH", "user-property", name, value]);
        }
    }
}

impl Client for MosquittoTools {
    #[track_caller]
    fn listen(&mut self, session: &Session, filters: &[Filter]) -> Box<dyn Listener> {
        let process = Process::start("mosquitto_sub", &mut self.subscriber(session, filters));
        // What was missed comes before SUBACK, and is looked for from the start.
        let granted = process.wait_for_line(&mut 0, "SUBACK", |line| {
            let codes = line.strip_prefix("Subscribed (mid: ")?.split_once("): ")?.1;
            Some(codes.split(", ").map(|code| code.parse().unwrap()).collect())
        });
        Box::new(Listening { process, cursor: 0, granted })
    }

    #[track_caller]
    fn visit(&mut self, session: &Session) {
        let filter = Filter::new(format!("unused/{}", session.id), 0);
        // -E leaves with DISCONNECT after SUBACK; a signal would, in version 5, ask for the will.
        succeed("mosquitto_sub", self.subscriber(session, &[filter]).arg("-E"));
    }

    #[track_caller]
    fn publish(&mut self, messages: &[Message]) {
        let mut command = self.command("mosquitto_pub");
        self.add_head(&mut command, &messages[0]);
        match messages {
            [Message { payload: Payload::Text(text), .. }] if text.is_empty() => {
                succeed("mosquitto_pub", command.arg("-n"));
            }
            [Message { payload: Payload::Text(text), .. }] => {
                succeed("mosquitto_pub", command.args(["-m", text]));
            }
            [Message { payload: Payload::Large(_), .. }] => {
                let mut file = NamedTempFile::new().unwrap();
                file.write_all(&messages[0].payload.bytes()).unwrap();
                succeed("mosquitto_pub", command.arg("-f").arg(file.path()));
            }
            _ => {
                let mut process = Process::start("mosquitto_pub", command.arg("-l"));
                for message in messages {
                    assert_eq!(message.topic, messages[0].topic, "mosquitto_pub has one topic");
                    process.write_line(&String::from_utf8(message.payload.bytes()).unwrap());
                }
                let ended = process.wait();
                assert!(
                    ended.status.success(),
                    "mosquitto_pub ended with {}: {}",
                    ended.status,
                    ended.stderr
                );
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, session: &Session, question: &Message, answers_at: &Filter) -> Box<dyn Listener> {
        let mut command = self.command("mosquitto_rr");
        self.add_head(&mut command, question);
        command.args(["-F", FORMAT, "-i", &session.id, "-e", &answers_at.filter]);
        command.args(["-m", &String::from_utf8(question.payload.bytes()).unwrap()]);
        let process = Process::start("mosquitto_rr", &mut command);
        Box::new(Listening { process, cursor: 0, granted: Vec::new() })
    }

    fn has_a_qos_for_each_filter(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>) {}
}

impl Listener for Listening {
    fn granted(&self) -> &[u8] {
        &self.granted
    }

    /// The tools do not tell.
    fn session_present(&self) -> Option<bool> {
        None
    }

    #[track_caller]
    fn next_message(&mut self) -> Heard {
        self.process.wait_for_line(&mut self.cursor, "a message", heard_from_line)
    }

    #[track_caller]
    fn leave(mut self: Box<Self>) {
        // mosquitto_sub sends DISCONNECT from within its signal handler; one that came at a bad moment is lost.
        // mosquitto_rr leaves by itself after an answer.
        for _ in 0..PATIENCE.as_secs() {
            self.process.signal(Signal::TERM);
            if self.process.wait_status(Duration::from_secs(1)).is_some() {
                return;
            }
        }
        panic!("the tool does not end when it is asked to");
    }

    #[track_caller]
    fn cut(mut self: Box<Self>) {
        self.process.signal(Signal::KILL);
        self.process.wait();
    }
}

#[track_caller]
fn succeed(name: &str, command: &mut Command) {
    let ended = Process::start(name, command).wait();
    assert!(
        ended.status.success(),
        "{command:?} ended with {}: {}{}",
        ended.status,
        ended.stdout,
        ended.stderr
    );
}

fn heard_from_line(line: &str) -> Option<Heard> {
    let fields: Vec<&str> = line.strip_prefix("heard\t")?.splitn(8, '\t').collect();
    let [qos, retain, payload, response_topic, correlation, content_type, user, topic] = fields[..] else {
        panic!("{line:?} has not all fields")
    };
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once(':').expect("a user property has a colon");
        (name.to_owned(), value.to_owned())
    };
    Some(Heard {
        topic: topic.to_owned(),
        content: Content::of(&bytes_from_hex(payload)),
        qos: qos.parse().unwrap(),
        retain: retain == "1",
        properties: Properties {
            response_topic: given(response_topic),
            correlation: given(correlation),
            content_type: given(content_type),
            user: user.split(' ').filter(|pair| !pair.is_empty()).map(pair).collect(),
        },
    })
}

/// Without iterators over single digits, which take seconds for megabytes when they are not optimized.
fn bytes_from_hex(hex: &str) -> Vec<u8> {
    const DIGITS: [u8; 256] = {
        let mut digits = [0; 256];
        let mut digit = 0;
        while digit < 16 {
            digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
            digit += 1;
        }
        digits
    };
    let hex = hex.as_bytes();
    let mut bytes = vec![0; hex.len() / 2];
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = DIGITS[hex[2 * index] as usize] << 4 | DIGITS[hex[2 * index + 1] as usize];
        index += 1;
    }
    bytes
}
