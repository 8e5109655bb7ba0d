//! Packets to begin a row with, and bytes from hexadecimal digits.

use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use hearth_protocol::packet::{Connect, ConnectProperties, Publish, ReasonProperties, Will, WillProperties};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, Text, TopicFilter, TopicName, Version};

/// The bytes of hexadecimal digits, with spaces anywhere.
pub(crate) fn hex(digits: &str) -> BytesMut {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte");
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName::try_from(name).unwrap()
}

pub(crate) fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).unwrap()
}

pub(crate) fn id(id: u16) -> NonZeroU16 {
    NonZeroU16::new(id).unwrap()
}

/// One pair.
pub(crate) fn user(name: &str, value: &str) -> UserProperties {
    [(text(name), text(value))].into_iter().collect()
}

pub(crate) fn why(reason: &str) -> ReasonProperties {
    ReasonProperties { reason_string: Some(text(reason)), user_properties: UserProperties::EMPTY }
}

/// A clean start of client `a` with a keep alive of a minute.
pub(crate) fn connect(version: Version) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 60,
        client_id: text("a"),
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

/// `x` to the topic `w`.
pub(crate) fn will(qos: QoS, retain: bool) -> Will {
    let (topic, payload) = (topic("w"), Bytes::from_static(b"x"));
    Will { topic, payload, qos, retain, properties: WillProperties::default() }
}

/// A message with QoS 0 and nothing else.
pub(crate) fn publish(name: &str, payload: &'static [u8]) -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: topic(name),
        packet_id: None,
        payload: Bytes::from_static(payload),
        properties: None,
    }
}
