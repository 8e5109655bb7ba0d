//! Strings and lengths (MQTT 3.1.1, 1.5.3; MQTT 5.0, 1.5.4 to 1.5.7).

use hearth_protocol::ReasonCode;
use hearth_protocol::text::TextError;

use super::super::raw::{field, packet, variable};
use super::*;

/// What is no UTF-8: a lone continuation, a cut sequence, an overlong one, surrogates from both ends of their range and one
/// above the last code point.
const ILL_FORMED: [&[u8]; 8] = [
    b"\x80",
    b"a\xc3",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xff",
];

/// PUBLISH of QoS 0 with this topic.
fn publish_to(version: Version, topic: &[u8]) -> Vec<u8> {
    let properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
    packet(0x30, &[&field(topic), properties, b"x"])
}

// MQTT 3.1.1 client: MQTT-1.5.3-1
// MQTT 5.0 client: MQTT-1.5.4-1
#[test]
fn a_string_that_is_no_utf_8_ends_the_connection_and_cannot_be_sent() {
    for version in VERSIONS {
        for bytes in ILL_FORMED {
            Stage::open_plain(version).refused(&publish_to(version, bytes));
            let unsendable = Text::from_bytes(Bytes::from_static(bytes));
            assert!(matches!(unsendable, Err(TextError::Utf8(_))), "{bytes:02x?}");
        }
    }
}

// MQTT 3.1.1 client: MQTT-1.5.3-2
// MQTT 5.0 client: MQTT-1.5.4-2
#[test]
fn a_string_with_the_null_character_ends_the_connection_and_cannot_be_sent() {
    for version in VERSIONS {
        for bytes in [&b"\0"[..], b"a\0b", b"ab\0"] {
            Stage::open_plain(version).refused(&publish_to(version, bytes));
            assert_eq!(Text::from_bytes(Bytes::from_static(bytes)), Err(TextError::Nul));
        }
    }
}

// MQTT 3.1.1 client: MQTT-1.5.3-3
// MQTT 5.0 client: MQTT-1.5.4-3
#[test]
fn a_byte_order_mark_stays_in_its_string_both_ways() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for topic in ["\u{feff}", "\u{feff}a", "a\u{feff}b"] {
            let bytes = publish_to(version, topic.as_bytes());
            stage.say_bytes(&bytes).unwrap();
            let told = stage.messages();
            assert_eq!(told[0].topic.as_str().as_bytes(), topic.as_bytes());
            stage.publish(message(topic, b"x", QoS::AtMostOnce));
            assert_eq!(stage.heard_bytes(), bytes);
            stage.events();
        }
    }
}

// MQTT 5.0 client: MQTT-1.5.5-1
#[test]
fn lengths_are_written_in_as_few_bytes_as_they_need_and_not_read_in_more() {
    let mut stage = Stage::open_plain(Version::V5);
    for remaining in [10, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        let payload = vec![b'x'; remaining - 4];
        stage.publish(message("t", &payload, QoS::AtMostOnce));
        let bytes = stage.heard_bytes();
        let fewest = match remaining {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            _ => 4,
        };
        assert_eq!(bytes.len(), 1 + fewest + remaining);
        assert_eq!(bytes[1..=fewest], variable(remaining)[..]);
    }
    for long in [&b"\xd0\x80\x00"[..], b"\x30\x87\x00\x00\x01t\x00abc", b"\x30\x87\x80\x00\x00\x01t\x00abc"] {
        let error = Stage::open_plain(Version::V5).refused(long);
        assert_eq!(error.reason, ReasonCode::MalformedPacket, "{long:02x?}");
    }
}

// MQTT 5.0 client: MQTT-1.5.7-1
#[test]
fn both_strings_of_a_pair_are_strings_or_the_connection_ends() {
    for (name, value, is_good) in [
        (&b"name"[..], &b"value"[..], true),
        (b"", b"", true),
        (b"na\0me", b"value", false),
        (b"name", b"val\0ue", false),
        (b"\xff", b"value", false),
        (b"name", b"\xed\xa0\x80", false),
    ] {
        let pair = [&[0x26][..], &field(name), &field(value)].concat();
        let bytes = packet(0x30, &[&field("t"), &variable(pair.len()), &pair]);
        let mut stage = Stage::open_plain(Version::V5);
        if is_good {
            stage.say_bytes(&bytes).unwrap();
            let properties = stage.messages().remove(0).properties.unwrap();
            let (heard_name, heard_value) = properties.user_properties.iter().next().unwrap();
            assert_eq!((heard_name.as_bytes(), heard_value.as_bytes()), (&name.into(), &value.into()));
        } else {
            stage.refused(&bytes);
            let sendable = [name, value].map(|bytes| Text::from_bytes(Bytes::copy_from_slice(bytes)).is_ok());
            assert!(sendable.contains(&false), "{name:02x?} {value:02x?} can be sent");
        }
    }
}
