//! mosquitto_pub and mosquitto_sub, the tools that everybody's first steps use.

use std::fmt;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Ended, PATIENCE, Process};

/// What `-V` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolVersion(pub &'static str);

/// The three versions that the tools speak.
pub const VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion("mqttv31"), ProtocolVersion("mqttv311"), ProtocolVersion("mqttv5")];

/// 3.1.1, where a test is not about versions.
pub const V311: ProtocolVersion = VERSIONS[1];

/// 5.0.
pub const V5: ProtocolVersion = VERSIONS[2];

/// A `mosquitto_sub -v` that hears what it subscribed to.
pub struct Subscriber {
    process: Process,
    cursor: usize,
    heads: Vec<Head>,
}

/// A message as `mosquitto_sub -d` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub qos: u8,
    pub retain: bool,
    /// Topic and payload with a space between, as `-v` prints them.
    pub text: String,
}

impl Subscriber {
    /// Starts `mosquitto_sub` and waits for its SUBACK.
    #[track_caller]
    pub fn start(broker: SocketAddr, version: ProtocolVersion, arguments: &[&str]) -> Self {
        let mut subscriber = Self::start_connected(broker, version, arguments);
        subscriber.process.wait_for_line(&mut subscriber.cursor, "SUBACK", |line| {
            line.starts_with("Subscribed (mid: ").then_some(())
        });
        subscriber
    }

    /// Starts `mosquitto_sub` and waits for its CONNACK only.
    #[track_caller]
    pub fn start_connected(broker: SocketAddr, version: ProtocolVersion, arguments: &[&str]) -> Self {
        // Without stdbuf its lines come in blocks of 4 KiB when nobody sits at a terminal.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub", "-d", "-v"]);
        add_common(&mut command, broker, version);
        command.args(arguments);
        let process = Process::start("mosquitto_sub", &mut command);
        let mut cursor = 0;
        process.wait_for_line(&mut cursor, "CONNACK", |line| {
            line.ends_with("received CONNACK (0)").then_some(())
        });
        Self { process, cursor, heads: Vec::new() }
    }

    /// The next message.
    #[track_caller]
    pub fn next_message(&mut self) -> Heard {
        let Self { process, cursor, heads } = self;
        process.wait_for_line(cursor, "a message", |line| {
            if let Some((_client, publish)) = line.split_once(" received PUBLISH (") {
                heads.push(Head::from_debug(publish));
                return None;
            }
            // The message of a QoS 2 PUBLISH is printed only after PUBREL; others may come between.
            let index = heads.iter().position(|head| line.starts_with(&head.topic_and_space))?;
            let Head { qos, retain, .. } = heads.remove(index);
            Some(Heard { qos, retain, text: line.to_owned() })
        })
    }

    /// The next `count` messages, sorted by their text.
    #[track_caller]
    pub fn next_messages_sorted(&mut self, count: usize) -> Vec<Heard> {
        let mut messages: Vec<Heard> = (0..count).map(|_| self.next_message()).collect();
        messages.sort_by(|a, b| a.text.cmp(&b.text));
        messages
    }

    /// Waits for the next message and checks that it is this one.
    #[track_caller]
    pub fn expect(&mut self, qos: u8, retain: bool, text: &str) {
        let heard = self.next_message();
        assert_eq!(heard, Heard::new(qos, retain, text), "what mosquitto_sub heard");
    }

    /// Ends the program as a power cut does: its socket closes without DISCONNECT.
    #[track_caller]
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait();
    }

    /// Waits until the program has ended by itself, as `-C` makes it.
    #[track_caller]
    pub fn wait(mut self) {
        let ended = self.process.wait();
        assert!(ended.status.success(), "mosquitto_sub ended with {}", ended.status);
    }

    /// Ends the program with DISCONNECT, in version 5 with the reason that asks for the will.
    #[track_caller]
    pub fn disconnect(mut self) {
        // It sends DISCONNECT from within its signal handler; one that came at a bad moment is lost.
        for _ in 0..PATIENCE.as_secs() {
            self.process.signal(Signal::TERM);
            if self.process.wait_status(Duration::from_secs(1)).is_some() {
                return;
            }
        }
        panic!("mosquitto_sub does not end when it is asked to");
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Runs `mosquitto_pub` to its end, which for QoS 1 and 2 means until the broker has acknowledged.
#[track_caller]
pub fn publish(broker: SocketAddr, version: ProtocolVersion, arguments: &[&str]) {
    let ended = try_publish(broker, version, arguments);
    assert!(
        ended.status.success(),
        "mosquitto_pub {arguments:?} ended with {}: {}{}",
        ended.status,
        ended.stdout,
        ended.stderr
    );
}

/// The same for a test that looks itself how it ended.
#[track_caller]
pub fn try_publish(broker: SocketAddr, version: ProtocolVersion, arguments: &[&str]) -> Ended {
    let mut command = Command::new("mosquitto_pub");
    add_common(&mut command, broker, version);
    command.args(arguments);
    Process::start("mosquitto_pub", &mut command).wait()
}

fn add_common(command: &mut Command, broker: SocketAddr, version: ProtocolVersion) {
    command.args(["-h", &broker.ip().to_string(), "-p", &broker.port().to_string(), "-V", version.0]);
}

impl Heard {
    pub fn new(qos: u8, retain: bool, text: &str) -> Self {
        Self { qos, retain, text: text.to_owned() }
    }
}

/// A PUBLISH whose message is not printed yet.
struct Head {
    qos: u8,
    retain: bool,
    topic_and_space: String,
}

impl Head {
    /// Reads `d0, q2, r1, m1, 'home/x', ... (4 bytes))`.
    fn from_debug(text: &str) -> Self {
        let fields: Vec<&str> = text.splitn(5, ", ").collect();
        let [_dup, qos, retain, _packet_id, rest] = fields[..] else { panic!("{text} is no PUBLISH") };
        let topic = rest.trim_start_matches('\'').split('\'').next().unwrap();
        Self { qos: qos[1..].parse().unwrap(), retain: retain == "r1", topic_and_space: format!("{topic} ") }
    }
}
