//! CONNECT: what comes first, name and version, flags and payload (MQTT 3.1.1 and 5.0, 3.1), the server's side.

use std::net::SocketAddr;

use hearth_protocol::packet::{Disconnect, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{self, RawConnect, field, packet, properties};
use super::{VERSIONS, client, closed_by, greet, is_refusal, unique};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

/// The will flag, user name flag and password flag of CONNECT.
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;

/// The broker closes on a CONNECT without a CONNACK, or in version 5 with one that says that it is malformed.
#[track_caller]
fn assert_malformed(broker: SocketAddr, version: Version, what: &str, connect: &[u8]) {
    let last = greet(broker, version, connect).wait_for_end();
    assert!(is_refusal(version, last.as_ref()), "{version}, {what}: {last:?}");
}

#[track_caller]
fn assert_accepted(broker: SocketAddr, version: Version, what: &str, connect: &[u8]) {
    let mut wire = greet(broker, version, connect);
    let answer = wire.next();
    let is_accepted = matches!(&answer, Packet::ConnAck(answer) if answer.reason == ReasonCode::Success);
    assert!(is_accepted, "{version}, {what}: {answer:?}");
    wire.assert_quiet();
}

/// A CONNECT with these flags beside a clean start, and these fields behind the client id.
fn with(version: Version, flags: u8, fields: &[&[u8]]) -> RawConnect {
    let right = RawConnect::new(version, &unique("c"));
    RawConnect {
        flags: right.flags | flags,
        payload: [&right.payload, &fields.concat()[..]].concat(),
        ..right
    }
}

/// The fields of a will: properties in version 5, topic and payload.
fn will(version: Version, topic: &str) -> Vec<u8> {
    [properties(version, &[]), field(topic), field("gone")].concat()
}

// MQTT 3.1.1 server: MQTT-3.1.0-1
// MQTT 5.0 server: MQTT-3.1.0-1
#[test]
fn a_first_packet_that_is_no_connect_closes_the_connection_without_a_word() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("first");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::AtMostOnce);
        for bytes in [
            raw::publish(version, 0, topic.as_bytes(), &[], b"x"),
            raw::publish(version, 2, topic.as_bytes(), &[], b"x"),
            raw::subscribe(version, &[], topic.as_bytes(), 0),
            raw::unsubscribe(version, topic.as_bytes()),
            packet(0x20, &[b"\x00\x00"]),
            packet(0x40, &[b"\x00\x01"]),
            packet(0x62, &[b"\x00\x01"]),
            packet(0xC0, &[]),
            packet(0xE0, &[]),
            packet(0xF0, &[]),
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        ] {
            let mut wire = greet(hearth.mqtt(), version, &bytes);
            assert_eq!(wire.read_to_end(), b"", "{version}, {bytes:02x?}");
        }
        subscriber.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-3.1.0-2
// MQTT 5.0 server: MQTT-3.1.0-2
#[test]
fn a_second_connect_closes_the_connection_as_a_protocol_error() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let other = unique("c");
        for second in [RawConnect::new(version, &other).bytes(), with(version, 0, &[]).bytes()] {
            let last = closed_by(hearth.mqtt(), version, &second);
            let told = last.map(|packet| match packet {
                Packet::Disconnect(disconnect) => disconnect.reason,
                other => panic!("{version}: {other:?}"),
            });
            assert_eq!(told, version.is_v5().then_some(ReasonCode::ProtocolError), "{version}");
        }
        // The same CONNECT again, whose session is this very connection's.
        let connect = RawConnect::new(version, &other).bytes();
        let mut wire = greet(hearth.mqtt(), version, &connect);
        assert!(matches!(wire.next(), Packet::ConnAck(_)));
        wire.send_bytes(&connect);
        assert!(!matches!(wire.wait_for_end(), Some(Packet::ConnAck(_))), "{version}");
    }
}

/// What a broker may say to a version that it does not speak: in the words of 3.1.1, of 5.0, or nothing.
const UNSUPPORTED: [&[u8]; 3] = [b"", b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"];

// MQTT 3.1.1 server: MQTT-3.1.2-1
// MQTT 5.0 server: MQTT-3.1.2-1
#[test]
fn a_protocol_name_that_is_not_mqtt_is_refused() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for name in ["mqtt", "MQTt", "MQT", "MQTTX", "", "MQIsdp", "HTTP", "\u{feff}MQTT", " MQTT", "MQTT "] {
            let connect = RawConnect { name: field(name), ..RawConnect::new(version, &unique("c")) };
            let said = greet(hearth.mqtt(), version, &connect.bytes()).read_to_end();
            assert!(UNSUPPORTED.contains(&&said[..]), "{version}, {name:?}: {said:02x?}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-2
// MQTT 5.0 server: MQTT-3.1.2-2
#[test]
fn a_version_that_is_not_spoken_gets_return_code_1_and_the_end() {
    let hearth = BROKER.get();
    for level in [0, 1, 2, 3, 6, 7, 0x45, 0x7F, 0x80, 0x86, 0xFF] {
        for like in VERSIONS {
            let connect = RawConnect { level, ..RawConnect::new(like, &unique("c")) };
            let said = greet(hearth.mqtt(), Version::V311, &connect.bytes()).read_to_end();
            assert_eq!(said, b"\x20\x02\x00\x01", "level {level}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-3
// MQTT 5.0 server: MQTT-3.1.2-3
#[test]
fn the_reserved_connect_flag_closes_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for (flags, fields) in [(0, vec![]), (WILL, will(version, "t")), (USER_NAME, field("user"))] {
            let right = with(version, flags, &[&fields]);
            assert_accepted(hearth.mqtt(), version, "without the flag", &right.bytes());
            let reserved = RawConnect { flags: right.flags | 0x01, ..right };
            assert_malformed(hearth.mqtt(), version, "with the flag", &reserved.bytes());
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-11 MQTT-3.1.2-13 MQTT-3.1.2-14 MQTT-3.1.2-15
// MQTT 5.0 server: MQTT-3.1.2-11 MQTT-3.1.2-12 MQTT-3.1.2-13
#[test]
fn will_qos_and_retain_belong_to_a_will_and_its_qos_is_0_to_2() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let will = will(version, "t");
        for qos in 0..4_u8 {
            for retain in [0, WILL_RETAIN] {
                let flags = qos << 3 | retain;
                let with_will = with(version, WILL | flags, &[&will]).bytes();
                let without = with(version, flags, &[]).bytes();
                if qos < 3 {
                    assert_accepted(hearth.mqtt(), version, "a will", &with_will);
                } else {
                    assert_malformed(hearth.mqtt(), version, "a will of QoS 3", &with_will);
                }
                if flags == 0 {
                    assert_accepted(hearth.mqtt(), version, "no will", &without);
                } else {
                    assert_malformed(hearth.mqtt(), version, "flags of a will without one", &without);
                }
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-9 MQTT-3.1.2-11 MQTT-3.1.2-18 MQTT-3.1.2-19 MQTT-3.1.2-20 MQTT-3.1.2-21 MQTT-3.1.2-22
// MQTT 5.0 server: MQTT-3.1.2-9 MQTT-3.1.2-16 MQTT-3.1.2-17 MQTT-3.1.2-18 MQTT-3.1.2-19 MQTT-3.1.3-1
#[test]
fn the_flags_say_which_fields_the_payload_has() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        // Each field with the bits that announce it.
        let announced = [(WILL, will(version, "t")), (USER_NAME, field("user")), (PASSWORD, field("secret"))];
        let chosen = |choice: usize| {
            let fields = announced.iter().enumerate().filter(move |(bit, _)| choice >> bit & 1 == 1);
            fields.fold((0, Vec::new()), |(flags, fields), (_, (flag, field))| {
                (flags | flag, [&fields[..], field].concat())
            })
        };
        for says in 0..8 {
            for has in 0..8 {
                let ((flags, _), (_, fields)) = (chosen(says), chosen(has));
                let connect = with(version, flags, &[&fields]).bytes();
                let what = format!("flags {flags:#x}, fields {fields:02x?}");
                let is_lone_password = flags & PASSWORD != 0 && flags & USER_NAME == 0;
                if is_lone_password && version == Version::V311 {
                    assert_malformed(hearth.mqtt(), version, &what, &connect);
                } else if says == has {
                    assert_accepted(hearth.mqtt(), version, &what, &connect);
                } else if is_confusable(version, says, has) {
                    // A user name where a password was announced is a password: nobody can tell.
                } else {
                    assert_malformed(hearth.mqtt(), version, &what, &connect);
                }
            }
        }
    }
}

/// Whether the fields of `has` can be read as those that `says` announces: as many of the same form. In 3.1.1 a will is two
/// fields like any others; in version 5 its properties come first.
fn is_confusable(version: Version, says: usize, has: usize) -> bool {
    let will = |choice: usize| choice & 0b001;
    let others = |choice: usize| (choice >> 1).count_ones() as usize;
    match version {
        Version::V5 => will(says) == will(has) && others(says) == others(has),
        Version::V31 | Version::V311 => 2 * will(says) + others(says) == 2 * will(has) + others(has),
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-9
// MQTT 5.0 server: MQTT-3.1.2-9
#[test]
fn a_will_must_be_whole() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let whole = will(version, "t");
        for len in 0..whole.len() {
            let connect = with(version, WILL, &[&whole[..len]]).bytes();
            assert_malformed(hearth.mqtt(), version, &format!("{len} bytes of a will"), &connect);
        }
        assert_accepted(hearth.mqtt(), version, "the whole will", &with(version, WILL, &[&whole]).bytes());
    }
}

// MQTT 3.1.1 server: MQTT-3.1.3-1 MQTT-3.1.3-3
// MQTT 5.0 server: MQTT-3.1.3-1 MQTT-3.1.3-3
#[test]
fn the_fields_of_the_payload_are_read_in_their_order() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (id, topic) = (unique("order"), unique("order"));
        let mut watch = client(hearth.mqtt(), version);
        watch.subscribe("order/#", QoS::AtMostOnce);
        let fields = [
            field(&id),
            properties(version, &[]),
            field(format!("order/{topic}")),
            field("will payload"),
            field("user name"),
            field("password"),
        ];
        let connect = RawConnect {
            flags: 0x02 | WILL | USER_NAME | PASSWORD,
            payload: fields.concat(),
            ..RawConnect::new(version, "")
        };
        let mut wire = greet(hearth.mqtt(), version, &connect.bytes());
        let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
        assert_eq!(answer.reason, ReasonCode::Success);
        // The client id was the first field: who comes with it takes the connection over, and the will goes out.
        let (_taker, _) = Wire::connect(hearth.mqtt(), crate::wire::connect(version, &id));
        wire.wait_for_end();
        assert_eq!(
            watch.next_publish(),
            message(&format!("order/{topic}"), b"will payload", QoS::AtMostOnce)
        );
    }
}

// MQTT 3.1.1 server: MQTT-3.1.3-3
// MQTT 5.0 server: MQTT-3.1.3-3
#[test]
fn a_payload_without_a_client_id_closes_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for payload in [&b""[..], b"\x00", b"\x00\x02a"] {
            let connect = RawConnect { payload: payload.to_vec(), ..RawConnect::new(version, "") };
            assert_malformed(hearth.mqtt(), version, &format!("{payload:02x?}"), &connect.bytes());
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.4-1 MQTT-3.2.2-6
// MQTT 5.0 server: MQTT-3.1.4-1
#[test]
fn a_connect_of_another_form_closes_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let right = with(version, WILL | USER_NAME | PASSWORD, &[&will(version, "t"), b"\0\x01u\0\x01p"]);
        let whole = right.bytes();
        assert_accepted(hearth.mqtt(), version, "the right one", &whole);
        // Cut off anywhere, with a length that says so.
        let head = 2;
        for len in head..whole.len() {
            let cut = packet(0x10, &[&whole[head..len]]);
            let last = greet(hearth.mqtt(), version, &cut).wait_for_end();
            assert!(is_refusal(version, last.as_ref()) || len < 10, "{version}, {len} bytes: {last:?}");
        }
        for more in [&b"\0"[..], b"\0\0", b"\0\x01x"] {
            let longer = RawConnect { payload: [&right.payload, more].concat(), ..right.clone() };
            assert_malformed(hearth.mqtt(), version, "more at the end", &longer.bytes());
        }
        for topic in ["", "a/#", "+", "a/+/b"] {
            let connect = with(version, WILL, &[&will(version, topic)]).bytes();
            let last = greet(hearth.mqtt(), version, &connect).wait_for_end();
            match last {
                None => {}
                Some(Packet::ConnAck(answer)) if version.is_v5() => assert!(answer.reason.is_failure()),
                Some(other) => panic!("{version}, will topic {topic:?}: {other:?}"),
            }
        }
    }
}

// MQTT 5.0 server: MQTT-3.1.4-1
#[test]
fn a_connect_with_wrong_properties_closes_the_connection() {
    let hearth = BROKER.get();
    let version = Version::V5;
    let wrong: &[(&str, &[u8])] = &[
        ("a property that does not exist", b"\x04\x00"),
        ("a property of PUBLISH", b"\x23\x00\x01"),
        ("a property of CONNACK", b"\x24\x01"),
        ("session expiry twice", b"\x11\0\0\0\x01\x11\0\0\0\x01"),
        ("receive maximum of 0", b"\x21\0\0"),
        ("maximum packet size of 0", b"\x27\0\0\0\0"),
        ("request problem information of 2", b"\x17\x02"),
        ("request response information of 2", b"\x19\x02"),
        ("authentication data without a method", b"\x16\0\x01a"),
        ("half of a property", b"\x11\0\0"),
    ];
    for (what, property) in wrong {
        let right = RawConnect::new(version, &unique("c"));
        let connect = RawConnect { properties: properties(version, &[property]), ..right };
        let last = greet(hearth.mqtt(), version, &connect.bytes()).wait_for_end();
        match last {
            None => {}
            Some(Packet::ConnAck(answer)) => assert!(answer.reason.is_failure(), "{what}: {answer:?}"),
            Some(other) => panic!("{what}: {other:?}"),
        }
    }
    let wrong_will: &[(&str, &[u8])] = &[
        ("payload format of 2", b"\x01\x02"),
        ("will delay twice", b"\x18\0\0\0\x01\x18\0\0\0\x01"),
        ("response topic with a wildcard", b"\x08\0\x03a/#"),
        ("a topic alias", b"\x23\0\x01"),
    ];
    for (what, property) in wrong_will {
        let fields = [&properties(version, &[property])[..], &field("t"), &field("gone")].concat();
        let connect = with(version, WILL, &[&fields]).bytes();
        let last = greet(hearth.mqtt(), version, &connect).wait_for_end();
        match last {
            None => {}
            Some(Packet::ConnAck(answer)) => assert!(answer.reason.is_failure(), "{what}: {answer:?}"),
            Some(other) => panic!("{what}: {other:?}"),
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.4-4 MQTT-3.2.0-1
// MQTT 5.0 server: MQTT-3.1.4-5 MQTT-3.2.0-1 MQTT-3.2.0-2
#[test]
fn connack_is_the_first_packet_of_the_server_and_comes_once() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("once");
        // All at once, before any answer.
        let bytes = [
            RawConnect::new(version, &unique("c")).bytes(),
            packet(0xC0, &[]),
            raw::subscribe(version, &[], topic.as_bytes(), 0),
            raw::publish(version, 0, topic.as_bytes(), &[], b"x"),
            raw::publish(version, 2, topic.as_bytes(), &[], b"y"),
            packet(0xC0, &[]),
        ];
        let mut wire = greet(hearth.mqtt(), version, &bytes.concat());
        let first = wire.next_bytes();
        assert_eq!((first[0], first[3]), (0x20, 0), "{version}: CONNACK with success");
        if version == Version::V311 {
            assert_eq!(first, b"\x20\x02\x00\x00");
        }
        let mut answers: Vec<u8> = (0..6).map(|_| wire.next_bytes()[0]).collect();
        answers.sort_unstable();
        assert_eq!(answers, [0x30, 0x30, 0x40, 0x90, 0xD0, 0xD0], "{version}");
        wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        assert_eq!(wire.wait_for_end(), None, "{version}: no other CONNACK");
    }
}
