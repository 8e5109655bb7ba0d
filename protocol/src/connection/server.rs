//! The server's side of a connection: which packets a client may send, in which order.

use std::time::Duration;

use bytes::BytesMut;

use super::ProtocolError;
use super::alias::InboundAliases;
use crate::codec;
use crate::packet::{Connect, Packet, Publish};
use crate::{ReasonCode, Time, Version};

/// One accepted connection. It decodes and checks; what a packet means is the broker's.
#[derive(Debug)]
pub struct ServerConnection {
    packet_size_max: usize,
    /// Until CONNECT is accepted.
    stranger_packet_size_max: usize,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Nothing but CONNECT may come [MQTT-3.1.0-1].
    AwaitConnect,
    /// CONNECT came; the broker has not decided. What else came waits, except for what the decision needs.
    AwaitDecision { version: Version, authenticates: bool, peer: PeerTerms },
    /// CONNACK went out.
    Open(Open),
}

#[derive(Debug)]
struct Open {
    version: Version,
    /// CONNECT named an authentication method.
    authenticates: bool,
    /// Seconds, 0 for none.
    keep_alive: u16,
    last_input: Time,
    aliases: InboundAliases,
    peer: PeerTerms,
}

/// What the server grants in CONNACK, as far as the connection has to watch over it.
#[derive(Clone, Copy, Debug)]
pub struct ServerTerms {
    /// Seconds, 0 for none: the client's, or the server's in its place.
    pub keep_alive: u16,
    /// Highest topic alias that the client may use.
    pub topic_alias_maximum: u16,
}

/// What the client takes, from its CONNECT, with the defaults of the standard filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerTerms {
    /// Largest packet in bytes.
    pub packet_size_max: usize,
    /// QoS 1 and 2 messages under way at once; never 0.
    pub receive_maximum: u16,
    /// Highest topic alias.
    pub topic_alias_maximum: u16,
    /// Whether reason strings and user properties may come in any packet (3.1.2.11.7).
    pub request_problem_information: bool,
}

impl PeerTerms {
    /// Reads them from CONNECT; before version 5 there are none and the defaults hold.
    pub fn of(connect: &Connect) -> Self {
        let properties = &connect.properties;
        Self {
            packet_size_max: properties.packet_size_max.map_or(usize::MAX, |bytes| bytes as usize),
            receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            request_problem_information: properties.request_problem_information.unwrap_or(true),
        }
    }
}

impl ServerConnection {
    /// Waits for CONNECT; `packet_size_max` bounds each packet in bytes.
    pub const fn new(packet_size_max: usize) -> Self {
        Self { packet_size_max, stranger_packet_size_max: packet_size_max, phase: Phase::AwaitConnect }
    }

    /// The same with a lower bound until CONNECT is accepted: for CONNECT, and AUTH behind it.
    #[must_use]
    pub fn with_stranger_packet_size_max(self, bytes: usize) -> Self {
        Self { stranger_packet_size_max: bytes, ..self }
    }

    /// The version of the connection; `None` before CONNECT.
    pub const fn version(&self) -> Option<Version> {
        match &self.phase {
            Phase::AwaitConnect => None,
            Phase::AwaitDecision { version, .. } | Phase::Open(Open { version, .. }) => Some(*version),
        }
    }

    /// What the client takes, of a refusal too; `None` before CONNECT.
    pub const fn peer(&self) -> Option<&PeerTerms> {
        match &self.phase {
            Phase::Open(open) => Some(&open.peer),
            Phase::AwaitDecision { peer, .. } => Some(peer),
            Phase::AwaitConnect => None,
        }
    }

    /// Opens the connection that `connect` asked for.
    pub fn accept(&mut self, now: Time, connect: &Connect, terms: ServerTerms) {
        self.phase = Phase::Open(Open {
            version: connect.version,
            authenticates: connect.properties.authentication_method.is_some(),
            keep_alive: terms.keep_alive,
            last_input: now,
            aliases: InboundAliases::new(terms.topic_alias_maximum),
            peer: PeerTerms::of(connect),
        });
    }

    /// The next whole packet of `input`; `None` when there is none. A message always has its topic.
    ///
    /// Between CONNECT and [`ServerConnection::accept`] the input stays as it is, because a client need not wait for
    /// CONNACK; one that named an authentication method must, and its AUTH and DISCONNECT come through.
    ///
    /// # Errors
    /// The client broke a rule; the connection must end.
    pub fn next_packet(&mut self, now: Time, input: &mut BytesMut) -> Result<Option<Packet>, ProtocolError> {
        // CONNECT names its own version; until then the strictest reading holds.
        let version = self.version().unwrap_or(Version::V311);
        let size_max = match self.phase {
            Phase::AwaitConnect => {
                check_first_byte(input)?;
                self.stranger_packet_size_max
            }
            Phase::AwaitDecision { authenticates: false, .. } => return Ok(None),
            Phase::AwaitDecision { authenticates: true, .. } => self.stranger_packet_size_max,
            Phase::Open(_) => self.packet_size_max,
        };
        let Some(mut packet) = codec::decode(input, version, size_max)? else { return Ok(None) };
        match &mut self.phase {
            Phase::AwaitConnect => {
                if let Packet::Connect(connect) = &packet {
                    let authenticates = connect.properties.authentication_method.is_some();
                    let (version, peer) = (connect.version, PeerTerms::of(connect));
                    self.phase = Phase::AwaitDecision { version, authenticates, peer };
                }
            }
            Phase::AwaitDecision { .. } => {
                if !matches!(packet, Packet::Auth(_) | Packet::Disconnect(_)) {
                    return Err(violation(
                        "a packet came before the authentication was over [MQTT-3.1.2-30]",
                    ));
                }
            }
            Phase::Open(open) => {
                check_open(open, &mut packet)?;
                open.last_input = now;
            }
        }
        Ok(Some(packet))
    }

    /// When the client has been silent for one and a half times its keep-alive [MQTT-3.1.2-22].
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Open(open) if open.keep_alive > 0 => {
                let silence_max = Duration::from_millis(u64::from(open.keep_alive) * 1500);
                Some(open.last_input.saturating_add(silence_max))
            }
            Phase::Open(_) | Phase::AwaitConnect | Phase::AwaitDecision { .. } => None,
        }
    }
}

/// Ends a stranger's connection at its first byte: CONNECT is 0x10 and nothing else may come.
fn check_first_byte(input: &BytesMut) -> Result<(), ProtocolError> {
    match input.first() {
        None | Some(0x10) => Ok(()),
        Some(byte) if byte >> 4 == 1 => Err(ProtocolError::new(
            ReasonCode::MalformedPacket,
            "CONNECT: its flags are not 0 [MQTT-2.1.3-1]",
        )),
        Some(_) => Err(violation("the first packet is not CONNECT [MQTT-3.1.0-1]")),
    }
}

fn check_open(open: &mut Open, packet: &mut Packet) -> Result<(), ProtocolError> {
    match packet {
        Packet::Connect(_) => Err(violation("a second CONNECT came [MQTT-3.1.0-2]")),
        Packet::Publish(publish) => check_publish(open, publish),
        Packet::Auth(_) if !open.authenticates => {
            Err(violation("AUTH: CONNECT named no authentication method [MQTT-4.12.0-7]"))
        }
        Packet::Disconnect(disconnect) if disconnect.properties.server_reference.is_some() => {
            Err(violation("DISCONNECT: a client sent a server reference (3.14.2.2.5)"))
        }
        Packet::Auth(auth) if auth.reason == ReasonCode::Success => {
            Err(violation("AUTH: a client sent success, which only a server says (3.15.2.1)"))
        }
        Packet::Disconnect(_)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq
        | Packet::Auth(_) => Ok(()),
        Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
            let detail = format!("{} is a packet that only a server sends (2.1.2)", packet.packet_type());
            Err(ProtocolError::new(ReasonCode::ProtocolError, detail))
        }
    }
}

fn check_publish(open: &mut Open, publish: &mut Publish) -> Result<(), ProtocolError> {
    if publish.properties.as_ref().is_some_and(|properties| !properties.subscription_ids.is_empty()) {
        return Err(violation("PUBLISH: a client sent a subscription identifier [MQTT-3.3.4-6]"));
    }
    open.aliases.resolve(publish)
}

fn violation(detail: &'static str) -> ProtocolError {
    ProtocolError::new(ReasonCode::ProtocolError, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QoS;
    use crate::packet::PublishProperties;
    use bytes::Bytes;

    const CONNECT_V5: &[u8] = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x01a";

    fn open() -> ServerConnection {
        let mut connection = ServerConnection::new(1 << 20);
        let mut input = BytesMut::from(CONNECT_V5);
        let Some(Packet::Connect(connect)) = connection.next_packet(Time::ZERO, &mut input).unwrap() else {
            panic!("CONNECT is whole");
        };
        connection.accept(Time::ZERO, &connect, ServerTerms { keep_alive: 10, topic_alias_maximum: 2 });
        connection
    }

    fn aliased(topic: &str, alias: u16) -> BytesMut {
        let mut output = BytesMut::new();
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: crate::TopicName::try_from(topic).unwrap_or(crate::TopicName::ALIASED),
            packet_id: None,
            payload: Bytes::new(),
            properties: Some(Box::new(PublishProperties { topic_alias: Some(alias), ..Default::default() })),
        };
        codec::encode(&Packet::Publish(publish), Version::V5, &mut output).unwrap();
        output
    }

    #[test]
    fn the_first_packet_must_be_connect_and_no_later_one_may_be() {
        let mut connection = ServerConnection::new(1 << 20);
        let error = connection.next_packet(Time::ZERO, &mut BytesMut::from(&b"GET /"[..])).unwrap_err();
        assert_eq!(error.reason, ReasonCode::ProtocolError);
        let error = open().next_packet(Time::ZERO, &mut BytesMut::from(CONNECT_V5)).unwrap_err();
        assert_eq!(error.reason, ReasonCode::ProtocolError);
    }

    #[test]
    fn an_alias_stands_for_the_topic_it_came_with() {
        let mut connection = open();
        for input in [aliased("a/b", 2), aliased("", 2)] {
            let packet = connection.next_packet(Time::ZERO, &mut { input }).unwrap();
            let Some(Packet::Publish(publish)) = packet else { panic!("{packet:?}") };
            assert_eq!(publish.topic.as_str(), "a/b");
            assert_eq!(publish.properties.unwrap().topic_alias, None);
        }
    }

    #[test]
    fn an_alias_that_is_unknown_or_too_high_ends_the_connection() {
        for (input, reason) in
            [(aliased("", 1), ReasonCode::ProtocolError), (aliased("a", 3), ReasonCode::TopicAliasInvalid)]
        {
            assert_eq!(open().next_packet(Time::ZERO, &mut { input }).unwrap_err().reason, reason);
        }
    }

    #[test]
    fn what_comes_right_behind_connect_waits_for_the_decision() {
        let mut connection = ServerConnection::new(1 << 20);
        let mut input = BytesMut::from(CONNECT_V5);
        input.extend_from_slice(b"\xc0\x00");
        let Some(Packet::Connect(connect)) = connection.next_packet(Time::ZERO, &mut input).unwrap() else {
            panic!("CONNECT is whole");
        };
        assert_eq!(connection.next_packet(Time::ZERO, &mut input), Ok(None));
        assert_eq!(connection.poll_timeout(), None);
        connection.accept(Time::ZERO, &connect, ServerTerms { keep_alive: 0, topic_alias_maximum: 0 });
        assert_eq!(connection.next_packet(Time::ZERO, &mut input), Ok(Some(Packet::PingReq)));
        assert_eq!(connection.poll_timeout(), None, "a keep-alive of 0 is none");
    }

    #[test]
    fn a_client_that_authenticates_sends_auth_or_disconnect_until_it_is_accepted() {
        let connect = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x0a\x04\x15\x00\x01m\x00\x01a";
        for (bytes, is_allowed) in
            [(&b"\xf0\x06\x18\x04\x15\x00\x01m"[..], true), (b"\xe0\x00", true), (b"\xc0\x00", false)]
        {
            let mut connection = ServerConnection::new(1 << 20);
            connection.next_packet(Time::ZERO, &mut BytesMut::from(&connect[..])).unwrap();
            let packet = connection.next_packet(Time::ZERO, &mut BytesMut::from(bytes));
            assert_eq!(packet.is_ok(), is_allowed, "{packet:?}");
        }
        let auth = &b"\xf0\x06\x18\x04\x15\x00\x01m"[..];
        let error = open().next_packet(Time::ZERO, &mut BytesMut::from(auth)).unwrap_err();
        assert_eq!(error.reason, ReasonCode::ProtocolError, "its CONNECT named no method");
    }

    #[test]
    fn the_terms_of_the_client_are_those_of_its_connect() {
        let connection = open();
        let terms = PeerTerms {
            packet_size_max: usize::MAX,
            receive_maximum: u16::MAX,
            topic_alias_maximum: 0,
            request_problem_information: true,
        };
        assert_eq!((connection.version(), connection.peer()), (Some(Version::V5), Some(&terms)));
        assert_eq!(ServerConnection::new(100).version(), None);
    }

    #[test]
    fn a_packet_over_the_bound_ends_the_connection_before_its_body_is_there() {
        let mut connection = ServerConnection::new(100);
        let error =
            connection.next_packet(Time::ZERO, &mut BytesMut::from(&b"\x10\xff\x7f"[..])).unwrap_err();
        assert_eq!(error.reason, ReasonCode::PacketTooLarge);
    }

    #[test]
    fn before_connect_is_accepted_a_lower_bound_holds() {
        let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c";
        let publish = b"\x30\x20\x00\x01t1234567890123456789012345678 ";
        for (stranger_max, is_taken) in [(14, false), (15, true)] {
            let mut connection = ServerConnection::new(100).with_stranger_packet_size_max(stranger_max);
            let first = connection.next_packet(Time::ZERO, &mut BytesMut::from(&connect[..]));
            let Ok(Some(Packet::Connect(connect))) = first else {
                assert!(!is_taken, "{first:?}");
                assert_eq!(first.unwrap_err().reason, ReasonCode::PacketTooLarge);
                continue;
            };
            assert!(is_taken);
            let terms = ServerTerms { keep_alive: 10, topic_alias_maximum: 0 };
            connection.accept(Time::ZERO, &connect, terms);
            let packet = connection.next_packet(Time::ZERO, &mut BytesMut::from(&publish[..]));
            assert!(matches!(packet, Ok(Some(Packet::Publish(_)))), "{packet:?}");
        }
    }

    #[test]
    fn silence_ends_after_one_and_a_half_times_the_keep_alive() {
        let mut connection = open();
        assert_eq!(connection.poll_timeout(), Some(Time::from_millis(15_000)));
        connection.next_packet(Time::from_millis(4_000), &mut BytesMut::from(&b"\xc0\x00"[..])).unwrap();
        assert_eq!(connection.poll_timeout(), Some(Time::from_millis(19_000)));
    }

    #[test]
    fn what_only_a_server_says_in_a_packet_of_both_sides_ends_the_connection() {
        let mut connection = open();
        let Phase::Open(state) = &mut connection.phase else { panic!("it is open") };
        state.authenticates = true;
        for bytes in [&b"\xe0\x06\x00\x04\x1c\x00\x01s"[..], b"\xf0\x00", b"\xf0\x06\x00\x04\x15\x00\x01m"] {
            let error = connection.next_packet(Time::ZERO, &mut BytesMut::from(bytes)).unwrap_err();
            assert_eq!(error.reason, ReasonCode::ProtocolError, "{bytes:02x?}");
        }
    }

    #[test]
    fn packets_that_only_a_server_sends_end_the_connection() {
        for bytes in [&b"\xd0\x00"[..], b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x00"] {
            let error = open().next_packet(Time::ZERO, &mut BytesMut::from(bytes)).unwrap_err();
            assert_eq!(error.reason, ReasonCode::ProtocolError, "{bytes:02x?}");
        }
    }
}
