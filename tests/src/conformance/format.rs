//! The format of packets: lengths, reserved flags, packet identifiers, empty properties (MQTT 3.1.1, 2; MQTT 5.0, 1.5.5 and 2),
//! the server's side.

use std::collections::HashSet;
use std::net::SocketAddr;

use hearth_protocol::packet::{Disconnect, Packet, PacketId, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{self, field, packet, properties, variable};
use super::{VERSIONS, client, closed_by, persistent, unique};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

/// What a broker that closes on bytes says before, in version 5.
#[track_caller]
fn assert_closed_with(broker: SocketAddr, version: Version, bytes: &[u8], reason: ReasonCode) {
    let last = closed_by(broker, version, bytes);
    let told = last.map(|packet| match packet {
        Packet::Disconnect(disconnect) => disconnect.reason,
        other => panic!("{version}, {bytes:02x?}: {other:?}"),
    });
    assert_eq!(told, version.is_v5().then_some(reason), "{version}, {bytes:02x?}");
}

// MQTT 5.0 server: MQTT-1.5.5-1
#[test]
fn the_server_writes_lengths_in_as_few_bytes_as_they_need() {
    let hearth = BROKER.get();
    let topic = unique("len");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    for remaining in [127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        let payload = vec![b'x'; remaining - field(&topic).len() - 1];
        publisher.send(&Packet::Publish(message(&topic, &payload, QoS::AtMostOnce)));
        let bytes = subscriber.next_bytes();
        let expected = packet(0x30, &[&field(&topic), &[0], &payload]);
        assert!(bytes == expected, "{remaining}: begins with {:02x?}", &bytes[..16]);
    }
}

// MQTT 5.0 server: MQTT-1.5.5-1
#[test]
fn the_server_writes_subscription_identifiers_in_as_few_bytes_as_they_need() {
    let hearth = BROKER.get();
    let mut publisher = client(hearth.mqtt(), Version::V5);
    for id in [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455] {
        let topic = unique("id");
        let mut subscriber = client(hearth.mqtt(), Version::V5);
        let property = [&[0x0B], &variable(id)[..]].concat();
        subscriber.send_bytes(&raw::subscribe(Version::V5, &[&property], topic.as_bytes(), 0));
        assert!(matches!(subscriber.next(), Packet::SubAck(_)));
        publisher.send(&Packet::Publish(message(&topic, b"x", QoS::AtMostOnce)));
        let expected = raw::publish(Version::V5, 0, topic.as_bytes(), &[&property], b"x");
        assert_eq!(subscriber.next_bytes(), expected, "{id}");
    }
}

// MQTT 5.0 server: MQTT-1.5.5-1
#[test]
fn a_length_in_more_bytes_than_it_needs_closes_the_connection() {
    let hearth = BROKER.get();
    let topic = field("t");
    let too_long: [Vec<u8>; 6] = [
        b"\xC0\x80\x00".to_vec(),
        b"\xC0\x80\x80\x80\x00".to_vec(),
        b"\xC0\x80\x80\x80\x80\x00".to_vec(),
        b"\xC0\xFF\xFF\xFF\xFF\x7F".to_vec(),
        // The length of the properties.
        packet(0x30, &[&topic, b"\x80\x00", b"x"]),
        // A subscription identifier.
        packet(0x82, &[b"\x00\x01", b"\x03\x0B\x81\x00", &topic, b"\x00"]),
    ];
    for bytes in too_long {
        assert_closed_with(hearth.mqtt(), Version::V5, &bytes, ReasonCode::MalformedPacket);
    }
}

// MQTT 3.1.1 server: MQTT-2.2.2-1
// MQTT 5.0 server: MQTT-2.1.3-1
#[test]
fn the_server_sets_reserved_flags_as_the_standard_lists_them() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("flags");
        let mut wire = Wire::open(hearth.mqtt(), version);
        let mut answer_to = |bytes: &[u8]| {
            wire.send_bytes(bytes);
            wire.next_bytes()
        };
        let connect = raw::RawConnect::new(version, &unique("c")).bytes();
        assert_eq!(answer_to(&connect)[0], 0x20, "CONNACK");
        assert_eq!(answer_to(&raw::subscribe(version, &[], topic.as_bytes(), 2))[0], 0x90, "SUBACK");
        assert_eq!(answer_to(&raw::unsubscribe(version, b"other"))[0], 0xB0, "UNSUBACK");
        assert_eq!(answer_to(b"\xC0\x00")[0], 0xD0, "PINGRESP");
        assert_eq!(answer_to(&raw::publish(version, 0b0010, b"other", &[], b""))[0], 0x40, "PUBACK");
        assert_eq!(answer_to(&raw::publish(version, 0b0100, b"other", &[], b""))[0], 0x50, "PUBREC");
        assert_eq!(answer_to(b"\x62\x02\x00\x01")[0], 0x70, "PUBCOMP");
        let mut publisher = client(hearth.mqtt(), version);
        publisher.publish_to_the_end(message(&topic, b"x", QoS::ExactlyOnce));
        let bytes = wire.next_bytes();
        assert_eq!(bytes[0], 0x34, "PUBLISH of QoS 2");
        let at = 2 + field(&topic).len();
        wire.send_bytes(&packet(0x50, &[&bytes[at..at + 2]]));
        assert_eq!(wire.next_bytes()[0], 0x62, "PUBREL");
        if version.is_v5() {
            wire.send_bytes(b"\x10\x00");
            assert_eq!(wire.next_bytes()[0], 0xE0, "DISCONNECT");
        }
    }
}

// MQTT 3.1.1 server: MQTT-2.2.2-1 MQTT-2.2.2-2
// MQTT 5.0 server: MQTT-2.1.3-1
#[test]
fn every_value_of_the_reserved_flags_but_the_listed_one_closes_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = field("t");
        let none = properties(version, &[]);
        let right: &[Vec<u8>] = &[
            packet(0x62, &[b"\x00\x01"]),
            packet(0x82, &[b"\x00\x01", &none, &topic, b"\x00"]),
            packet(0xA2, &[b"\x00\x01", &none, &topic]),
            packet(0xC0, &[]),
            packet(0x40, &[b"\x00\x01"]),
            packet(0x50, &[b"\x00\x01"]),
            packet(0x70, &[b"\x00\x01"]),
            packet(0xE0, &[]),
        ];
        // With the flags as they are listed all of them pass, so that it is the flags that close.
        let mut wire = client(hearth.mqtt(), version);
        for bytes in &right[..4] {
            wire.send_bytes(bytes);
            assert_ne!(wire.next_bytes()[0], 0xE0, "{version}, {bytes:02x?}");
        }
        for bytes in right {
            for flags in (0..16).filter(|flags| bytes[0] & 0x0F != *flags) {
                let mut bytes = bytes.clone();
                bytes[0] = bytes[0] & 0xF0 | flags;
                assert_closed_with(hearth.mqtt(), version, &bytes, ReasonCode::MalformedPacket);
            }
        }
        for flags in 1..16 {
            let connect =
                raw::RawConnect { first: 0x10 | flags, ..raw::RawConnect::new(version, &unique("c")) };
            let mut wire = super::greet(hearth.mqtt(), version, &connect.bytes());
            assert_eq!(wire.wait_for_end(), None, "{version}, CONNECT with flags {flags}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-2.3.1-1
#[test]
fn a_packet_identifier_of_zero_closes_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = field("t");
        let none = properties(version, &[]);
        for bytes in [
            packet(0x32, &[&topic, b"\x00\x00", &none, b"x"]),
            packet(0x34, &[&topic, b"\x00\x00", &none, b"x"]),
            packet(0x82, &[b"\x00\x00", &none, &topic, b"\x00"]),
            packet(0xA2, &[b"\x00\x00", &none, &topic]),
        ] {
            assert_closed_with(hearth.mqtt(), version, &bytes, ReasonCode::MalformedPacket);
        }
    }
}

/// Takes `count` messages and gives their identifiers, which must not be among `used`; adds them there.
#[track_caller]
fn take_unused(wire: &mut Wire, count: usize, used: &mut HashSet<PacketId>) -> Vec<(PacketId, QoS)> {
    let take = |_| {
        let publish = wire.next_publish();
        let packet_id = publish.packet_id.expect("QoS 1 and 2 have an identifier");
        assert!(used.insert(packet_id), "{packet_id} is in use");
        (packet_id, publish.qos)
    };
    (0..count).map(take).collect()
}

// MQTT 3.1.1 server: MQTT-2.3.1-1 MQTT-2.3.1-4
// MQTT 5.0 server: MQTT-2.2.1-4
#[test]
fn the_server_gives_each_message_an_identifier_that_is_not_in_use() {
    const AT_ONCE: usize = 100;
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("ids");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        let mut publish = |count| {
            for number in 0..count {
                let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
                publisher.publish_to_the_end(message(&topic, b"x", qos));
            }
        };
        let mut used = HashSet::new();
        publish(AT_ONCE);
        let first = take_unused(&mut subscriber, AT_ONCE, &mut used);
        // Every other one is acknowledged, the QoS 2 ones as far as PUBREC, which does not free the identifier.
        for (packet_id, qos) in first.iter().copied().filter(|(packet_id, _)| packet_id.get() % 3 == 0) {
            if qos == QoS::AtLeastOnce {
                subscriber.send(&Packet::PubAck(PublishAck::success(packet_id)));
                used.remove(&packet_id);
            } else {
                subscriber.send(&Packet::PubRec(PublishAck::success(packet_id)));
                assert_eq!(subscriber.next(), Packet::PubRel(PublishAck::success(packet_id)));
            }
        }
        subscriber.assert_quiet();
        publish(AT_ONCE);
        take_unused(&mut subscriber, AT_ONCE, &mut used);
    }
}

// MQTT 3.1.1 server: MQTT-2.3.1-4
#[test]
fn a_message_that_is_sent_again_keeps_its_identifier() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (topic, id) = (unique("again"), unique("c"));
        let (mut subscriber, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        let mut first: Vec<Publish> = Vec::new();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
            publisher.publish_to_the_end(message(&topic, &[first.len() as u8], qos));
            first.push(subscriber.next_publish());
        }
        // The identifier of one that is acknowledged is free; those of the others are not.
        subscriber.send(&Packet::PubAck(PublishAck::success(first[0].packet_id.unwrap())));
        subscriber.assert_quiet();
        drop(subscriber);
        let (mut subscriber, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        assert!(answer.session_present);
        for sent in &first[1..] {
            let again = subscriber.next_publish();
            assert_eq!(again.packet_id, sent.packet_id, "{version}");
            assert_eq!(again.payload, sent.payload, "{version}");
        }
        subscriber.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-2.3.1-5
// MQTT 5.0 server: MQTT-2.2.1-2
#[test]
fn a_message_of_qos_0_has_no_packet_identifier() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("none");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        // What looks like an identifier is the payload's beginning, on the way in and on the way out.
        let bytes = raw::publish(version, 0, topic.as_bytes(), &[], b"\x00\x07x");
        publisher.send_bytes(&bytes);
        assert_eq!(subscriber.next_bytes(), bytes, "{version}");
        // So it is with a message that came with an identifier and goes out without.
        subscriber.subscribe(&topic, QoS::AtMostOnce);
        publisher.publish_acknowledged(&topic, b"y");
        assert_eq!(subscriber.next_bytes(), raw::publish(version, 0, topic.as_bytes(), &[], b"y"));
    }
}

// MQTT 3.1.1 server: MQTT-2.3.1-6 MQTT-2.3.1-7
// MQTT 5.0 server: MQTT-2.2.1-5 MQTT-2.2.1-6
#[test]
fn an_answer_has_the_identifier_of_what_it_answers() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (topic, none) = (field(unique("answer")), properties(version, &[]));
        let mut wire = client(hearth.mqtt(), version);
        for id in [1_u16, 2, 0x0102, 0x0201, 0xFF00, 0xFFFF] {
            let id = id.to_be_bytes();
            let requests = [
                (packet(0x82, &[&id, &none, &topic, b"\x00"]), 0x90, "SUBACK"),
                (packet(0xA2, &[&id, &none, &topic]), 0xB0, "UNSUBACK"),
                (packet(0x32, &[&topic, &id, &none, b"x"]), 0x40, "PUBACK"),
                (packet(0x34, &[&topic, &id, &none, b"x"]), 0x50, "PUBREC"),
                (packet(0x62, &[&id]), 0x70, "PUBCOMP"),
            ];
            for (request, first, what) in requests {
                wire.send_bytes(&request);
                let answer = wire.next_bytes();
                assert_eq!((answer[0], &answer[2..4]), (first, &id[..]), "{version}, {what}");
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-2.3.1-6
// MQTT 5.0 server: MQTT-2.2.1-5
#[test]
fn the_servers_pubrel_has_the_identifier_of_its_message() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("rel");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        let take = |_| {
            publisher.publish_to_the_end(message(&topic, b"x", QoS::ExactlyOnce));
            subscriber.next_publish().packet_id.unwrap()
        };
        let ids: Vec<PacketId> = (0..5).map(take).collect();
        for id in ids.into_iter().rev() {
            subscriber.send(&Packet::PubRec(PublishAck::success(id)));
            assert_eq!(subscriber.next(), Packet::PubRel(PublishAck::success(id)), "{version}");
        }
    }
}

// MQTT 5.0 server: MQTT-2.2.2-1
#[test]
fn the_server_says_that_there_are_no_properties_by_a_length_of_zero() {
    let hearth = BROKER.get();
    let topic = unique("zero");
    let mut wire = client(hearth.mqtt(), Version::V5);
    wire.send_bytes(&raw::subscribe(Version::V5, &[], topic.as_bytes(), 1));
    assert_eq!(wire.next_bytes(), b"\x90\x04\x00\x01\x00\x01", "SUBACK");
    wire.send_bytes(&raw::publish(Version::V5, 0, topic.as_bytes(), &[], b"x"));
    assert_eq!(wire.next_bytes(), packet(0x30, &[&field(&topic), &[0], b"x"]), "PUBLISH of QoS 0");
    wire.send_bytes(&raw::publish(Version::V5, 2, topic.as_bytes(), &[], b"x"));
    assert_eq!(wire.next_bytes(), packet(0x32, &[&field(&topic), &[0, 1], &[0], b"x"]), "PUBLISH of QoS 1");
    wire.next_bytes();
    wire.send_bytes(&raw::unsubscribe(Version::V5, topic.as_bytes()));
    assert_eq!(wire.next_bytes(), b"\xB0\x04\x00\x01\x00\x00", "UNSUBACK");
}

// MQTT 5.0 server: MQTT-2.2.2-1
#[test]
fn a_packet_without_the_length_of_its_properties_closes_the_connection() {
    let hearth = BROKER.get();
    let topic = field("t");
    for bytes in [
        packet(0x30, &[&topic]),
        packet(0x32, &[&topic, b"\x00\x01"]),
        packet(0x82, &[b"\x00\x01", &topic, b"\x00"]),
        packet(0xA2, &[b"\x00\x01", &topic]),
    ] {
        assert_closed_with(hearth.mqtt(), Version::V5, &bytes, ReasonCode::MalformedPacket);
    }
    let connect = raw::RawConnect { properties: Vec::new(), ..raw::RawConnect::new(Version::V5, "") };
    let mut wire = super::greet(hearth.mqtt(), Version::V5, &connect.bytes());
    let last = wire.wait_for_end();
    assert!(super::is_refusal(Version::V5, last.as_ref()), "{last:?}");
    // Where no reason and no properties follow, a DISCONNECT may be without the length (3.14.2.2.1).
    let mut wire = client(hearth.mqtt(), Version::V5);
    wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
    assert_eq!(wire.wait_for_end(), None);
}
