//! The client identifier, takeover, and what a refused CONNECT leads to (MQTT 3.1.1 and 5.0, 3.1.3.1 and 3.1.4), the server's side.

use std::collections::HashSet;

use hearth_protocol::packet::{ConnAck, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::raw::{self, RawConnect, field, properties};
use super::{VERSIONS, client, greet, persistent, unique};
use crate::wire::{Wire, connect};

static BROKER: SharedBroker = SharedBroker::new();

/// Takes client ids of 23 bytes and no longer ones, which every server must take at least.
static STRICT: SharedBroker = SharedBroker::with(&[("HEARTH_LIMITS_CLIENT_ID_BYTES_MAX", "23")]);

const ALPHABET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

// MQTT 3.1.1 server: MQTT-3.1.3-2
// MQTT 5.0 server: MQTT-3.1.3-2
#[test]
fn a_session_is_found_by_its_client_id_and_by_no_other() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let id = unique("state");
        let topic = unique("state");
        let (mut first, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        assert!(!answer.session_present);
        first.subscribe(&topic, QoS::AtLeastOnce);
        drop(first);
        for other in [format!("{id}x"), id.to_uppercase(), format!(" {id}"), format!("{id}\u{301}")] {
            let (mut wire, answer) = Wire::connect(hearth.mqtt(), persistent(version, &other));
            assert!(!answer.session_present, "{version}, {other:?}");
            client(hearth.mqtt(), version).publish_acknowledged(&topic, b"x");
            wire.assert_quiet();
        }
        let (mut again, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        assert!(answer.session_present, "{version}");
        for _ in 0..4 {
            assert_eq!(again.next_publish().topic.as_str(), topic, "{version}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.3-5
// MQTT 5.0 server: MQTT-3.1.3-5
#[test]
fn client_ids_of_1_to_23_letters_and_digits_are_taken() {
    let hearth = STRICT.get();
    for version in VERSIONS {
        let letters = ALPHABET.chars().map(String::from);
        let lengths = (2..=23).map(|len| ALPHABET[len..2 * len].to_owned());
        let last = ALPHABET[ALPHABET.len() - 23..].to_owned();
        // All at once: none is taken for another, which would end a connection.
        let ids = letters.chain(lengths).chain([last]);
        let connected: Vec<_> = ids.map(|id| Wire::connect(hearth.mqtt(), connect(version, &id)).0).collect();
        assert_eq!(connected.len(), 62 + 22 + 1);
        for mut wire in connected {
            wire.assert_quiet();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.3-6
// MQTT 5.0 server: MQTT-3.1.3-6 MQTT-3.1.3-7 MQTT-3.2.2-16
#[test]
fn clients_without_an_id_get_one_each_that_no_session_has() {
    const CLIENTS: usize = 20;
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("empty");
        let mut connected: Vec<(Wire, ConnAck)> =
            (0..CLIENTS).map(|_| Wire::connect(hearth.mqtt(), connect(version, ""))).collect();
        if version.is_v5() {
            let ids: HashSet<&str> = connected
                .iter()
                .map(|(_, answer)| answer.properties.assigned_client_id.as_deref().expect("one is assigned"))
                .collect();
            assert_eq!(ids.len(), CLIENTS);
            assert!(!ids.contains(""));
        }
        for (wire, answer) in &mut connected {
            assert!(!answer.session_present);
            wire.subscribe(&topic, QoS::AtMostOnce);
        }
        client(hearth.mqtt(), version).publish_acknowledged(&topic, b"x");
        for (wire, _) in &mut connected {
            assert_eq!(wire.next_publish().payload, "x");
            wire.assert_quiet();
        }
    }
}

// MQTT 5.0 server: MQTT-3.1.3-7 MQTT-3.2.2-16
#[test]
fn an_assigned_client_id_is_as_good_as_one_that_the_client_chose() {
    let hearth = BROKER.get();
    for clean_start in [true, false] {
        let topic = unique("assigned");
        let mut nameless = persistent(Version::V5, "");
        nameless.clean_start = clean_start;
        let (mut first, answer) = Wire::connect(hearth.mqtt(), nameless.clone());
        assert!(!answer.session_present);
        let id = answer.properties.assigned_client_id.expect("one is assigned");
        first.subscribe(&topic, QoS::AtLeastOnce);
        drop(first);
        // Its session waits, and another nameless client does not get its id.
        let (mut other, answer) = Wire::connect(hearth.mqtt(), nameless);
        assert_ne!(answer.properties.assigned_client_id.as_ref(), Some(&id));
        client(hearth.mqtt(), Version::V5).publish_acknowledged(&topic, b"x");
        other.assert_quiet();
        let (mut second, answer) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
        assert!(answer.session_present);
        assert_eq!(answer.properties.assigned_client_id, None, "the client has chosen this time");
        assert_eq!(second.next_publish().payload, "x");
    }
}

// MQTT 3.1.1 server: MQTT-3.1.3-8 MQTT-3.1.3-9
#[test]
fn an_empty_client_id_for_a_session_that_stays_gets_return_code_2_and_the_end() {
    let hearth = BROKER.get();
    let connect = RawConnect { flags: 0x00, ..RawConnect::new(Version::V311, "") };
    let said = greet(hearth.mqtt(), Version::V311, &connect.bytes()).read_to_end();
    assert_eq!(said, b"\x20\x02\x00\x02");
}

// MQTT 3.1.1 server: MQTT-3.1.3-9 MQTT-3.2.2-5
// MQTT 5.0 server: MQTT-3.1.3-8 MQTT-3.2.2-7
#[test]
fn a_client_id_that_is_rejected_is_answered_and_the_connection_closed() {
    let hearth = STRICT.get();
    let connect = RawConnect::new(Version::V311, &"x".repeat(24));
    let said = greet(hearth.mqtt(), Version::V311, &connect.bytes()).read_to_end();
    assert_eq!(said, b"\x20\x02\x00\x02");
    let connect = RawConnect::new(Version::V5, &"x".repeat(24));
    let last = greet(hearth.mqtt(), Version::V5, &connect.bytes()).wait_for_end();
    let Some(Packet::ConnAck(answer)) = last else { panic!("{last:?}") };
    assert_eq!(answer.reason, ReasonCode::ClientIdentifierNotValid);
}

// MQTT 3.1.1 server: MQTT-3.1.4-2
// MQTT 5.0 server: MQTT-3.1.4-3
#[test]
fn a_new_connection_of_the_same_client_ends_the_old_one() {
    let hearth = BROKER.get();
    for old in VERSIONS {
        for new in VERSIONS {
            for clean_start in [true, false] {
                let id = unique("taken");
                let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(old, &id));
                let mut connect = persistent(new, &id);
                connect.clean_start = clean_start;
                let (mut second, answer) = Wire::connect(hearth.mqtt(), connect);
                assert_eq!(answer.session_present, !clean_start, "{old} and {new}");
                let told = first.wait_for_end().map(|packet| match packet {
                    Packet::Disconnect(disconnect) => disconnect.reason,
                    other => panic!("{old} and {new}: {other:?}"),
                });
                assert_eq!(told, old.is_v5().then_some(ReasonCode::SessionTakenOver), "{old} and {new}");
                second.assert_quiet();
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.4-5
// MQTT 5.0 server: MQTT-3.1.4-6
#[test]
fn nothing_behind_a_refused_connect_is_processed() {
    let hearth = STRICT.get();
    for version in VERSIONS {
        let topic = unique("behind");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::ExactlyOnce);
        let behind = [
            raw::publish(version, 0, topic.as_bytes(), &[], b"0"),
            raw::publish(version, 0b0011, topic.as_bytes(), &[], b"1"),
            raw::publish(version, 0b0101, topic.as_bytes(), &[], b"2"),
            raw::subscribe(version, &[], topic.as_bytes(), 0),
            b"\xC0\x00".to_vec(),
        ]
        .concat();
        let accepted = RawConnect::new(version, &unique("c")).bytes();
        let rejected = RawConnect::new(version, &"x".repeat(24)).bytes();
        let unknown = RawConnect { level: 6, ..RawConnect::new(version, &unique("c")) }.bytes();
        for refused in [rejected, unknown] {
            let mut wire = greet(hearth.mqtt(), version, &[&refused[..], &behind].concat());
            assert_eq!(wire.next_bytes()[0], 0x20, "{version}: CONNACK");
            assert_eq!(wire.read_to_end(), b"", "{version}: nothing is answered");
        }
        subscriber.assert_quiet();
        // The same bytes behind a CONNECT that is taken do all of this.
        let _wire = greet(hearth.mqtt(), version, &[accepted, behind].concat());
        for payload in ["0", "1", "2"] {
            assert_eq!(subscriber.next_publish().payload, payload, "{version}");
        }
    }
}

// MQTT 5.0 server: MQTT-3.1.4-2
#[test]
fn a_connect_that_fails_a_further_check_closes_the_connection() {
    let hearth = STRICT.get();
    let version = Version::V5;
    let will = [properties(version, &[]), field("$SYS/broker"), field("x")].concat();
    let right = RawConnect::new(version, &unique("c"));
    let reserved = RawConnect { flags: 0x06, payload: [&right.payload[..], &will].concat(), ..right.clone() };
    let method = [&[0x15], &field("NO-SUCH-METHOD")[..]].concat();
    let method = RawConnect { properties: properties(version, &[&method]), ..right.clone() };
    for (connect, reason) in [
        (RawConnect::new(version, &"x".repeat(24)), ReasonCode::ClientIdentifierNotValid),
        (reserved, ReasonCode::TopicNameInvalid),
        (method, ReasonCode::BadAuthenticationMethod),
    ] {
        let last = greet(hearth.mqtt(), version, &connect.bytes()).wait_for_end();
        let Some(Packet::ConnAck(answer)) = last else { panic!("{last:?}") };
        assert_eq!(answer.reason, reason);
    }
    let _wire = greet(hearth.mqtt(), version, &right.bytes()).next();
}

// MQTT 3.1.1 server: MQTT-3.2.2-6
#[test]
fn a_refusal_that_no_return_code_stands_for_is_the_end_without_connack() {
    let hearth = STRICT.get();
    let right = RawConnect::new(Version::V311, &unique("c"));
    for topic in ["$SYS/broker", "a/#"] {
        let payload = [&right.payload[..], &field(topic), &field("x")].concat();
        let connect = RawConnect { flags: 0x06, payload, ..right.clone() };
        let said = greet(hearth.mqtt(), Version::V311, &connect.bytes()).read_to_end();
        assert_eq!(said, b"", "{topic}");
    }
}
