//! CONNACK: reason codes, and what the server says it takes (MQTT 5.0, 3.2.2), the server's side.

use hearth_protocol::packet::{Packet, Publish, PublishProperties};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{self, RawConnect, field, properties};
use super::{client, greet, packets, unique};
use crate::wire::{Wire, connect, message};

static BROKER: SharedBroker = SharedBroker::new();

/// A broker with bounds that are quickly reached.
static NARROW: SharedBroker = SharedBroker::with(&[
    ("HEARTH_LIMITS_PACKET_BYTES_MAX", "1024"),
    ("HEARTH_LIMITS_TOPIC_ALIAS_MAX", "5"),
    ("HEARTH_LIMITS_INFLIGHT_MAX", "4"),
    ("HEARTH_LIMITS_CLIENT_ID_BYTES_MAX", "23"),
    ("HEARTH_LIMITS_WILL_BYTES_MAX", "100"),
    ("HEARTH_LIMITS_USER_PROPERTY_BYTES_MAX", "100"),
]);

/// A broker that takes no topic aliases.
static WITHOUT_ALIASES: SharedBroker = SharedBroker::with(&[("HEARTH_LIMITS_TOPIC_ALIAS_MAX", "0")]);

/// The reason codes of table 3-1 (3.2.2.2).
const CONNECT_REASON_CODES: [u8; 22] = [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
    0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
];

/// The broker closes; the reason that it gave in DISCONNECT before.
#[track_caller]
fn reason_of_end(wire: &mut Wire) -> ReasonCode {
    match wire.wait_for_end() {
        Some(Packet::Disconnect(disconnect)) => disconnect.reason,
        other => panic!("waited for DISCONNECT, got {other:?}"),
    }
}

fn with_alias(topic: &str, alias: u16) -> Vec<u8> {
    let property = [&[0x23], &alias.to_be_bytes()[..]].concat();
    raw::publish(Version::V5, 0, topic.as_bytes(), &[&property], b"x")
}

// MQTT 5.0 server: MQTT-3.2.2-7 MQTT-3.2.2-8
#[test]
fn every_refusal_has_one_of_the_connect_reason_codes_and_closes_the_connection() {
    let hearth = NARROW.get();
    let version = Version::V5;
    let right = RawConnect::new(version, &unique("c"));
    let with = |flags: u8, fields: &[&[u8]]| RawConnect {
        flags: 0x02 | flags,
        payload: [&right.payload, &fields.concat()[..]].concat(),
        ..right.clone()
    };
    let with_property =
        |property: &[u8]| RawConnect { properties: properties(version, &[property]), ..right.clone() };
    let will = |topic: &str, payload: &[u8]| with(0x04, &[&[0], &field(topic), &field(payload)]);
    // With the code where the standard has one for the very case, and not only some that fit.
    let refusals = [
        (RawConnect::new(version, &"x".repeat(24)), Some(0x85)),
        (will("$SYS/will", b"x"), Some(0x90)),
        (will("will", &[b'x'; 200]), None),
        (with_property(&[&[0x15], &field("NO-SUCH-METHOD")[..]].concat()), Some(0x8C)),
        (with_property(&[&[0x26], &field("name")[..], &field("v".repeat(200))[..]].concat()), None),
    ];
    for (connect, expected) in refusals {
        let bytes = connect.bytes();
        let mut wire = greet(hearth.mqtt(), version, &bytes);
        let answer = wire.next_bytes();
        assert_eq!(answer[0], 0x20, "{bytes:02x?}");
        assert!(answer[3] >= 0x80 && expected.is_none_or(|code| answer[3] == code), "0x{:02x}", answer[3]);
        assert!(CONNECT_REASON_CODES.contains(&answer[3]));
        assert_eq!(wire.read_to_end(), b"", "the connection is closed and nothing else comes");
    }
    let mut wire = greet(hearth.mqtt(), version, &right.bytes());
    assert_eq!(wire.next_bytes()[3], 0x00, "success is one of them");
    // A packet that is larger than the broker takes has its own, where the broker can still say so.
    let large = with(0x80, &[&field("u".repeat(2000))]);
    match greet(hearth.mqtt(), version, &large.bytes()).wait_for_end() {
        None => {}
        Some(Packet::ConnAck(answer)) => assert_eq!(answer.reason, ReasonCode::PacketTooLarge),
        Some(other) => panic!("{other:?}"),
    }
}

// MQTT 5.0 server: MQTT-3.2.2-9 MQTT-3.2.2-10 MQTT-3.2.2-12
#[test]
fn every_qos_is_supported_so_that_no_maximum_is_told() {
    let hearth = BROKER.get();
    let (mut wire, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, &unique("c")));
    assert_eq!(answer.properties.maximum_qos, None);
    let topic = unique("qos");
    for (packet_id, qos) in (1..).zip(packets::QOS) {
        let reasons = packets::request(&mut wire, &packets::subscribe(packet_id, &[(&topic, qos)]));
        assert_eq!(reasons[0].byte(), qos.bits(), "it is granted");
        let mut publisher = client(hearth.mqtt(), Version::V5);
        publisher.publish_to_the_end(message(&topic, b"x", qos));
        assert_eq!(packets::hear(&mut wire, 1)[0].qos, qos);
    }
    // A will of each QoS is taken; there is no other QoS.
    for qos in 0..4_u8 {
        let right = RawConnect::new(Version::V5, &unique("c"));
        let payload = [&right.payload[..], &[0], &field(&topic), &field("x")].concat();
        let connect = RawConnect { flags: 0x06 | qos << 3, payload, ..right };
        let mut wire = greet(hearth.mqtt(), Version::V5, &connect.bytes());
        if qos < 3 {
            assert_eq!(wire.next_bytes()[3], 0x00, "{qos}");
        } else {
            let last = wire.wait_for_end();
            let is_refused =
                last.as_ref().is_none_or(|it| matches!(it, Packet::ConnAck(it) if it.reason.is_failure()));
            assert!(is_refused, "{last:?}");
        }
    }
}

// MQTT 5.0 server: MQTT-3.2.2-13
#[test]
fn retained_messages_are_supported_for_wills_too() {
    let hearth = BROKER.get();
    let topic = unique("retain");
    let right = RawConnect::new(Version::V5, &unique("c"));
    let payload = [&right.payload[..], &[0], &field(&topic), &field("gone")].concat();
    let connect = RawConnect { flags: 0x26, payload, ..right };
    let mut wire = greet(hearth.mqtt(), Version::V5, &connect.bytes());
    let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
    assert_eq!(answer.reason, ReasonCode::Success);
    assert_ne!(answer.properties.retain_available, Some(false), "what is promised is kept");
    wire.send_bytes(&[0x00, 0x00]);
    wire.wait_for_end();
    let mut later = client(hearth.mqtt(), Version::V5);
    later.subscribe(&topic, QoS::AtMostOnce);
    let kept = later.next_publish();
    assert_eq!((&kept.payload[..], kept.retain), (&b"gone"[..], true));
}

// MQTT 5.0 server: MQTT-3.2.2-15
#[test]
fn a_packet_larger_than_the_server_takes_closes_the_connection() {
    let hearth = NARROW.get();
    let (topic, id) = (unique("size"), unique("c"));
    let (mut wire, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, &id));
    assert_eq!(answer.properties.packet_size_max, Some(1024));
    let publish = |size: usize| {
        let payload = vec![b'x'; size - 3 - field(&topic).len() - 1];
        let bytes = raw::publish(Version::V5, 0, topic.as_bytes(), &[], &payload);
        assert_eq!(bytes.len(), size);
        bytes
    };
    wire.subscribe(&topic, QoS::AtMostOnce);
    wire.send_bytes(&publish(1024));
    assert_eq!(wire.next_bytes(), publish(1024));
    wire.send_bytes(&publish(1025));
    assert_eq!(reason_of_end(&mut wire), ReasonCode::PacketTooLarge);
    // The length alone is enough: nobody waits for what would come behind it.
    let mut wire = client(hearth.mqtt(), Version::V5);
    wire.send_bytes(b"\x30\xFF\xFF\xFF\x7F");
    assert_eq!(reason_of_end(&mut wire), ReasonCode::PacketTooLarge);
}

// MQTT 5.0 server: MQTT-3.2.2-17 MQTT-3.3.2-9 MQTT-3.3.2-12
#[test]
fn topic_aliases_up_to_the_maximum_are_taken_and_none_above_it() {
    let hearth = NARROW.get();
    let topic = unique("alias");
    let (mut wire, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, &unique("c")));
    assert_eq!(answer.properties.topic_alias_maximum, Some(5));
    wire.subscribe(&format!("{topic}/+"), QoS::AtMostOnce);
    for alias in (1..=5).rev() {
        wire.send_bytes(&with_alias(&format!("{topic}/{alias}"), alias));
        assert_eq!(wire.next_publish().topic.as_str(), format!("{topic}/{alias}"));
    }
    for alias in 1..=5 {
        wire.send_bytes(&with_alias("", alias));
        assert_eq!(wire.next_publish().topic.as_str(), format!("{topic}/{alias}"));
    }
    // An alias can be given to another topic.
    wire.send_bytes(&with_alias(&format!("{topic}/new"), 3));
    wire.send_bytes(&with_alias("", 3));
    for _ in 0..2 {
        assert_eq!(wire.next_publish().topic.as_str(), format!("{topic}/new"));
    }
    wire.assert_quiet();
    for alias in [6, 7, 0x0500, u16::MAX] {
        for name in [&topic[..], ""] {
            let mut wire = client(hearth.mqtt(), Version::V5);
            wire.send_bytes(&with_alias(name, alias));
            assert_eq!(reason_of_end(&mut wire), ReasonCode::TopicAliasInvalid, "{alias}");
        }
    }
}

// MQTT 5.0 server: MQTT-3.3.2-8
#[test]
fn a_topic_alias_of_0_closes_the_connection() {
    let hearth = BROKER.get();
    for name in ["t", ""] {
        let mut wire = client(hearth.mqtt(), Version::V5);
        wire.send_bytes(&with_alias(name, 0));
        assert_eq!(reason_of_end(&mut wire), ReasonCode::TopicAliasInvalid);
    }
}

// MQTT 5.0 server: MQTT-3.2.2-18
#[test]
fn a_server_without_topic_aliases_takes_none() {
    let hearth = WITHOUT_ALIASES.get();
    let (mut wire, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, &unique("c")));
    assert_eq!(answer.properties.topic_alias_maximum.unwrap_or(0), 0);
    wire.send_bytes(&with_alias("t", 1));
    assert_eq!(reason_of_end(&mut wire), ReasonCode::TopicAliasInvalid);
}

// MQTT 5.0 server: MQTT-3.3.4-7
#[test]
fn more_messages_under_way_than_the_server_takes_close_the_connection() {
    let hearth = NARROW.get();
    let publish =
        |number: u16| packets::publish(number, message("under/way", &number.to_be_bytes(), QoS::ExactlyOnce));
    let (mut wire, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, &unique("c")));
    assert_eq!(answer.properties.receive_maximum, Some(4));
    // As many as it takes, over and over: a message is under way until its PUBCOMP.
    for round in 0..3 {
        let ids = || (1..=4).map(|number| number + 10 * round);
        for id in ids() {
            wire.send(&publish(id));
            assert!(matches!(wire.next(), Packet::PubRec(ack) if !ack.reason.is_failure()));
        }
        wire.publish_to_the_end(message("under/way", b"x", QoS::AtMostOnce));
        for id in ids() {
            wire.send(&packets::pubrel(id));
            assert_eq!(wire.next(), packets::pubcomp(id));
        }
    }
    for id in 1..=5 {
        wire.send(&publish(id));
    }
    assert_eq!(reason_of_end(&mut wire), ReasonCode::ReceiveMaximumExceeded);
}

// MQTT 5.0 server: MQTT-3.3.4-6
#[test]
fn a_subscription_identifier_from_a_client_closes_the_connection() {
    let hearth = BROKER.get();
    let topic = unique("identifier");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let properties = PublishProperties { subscription_ids: vec![1], ..PublishProperties::default() };
    let mut wire = client(hearth.mqtt(), Version::V5);
    let sent = Publish { properties: Some(Box::new(properties)), ..message(&topic, b"x", QoS::AtMostOnce) };
    wire.send(&Packet::Publish(sent));
    assert_eq!(reason_of_end(&mut wire), ReasonCode::ProtocolError);
    subscriber.assert_quiet();
}
