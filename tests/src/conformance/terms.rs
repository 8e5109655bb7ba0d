//! What a client says it takes: packet size, topic aliases, receive maximum, information (MQTT 5.0, 3.1.2.11), the server's side.

use std::collections::{HashMap, HashSet};

use hearth_protocol::packet::{Connect, ConnectProperties, Packet, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{self, RawConnect, field, packet, properties};
use super::{client, greet, persistent, unique};
use crate::hearth::Hearth;
use crate::wire::{Wire, connect, message};

static BROKER: SharedBroker = SharedBroker::new();

/// A CONNECT of version 5 whose properties are changed.
fn connect_with(change: impl FnOnce(&mut ConnectProperties)) -> Connect {
    let mut connect = connect(Version::V5, &unique("c"));
    change(&mut connect.properties);
    connect
}

/// A PUBLISH of version 5 and QoS 1 to `topic` that has so many bytes in all, 127 at most behind its head.
fn payload_of(topic: &str, packet_bytes: usize) -> Vec<u8> {
    let head = 2 + field(topic).len() + 2 + 1;
    vec![b'x'; packet_bytes - head]
}

// MQTT 5.0 server: MQTT-3.1.2-24 MQTT-3.1.2-25
#[test]
fn a_message_larger_than_the_client_takes_is_left_out_as_if_it_had_been_sent() {
    const SIZE_MAX: usize = 100;
    let hearth = BROKER.get();
    let topic = unique("size");
    let connect = connect_with(|properties| {
        properties.packet_size_max = Some(SIZE_MAX as u32);
        properties.receive_maximum = Some(1);
    });
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), connect);
    subscriber.subscribe(&topic, QoS::ExactlyOnce);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let mut other = client(hearth.mqtt(), Version::V5);
    other.subscribe(&topic, QoS::AtMostOnce);
    // Too large ones use up neither the one place under way nor an identifier; the others come at every QoS.
    for size in [SIZE_MAX + 1, 10 * SIZE_MAX, SIZE_MAX, SIZE_MAX + 1, SIZE_MAX - 1] {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let payload = payload_of(&topic, size);
            publisher.publish_to_the_end(message(&topic, &payload, qos));
            assert_eq!(other.next_publish().payload.len(), payload.len(), "the other client takes it");
            if size > SIZE_MAX {
                subscriber.assert_quiet();
                continue;
            }
            let bytes = subscriber.next_bytes();
            assert_eq!(bytes.len(), size);
            let at = 2 + field(&topic).len();
            let id = &bytes[at..at + 2];
            if qos == QoS::AtLeastOnce {
                subscriber.send_bytes(&packet(0x40, &[id]));
            } else {
                subscriber.send_bytes(&packet(0x50, &[id]));
                assert_eq!(subscriber.next_bytes()[0], 0x62, "PUBREL");
                subscriber.send_bytes(&packet(0x70, &[id]));
            }
        }
    }
    let payload = vec![b'x'; SIZE_MAX - 2 - field(&topic).len()];
    publisher.send(&Packet::Publish(message(&topic, &payload, QoS::AtMostOnce)));
    publisher.send(&Packet::Publish(message(&topic, &payload[1..], QoS::AtMostOnce)));
    publisher.assert_quiet();
    assert_eq!(
        subscriber.next_publish().payload.len(),
        payload.len() - 1,
        "at QoS 0 the first is a byte too large"
    );
}

// MQTT 5.0 server: MQTT-3.1.2-24 MQTT-3.1.2-25
#[test]
fn messages_that_waited_are_measured_too() {
    let hearth = BROKER.get();
    let (id, topic) = (unique("c"), unique("size"));
    let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    first.subscribe(&topic, QoS::AtLeastOnce);
    drop(first);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let retained =
        Publish { retain: true, ..message(&format!("{topic}/kept"), &[b'r'; 80], QoS::AtLeastOnce) };
    publisher.publish_to_the_end(retained);
    publisher.publish_acknowledged(&topic, &payload_of(&topic, 61));
    publisher.publish_acknowledged(&topic, &payload_of(&topic, 60));
    let mut connect = persistent(Version::V5, &id);
    connect.properties.packet_size_max = Some(60);
    let (mut second, answer) = Wire::connect(hearth.mqtt(), connect);
    assert!(answer.session_present);
    assert_eq!(second.next_bytes().len(), 60, "the smaller one of those that waited");
    second.subscribe(&format!("{topic}/kept"), QoS::AtLeastOnce);
    second.assert_quiet();
}

// MQTT 5.0 server: MQTT-3.1.2-24 MQTT-3.2.2-19 MQTT-3.2.2-20
#[test]
fn no_packet_is_larger_than_the_client_takes_however_little_that_is() {
    let hearth = BROKER.get();
    let size_property = |size: u32| [&[0x27], &size.to_be_bytes()[..]].concat();
    let (method, id) = ([&[0x15], &field("NO-SUCH-METHOD")[..]].concat(), unique("c"));
    for size in 1..80 {
        let right = RawConnect::new(Version::V5, &id);
        let accepted =
            RawConnect { properties: properties(Version::V5, &[&size_property(size)]), ..right.clone() };
        let refused =
            RawConnect { properties: properties(Version::V5, &[&size_property(size), &method]), ..right };
        // Behind CONNACK a SUBSCRIBE with wrong and good filters, and something malformed, which DISCONNECT answers.
        let filters = [&[0, 1, 0][..], &[&field("a/b")[..], &[1]].concat().repeat(20)].concat();
        let behind = [packet(0x82, &[&filters]), packet(0xC0, &[]), vec![0x00, 0x00]].concat();
        for connect in [accepted, refused] {
            let mut wire = greet(hearth.mqtt(), Version::V5, &[connect.bytes(), behind.clone()].concat());
            let said = wire.read_to_end();
            let mut rest = &said[..];
            while let Some(remaining) = rest.get(1) {
                assert!(*remaining < 0x80, "a packet of more than 127 bytes");
                let whole = 2 + usize::from(*remaining);
                assert!(whole <= size as usize, "{whole} bytes where {size} are taken: {rest:02x?}");
                rest = &rest[whole..];
            }
        }
    }
}

// MQTT 5.0 server: MQTT-3.2.2-19
#[test]
fn connack_leaves_its_reason_string_out_where_it_does_not_fit() {
    let hearth = BROKER.get();
    let method = [&[0x15], &field("NO-SUCH-METHOD")[..]].concat();
    let answer_within = |size: Option<u32>| {
        let size = size.map(|size| [&[0x27], &size.to_be_bytes()[..]].concat()).unwrap_or_default();
        let right = RawConnect::new(Version::V5, &unique("c"));
        let connect = RawConnect { properties: properties(Version::V5, &[&method, &size]), ..right };
        let mut wire = greet(hearth.mqtt(), Version::V5, &connect.bytes());
        let bytes = wire.next_bytes();
        assert_eq!((bytes[0], bytes[3]), (0x20, ReasonCode::BadAuthenticationMethod.byte()));
        bytes
    };
    let full = answer_within(None);
    assert!(full.len() > 7 && full[5] == 0x1F, "it has a reason string: {full:02x?}");
    let len = full.len() as u32;
    assert_eq!(answer_within(Some(len)), full, "where it fits exactly it is there");
    assert_eq!(answer_within(Some(len - 1)), b"\x20\x03\x00\x8C\x00");
    assert_eq!(answer_within(Some(5)), b"\x20\x03\x00\x8C\x00");
}

/// Publishes to many topics several times and gives the aliases that came, with the topics that they stand for.
#[track_caller]
fn aliases_heard(hearth: &Hearth, alias_maximum: Option<u16>) -> HashSet<u16> {
    const TOPICS: usize = 6;
    let base = unique("alias");
    let connect = connect_with(|properties| properties.topic_alias_maximum = alias_maximum);
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), connect);
    subscriber.subscribe(&format!("{base}/+"), QoS::AtMostOnce);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let mut topics: HashMap<u16, String> = HashMap::new();
    let mut aliases = HashSet::new();
    for _ in 0..4 {
        for number in 0..TOPICS {
            let topic = format!("{base}/{number}");
            publisher.publish_acknowledged(&topic, b"x");
            let publish = subscriber.next_publish();
            let alias = publish.properties.as_ref().and_then(|properties| properties.topic_alias);
            let name = publish.topic.as_str();
            if let Some(alias) = alias {
                assert!(alias > 0);
                aliases.insert(alias);
                if !name.is_empty() {
                    topics.insert(alias, name.to_owned());
                }
                assert_eq!(topics.get(&alias), Some(&topic), "what the alias stands for");
            } else {
                assert_eq!(name, topic);
            }
        }
    }
    aliases
}

// MQTT 5.0 server: MQTT-3.1.2-27
#[test]
fn a_client_that_takes_no_topic_aliases_is_sent_none() {
    let hearth = BROKER.get();
    assert!(aliases_heard(&hearth, None).is_empty());
    assert!(aliases_heard(&hearth, Some(0)).is_empty());
}

// MQTT 5.0 server: MQTT-3.1.2-26 MQTT-3.3.2-8 MQTT-3.3.2-11
#[test]
fn a_client_is_sent_no_topic_alias_above_its_maximum_and_never_0() {
    let hearth = BROKER.get();
    for maximum in [1, 2, 5, u16::MAX] {
        let aliases = aliases_heard(&hearth, Some(maximum));
        assert!(!aliases.is_empty(), "there are aliases to look at for {maximum}");
        assert!(aliases.iter().all(|alias| (1..=maximum).contains(alias)), "{aliases:?} for {maximum}");
    }
}

// MQTT 5.0 server: MQTT-3.1.2-28
#[test]
fn response_information_is_returned_only_when_asked_for() {
    let hearth = BROKER.get();
    for asked in [None, Some(false)] {
        let connect = connect_with(|properties| properties.request_response_information = asked);
        let (_wire, answer) = Wire::connect(hearth.mqtt(), connect);
        assert_eq!(answer.properties.response_information, None, "{asked:?}");
    }
}

/// Provokes every answer that could carry a reason string, with a topic that is longer than the broker takes.
#[track_caller]
fn answers(wire: &mut Wire) -> Vec<Vec<u8>> {
    let (version, long) = (Version::V5, "x".repeat(5000));
    let requests = [
        raw::publish(version, 0b0010, long.as_bytes(), &[], b"x"),
        raw::publish(version, 0b0100, long.as_bytes(), &[], b"x"),
        raw::publish(version, 0b0010, b"$SYS/x", &[], b"x"),
        packet(0x62, &[b"\x77\x77"]),
        raw::subscribe(version, &[], long.as_bytes(), 1),
        raw::unsubscribe(version, b"never/subscribed"),
        raw::unsubscribe(version, long.as_bytes()),
    ];
    let answer = |request: &Vec<u8>| {
        wire.send_bytes(request);
        wire.next_bytes()
    };
    requests.iter().map(answer).collect()
}

// MQTT 5.0 server: MQTT-3.1.2-29
#[test]
fn a_client_that_wants_no_problem_information_gets_reason_strings_at_the_end_only() {
    let hearth = BROKER.get();
    let told = |bytes: &Vec<u8>| {
        // A property's identifier is not to be found by a search in bytes; the codec reads the packet.
        let mut input = bytes::BytesMut::from(&bytes[..]);
        let packet = hearth_protocol::codec::decode(&mut input, Version::V5, 1 << 20);
        let properties = match packet.expect("it is well-formed").expect("it is whole") {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => ack.properties,
            Packet::SubAck(answer) => answer.properties,
            Packet::UnsubAck(answer) => answer.properties,
            other => panic!("{other:?}"),
        };
        properties.reason_string.is_some() || !properties.user_properties.is_empty()
    };
    let silent = connect_with(|properties| properties.request_problem_information = Some(false));
    let (mut wire, _) = Wire::connect(hearth.mqtt(), silent);
    for answer in answers(&mut wire) {
        assert!(!told(&answer), "{answer:02x?}");
    }
    for asked in [None, Some(true)] {
        let talkative = connect_with(|properties| properties.request_problem_information = asked);
        let (mut wire, _) = Wire::connect(hearth.mqtt(), talkative);
        assert!(answers(&mut wire).iter().any(told), "there is something to leave out");
    }
    // User properties of a message are the publisher's and come all the same.
    let topic = unique("problem");
    wire.subscribe(&topic, QoS::AtMostOnce);
    let property = [&[0x26], &field("name")[..], &field("value")[..]].concat();
    let bytes = raw::publish(Version::V5, 0, topic.as_bytes(), &[&property], b"x");
    client(hearth.mqtt(), Version::V5).send_bytes(&bytes);
    assert_eq!(wire.next_bytes(), bytes);
}

// MQTT 5.0 server: MQTT-3.3.4-9 MQTT-3.3.4-10
#[test]
fn no_more_messages_are_under_way_than_the_client_takes_and_nothing_else_waits_for_them() {
    let hearth = BROKER.get();
    for maximum in [1_u16, 2, 5] {
        let topic = unique("maximum");
        let connect = connect_with(|properties| properties.receive_maximum = Some(maximum));
        let (mut subscriber, _) = Wire::connect(hearth.mqtt(), connect);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), Version::V5);
        for number in 0..20_u8 {
            let qos = if number % 2 == 0 { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
            publisher.publish_to_the_end(message(&topic, &[number], qos));
        }
        let mut under_way: Vec<Publish> = (0..maximum).map(|_| subscriber.next_publish()).collect();
        subscriber.assert_quiet();
        let mut next = u8::try_from(maximum).unwrap();
        while let Some(publish) = under_way.pop() {
            let ack = PublishAck::success(publish.packet_id.unwrap());
            if publish.qos == QoS::AtLeastOnce {
                subscriber.send(&Packet::PubAck(ack));
            } else if publish.payload[0] % 4 == 0 {
                // A PUBREC that refuses ends the flow; one that does not is followed by PUBREL and leaves the place taken.
                let refusal = PublishAck { reason: ReasonCode::UnspecifiedError, ..ack };
                subscriber.send(&Packet::PubRec(refusal));
            } else {
                subscriber.send(&Packet::PubRec(ack.clone()));
                assert_eq!(subscriber.next(), Packet::PubRel(ack.clone()), "{maximum}: PUBREL does not wait");
                subscriber.assert_quiet();
                subscriber.send(&Packet::PubComp(ack));
            }
            if next < 20 {
                let publish = subscriber.next_publish();
                assert_eq!(publish.payload[..], [next], "{maximum}");
                next += 1;
                under_way.push(publish);
            }
            subscriber.assert_quiet();
        }
        assert_eq!(next, 20);
    }
}

// MQTT 5.0 server: MQTT-3.3.4-10
#[test]
fn a_client_that_acknowledges_nothing_still_gets_every_other_answer() {
    let hearth = BROKER.get();
    let topic = unique("others");
    let connect = connect_with(|properties| properties.receive_maximum = Some(1));
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect);
    wire.subscribe(&topic, QoS::ExactlyOnce);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    publisher.publish_acknowledged(&topic, b"0");
    publisher.publish_acknowledged(&topic, b"1");
    assert_eq!(wire.next_publish().payload, "0");
    wire.assert_quiet();
    wire.subscribe(&unique("others"), QoS::AtMostOnce);
    wire.send_bytes(&raw::unsubscribe(Version::V5, b"others"));
    assert!(matches!(wire.next(), Packet::UnsubAck(_)));
    wire.publish_to_the_end(message("elsewhere", b"x", QoS::AtLeastOnce));
    wire.publish_to_the_end(message("elsewhere", b"x", QoS::ExactlyOnce));
    wire.assert_quiet();
}

// MQTT 5.0 server: MQTT-3.3.2-7
#[test]
fn a_topic_alias_is_forgotten_with_its_connection() {
    let hearth = BROKER.get();
    let (id, topic) = (unique("c"), unique("forgotten"));
    let aliased = |topic: &str| raw::publish(Version::V5, 0, topic.as_bytes(), &[b"\x23\x00\x01"], b"x");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    first.send_bytes(&aliased(&topic));
    first.send_bytes(&aliased(""));
    assert_eq!(subscriber.next_publish().topic.as_str(), topic);
    assert_eq!(subscriber.next_publish().topic.as_str(), topic);
    drop(first);
    let (mut second, answer) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    assert!(answer.session_present, "it is the session that goes on");
    second.send_bytes(&aliased(""));
    let last = second.wait_for_end();
    let Some(Packet::Disconnect(disconnect)) = last else { panic!("{last:?}") };
    assert_eq!(disconnect.reason, ReasonCode::ProtocolError);
    subscriber.assert_quiet();
}
