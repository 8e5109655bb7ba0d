//! A server's connection under packets in every order, whole and damaged.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;

use super::{Random, client_packet, connect, damage, packet};
use crate::codec;
use crate::connection::{ProtocolError, ServerConnection, ServerTerms};
use crate::packet::{Connect, Packet, Publish};
use crate::{ReasonCode, Time, TopicName, Version};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Largest packet that the connection takes, so that some are too large.
const PACKET_SIZE_MAX: usize = 2048;

/// Highest topic alias that it grants.
const ALIAS_MAX: u16 = 3;

/// A client that a tape describes, and what is known of the connection that it has.
struct Run {
    random: Random,
    connection: ServerConnection,
    now: Time,
    version: Version,
    phase: Phase,
    input: BytesMut,
    /// Bytes that were written and have not come yet.
    under_way: VecDeque<u8>,
    /// Whole packets in `input` and `under_way`, in order; `None` once other bytes are among them.
    expected: Option<VecDeque<Packet>>,
    /// What the aliases stand for.
    topics: [Option<TopicName>; ALIAS_MAX as usize],
    taken: usize,
}

enum Phase {
    AwaitConnect,
    AwaitDecision(Box<Connect>),
    Open { authenticates: bool, keep_alive: u16, last_input: Time },
}

/// Feeds a [`ServerConnection`] what the tape says and checks after each step that it lets through what may come in its
/// state and nothing else, whole, in order and unchanged. How many packets that were.
///
/// # Panics
/// When it does not.
pub fn server_connection(tape: &[u8]) -> usize {
    let mut random = Random::of_tape(tape);
    let version = random.pick(&VERSIONS);
    let mut run = Run {
        random,
        connection: ServerConnection::new(PACKET_SIZE_MAX),
        now: Time::ZERO,
        version,
        phase: Phase::AwaitConnect,
        input: BytesMut::new(),
        under_way: VecDeque::new(),
        expected: Some(VecDeque::new()),
        topics: Default::default(),
        taken: 0,
    };
    while !run.random.is_over() {
        run.step();
        if !run.take_packets() {
            break;
        }
    }
    run.taken
}

impl Run {
    fn step(&mut self) {
        match self.random.below(16) {
            0 => {
                let milliseconds = self.random.below(5000) as u64;
                self.now = self.now.saturating_add(Duration::from_millis(milliseconds));
            }
            1 => self.decide(),
            5..9 if matches!(self.phase, Phase::AwaitDecision(_)) => self.decide(),
            2 if self.random.one_in(4) => {
                let bytes = self.random.bytes(12);
                self.under_way.extend(bytes);
                self.expected = None;
            }
            3 if self.random.one_in(4) => self.write_damaged(),
            4 if self.random.one_in(4) => {
                let version = self.random.pick(&VERSIONS);
                let packet = packet(&mut self.random, version);
                self.write(&packet, version);
            }
            _ if matches!(self.phase, Phase::AwaitConnect) => {
                let connect = connect(&mut self.random, self.version);
                self.write(&Packet::Connect(Box::new(connect)), self.version);
            }
            _ => {
                let packet = client_packet(&mut self.random, self.version);
                self.write(&packet, self.version);
            }
        }
        let come = match self.random.below(3) {
            0 => self.random.below(64).min(self.under_way.len()),
            _ => self.under_way.len(),
        };
        self.input.extend(self.under_way.drain(..come));
    }

    fn write(&mut self, packet: &Packet, version: Version) {
        let mut bytes = BytesMut::new();
        assert_eq!(codec::encode(packet, version, &mut bytes), Ok(()), "generated packets are valid");
        self.under_way.extend(&bytes);
        if let Some(expected) = &mut self.expected
            && version == self.version
        {
            expected.push_back(packet.clone());
        } else {
            self.expected = None;
        }
    }

    fn write_damaged(&mut self) {
        let packet = packet(&mut self.random, self.version);
        let mut bytes = BytesMut::new();
        assert_eq!(codec::encode(&packet, self.version, &mut bytes), Ok(()), "generated packets are valid");
        bytes.truncate(4096);
        let mut bytes = bytes.to_vec();
        damage(&mut self.random, &mut bytes);
        self.under_way.extend(bytes);
        self.expected = None;
    }

    /// Accepts the CONNECT that waits for it.
    fn decide(&mut self) {
        let Phase::AwaitDecision(connect) = &self.phase else { return };
        let keep_alive = connect.keep_alive;
        self.connection.accept(self.now, connect, ServerTerms { keep_alive, topic_alias_maximum: ALIAS_MAX });
        let authenticates = connect.properties.authentication_method.is_some();
        self.phase = Phase::Open { authenticates, keep_alive, last_input: self.now };
    }

    /// Whether the connection goes on.
    fn take_packets(&mut self) -> bool {
        loop {
            let before = self.input.len();
            let taken = self.connection.next_packet(self.now, &mut self.input);
            match taken {
                Ok(Some(packet)) => {
                    assert!(self.input.len() < before, "a packet takes bytes");
                    self.taken += 1;
                    self.check(packet);
                }
                Ok(None) => {
                    assert_eq!(self.input.len(), before, "nothing is taken of a packet that is not whole");
                    self.check_timeout();
                    return true;
                }
                Err(error) => {
                    assert!(error.reason.is_failure() && !error.detail.is_empty(), "{error}");
                    self.check_refusal(&error);
                    return false;
                }
            }
        }
    }

    fn check(&mut self, packet: Packet) {
        match &mut self.phase {
            Phase::AwaitConnect => {
                let Packet::Connect(connect) = &packet else { panic!("{packet:?} came before CONNECT") };
                if connect.version != self.version {
                    // The rest was written for a version that is not spoken.
                    self.version = connect.version;
                    self.expected = None;
                }
            }
            Phase::AwaitDecision(_) => {
                let is_needed = matches!(packet, Packet::Auth(_) | Packet::Disconnect(_));
                assert!(is_needed, "{packet:?} came before CONNACK");
            }
            Phase::Open { authenticates, last_input, .. } => {
                check_open(&packet, *authenticates);
                *last_input = self.now;
            }
        }
        if let Some(sent) = self.expected.as_mut().map(VecDeque::pop_front) {
            let sent = sent.map(|sent| self.resolve(sent));
            assert_eq!(Some(&packet), sent.as_ref());
        }
        assert_eq!(self.connection.version(), Some(self.version));
        if let Packet::Connect(connect) = packet {
            self.phase = Phase::AwaitDecision(connect);
        }
    }

    /// Gives a message the topic that its alias stands for.
    fn resolve(&mut self, mut packet: Packet) -> Packet {
        if let Packet::Publish(publish) = &mut packet
            && let Some(alias) =
                publish.properties.as_mut().and_then(|properties| properties.topic_alias.take())
        {
            let topic = &mut self.topics[usize::from(alias) - 1];
            if publish.topic.as_str().is_empty() {
                publish.topic.clone_from(topic.as_ref().unwrap_or(&TopicName::ALIASED));
            } else {
                *topic = Some(publish.topic.clone());
            }
        }
        packet
    }

    /// A good client is not refused.
    fn check_refusal(&self, error: &ProtocolError) {
        let Some(next) = self.expected.as_ref().and_then(VecDeque::front) else { return };
        let Phase::Open { authenticates, .. } = self.phase else { return };
        let is_too_large = codec::encoded_len(next, self.version).is_ok_and(|len| len > PACKET_SIZE_MAX);
        assert!(is_too_large || is_refused(next, authenticates, &self.topics), "{next:?}: {error}");
    }

    fn check_timeout(&self) {
        let expected = match self.phase {
            Phase::Open { keep_alive, last_input, .. } if keep_alive > 0 => {
                Some(last_input.saturating_add(Duration::from_millis(u64::from(keep_alive) * 1500)))
            }
            Phase::AwaitConnect | Phase::AwaitDecision(_) | Phase::Open { .. } => None,
        };
        assert_eq!(self.connection.poll_timeout(), expected);
        assert_eq!(self.connection.peer().is_none(), matches!(self.phase, Phase::AwaitConnect));
    }
}

fn check_open(packet: &Packet, authenticates: bool) {
    match packet {
        Packet::Publish(Publish { topic, properties, .. }) => {
            assert!(!topic.as_str().is_empty(), "a message has its topic");
            if let Some(properties) = properties {
                assert!(properties.subscription_ids.is_empty(), "only a server sends identifiers");
                assert_eq!(properties.topic_alias, None, "an alias means nothing beyond its connection");
            }
        }
        Packet::Auth(auth) => {
            assert!(authenticates, "AUTH without a method");
            assert_ne!(auth.reason, ReasonCode::Success, "only a server is content");
        }
        Packet::Disconnect(disconnect) => {
            assert_eq!(disconnect.properties.server_reference, None, "only a server directs");
        }
        Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq => {}
        Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp => panic!("a client may not send {packet:?}"),
    }
}

/// Whether a packet that a client may send as such is refused on an open connection.
fn is_refused(packet: &Packet, authenticates: bool, topics: &[Option<TopicName>]) -> bool {
    match packet {
        Packet::Publish(publish) => publish.properties.as_ref().is_some_and(|properties| {
            let alias = properties.topic_alias.map(|alias| topics.get(usize::from(alias) - 1));
            let is_known = match alias {
                Some(None) => false,
                Some(Some(topic)) => topic.is_some() || !publish.topic.as_str().is_empty(),
                None => true,
            };
            !is_known || !properties.subscription_ids.is_empty()
        }),
        Packet::Auth(auth) => !authenticates || auth.reason == ReasonCode::Success,
        Packet::Disconnect(disconnect) => disconnect.properties.server_reference.is_some(),
        Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq => false,
        Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp => true,
    }
}
