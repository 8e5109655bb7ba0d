//! UNSUBSCRIBE and UNSUBACK (3.10, 3.11).

use hearth_protocol::codec::encoded_len;
use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{
    assert_refused, join, lasting, puback, pubcomp, pubrec, pubrel, request, request_frame, subscribe,
    unsubscribe,
};
use super::{VERSIONS, raw};
use crate::wire::{Wire, connect, message};

static BROKER: SharedBroker = SharedBroker::new();

const NONE: ReasonCode = ReasonCode::NoSubscriptionExisted;
const GONE: ReasonCode = ReasonCode::Success;

// MQTT 3.1.1 server: MQTT-3.10.1-1
// MQTT 5.0 server: MQTT-3.10.1-1
#[test]
fn an_unsubscribe_with_other_reserved_bits_is_malformed() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for flags in (0..16).filter(|flags| *flags != 2) {
            let bytes = request_frame(0xA0 | flags, version, 1, &raw::field("a"));
            let what = format!("UNSUBSCRIBE with flags {flags}");
            assert_refused(hearth.mqtt(), version, &what, &bytes, ReasonCode::MalformedPacket);
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.10.3-1
// MQTT 5.0 server: MQTT-3.10.3-1
#[test]
fn filters_of_unsubscribe_are_packed_strings_of_utf_8() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for bad in [&b"\xC3\x28"[..], b"a/\xED\xA0\x80", b"a\xFF", b"\xC0\x80"] {
            let bytes = request_frame(0xA2, version, 1, &[raw::field("good"), raw::field(bad)].concat());
            assert_refused(hearth.mqtt(), version, "ill-formed UTF-8", &bytes, ReasonCode::MalformedPacket);
        }
        // A string that says it is longer than what is left of the packet.
        let bytes = request_frame(0xA2, version, 1, &[raw::field("good"), vec![0, 9, b'a']].concat());
        assert_refused(hearth.mqtt(), version, "a string cut off", &bytes, ReasonCode::MalformedPacket);
        let mut client = join(hearth.mqtt(), version, "packed");
        client.subscribe("packed/é", QoS::AtMostOnce);
        client.subscribe("packed/+", QoS::AtMostOnce);
        let both = [raw::field("packed/é"), raw::field("packed/+")].concat();
        client.send_bytes(&request_frame(0xA2, version, 1, &both));
        assert!(matches!(client.next(), Packet::UnsubAck(_)));
        client.publish_acknowledged("packed/é", b"not heard");
        client.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-3.10.3-2
// MQTT 5.0 server: MQTT-3.10.3-2
#[test]
fn an_unsubscribe_without_a_filter_breaks_the_protocol() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let bytes = request_frame(0xA2, version, 1, &[]);
        assert_refused(hearth.mqtt(), version, "no filter", &bytes, ReasonCode::ProtocolError);
    }
}

// MQTT 3.1.1 server: MQTT-3.10.4-1 MQTT-3.10.4-2
// MQTT 5.0 server: MQTT-3.10.4-1 MQTT-3.10.4-2
#[test]
fn only_the_very_same_filter_is_taken_off_and_nothing_comes_for_it_any_more() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let base = format!("exact/{version}");
        let filter = |rest: &str| format!("{base}/{rest}");
        let filters = [filter("a"), filter("+"), filter("#"), filter("é"), filter("+/b")];
        let mut client = join(hearth.mqtt(), version, "exact");
        let mut publisher = join(hearth.mqtt(), version, "exact-publisher");
        // Each alone, so that what it brings shows whether it is still there.
        for (held, topic) in filters.iter().zip(["a", "a", "a/b", "é", "a/b"]) {
            request(&mut client, &subscribe(1, &[(held, QoS::AtMostOnce)]));
            let decomposed = filter("e\u{301}");
            let strangers = [
                filter("A"),
                filter("b"),
                filter(""),
                filter("a/"),
                filter("a/b"),
                filter("+/+"),
                decomposed,
                base.clone(),
                format!("{base}/a/#"),
                "#".to_owned(),
                "+".to_owned(),
                format!(" {base}/a"),
            ];
            for stranger in strangers.iter().chain(filters.iter().filter(|other| *other != held)) {
                let reasons = request(&mut client, &unsubscribe(2, &[stranger]));
                assert!(!version.is_v5() || reasons == [NONE], "{version}: {stranger} for {held}");
            }
            let topic = filter(topic);
            publisher.send(&Packet::Publish(message(&topic, b"there", QoS::AtMostOnce)));
            assert_eq!(client.next_publish().payload, "there", "{version}: {held}");
            let reasons = request(&mut client, &unsubscribe(3, &[held]));
            assert!(!version.is_v5() || reasons == [GONE], "{version}: {held}");
            for qos in super::packets::QOS {
                publisher.publish_to_the_end(message(&topic, b"gone", qos));
            }
            client.assert_quiet_after(&mut publisher);
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.10.4-3
// MQTT 5.0 server: MQTT-3.10.4-3
#[test]
fn what_is_under_way_when_the_subscription_ends_is_delivered_to_the_end() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("completes/{version}");
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "completes"));
        client.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), version, "completes-publisher");
        let mut sent = Vec::new();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            publisher.publish_to_the_end(message(&topic, b"started", qos));
            sent.push(client.next_publish());
        }
        request(&mut client, &unsubscribe(1, &[&topic]));
        let number = |publish: &Publish| publish.packet_id.unwrap().get();
        // One of each goes on in this connection, one of each in the next.
        client.send(&puback(number(&sent[0])));
        client.send(&pubrec(number(&sent[1])));
        assert_eq!(client.next(), pubrel(number(&sent[1])), "{version}");
        client.send(&pubcomp(number(&sent[1])));
        client.assert_quiet();
        drop(client);
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "completes"));
        for publish in &sent[2..] {
            assert_eq!(client.next_publish(), Publish { dup: true, ..publish.clone() }, "{version}");
        }
        client.send(&puback(number(&sent[2])));
        client.send(&pubrec(number(&sent[3])));
        assert_eq!(client.next(), pubrel(number(&sent[3])), "{version}");
        client.send(&pubcomp(number(&sent[3])));
        client.assert_quiet_after(&mut publisher);
    }
}

// MQTT 3.1.1 server: MQTT-3.10.4-4 MQTT-3.10.4-5
// MQTT 5.0 server: MQTT-3.10.4-4 MQTT-3.10.4-5
#[test]
fn every_unsubscribe_gets_an_unsuback_with_its_packet_id() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let mut client = join(hearth.mqtt(), version, "unsuback");
        client.subscribe("unsuback", QoS::AtMostOnce);
        // The first takes the subscription off, the others find none.
        for (packet_id, reason) in [(1_u16, GONE), (2, NONE), (0x1234, NONE), (65_535, NONE)] {
            client.send(&unsubscribe(packet_id, &["unsuback"]));
            let [high, low] = packet_id.to_be_bytes();
            if version.is_v5() {
                assert_eq!(client.next_bytes(), [0xB0, 4, high, low, 0, reason.byte()]);
            } else {
                assert_eq!(client.next_bytes(), [0xB0, 2, high, low]);
            }
        }
        client.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-3.10.4-6
// MQTT 5.0 server: MQTT-3.10.4-6 MQTT-3.11.3-1
#[test]
fn many_filters_in_one_unsubscribe_are_taken_off_one_after_the_other_with_one_answer() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = |number: usize| format!("sequence/{version}/{number}");
        let topics: Vec<_> = (0..6).map(topic).collect();
        let mut client = join(hearth.mqtt(), version, "sequence");
        let held: Vec<_> = topics.iter().map(|topic| (topic.as_str(), QoS::AtMostOnce)).collect();
        request(&mut client, &subscribe(1, &held));
        // The second time in the same packet there is nothing left to take off.
        let filters = [&topics[4], &topics[1], &topics[4], "sequence/none", &topics[3], &topics[1]];
        let reasons = request(&mut client, &unsubscribe(2, &filters));
        let wanted: &[ReasonCode] = if version.is_v5() { &[GONE, GONE, NONE, NONE, GONE, NONE] } else { &[] };
        assert_eq!(reasons, wanted);
        client.assert_quiet();
        let mut publisher = join(hearth.mqtt(), version, "sequence-publisher");
        for topic in &topics {
            publisher.send(&Packet::Publish(message(topic, b"x", QoS::AtMostOnce)));
        }
        for number in [0, 2, 5] {
            assert_eq!(client.next_publish().topic.as_str(), topics[number], "{version}");
        }
        client.assert_quiet_after(&mut publisher);
    }
}

// MQTT 5.0 server: MQTT-3.11.3-2
#[test]
fn unsuback_has_a_code_of_its_own_for_each_filter() {
    let hearth = BROKER.get();
    let mut client = join(hearth.mqtt(), Version::V5, "codes");
    client.subscribe("codes/held", QoS::AtMostOnce);
    let long = "x".repeat(5000);
    // The last one is more than limits.filters_per_packet_max.
    let many: Vec<_> = (0..1001).map(|number| format!("codes/{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let allowed = [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
    for filters in [vec!["codes/held"], vec!["codes/none", &long, "$SYS/#", "codes/held"], many] {
        client.send(&unsubscribe(7, &filters));
        let bytes = client.next_bytes();
        let codes = &bytes[bytes.len() - filters.len()..];
        assert!(codes.iter().all(|code| allowed.contains(code)), "{codes:02x?}");
        let Packet::UnsubAck(answer) = request_again(&mut client, &filters) else { panic!("UNSUBACK") };
        assert_eq!(answer.reasons.len(), filters.len());
    }
}

#[track_caller]
fn request_again(client: &mut Wire, filters: &[&str]) -> Packet {
    client.send(&unsubscribe(8, filters));
    client.next()
}

// MQTT 5.0 server: MQTT-3.11.2-1 MQTT-3.11.2-2
#[test]
fn no_unsuback_grows_beyond_what_the_client_takes() {
    let hearth = BROKER.get();
    let terms = Wire::connect(hearth.mqtt(), connect(Version::V5, "tight-unsuback")).1;
    let smallest = encoded_len(&Packet::ConnAck(Box::new(terms)), Version::V5).unwrap();
    for room in (smallest..smallest + 40).chain([100, 200, 1000]) {
        let mut tight = connect(Version::V5, "tight-unsuback");
        tight.properties.packet_size_max = Some(room as u32);
        let (mut client, _) = Wire::connect(hearth.mqtt(), tight);
        // As many filters as still fit an answer without text: two bytes of header, two of id, one of properties.
        for count in [1, room.min(100) - 5] {
            let filters = vec!["none"; count];
            client.send(&unsubscribe(1, &filters));
            let bytes = client.next_bytes();
            assert!(bytes.len() <= room, "{} bytes where {room} fit: {bytes:02x?}", bytes.len());
            assert_eq!(bytes[0], 0xB0, "{bytes:02x?}");
        }
    }
}
