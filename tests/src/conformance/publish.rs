//! PUBLISH: DUP, QoS, topic name, answers (MQTT 3.1.1 and 5.0, 3.3), the server's side.

use hearth_protocol::packet::{Disconnect, Packet, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{self, QOS, hear, leave};
use super::raw::{self, field, packet, properties};
use super::{VERSIONS, client, closed_by, persistent, unique};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

/// The reason in the DISCONNECT of version 5; older versions get none.
#[track_caller]
fn assert_told(version: Version, last: Option<Packet>, reasons: &[ReasonCode]) {
    match last {
        None => assert!(!version.is_v5(), "version 5 is told why"),
        Some(Packet::Disconnect(Disconnect { reason, .. })) if version.is_v5() => {
            assert!(reasons.contains(&reason), "{reason} is none of {reasons:?}");
        }
        Some(other) => panic!("{version}: {other:?}"),
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-1
// MQTT 5.0 server: MQTT-3.3.1-1
#[test]
fn a_message_that_is_delivered_again_has_dup_and_one_that_is_new_has_not() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (id, topic) = (unique("dup"), unique("dup"));
        let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        first.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        for qos in QOS {
            publisher.publish_to_the_end(message(&topic, &[qos.bits()], qos));
            assert!(!first.next_publish().dup, "{version}: the first time");
        }
        drop(first);
        publisher.publish_to_the_end(message(&topic, b"new", QoS::AtLeastOnce));
        for _ in 0..2 {
            // Twice: what came again and was not acknowledged then either comes again once more.
            let (mut again, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let publish = again.next_publish();
                assert_eq!((publish.qos, &publish.payload[..]), (qos, &[qos.bits()][..]), "{version}");
                assert!(publish.dup, "{version}, {qos:?}: not the first time");
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-1 MQTT-3.3.1-3
// MQTT 5.0 server: MQTT-3.3.1-1 MQTT-3.3.1-3
#[test]
fn a_message_that_waited_for_its_client_comes_without_dup() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (id, topic) = (unique("waited"), unique("waited"));
        let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        first.subscribe(&topic, QoS::ExactlyOnce);
        leave(first);
        let mut publisher = client(hearth.mqtt(), version);
        for (packet_id, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
            let sent = packets::publish_again(packet_id, message(&topic, b"x", qos));
            publisher.send(&sent);
        }
        publisher.next();
        publisher.next();
        let (mut second, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        for _ in 0..2 {
            assert!(!second.next_publish().dup, "{version}: its first delivery, whatever its publisher said");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-3
// MQTT 5.0 server: MQTT-3.3.1-3
#[test]
fn dup_of_a_publisher_is_not_passed_on() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("passed");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        for (packet_id, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
            publisher.send(&packets::publish_again(packet_id, message(&topic, b"x", qos)));
            let publish = subscriber.next_publish();
            assert!(!publish.dup, "{version}, {qos:?}");
        }
        // Retained with DUP, and sent to a subscriber for the first time.
        let kept = Publish { retain: true, ..message(&topic, b"kept", QoS::AtLeastOnce) };
        publisher.send(&packets::publish_again(3, kept));
        assert!(!subscriber.next_publish().dup);
        let mut later = client(hearth.mqtt(), version);
        later.subscribe(&topic, QoS::AtLeastOnce);
        assert!(!later.next_publish().dup, "{version}");
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-2
// MQTT 5.0 server: MQTT-3.3.1-2
#[test]
fn dup_is_0_at_qos_0_both_ways() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("zero");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::AtMostOnce);
        let mut publisher = client(hearth.mqtt(), version);
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            publisher.send(&packets::publish_again(7, message(&topic, b"x", qos)));
            assert_eq!(subscriber.next_bytes()[0], 0x30, "{version}: lowered to QoS 0");
        }
        let bytes = raw::publish(version, 0b1000, topic.as_bytes(), &[], b"x");
        let last = closed_by(hearth.mqtt(), version, &bytes);
        assert_told(version, last, &[ReasonCode::MalformedPacket]);
        subscriber.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-4
// MQTT 5.0 server: MQTT-3.3.1-4
#[test]
fn both_qos_bits_close_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("three");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        for flags in [0b0110, 0b0111, 0b1110, 0b1111] {
            let bytes = raw::publish(version, flags, topic.as_bytes(), &[], b"x");
            let last = closed_by(hearth.mqtt(), version, &bytes);
            assert_told(version, last, &[ReasonCode::MalformedPacket]);
        }
        subscriber.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-3.3.2-1
// MQTT 5.0 server: MQTT-3.3.2-1
#[test]
fn the_topic_name_is_the_first_field_both_ways() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("ä€😀");
        let none = properties(version, &[]);
        let mut wire = client(hearth.mqtt(), version);
        wire.subscribe(&topic, QoS::AtLeastOnce);
        wire.send_bytes(&packet(0x32, &[&field(&topic), b"\x12\x34", &none, b"x"]));
        let mut answers = [wire.next_bytes(), wire.next_bytes()];
        answers.sort_unstable();
        let [publish, puback] = answers;
        assert_eq!(puback[..4], *b"\x40\x02\x12\x34", "{version}");
        assert_eq!(publish[2..2 + field(&topic).len()], field(&topic), "{version}");
        // Without one, or with one that goes on behind the end.
        for bytes in [packet(0x30, &[]), packet(0x30, &[b"\x00"]), packet(0x30, &[b"\x00\x05abc"])] {
            let last = closed_by(hearth.mqtt(), version, &bytes);
            assert_told(version, last, &[ReasonCode::MalformedPacket]);
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.2-2
// MQTT 5.0 server: MQTT-3.3.2-2
#[test]
fn a_topic_name_with_a_wildcard_closes_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("wild");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&format!("{topic}/#"), QoS::AtMostOnce);
        for end in ["#", "+", "a/#", "+/a", "a+", "#a"] {
            for flags in [0b0000, 0b0010, 0b0101] {
                let name = format!("{topic}/{end}");
                let bytes = raw::publish(version, flags, name.as_bytes(), &[], b"x");
                let last = closed_by(hearth.mqtt(), version, &bytes);
                assert_told(version, last, &[ReasonCode::TopicNameInvalid, ReasonCode::MalformedPacket]);
            }
        }
        subscriber.assert_quiet();
    }
}

/// Whether a filter matches a name, as 4.7 says it, and not as the broker does it.
fn matches(filter: &str, name: &str) -> bool {
    let (mut filter, mut name) = (filter.split('/'), name.split('/'));
    loop {
        match (filter.next(), name.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(other)) if level == other => {}
            (Some(_) | None, _) => return false,
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.2-3
// MQTT 5.0 server: MQTT-3.3.2-3
#[test]
fn a_subscriber_gets_the_topics_that_its_filter_matches_and_no_others() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let base = unique("match");
        let names: Vec<String> =
            ["", "/", "/a", "/A", "/a/", "/a/b", "/a/b/c", "/b", "/b/a", "//b", "/a//c", "/ab", "x/a"]
                .map(|end| format!("{base}{end}"))
                .into();
        let mut publisher = client(hearth.mqtt(), version);
        for end in ["", "/#", "/+", "/+/b", "/a/#", "/a/+", "/+/+", "/+/+/c", "//+", "/a/b", "/+/", "/a/+/#"]
        {
            let filter = format!("{base}{end}");
            let mut subscriber = client(hearth.mqtt(), version);
            subscriber.subscribe(&filter, QoS::AtMostOnce);
            for name in &names {
                publisher.publish_acknowledged(name, b"x");
            }
            let expected: Vec<&String> = names.iter().filter(|name| matches(&filter, name)).collect();
            let heard = hear(&mut subscriber, expected.len());
            let heard: Vec<&str> = heard.iter().map(|publish| publish.topic.as_str()).collect();
            assert_eq!(heard, expected, "{version}, {filter}");
            subscriber.assert_quiet();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.4-1
// MQTT 5.0 server: MQTT-3.3.4-1
#[test]
fn a_publish_is_answered_as_its_qos_says() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for dup in [false, true] {
            let topic = unique("answer");
            let mut wire = client(hearth.mqtt(), version);
            let flags = |qos: u8| qos << 1 | u8::from(dup && qos > 0) << 3;
            wire.send_bytes(&raw::publish(version, flags(0), topic.as_bytes(), &[], b"x"));
            wire.assert_quiet();
            wire.send_bytes(&raw::publish(version, flags(1), topic.as_bytes(), &[], b"x"));
            assert_eq!(wire.next_bytes()[0], 0x40, "{version}: PUBACK");
            wire.assert_quiet();
            wire.send_bytes(&raw::publish(version, flags(2), topic.as_bytes(), &[], b"x"));
            assert_eq!(wire.next_bytes()[0], 0x50, "{version}: PUBREC");
            wire.assert_quiet();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.5-1
// MQTT 5.0 server: MQTT-3.3.4-2
#[test]
fn overlapping_subscriptions_bring_a_message_at_the_highest_of_their_qos() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
            let base = unique("overlap");
            let filters = [format!("{base}/a"), format!("{base}/+"), format!("{base}/#")];
            let mut subscriber = client(hearth.mqtt(), version);
            for (filter, qos) in filters.iter().zip(order) {
                subscriber.subscribe(filter, QOS[qos]);
            }
            let mut publisher = client(hearth.mqtt(), version);
            for sent in QOS {
                publisher.publish_to_the_end(message(&format!("{base}/a"), b"x", sent));
                // Copies for each subscription are allowed; one of them has the highest QoS.
                let highest = hear_copies(&mut subscriber).into_iter().max();
                assert_eq!(highest, Some(sent), "{version}: published at {sent:?}");
            }
        }
    }
}

/// Takes the copies of one message, acknowledges them and gives their QoS.
#[track_caller]
fn hear_copies(wire: &mut Wire) -> Vec<QoS> {
    wire.send(&Packet::PingReq);
    let mut heard = Vec::new();
    loop {
        match wire.next() {
            Packet::Publish(publish) => {
                heard.push(publish.qos);
                let Some(packet_id) = publish.packet_id else { continue };
                let ack = PublishAck::success(packet_id);
                let is_qos_1 = publish.qos == QoS::AtLeastOnce;
                wire.send(&if is_qos_1 { Packet::PubAck(ack) } else { Packet::PubRec(ack) });
            }
            Packet::PubRel(ack) => wire.send(&Packet::PubComp(ack)),
            Packet::PingResp if heard.is_empty() => wire.send(&Packet::PingReq),
            Packet::PingResp => {
                // PUBREL of the last one may still come behind.
                wire.send(&Packet::PingReq);
                while let Packet::PubRel(ack) = wire.next() {
                    wire.send(&Packet::PubComp(ack));
                }
                return heard;
            }
            other => panic!("{other:?}"),
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.5-2
#[test]
fn a_publish_that_is_not_authorized_is_acknowledged_all_the_same_and_goes_nowhere() {
    let hearth = BROKER.get();
    let topic = format!("$SYS/{}", unique("denied"));
    let mut subscriber = client(hearth.mqtt(), Version::V311);
    subscriber.subscribe(&topic, QoS::ExactlyOnce);
    let mut publisher = client(hearth.mqtt(), Version::V311);
    for qos in QOS {
        publisher.publish_to_the_end(message(&topic, b"x", qos));
    }
    publisher.assert_quiet();
    subscriber.assert_quiet();
}
