//! The format of packets: reserved flags, packet identifiers, empty properties (MQTT 3.1.1, 2; MQTT 5.0, 2).

use std::collections::HashSet;

use hearth_protocol::TopicFilter;
use hearth_protocol::packet::{SubscribeProperties, Subscription, UnsubscribeProperties};

use super::super::raw::packet;
use super::*;

fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).unwrap()
}

impl Stage {
    fn subscribe_somewhere(&mut self) -> Token {
        let subscription = Subscription::new(filter("a/#"), QoS::AtLeastOnce);
        self.client.subscribe(self.now, vec![subscription], SubscribeProperties::default()).unwrap()
    }

    fn unsubscribe_somewhere(&mut self) -> Token {
        self.client.unsubscribe(self.now, vec![filter("a/#")], UnsubscribeProperties::default()).unwrap()
    }
}

/// The packets of a client that does everything, as bytes.
fn everything(version: Version) -> Vec<Vec<u8>> {
    let mut options = options(version);
    options.properties.authentication_method = Some(text("m"));
    let method = version.is_v5().then(|| text("m"));
    let mut stage = Stage::connecting(options);
    let mut sent = vec![stage.heard_bytes()];
    stage.tell(&connack(
        false,
        ConnAckProperties { authentication_method: method.clone(), ..Default::default() },
    ));
    stage.publish(message("a", b"x", QoS::ExactlyOnce));
    sent.push(stage.heard_bytes());
    stage.tell(&Packet::PubRec(ok(1)));
    sent.push(stage.heard_bytes());
    stage.tell(&numbered(5, message("a", b"x", QoS::AtLeastOnce)));
    sent.push(stage.heard_bytes());
    stage.tell(&numbered(6, message("a", b"x", QoS::ExactlyOnce)));
    sent.push(stage.heard_bytes());
    stage.tell(&Packet::PubRel(ok(6)));
    sent.push(stage.heard_bytes());
    stage.subscribe_somewhere();
    sent.push(stage.heard_bytes());
    stage.unsubscribe_somewhere();
    sent.push(stage.heard_bytes());
    stage.client.ping(stage.now);
    sent.push(stage.heard_bytes());
    if version.is_v5() {
        stage.client.reauthenticate(stage.now, None).unwrap();
        sent.push(stage.heard_bytes());
    }
    stage.client.disconnect(stage.now, Disconnect::new(ReasonCode::Success));
    sent.push(stage.heard_bytes());
    sent
}

// MQTT 3.1.1 client: MQTT-2.2.2-1
// MQTT 5.0 client: MQTT-2.1.3-1
#[test]
fn the_reserved_flags_of_every_packet_have_their_values() {
    for version in VERSIONS {
        let mut expected = vec![0x10, 0x34, 0x62, 0x40, 0x50, 0x70, 0x82, 0xA2, 0xC0, 0xF0, 0xE0];
        expected.retain(|first| version.is_v5() || *first != 0xF0);
        let sent: Vec<u8> = everything(version).iter().map(|bytes| bytes[0]).collect();
        assert_eq!(sent, expected, "{version}");
    }
}

// MQTT 3.1.1 client: MQTT-2.2.2-2
#[test]
fn other_flags_end_the_connection() {
    let bodies: [(u8, &[u8]); 9] = [
        (0x40, b"\0\x01"),
        (0x50, b"\0\x01"),
        (0x62, b"\0\x01"),
        (0x70, b"\0\x01"),
        (0x90, b"\0\x01\0"),
        (0xB0, b"\0\x01"),
        (0xD0, b""),
        (0x36, b"\0\x01t\0\x01x"),
        (0x38, b"\0\x01tx"),
    ];
    for (first, body) in bodies {
        let is_publish = first >> 4 == 3;
        for flags in 0..16 {
            let good = first & 0x0F;
            if is_publish != (flags == good) {
                continue;
            }
            let mut stage = Stage::open_plain(Version::V311);
            stage.refused(&packet(first & 0xF0 | flags, &[body]));
        }
    }
    for flags in 1..16 {
        let mut stage = Stage::connecting(options(Version::V311));
        stage.heard();
        stage.refused(&packet(0x20 | flags, &[b"\0\0"]));
    }
}

// MQTT 3.1.1 client: MQTT-2.3.1-5
// MQTT 5.0 client: MQTT-2.2.1-2
#[test]
fn a_message_of_qos_0_has_no_packet_identifier() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        let numbered = Publish { packet_id: Some(id(77)), ..message("t", b"x", QoS::AtMostOnce) };
        stage.publish(numbered);
        let properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
        assert_eq!(stage.heard_bytes(), packet(0x30, &[b"\0\x01t", properties, b"x"]));
    }
}

/// The packet identifiers of what the client wrote.
fn identifiers(stage: &mut Stage) -> Vec<u16> {
    let identifier = |packet| match packet {
        Packet::Publish(publish) => publish.packet_id.expect("its QoS is above 0"),
        Packet::Subscribe(subscribe) => subscribe.packet_id,
        Packet::Unsubscribe(unsubscribe) => unsubscribe.packet_id,
        other => panic!("{other:?}"),
    };
    stage.heard().into_iter().map(|packet| identifier(packet).get()).collect()
}

// MQTT 3.1.1 client: MQTT-2.3.1-1 MQTT-2.3.1-2
// MQTT 5.0 client: MQTT-2.2.1-3 MQTT-4.3.2-1 MQTT-4.3.3-1
#[test]
fn every_new_packet_has_an_identifier_that_is_not_0_and_not_in_use() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        let mut in_use = HashSet::new();
        // More packets than there are identifiers, of which some stay unanswered.
        for round in 0..70_000_u32 {
            let qos = ACKNOWLEDGED[round as usize % 2];
            match round % 5 {
                0 => drop(stage.subscribe_somewhere()),
                1 => drop(stage.unsubscribe_somewhere()),
                _ => drop(stage.publish(message("t", b"x", qos))),
            }
            let sent = identifiers(&mut stage);
            let [packet_id] = sent[..] else { panic!("{sent:?}") };
            assert!(packet_id > 0 && in_use.insert(packet_id), "{packet_id} in round {round}");
            if round % 9_000 == 8_999 {
                continue;
            }
            in_use.remove(&packet_id);
            let answers = match round % 5 {
                0 => vec![packet(0x90, &[&packet_id.to_be_bytes(), properties(version), &[1]])],
                1 => vec![packet(0xB0, &[&packet_id.to_be_bytes(), properties(version), reasons(version)])],
                _ if qos == QoS::AtLeastOnce => vec![packet(0x40, &[&packet_id.to_be_bytes()])],
                _ => [0x50, 0x70].map(|first| packet(first, &[&packet_id.to_be_bytes()])).to_vec(),
            };
            for answer in answers {
                stage.say_bytes(&answer).unwrap();
            }
            stage.heard();
            stage.events();
        }
        assert_eq!(in_use.len(), 7, "{version}");
    }
}

fn properties(version: Version) -> &'static [u8] {
    if version.is_v5() { &[0] } else { &[] }
}

/// UNSUBACK has reason codes in version 5 only.
fn reasons(version: Version) -> &'static [u8] {
    if version.is_v5() { &[0] } else { &[] }
}

// MQTT 3.1.1 client: MQTT-2.3.1-3
#[test]
fn what_is_sent_again_keeps_its_identifier_which_is_free_after_the_last_answer() {
    let mut stage = Stage::open_plain(Version::V311);
    let messages = [message("t", b"1", QoS::AtLeastOnce), message("t", b"2", QoS::ExactlyOnce)];
    for publish in messages.clone() {
        stage.publish(publish);
    }
    stage.publish(message("t", b"3", QoS::ExactlyOnce));
    stage.tell(&Packet::PubRec(ok(3)));
    let (sent, _) = stage.connect(true, ConnAckProperties::default());
    let [first, second] = messages;
    assert_eq!(sent[1..], [Packet::PubRel(ok(3)), again(1, first), again(2, second)]);
    stage.tell(&Packet::PubRec(ok(2)));
    // While one identifier waits for its last answer, no other message gets it; the client would rather wait.
    let sent = send_round(&mut stage);
    assert!([1, 2, 3].iter().all(|packet_id| !sent.contains(packet_id)));
    for answer in [Packet::PubAck(ok(1)), Packet::PubComp(ok(2)), Packet::PubComp(ok(3))] {
        stage.tell(&answer);
    }
    let sent = send_round(&mut stage);
    assert!([1, 2, 3].iter().all(|packet_id| sent.contains(packet_id)), "they are free again");
}

/// Sends more messages than there are identifiers, acknowledges all that go out, and gives their identifiers.
fn send_round(stage: &mut Stage) -> HashSet<u16> {
    let mut seen = HashSet::new();
    for _ in 0..65_600 {
        stage.publish(message("t", b"x", QoS::AtLeastOnce));
        for packet_id in identifiers_of_publishes(stage) {
            seen.insert(packet_id);
            stage.tell(&Packet::PubAck(ok(packet_id)));
        }
        stage.events();
    }
    seen
}

fn identifiers_of_publishes(stage: &mut Stage) -> Vec<u16> {
    let identifier = |packet| match packet {
        Packet::Publish(publish) => publish.packet_id.map(PacketId::get),
        _ => None,
    };
    stage.heard().into_iter().filter_map(identifier).collect()
}

// MQTT 3.1.1 client: MQTT-2.3.1-6
// MQTT 5.0 client: MQTT-2.2.1-5
#[test]
fn every_answer_has_the_identifier_of_the_message() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for packet_id in [1, 2, 255, 256, 4_711, 65_535] {
            stage.tell(&numbered(packet_id, message("t", b"x", QoS::AtLeastOnce)));
            assert_eq!(stage.heard(), [Packet::PubAck(ok(packet_id))]);
            stage.tell(&numbered(packet_id, message("t", b"x", QoS::ExactlyOnce)));
            stage.tell(&Packet::PubRel(ok(packet_id)));
            assert_eq!(stage.heard(), [Packet::PubRec(ok(packet_id)), Packet::PubComp(ok(packet_id))]);
        }
        for _ in 0..3 {
            stage.publish(message("t", b"x", QoS::ExactlyOnce));
        }
        let sent = identifiers(&mut stage);
        for packet_id in sent.into_iter().rev() {
            stage.tell(&Packet::PubRec(ok(packet_id)));
            assert_eq!(stage.heard(), [Packet::PubRel(ok(packet_id))]);
        }
    }
}

// MQTT 5.0 client: MQTT-2.2.2-1
#[test]
fn a_packet_without_properties_says_that_it_has_none() {
    let plain = ClientOptions { packet_size_max: usize::MAX, ..ClientOptions::new(text("c")) };
    let mut stage = Stage::connecting(plain);
    assert_eq!(stage.heard_bytes(), b"\x10\x0e\0\x04MQTT\x05\x02\0\x1e\0\0\x01c");
    stage.tell(&connack(false, ConnAckProperties::default()));
    stage.publish(message("t", b"x", QoS::AtLeastOnce));
    assert_eq!(stage.heard_bytes(), b"\x32\x07\0\x01t\0\x01\0x");
    stage.subscribe_somewhere();
    assert_eq!(stage.heard_bytes(), b"\x82\x09\0\x02\0\0\x03a/#\x01");
    stage.unsubscribe_somewhere();
    assert_eq!(stage.heard_bytes(), b"\xa2\x08\0\x03\0\0\x03a/#");
}
