//! Clients that break a rule: the connection ends, in version 5 with the reason (3.1.1, 4.8; 5.0, 4.13).

use hearth_protocol::packet::{Connect, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{assert_refused, join, publish};
use super::raw::{self, RawConnect, field};
use super::{VERSIONS, greet, unique};
use crate::wire::{Wire, connect, message, text};

static BROKER: SharedBroker = SharedBroker::new();

/// What version 5 has a reason code for, as bytes of a connected client.
pub(super) fn violations() -> Vec<(&'static str, Vec<u8>, ReasonCode)> {
    use ReasonCode::{
        MalformedPacket, PacketTooLarge, ProtocolError, TopicAliasInvalid, TopicFilterInvalid,
        TopicNameInvalid,
    };
    let v5 = Version::V5;
    let twice = [&[0x01, 0x00][..], &[0x01, 0x00]];
    vec![
        ("a second CONNECT", RawConnect::new(v5, "again").bytes(), ProtocolError),
        ("packet type 0", vec![0x00, 0], MalformedPacket),
        ("CONNACK of a client", vec![0x20, 3, 0, 0, 0], ProtocolError),
        ("SUBACK of a client", vec![0x90, 4, 0, 1, 0, 0], ProtocolError),
        ("UNSUBACK of a client", vec![0xB0, 4, 0, 1, 0, 0], ProtocolError),
        ("PINGRESP of a client", vec![0xD0, 0], ProtocolError),
        ("AUTH without a method in CONNECT", vec![0xF0, 6, 0x19, 4, 0x15, 0, 1, b'm'], ProtocolError),
        ("a remaining length of five bytes", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], MalformedPacket),
        ("a packet of 256 MiB", vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F], PacketTooLarge),
        ("QoS 3", raw::publish(v5, 0x06, b"a", &[], b""), MalformedPacket),
        ("DUP at QoS 0", raw::publish(v5, 0x08, b"a", &[], b""), MalformedPacket),
        ("packet id 0", raw::packet(0x32, &[&field("a"), &[0, 0, 0]]), MalformedPacket),
        ("a wildcard in a topic name", raw::publish(v5, 0, b"a/+", &[], b""), TopicNameInvalid),
        ("an empty topic name", raw::publish(v5, 0, b"", &[], b""), ProtocolError),
        ("an unknown alias", raw::publish(v5, 0, b"", &[&[0x23, 0, 1]], b""), ProtocolError),
        ("alias 0", raw::publish(v5, 0, b"a", &[&[0x23, 0, 0]], b""), TopicAliasInvalid),
        (
            "an alias above the maximum",
            raw::publish(v5, 0, b"a", &[&[0x23, 255, 255]], b""),
            TopicAliasInvalid,
        ),
        ("U+0000 in a topic name", raw::publish(v5, 0, b"a\0", &[], b""), MalformedPacket),
        ("ill-formed UTF-8", raw::publish(v5, 0, b"\xFF", &[], b""), MalformedPacket),
        ("a property twice", raw::publish(v5, 0, b"a", &twice, b""), ProtocolError),
        ("a property of another packet", raw::publish(v5, 0, b"a", &[&[0x21, 0, 1]], b""), ProtocolError),
        ("a property that does not exist", raw::publish(v5, 0, b"a", &[&[0x7F, 0]], b""), MalformedPacket),
        ("a subscription id of a client", raw::publish(v5, 0, b"a", &[&[0x0B, 1]], b""), ProtocolError),
        ("properties longer than the packet", raw::packet(0x30, &[&field("a"), &[9, 1]]), MalformedPacket),
        ("SUBSCRIBE without a filter", raw::packet(0x82, &[&[0, 1, 0]]), ProtocolError),
        ("SUBSCRIBE with flags of PUBLISH", raw::packet(0x80, &[&[0, 1, 0, 0, 1, b'a', 0]]), MalformedPacket),
        ("a filter that is none", raw::subscribe(v5, &[], b"a/#/b", 0), TopicFilterInvalid),
        ("subscription id 0", raw::subscribe(v5, &[&[0x0B, 0]], b"a", 0), ProtocolError),
        ("UNSUBSCRIBE without a filter", raw::packet(0xA2, &[&[0, 1, 0]]), ProtocolError),
        ("PUBACK with a code of others", raw::packet(0x40, &[&[0, 1, 0x92]]), MalformedPacket),
        ("PUBREL with wrong flags", raw::packet(0x60, &[&[0, 1]]), MalformedPacket),
        ("PINGREQ with a body", vec![0xC0, 1, 0], MalformedPacket),
        ("DISCONNECT with wrong flags", vec![0xE1, 0], MalformedPacket),
        ("DISCONNECT with a code that does not exist", vec![0xE0, 1, 0x05], MalformedPacket),
    ]
}

/// What breaks a rule of version 3.1.1, as bytes of a connected client.
fn violations_of_v311() -> Vec<(&'static str, Vec<u8>)> {
    let v311 = Version::V311;
    vec![
        ("a second CONNECT", RawConnect::new(v311, "again").bytes()),
        ("packet type 0", vec![0x00, 0]),
        ("packet type 15", vec![0xF0, 0]),
        ("CONNACK of a client", vec![0x20, 2, 0, 0]),
        ("SUBACK of a client", vec![0x90, 3, 0, 1, 0]),
        ("UNSUBACK of a client", vec![0xB0, 2, 0, 1]),
        ("PINGRESP of a client", vec![0xD0, 0]),
        ("a remaining length of five bytes", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ("QoS 3", raw::publish(v311, 0x06, b"a", &[], b"")),
        ("packet id 0", raw::packet(0x32, &[&field("a"), &[0, 0]])),
        ("a wildcard in a topic name", raw::publish(v311, 0, b"a/#", &[], b"")),
        ("an empty topic name", raw::publish(v311, 0, b"", &[], b"")),
        ("U+0000 in a topic name", raw::publish(v311, 0, b"a\0", &[], b"")),
        ("SUBSCRIBE without a filter", raw::packet(0x82, &[&[0, 1]])),
        ("SUBSCRIBE with packet id 0", raw::packet(0x82, &[&[0, 0], &field("a"), &[0]])),
        ("SUBSCRIBE with QoS 3", raw::packet(0x82, &[&[0, 1], &field("a"), &[3]])),
        ("a filter that is none", raw::packet(0x82, &[&[0, 1], &field("a#"), &[0]])),
        ("UNSUBSCRIBE without a filter", raw::packet(0xA2, &[&[0, 1]])),
        ("PUBACK without a packet id", vec![0x40, 0]),
        ("PUBREL with wrong flags", vec![0x60, 2, 0, 1]),
        ("PINGREQ with flags", vec![0xC4, 0]),
        ("PINGREQ with a body", vec![0xC0, 1, 0]),
        ("DISCONNECT with flags", vec![0xE2, 0]),
    ]
}

// MQTT 5.0 server: MQTT-4.13.1-1
#[test]
fn every_violation_that_has_a_reason_code_ends_the_connection_with_it() {
    let hearth = BROKER.get();
    for (what, bytes, reason) in violations() {
        assert_refused(hearth.mqtt(), Version::V5, what, &bytes, reason);
    }
}

// MQTT 3.1.1 server: MQTT-4.8.0-1
#[test]
fn every_violation_ends_the_connection_on_which_it_came_and_no_other() {
    let hearth = BROKER.get();
    let mut bystander = join(hearth.mqtt(), Version::V311, "bystander");
    let topic = unique("bystander");
    bystander.subscribe(&topic, QoS::AtMostOnce);
    for (what, mut bytes) in violations_of_v311() {
        // Whatever stands behind the violation is not processed any more.
        bytes.extend(raw::publish(Version::V311, 0, topic.as_bytes(), &[], b"x"));
        let mut client = join(hearth.mqtt(), Version::V311, what);
        client.send_bytes(&bytes);
        client.assert_ended_with(None, what);
        bystander.assert_quiet();
    }
    // The first packet must be CONNECT, and a right one.
    for first in [&[0xC0, 0][..], &raw::publish(Version::V311, 0, b"a", &[], b"x"), b"GET / HTTP/1.1\r\n\r\n"]
    {
        greet(hearth.mqtt(), Version::V311, first).assert_ended_with(None, "no CONNECT");
    }
    let mut publisher = join(hearth.mqtt(), Version::V311, "bystander-publisher");
    publisher.send(&Packet::Publish(message(&topic, b"still there", QoS::AtMostOnce)));
    assert_eq!(bystander.next_publish().payload, "still there");
}

// MQTT 3.1.1 server: MQTT-4.8.0-2
#[test]
fn a_packet_that_there_is_no_room_for_ends_its_connection() {
    static SMALL: SharedBroker = SharedBroker::with(&[("HEARTH_LIMITS_PACKET_BYTES_MAX", "1024")]);
    let hearth = SMALL.get();
    let topic = unique("room");
    let mut listener = join(hearth.mqtt(), Version::V311, "room-listener");
    listener.subscribe(&topic, QoS::AtMostOnce);
    for version in VERSIONS {
        let mut client = join(hearth.mqtt(), version, "room");
        let fixed = raw::publish(version, 0, topic.as_bytes(), &[], b"").len() + 1;
        let fits = raw::publish(version, 0, topic.as_bytes(), &[], &vec![b'x'; 1024 - fixed]);
        assert_eq!(fits.len(), 1024);
        client.send_bytes(&fits);
        assert_eq!(listener.next_publish().payload.len(), 1024 - fixed);
        client.send_bytes(&raw::publish(version, 0, topic.as_bytes(), &[], &vec![b'x'; 1025 - fixed]));
        let reason = version.is_v5().then_some(ReasonCode::PacketTooLarge);
        client.assert_ended_with(reason, "a packet of 1025 bytes");
        listener.assert_quiet_after(&mut join(hearth.mqtt(), Version::V311, "room-fence"));
    }
}

// MQTT 5.0 server: MQTT-4.13.2-1
#[test]
fn a_reason_code_of_0x80_or_more_ends_the_connection_whoever_says_it() {
    let hearth = BROKER.get();
    // In CONNACK.
    let refused = Connect { client_id: text(&"x".repeat(5000)), ..connect(Version::V5, "") };
    let mut wire = Wire::open(hearth.mqtt(), Version::V5);
    wire.send(&Packet::Connect(Box::new(refused)));
    let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
    assert!(answer.reason.is_failure(), "{answer:?}");
    assert_eq!(wire.next_or_end(), None);
    // In DISCONNECT from the broker; `assert_refused` waits for the end after it.
    let bytes = raw::packet(0x82, &[&[0, 1, 0]]);
    assert_refused(hearth.mqtt(), Version::V5, "in DISCONNECT", &bytes, ReasonCode::ProtocolError);
    // In DISCONNECT from the client: the broker closes without a word, and what came behind does not count.
    for reason in [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99] {
        let mut listener = join(hearth.mqtt(), Version::V5, "ends-listener");
        let topic = unique("ends");
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut client = join(hearth.mqtt(), Version::V5, "ends");
        let behind = raw::publish(Version::V5, 0, topic.as_bytes(), &[], b"x");
        client.send_bytes(&[vec![0xE0, 1, reason], behind].concat());
        client.assert_ended_with(None, "DISCONNECT of the client");
        listener.assert_quiet();
    }
}

#[test]
fn more_qos_2_messages_than_the_broker_takes_at_once_are_told_so() {
    static NARROW: SharedBroker = SharedBroker::with(&[("HEARTH_LIMITS_INFLIGHT_MAX", "3")]);
    let hearth = NARROW.get();
    let (mut client, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, "narrow"));
    assert_eq!(answer.properties.receive_maximum, Some(3));
    for packet_id in 1..=3 {
        client.send(&publish(packet_id, message("narrow", b"x", QoS::ExactlyOnce)));
        assert!(matches!(client.next(), Packet::PubRec(_)));
    }
    client.send(&Packet::Publish(message("narrow", b"QoS 0 does not count", QoS::AtMostOnce)));
    client.assert_quiet();
    client.send(&publish(4, message("narrow", b"x", QoS::ExactlyOnce)));
    client.assert_ended_with(Some(ReasonCode::ReceiveMaximumExceeded), "the fourth");
}
