//! What a session holds, for how long, and over which transports (4.1, 4.2; 3.1.1, chapter 7).

use bytes::Bytes;
use hearth_protocol::packet::{Connect, Disconnect, Packet, Publish, Will, WillProperties};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use super::broker::SharedBroker;
use super::clock::let_pass;
use super::packets::{hear, join, lasting, leave, payloads, pubcomp, publish, publish_again, pubrec, pubrel};
use super::{VERSIONS, raw, unique};
use crate::wire::{Wire, connect, message, text};

static BROKER: SharedBroker = SharedBroker::new();

/// Puts something into every part of a session: a subscription, messages under way in each step, a QoS 2 message of the
/// client's own, and one that waits.
struct Furnished {
    topic: String,
    publisher: Wire,
    listener: Wire,
    /// Sent and not acknowledged, QoS 1 and 2.
    sent: [Publish; 2],
    /// Got PUBREC, waits for PUBCOMP.
    released: u16,
}

impl Furnished {
    #[track_caller]
    fn new(broker: std::net::SocketAddr, client: &mut Wire, version: Version) -> Self {
        let topic = unique("furnished");
        client.subscribe(&topic, QoS::ExactlyOnce);
        let own = format!("{topic}/own");
        let mut listener = join(broker, version, &format!("{topic}-listener"));
        listener.subscribe(&own, QoS::AtMostOnce);
        client.send(&publish(77, message(&own, b"own", QoS::ExactlyOnce)));
        assert!(matches!(client.next(), Packet::PubRec(_)));
        assert_eq!(listener.next_publish().payload, "own");
        let mut publisher = join(broker, version, &format!("{topic}-publisher"));
        let mut sent = [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce].map(|qos| {
            publisher.publish_to_the_end(message(&topic, b"under way", qos));
            client.next_publish()
        });
        let released = sent[1].packet_id.unwrap().get();
        client.send(&pubrec(released));
        assert_eq!(client.next(), pubrel(released));
        sent.swap(1, 2);
        let [first, second, _] = sent;
        Self { topic, publisher, listener, sent: [first, second], released }
    }

    /// Everything is still there after a new CONNECT.
    #[track_caller]
    fn assert_resumed(&mut self, client: &mut Wire) {
        let mut again = vec![client.next(), client.next(), client.next()];
        again.retain(|packet| packet != &pubrel(self.released));
        assert_eq!(again, self.sent.clone().map(|sent| Packet::Publish(Publish { dup: true, ..sent })));
        self.assert_alive(client);
    }

    /// The subscription and the client's own QoS 2 message are known.
    #[track_caller]
    fn assert_alive(&mut self, client: &mut Wire) {
        let own = format!("{}/own", self.topic);
        client.send(&publish_again(77, message(&own, b"own", QoS::ExactlyOnce)));
        assert_eq!(client.next(), pubrec(77));
        self.publisher.publish_to_the_end(message(&self.topic, b"new", QoS::AtLeastOnce));
        assert_eq!(payloads(&hear(client, 1)), ["new"]);
        client.send(&pubrel(77));
        assert_eq!(client.next(), pubcomp(77));
        self.listener.assert_quiet_after(client);
    }
}

// MQTT 3.1.1 server: MQTT-4.1.0-1
// MQTT 5.0 server: MQTT-4.1.0-1
#[test]
fn all_of_a_session_is_there_after_its_connection_ended() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        // Lost, ended in good order, and taken over.
        let endings: [fn(Wire) -> Option<Wire>; 3] = [
            |wire| {
                drop(wire);
                None
            },
            |wire| {
                leave(wire);
                None
            },
            Some,
        ];
        for end in endings {
            let client_id = unique("kept");
            let (mut client, answer) = Wire::connect(hearth.mqtt(), lasting(version, &client_id));
            assert!(!answer.session_present);
            let mut furnished = Furnished::new(hearth.mqtt(), &mut client, version);
            let _first = end(client);
            let (mut client, answer) = Wire::connect(hearth.mqtt(), lasting(version, &client_id));
            assert!(answer.session_present, "{version}");
            furnished.assert_resumed(&mut client);
            // What comes while the client is away is part of it too.
            leave(client);
            let Furnished { topic, publisher, .. } = &mut furnished;
            publisher.publish_to_the_end(message(topic, b"away 1", QoS::AtLeastOnce));
            publisher.publish_to_the_end(message(topic, b"away 2", QoS::ExactlyOnce));
            let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, &client_id));
            let heard = payloads(&hear_new(&mut client, 2));
            assert_eq!(heard, ["away 1", "away 2"], "{version}");
        }
    }
}

/// As many messages as come for the first time, behind those that come again; each with its acknowledgements.
#[track_caller]
fn hear_new(client: &mut Wire, count: usize) -> Vec<Publish> {
    let mut heard = Vec::new();
    while heard.len() < count {
        match client.next() {
            Packet::Publish(publish) if publish.dup => {}
            Packet::Publish(publish) => heard.push(publish),
            Packet::PubRel(_) => {}
            other => panic!("{other:?}"),
        }
    }
    heard
}

// MQTT 3.1.1 server: MQTT-4.1.0-1 MQTT-4.1.0-2
// MQTT 5.0 server: MQTT-4.1.0-1
#[test]
fn a_session_lasts_as_long_as_its_connection_whatever_its_expiry() {
    let hearth = BROKER.get();
    let mut cases = vec![connect(Version::V311, &unique("lasts")), lasting(Version::V311, &unique("lasts"))];
    for expiry in [None, Some(0), Some(1)] {
        let mut terms = connect(Version::V5, &unique("lasts"));
        terms.properties.session_expiry = expiry;
        cases.push(terms);
    }
    let mut open: Vec<_> = cases
        .into_iter()
        .map(|terms| {
            let version = terms.version;
            let (mut client, _) = Wire::connect(hearth.mqtt(), terms);
            let furnished = Furnished::new(hearth.mqtt(), &mut client, version);
            (client, furnished)
        })
        .collect();
    let_pass(hearth.mqtt(), "lasts", 3);
    for (client, furnished) in &mut open {
        // The flows that are under way go on where they were.
        furnished.assert_alive(client);
        client.send(&pubcomp(furnished.released));
        client.send(&super::packets::puback(furnished.sent[0].packet_id.unwrap().get()));
        let packet_id = furnished.sent[1].packet_id.unwrap().get();
        client.send(&pubrec(packet_id));
        assert_eq!(client.next(), pubrel(packet_id));
        client.send(&pubcomp(packet_id));
        client.assert_quiet();
    }
}

// MQTT 5.0 server: MQTT-4.1.0-2
#[test]
fn a_session_is_gone_when_its_expiry_has_passed_without_a_connection() {
    let hearth = BROKER.get();
    for expiry in [None, Some(0), Some(1), Some(2)] {
        let client_id = unique("gone");
        let topic = unique("gone-will");
        let mut witness = join(hearth.mqtt(), Version::V5, "gone-witness");
        witness.subscribe(&topic, QoS::AtMostOnce);
        // A will with a longer delay goes out when the session ends (3.1.3.2.2): then, and not before, it is over.
        let will = Will {
            topic: TopicName::new(text(&topic)).unwrap(),
            payload: Bytes::from_static(b"over"),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties { delay: Some(3600), ..WillProperties::default() },
        };
        let mut terms = Connect { will: Some(will), clean_start: false, ..connect(Version::V5, &client_id) };
        terms.properties.session_expiry = expiry;
        let (mut client, _) = Wire::connect(hearth.mqtt(), terms);
        let mut furnished = Furnished::new(hearth.mqtt(), &mut client, Version::V5);
        client.send(&Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill)));
        assert_eq!(witness.next_publish().payload, "over");

        let (mut client, answer) = Wire::connect(hearth.mqtt(), lasting_as(&client_id));
        assert!(!answer.session_present, "expiry {expiry:?}");
        furnished.publisher.publish_to_the_end(message(&furnished.topic, b"x", QoS::AtLeastOnce));
        client.assert_quiet_after(&mut furnished.publisher);
        // The client's own QoS 2 message is not known any more: sent again, it is a new one.
        let own = format!("{}/own", furnished.topic);
        client.send(&publish_again(77, message(&own, b"own", QoS::ExactlyOnce)));
        assert_eq!(client.next(), pubrec(77));
        assert_eq!(furnished.listener.next_publish().payload, "own", "expiry {expiry:?}");
    }
}

/// A session that goes on, under this very client id.
fn lasting_as(client_id: &str) -> Connect {
    let mut terms = Connect { clean_start: false, ..connect(Version::V5, client_id) };
    terms.properties.session_expiry = Some(3600);
    terms
}

// MQTT 3.1.1 server: MQTT-7.1.1-1
// MQTT 5.0 server: MQTT-4.2-1
#[test]
fn tcp_carries_every_byte_both_ways_and_in_order() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("stream");
        let mut listener = join(hearth.mqtt(), version, "stream-listener");
        listener.subscribe(&topic, QoS::AtLeastOnce);
        let mut publisher = join(hearth.mqtt(), version, "stream-publisher");
        // From nothing to some hundred kilobytes, so that packets and segments never end together.
        for size in (0..18).map(|power| (1_usize << power) - 1) {
            let payload: Vec<u8> = (0..size).map(|index| ((index * 31) >> 3) as u8).collect();
            publisher.publish_acknowledged(&topic, &payload);
            let heard = hear(&mut listener, 1).remove(0);
            assert!(heard.payload == payload, "{version}: {size} bytes");
        }
        // The same bytes in the smallest pieces.
        let packet = raw::publish(version, 0, topic.as_bytes(), &[], b"piece by piece");
        for byte in &packet {
            publisher.send_bytes(std::slice::from_ref(byte));
        }
        assert_eq!(listener.next_publish().payload, "piece by piece");
    }
}

// MQTT 3.1.1 server: MQTT-7.0.0-2
#[test]
fn a_client_that_knows_the_standard_and_nothing_else_is_served() {
    let hearth = BROKER.get();
    // Written down byte by byte from the standard: no client id, no flags but Clean Session, no keep-alive.
    let mut wire = Wire::open(hearth.mqtt(), Version::V311);
    wire.send_bytes(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00");
    assert_eq!(wire.next_bytes(), b"\x20\x02\x00\x00");
    wire.send_bytes(b"\x82\x0a\x00\x01\x00\x05plain\x02");
    assert_eq!(wire.next_bytes(), b"\x90\x03\x00\x01\x02");
    wire.send_bytes(b"\x30\x08\x00\x05plain0");
    assert_eq!(wire.next_bytes(), b"\x30\x08\x00\x05plain0");
    wire.send_bytes(b"\x34\x0a\x00\x05plain\x00\x092\x62\x02\x00\x09");
    // What comes back crosses with the acknowledgements.
    let mut answers = [wire.next_bytes(), wire.next_bytes(), wire.next_bytes()];
    answers.sort();
    assert_eq!(answers, [&b"\x34\x0a\x00\x05plain\x00\x012"[..], b"\x50\x02\x00\x09", b"\x70\x02\x00\x09"]);
    wire.send_bytes(b"\x50\x02\x00\x01");
    assert_eq!(wire.next_bytes(), b"\x62\x02\x00\x01");
    wire.send_bytes(b"\x70\x02\x00\x01\xa2\x09\x00\x02\x00\x05plain\xc0\x00");
    assert_eq!(wire.next_bytes(), b"\xb0\x02\x00\x02");
    assert_eq!(wire.next_bytes(), b"\xd0\x00");
    wire.send_bytes(b"\xe0\x00");
    wire.assert_ended_with(None, "a normal end");
}
