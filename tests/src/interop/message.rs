//! What clients say and hear, in words that every client's driver can turn into its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Above this a payload is compared by its length and digest: megabytes have no place in a line of JSON or a panic.
const TEXT_BYTES_MAX: usize = 4096;

/// More than any packet of a scenario, for clients that take only small ones unless told otherwise.
pub const PACKET_BYTES_MAX: usize = 16 << 20;

/// Length of the run of bytes 0, 1, 2 … that large payloads repeat. A prime, so that a piece that is missing, doubled or
/// out of place never looks like the right one.
pub const CYCLE: usize = 251;

/// Where a broker is, and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    /// A path, such as `/mqtt`, with its slash.
    WebSocket(SocketAddr, &'static str),
}

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: String,
    /// Clean session, or clean start.
    pub clean: bool,
    /// Whether it outlives its connection: in version 5 by an hour, before for ever.
    pub lasts: bool,
    pub will: Option<Message>,
}

/// A topic filter with the QoS that is asked for.
#[derive(Clone, Debug)]
pub struct Filter {
    pub filter: String,
    pub qos: u8,
}

/// A message to be published.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: String,
    pub payload: Payload,
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
}

/// What is in a message that is published.
#[derive(Clone, Debug)]
pub enum Payload {
    Text(String),
    /// So many bytes of the cycle.
    Large(usize),
}

/// Properties of a PUBLISH of version 5; older versions carry none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    pub response_topic: Option<String>,
    pub correlation: Option<String>,
    pub content_type: Option<String>,
    pub user: Vec<(String, String)>,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    pub content: Content,
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
}

/// What was in a message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Text(String),
    Large { bytes: usize, sha256: String },
}

impl Address {
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("mqtt://{address}"),
            Self::WebSocket(address, path) => format!("ws://{address}{path}"),
        }
    }
}

impl Session {
    /// One that ends with its connection.
    pub fn transient(id: String) -> Self {
        Self { id, clean: true, lasts: false, will: None }
    }

    /// One that is taken up again where it was left.
    pub fn lasting(id: String) -> Self {
        Self { id, clean: false, lasts: true, will: None }
    }
}

impl Filter {
    pub fn new(filter: impl Into<String>, qos: u8) -> Self {
        Self { filter: filter.into(), qos }
    }
}

impl Message {
    pub fn new(topic: impl Into<String>, text: impl Into<String>, qos: u8) -> Self {
        let payload = Payload::Text(text.into());
        Self { topic: topic.into(), payload, qos, retain: false, properties: Properties::default() }
    }

    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// How it arrives at a subscription that asked for a QoS, as it is sent on: without the retain flag.
    pub fn heard(&self, qos: u8) -> Heard {
        Heard {
            topic: self.topic.clone(),
            content: Content::of(&self.payload.bytes()),
            qos: self.qos.min(qos),
            retain: false,
            properties: self.properties.clone(),
        }
    }
}

impl Payload {
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Large(bytes) => cycle(*bytes),
        }
    }
}

impl Content {
    /// # Panics
    /// A short payload is no UTF-8: no scenario sends such.
    #[track_caller]
    pub fn of(payload: &[u8]) -> Self {
        if payload.len() <= TEXT_BYTES_MAX {
            return Self::Text(String::from_utf8(payload.to_vec()).expect("a short payload is a text"));
        }
        // An unoptimized digest of megabytes takes a second and a comparison none, so that one is made for all tests.
        static EXPECTED: OnceLock<(Vec<u8>, String)> = OnceLock::new();
        let (expected, digest) = EXPECTED.get_or_init(|| {
            let expected = cycle(payload.len());
            let digest = sha256(&expected);
            (expected, digest)
        });
        let sha256 = if payload == expected { digest.clone() } else { sha256(payload) };
        Self::Large { bytes: payload.len(), sha256 }
    }
}

fn cycle(bytes: usize) -> Vec<u8> {
    let once: Vec<u8> = (0..CYCLE).map(|index| index as u8).collect();
    let mut cycle = once.repeat(bytes.div_ceil(CYCLE));
    cycle.truncate(bytes);
    cycle
}

fn sha256(payload: &[u8]) -> String {
    let mut digest = String::new();
    for byte in Sha256::digest(payload) {
        write!(digest, "{byte:02x}").unwrap();
    }
    digest
}
