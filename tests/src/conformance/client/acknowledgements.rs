//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7): reason codes, sizes and reserved bits.

use super::super::raw::{field, packet};
use super::*;

/// Every answer of a client to messages and acknowledgements that fit, come twice or belong to nothing, as bytes.
fn answers(packet_size_max: Option<u32>) -> Vec<Vec<u8>> {
    let granted = ConnAckProperties { packet_size_max, ..Default::default() };
    let mut stage = Stage::open(options(Version::V5), granted);
    let mut answers = Vec::new();
    stage.publish(message("t", b"", QoS::ExactlyOnce));
    stage.heard();
    let incoming = |packet_id, qos| numbered(packet_id, message("in", b"not of interest", qos));
    for packet in [
        incoming(1, QoS::AtLeastOnce),
        incoming(1, QoS::AtLeastOnce),
        incoming(1, QoS::ExactlyOnce),
        incoming(1, QoS::ExactlyOnce),
        incoming(65_535, QoS::ExactlyOnce),
        Packet::PubRel(ok(1)),
        Packet::PubRel(ok(1)),
        Packet::PubRel(ok(3)),
        Packet::PubRec(ok(1)),
        Packet::PubRec(ok(1)),
        Packet::PubRec(ok(4)),
        Packet::PubRec(PublishAck::new(id(5), ReasonCode::NoMatchingSubscribers)),
    ] {
        stage.tell(&packet);
        answers.push(stage.heard_bytes());
    }
    answers
}

/// Reason codes of the answers that begin with this byte.
fn codes(first: u8) -> Vec<u8> {
    let answers = answers(None).into_iter().filter(|bytes| bytes[0] == first);
    // Without a code it is success.
    answers.map(|bytes| bytes.get(4).copied().unwrap_or(0)).collect()
}

// MQTT 5.0 client: MQTT-3.4.2-1
#[test]
fn a_puback_has_a_code_of_its_own() {
    assert_eq!(codes(0x40), [0x00, 0x00]);
}

// MQTT 5.0 client: MQTT-3.5.2-1
#[test]
fn a_pubrec_has_a_code_of_its_own() {
    assert_eq!(codes(0x50), [0x00, 0x00, 0x00]);
}

// MQTT 5.0 client: MQTT-3.6.2-1
#[test]
fn a_pubrel_has_a_code_of_its_own() {
    // Of the outgoing message, which is asked for twice or never was; identifier 1 is in use, 4 and 5 are not.
    assert_eq!(codes(0x62), [0x00, 0x00, 0x92, 0x92]);
}

// MQTT 5.0 client: MQTT-3.7.2-1
#[test]
fn a_pubcomp_has_a_code_of_its_own() {
    assert_eq!(codes(0x70), [0x00, 0x92, 0x92]);
}

// MQTT 5.0 client: MQTT-3.4.2-2 MQTT-3.4.2-3 MQTT-3.5.2-2 MQTT-3.5.2-3
// MQTT 5.0 client: MQTT-3.6.2-2 MQTT-3.6.2-3 MQTT-3.7.2-2 MQTT-3.7.2-3
#[test]
fn no_acknowledgement_is_larger_than_the_server_takes() {
    for packet_size_max in [12, 20, 100] {
        let answers = answers(Some(packet_size_max));
        assert_eq!(answers.len(), 12);
        assert!(answers.iter().all(|bytes| !bytes.is_empty() && bytes.len() <= packet_size_max as usize));
    }
    // The client never adds words, so the smallest server that can be talked to is one that takes five bytes.
    assert!(answers(None).iter().all(|bytes| bytes.len() <= 5));
    let small = ConnAckProperties { packet_size_max: Some(4), ..Default::default() };
    let mut stage = Stage::connecting(options(Version::V5));
    stage.heard();
    assert_eq!(stage.say(&connack(false, small)).unwrap_err().reason, ReasonCode::PacketTooLarge);
    stage.assert_over();
}

// MQTT 3.1.1 client: MQTT-3.6.1-1
// MQTT 5.0 client: MQTT-3.6.1-1
#[test]
fn a_pubrel_has_its_reserved_bits_both_ways() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        stage.publish(message("t", b"x", QoS::ExactlyOnce));
        stage.heard();
        stage.tell(&Packet::PubRec(ok(1)));
        assert_eq!(stage.heard_bytes(), packet(0x62, &[b"\0\x01"]));
        for flags in (0..16).filter(|flags| *flags != 0b0010) {
            let mut stage = Stage::open_plain(version);
            let incoming = [&field("t")[..], b"\0\x01", if version.is_v5() { b"\0" } else { b"" }].concat();
            stage.say_bytes(&packet(0x34, &[&incoming])).unwrap();
            stage.heard();
            let error = stage.refused(&packet(0x60 | flags, &[b"\0\x01"]));
            assert_eq!(error.reason, ReasonCode::MalformedPacket);
        }
    }
}
