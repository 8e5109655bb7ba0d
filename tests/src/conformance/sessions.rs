//! Sessions: clean, resumed, stored (MQTT 3.1.1 and 5.0, 3.1.2.4, 3.1.2.11.2 and 3.2.2.2), the server's side.

use hearth_protocol::packet::{Disconnect, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{RawConnect, field, properties};
use super::{VERSIONS, client, greet, persistent, unique};
use crate::wire::{Wire, connect, message};

static BROKER: SharedBroker = SharedBroker::new();

/// How a connection of a session ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Disconnect,
    Closed,
    Reset,
    Violation,
}

const ENDS: [End; 4] = [End::Disconnect, End::Closed, End::Reset, End::Violation];

#[track_caller]
fn end(mut wire: Wire, how: End) {
    match how {
        End::Disconnect => {
            wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
            wire.wait_for_end();
        }
        End::Closed => drop(wire),
        End::Reset => wire.reset(),
        End::Violation => {
            wire.send_bytes(b"\x00\x00");
            wire.wait_for_end();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-4 MQTT-3.1.2-5 MQTT-3.1.4-3 MQTT-3.2.2-2 MQTT-3.2.2-3
// MQTT 5.0 server: MQTT-3.1.2-5 MQTT-3.1.2-6 MQTT-3.1.2-23 MQTT-3.1.4-4 MQTT-3.2.2-3
#[test]
fn a_session_that_stays_is_resumed_with_what_it_missed_whatever_ended_its_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for how in ENDS {
            let (id, topic) = (unique("stays"), unique("stays"));
            let (mut first, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            assert!(!answer.session_present, "{version}, {how:?}: it is new");
            first.subscribe(&topic, QoS::ExactlyOnce);
            end(first, how);
            let mut publisher = client(hearth.mqtt(), version);
            publisher.publish_to_the_end(message(&topic, b"one", QoS::AtLeastOnce));
            publisher.publish_to_the_end(message(&topic, b"two", QoS::ExactlyOnce));
            let (mut second, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            assert!(answer.session_present, "{version}, {how:?}");
            for (payload, qos) in [("one", QoS::AtLeastOnce), ("two", QoS::ExactlyOnce)] {
                let publish = second.next_publish();
                assert_eq!(
                    (&publish.payload[..], publish.qos),
                    (payload.as_bytes(), qos),
                    "{version}, {how:?}"
                );
            }
            publisher.publish_acknowledged(&topic, b"three");
            assert_eq!(
                second.next_publish().payload,
                "three",
                "{version}, {how:?}: the subscription is there"
            );
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-4 MQTT-3.2.2-3
// MQTT 5.0 server: MQTT-3.1.2-6 MQTT-3.2.2-3
#[test]
fn a_client_without_a_session_gets_a_new_one_that_works() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("new");
        let (mut wire, answer) = Wire::connect(hearth.mqtt(), persistent(version, &unique("new")));
        assert!(!answer.session_present, "{version}");
        wire.subscribe(&topic, QoS::AtLeastOnce);
        client(hearth.mqtt(), version).publish_acknowledged(&topic, b"x");
        assert_eq!(wire.next_publish().payload, "x");
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-6 MQTT-3.1.4-3 MQTT-3.2.2-1
// MQTT 5.0 server: MQTT-3.1.2-4 MQTT-3.1.4-4 MQTT-3.2.2-2
#[test]
fn a_clean_start_discards_the_session_that_was() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for is_connected in [false, true] {
            let (id, topic) = (unique("clean"), unique("clean"));
            let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            first.subscribe(&topic, QoS::ExactlyOnce);
            let mut publisher = client(hearth.mqtt(), version);
            // One that is on its way and not acknowledged, one that waits.
            publisher.publish_acknowledged(&topic, b"one");
            first.next_publish();
            let first = if is_connected {
                Some(first)
            } else {
                end(first, End::Disconnect);
                None
            };
            publisher.publish_acknowledged(&topic, b"two");
            let mut clean = persistent(version, &id);
            clean.clean_start = true;
            let (mut second, answer) = Wire::connect(hearth.mqtt(), clean);
            assert_eq!((answer.session_present, answer.reason), (false, ReasonCode::Success), "{version}");
            publisher.publish_acknowledged(&topic, b"three");
            second.assert_quiet();
            drop(first);
            end(second, End::Disconnect);
            let (mut third, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            third.assert_quiet();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-6 MQTT-3.2.2-3
// MQTT 5.0 server: MQTT-3.2.2-3
#[test]
fn a_session_that_ends_with_its_connection_leaves_nothing_to_the_next() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for how in ENDS {
            let (id, topic) = (unique("ends"), unique("ends"));
            let (mut first, _) = Wire::connect(hearth.mqtt(), connect(version, &id));
            first.subscribe(&topic, QoS::AtLeastOnce);
            let mut publisher = client(hearth.mqtt(), version);
            publisher.publish_acknowledged(&topic, b"one");
            first.next_publish();
            end(first, how);
            let (mut second, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            assert!(!answer.session_present, "{version}, {how:?}");
            publisher.publish_acknowledged(&topic, b"two");
            second.assert_quiet();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-7
#[test]
fn retained_messages_outlive_the_session_of_their_publisher() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (id, topic) = (unique("kept"), unique("kept"));
        let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(version, &id));
        for (part, qos) in [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)] {
            let mut publish = message(&format!("{topic}/{part}"), part.as_bytes(), qos);
            publish.retain = true;
            publisher.publish_to_the_end(publish);
        }
        // Its subscriptions are part of its session, its messages are not.
        publisher.assert_quiet();
        end(publisher, End::Disconnect);
        let (wire, answer) = Wire::connect(hearth.mqtt(), connect(version, &id));
        assert!(!answer.session_present);
        end(wire, End::Closed);
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&format!("{topic}/+"), QoS::AtMostOnce);
        let mut heard: Vec<_> = (0..3).map(|_| subscriber.next_publish().payload).collect();
        heard.sort_unstable();
        assert_eq!(heard, ["0", "1", "2"], "{version}");
    }
}

// MQTT 3.1.1 server: MQTT-3.2.2-4
// MQTT 5.0 server: MQTT-3.2.2-1 MQTT-3.2.2-6
#[test]
fn a_refusal_never_says_that_a_session_is_present_and_reserved_flags_are_0() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let id = unique("refused");
        let resume = RawConnect {
            flags: 0x00,
            properties: properties(version, &[b"\x11\x00\x00\x0E\x10"]),
            ..RawConnect::new(version, &id)
        };
        let flags_of = |connect: &RawConnect| {
            let answer = greet(hearth.mqtt(), version, &connect.bytes()).next_bytes();
            assert_eq!(answer[0], 0x20, "{version}: CONNACK");
            (answer[2], answer[3])
        };
        assert_eq!(flags_of(&resume), (0, 0), "{version}: a new session");
        assert_eq!(flags_of(&resume), (1, 0), "{version}: the same");
        // Its session is there, but the CONNECT is refused.
        let will = [properties(version, &[]), field("$SYS/will"), field("x")].concat();
        let method = [&[0x15], &field("NO-SUCH-METHOD")[..]].concat();
        let refused = match version {
            Version::V5 => {
                vec![
                    RawConnect {
                        flags: 0x04,
                        payload: [&resume.payload[..], &will].concat(),
                        ..resume.clone()
                    },
                    RawConnect { properties: properties(version, &[&method]), ..resume.clone() },
                ]
            }
            Version::V31 | Version::V311 => vec![
                RawConnect { level: 6, ..resume.clone() },
                RawConnect { flags: 0x00, payload: field(""), ..resume.clone() },
            ],
        };
        for connect in refused {
            let (flags, code) = flags_of(&connect);
            assert_eq!(flags, 0, "{version}");
            assert_ne!(code, 0, "{version}");
        }
        assert_eq!(flags_of(&resume), (1, 0), "{version}: the session is as it was");
    }
}

// MQTT 3.1.1 server: MQTT-3.2.2-1
// MQTT 5.0 server: MQTT-3.2.2-2
#[test]
fn a_clean_start_is_answered_without_session_present_byte_by_byte() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let id = unique("bytes");
        let (first, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        end(first, End::Closed);
        let answer = greet(hearth.mqtt(), version, &RawConnect::new(version, &id).bytes()).next_bytes();
        assert_eq!(answer[2..4], [0, 0], "{version}");
    }
}

// MQTT 5.0 server: MQTT-3.1.2-23
#[test]
fn a_session_is_stored_exactly_when_its_expiry_is_above_0() {
    let hearth = BROKER.get();
    let topic = unique("expiry");
    for (seconds, is_stored) in [(None, false), (Some(0), false), (Some(60), true), (Some(u32::MAX), true)] {
        let mut connect = persistent(Version::V5, &unique("expiry"));
        connect.properties.session_expiry = seconds;
        let (mut first, _) = Wire::connect(hearth.mqtt(), connect.clone());
        first.subscribe(&topic, QoS::AtLeastOnce);
        end(first, End::Closed);
        let (_second, answer) = Wire::connect(hearth.mqtt(), connect);
        assert_eq!(answer.session_present, is_stored, "{seconds:?}");
    }
}
