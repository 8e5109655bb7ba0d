//! UTF-8 strings and string pairs (MQTT 3.1.1, 1.5.3; MQTT 5.0, 1.5.4 and 1.5.7), the server's side.

use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{self, RawConnect, field, properties};
use super::{VERSIONS, client, closed_by, greet, is_refusal, unique};
use crate::wire::Wire;

static BROKER: SharedBroker = SharedBroker::new();

/// Bytes that are no UTF-8: lone continuation and lead bytes, ends cut off, overlong forms, code points above U+10FFFF, and
/// both ends of the surrogates U+D800 to U+DFFF.
const ILL_FORMED: &[&[u8]] = &[
    b"\x80",
    b"a\xbf",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf4\x90\x80\x80",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xed\xad\xbf",
    b"\xed\xbf\xbf",
];

/// Every kind of packet and field of a client that is a string, with `bad` in its place; what follows CONNACK.
fn packets_with(version: Version, bad: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut packets = vec![
        ("topic name", raw::publish(version, 0, bad, &[], b"x")),
        ("topic filter", raw::subscribe(version, &[], bad, 0)),
        ("topic filter to unsubscribe", raw::unsubscribe(version, bad)),
    ];
    if version.is_v5() {
        let publish = |property: &[u8]| raw::publish(version, 0, b"t", &[property], b"x");
        packets.push(("response topic", publish(&[&[0x08], &field(bad)[..]].concat())));
        packets.push(("content type", publish(&[&[0x03], &field(bad)[..]].concat())));
        let disconnect = [&[0x1F], &field(bad)[..]].concat();
        let disconnect = raw::packet(0xE0, &[&[0x00], &properties(version, &[&disconnect])]);
        packets.push(("reason string", disconnect));
    }
    packets
}

/// Every string of CONNECT, with `bad` in its place.
fn connects_with(version: Version, bad: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let right = RawConnect::new(version, &unique("c"));
    let id = right.payload.clone();
    let none = properties(version, &[]);
    let with = |flags: u8, rest: &[&[u8]]| RawConnect {
        flags: 0x02 | flags,
        payload: [&id, &rest.concat()[..]].concat(),
        ..right.clone()
    };
    vec![
        ("client id", RawConnect { payload: field(bad), ..right.clone() }.bytes()),
        ("will topic", with(0x04, &[&none, &field(bad), &field("x")]).bytes()),
        ("user name", with(0x80, &[&field(bad)]).bytes()),
    ]
}

/// The broker closes on `bad` in every string; in version 5 it says that the packet is malformed.
#[track_caller]
fn assert_refused_everywhere(bad: &[u8]) {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for (what, packet) in packets_with(version, bad) {
            let last = closed_by(hearth.mqtt(), version, &packet);
            let told = last.map(|packet| match packet {
                Packet::Disconnect(disconnect) => disconnect.reason,
                other => panic!("{version}, {what} {bad:02x?}: {other:?}"),
            });
            let expected = version.is_v5().then_some(ReasonCode::MalformedPacket);
            assert_eq!(told, expected, "{version}, {what} {bad:02x?}");
        }
        for (what, packet) in connects_with(version, bad) {
            let last = greet(hearth.mqtt(), version, &packet).wait_for_end();
            assert!(is_refusal(version, last.as_ref()), "{version}, {what} {bad:02x?}: {last:?}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.3-4 MQTT-3.1.3-10 MQTT-3.1.3-11
// MQTT 5.0 server: MQTT-3.1.3-4 MQTT-3.1.3-11 MQTT-3.1.3-12
#[test]
fn client_id_will_topic_and_user_name_are_utf_8() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for bad in ILL_FORMED.iter().copied().chain([&b"a\0b"[..]]) {
            for (what, packet) in connects_with(version, bad) {
                let last = greet(hearth.mqtt(), version, &packet).wait_for_end();
                assert!(is_refusal(version, last.as_ref()), "{version}, {what} {bad:02x?}: {last:?}");
            }
        }
        // The first and last characters of each length, and both neighbours of the surrogates.
        for good in ["\u{1}", "\u{7F}\u{80}\u{7FF}\u{800}", "\u{D7FF}\u{E000}\u{FFFD}", "\u{10000}\u{10FFFD}"]
        {
            for (what, packet) in connects_with(version, unique(good).as_bytes()) {
                let answer = greet(hearth.mqtt(), version, &packet).next();
                let is_accepted = matches!(&answer, Packet::ConnAck(answer) if !answer.reason.is_failure());
                assert!(is_accepted, "{version}, {what} {good:?}: {answer:?}");
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-1.5.3-1
// MQTT 5.0 server: MQTT-1.5.4-1
#[test]
fn a_string_that_is_no_utf_8_closes_the_connection() {
    for bad in ILL_FORMED {
        assert_refused_everywhere(bad);
    }
}

// MQTT 3.1.1 server: MQTT-1.5.3-2
// MQTT 5.0 server: MQTT-1.5.4-2
#[test]
fn a_string_with_the_null_character_closes_the_connection() {
    for bad in [&b"\0"[..], b"a\0", b"\0a", b"a\0b"] {
        assert_refused_everywhere(bad);
    }
}

// MQTT 3.1.1 server: MQTT-1.5.3-3
// MQTT 5.0 server: MQTT-1.5.4-3
#[test]
fn a_byte_order_mark_is_a_character_like_any_other() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let plain = unique("bom");
        let topics = [format!("\u{feff}{plain}"), format!("{plain}\u{feff}"), format!("{plain}/\u{feff}/x")];
        let mut others = client(hearth.mqtt(), version);
        others.subscribe(&plain, QoS::AtMostOnce);
        others.subscribe(&format!("{plain}//x"), QoS::AtMostOnce);
        let mut subscriber = client(hearth.mqtt(), version);
        for topic in &topics {
            subscriber.subscribe(topic, QoS::AtMostOnce);
        }
        let mut publisher = client(hearth.mqtt(), version);
        for topic in &topics {
            publisher.publish_acknowledged(topic, b"x");
            assert_eq!(subscriber.next_publish().topic.as_str(), topic);
        }
        subscriber.assert_quiet();
        others.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-1.5.3-3
// MQTT 5.0 server: MQTT-1.5.4-3
#[test]
fn a_byte_order_mark_tells_one_client_id_from_another() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let id = unique("bom");
        let (mut plain, _) = Wire::connect(hearth.mqtt(), crate::wire::connect(version, &id));
        let marked = format!("\u{feff}{id}");
        let (mut other, _) = Wire::connect(hearth.mqtt(), crate::wire::connect(version, &marked));
        // Had the mark been stripped, the second would have taken the first one's session over.
        plain.assert_quiet();
        other.assert_quiet();
    }
}

// MQTT 5.0 server: MQTT-1.5.7-1
#[test]
fn both_strings_of_a_user_property_are_utf_8_without_null() {
    let hearth = BROKER.get();
    let version = Version::V5;
    let pair = |name: &[u8], value: &[u8]| [&[0x26], &field(name)[..], &field(value)[..]].concat();
    for bad in ILL_FORMED.iter().copied().chain([&b"\0"[..], b"a\0"]) {
        for property in [pair(bad, b"value"), pair(b"name", bad)] {
            let none = raw::publish(version, 0, b"t", &[&property], b"x");
            let filter = raw::subscribe(version, &[&property], b"t", 0);
            for packet in [none, filter] {
                let last = closed_by(hearth.mqtt(), version, &packet);
                let Some(Packet::Disconnect(disconnect)) = last else { panic!("{property:02x?}: {last:?}") };
                assert_eq!(disconnect.reason, ReasonCode::MalformedPacket, "{property:02x?}");
            }
            let connect = RawConnect {
                properties: properties(version, &[&property]),
                ..RawConnect::new(version, &unique("c"))
            };
            let last = greet(hearth.mqtt(), version, &connect.bytes()).wait_for_end();
            assert!(is_refusal(version, last.as_ref()), "{property:02x?}: {last:?}");
        }
    }
    let good = raw::publish(version, 0, b"t", &[&pair("".as_bytes(), "ä€😀\u{feff}".as_bytes())], b"x");
    let mut wire = client(hearth.mqtt(), version);
    wire.send_bytes(&good);
    wire.assert_quiet();
}
