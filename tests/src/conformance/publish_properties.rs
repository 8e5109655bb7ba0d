//! The properties of PUBLISH on their way through the server (MQTT 5.0, 3.3.2.3), the server's side.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_protocol::packet::{Packet, Publish, PublishProperties};
use hearth_protocol::property::{PayloadFormat, UserProperties};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use super::broker::SharedBroker;
use super::clock::let_pass;
use super::packets::{self, QOS, hear, leave};
use super::raw::{self, field};
use super::{client, closed_by, persistent, unique};
use crate::hearth::Hearth;
use crate::wire::{Wire, message, text};

static BROKER: SharedBroker = SharedBroker::new();

fn with(publish: Publish, properties: PublishProperties) -> Publish {
    Publish { properties: Some(Box::new(properties)), ..publish }
}

/// Publishes a message with these properties and checks that they come unaltered: to subscribers of each QoS on whatever
/// shards, to one that was away, and as a retained message.
#[track_caller]
fn assert_unaltered(hearth: &Hearth, properties: &PublishProperties) {
    let topic = unique("unaltered");
    let away = persistent(Version::V5, &unique("away"));
    let (mut wire, _) = Wire::connect(hearth.mqtt(), away.clone());
    wire.subscribe(&topic, QoS::ExactlyOnce);
    leave(wire);
    let subscribe = |qos| {
        let mut wire = client(hearth.mqtt(), Version::V5);
        wire.subscribe(&topic, qos);
        wire
    };
    let mut live: Vec<Wire> = QOS.into_iter().chain(QOS).map(subscribe).collect();
    let mut publisher = client(hearth.mqtt(), Version::V5);
    for qos in QOS {
        let sent = Publish { retain: true, ..message(&topic, b"x", qos) };
        publisher.publish_to_the_end(with(sent, properties.clone()));
        for wire in &mut live {
            let heard = hear(wire, 1).remove(0);
            assert_eq!(heard.properties.as_deref(), Some(properties), "{qos:?}");
        }
    }
    let (mut back, _) = Wire::connect(hearth.mqtt(), away);
    for heard in hear(&mut back, 2) {
        assert_eq!(heard.properties.as_deref(), Some(properties), "to one that was away");
    }
    let heard = hear(&mut subscribe(QoS::ExactlyOnce), 1).remove(0);
    assert!(heard.retain);
    assert_eq!(heard.properties.as_deref(), Some(properties), "retained");
}

// MQTT 5.0 server: MQTT-3.3.2-4
#[test]
fn the_payload_format_indicator_comes_unaltered() {
    let hearth = BROKER.get();
    for payload_format in [PayloadFormat::Bytes, PayloadFormat::Utf8] {
        let payload_format = Some(payload_format);
        assert_unaltered(&hearth, &PublishProperties { payload_format, ..PublishProperties::default() });
    }
}

// MQTT 5.0 server: MQTT-3.3.2-15
#[test]
fn the_response_topic_comes_unaltered() {
    let hearth = BROKER.get();
    for name in ["a", "/", "answers/here", "ä/€/😀", "$SYS/broker", &"x".repeat(65_535)] {
        let response_topic = Some(TopicName::new(text(name)).unwrap());
        assert_unaltered(&hearth, &PublishProperties { response_topic, ..PublishProperties::default() });
    }
}

// MQTT 5.0 server: MQTT-3.3.2-16
#[test]
fn the_correlation_data_come_unaltered() {
    let hearth = BROKER.get();
    for data in [&b""[..], b"\0", b"\xFF\0\x80", &[b'x'; 65_535]] {
        let correlation_data = Some(Bytes::copy_from_slice(data));
        assert_unaltered(&hearth, &PublishProperties { correlation_data, ..PublishProperties::default() });
    }
}

// MQTT 5.0 server: MQTT-3.3.2-20
#[test]
fn the_content_type_comes_unaltered() {
    let hearth = BROKER.get();
    for name in ["", "text/plain; charset=utf-8", "ä€😀\u{feff}", &"x".repeat(65_535)] {
        let content_type = Some(text(name));
        assert_unaltered(&hearth, &PublishProperties { content_type, ..PublishProperties::default() });
    }
}

// MQTT 5.0 server: MQTT-3.3.2-17 MQTT-3.3.2-18
#[test]
fn user_properties_come_unaltered_and_in_their_order() {
    let hearth = BROKER.get();
    let long = "v".repeat(5000);
    let lists: [&[(&str, &str)]; 4] = [
        &[("", "")],
        &[("b", "2"), ("a", "1"), ("b", "2"), ("b", "1"), ("A", "1"), ("", "x"), ("x", "")],
        &[("ä€", "😀\u{feff}"), ("long", &long), ("z", "last")],
        &[("same", "1"), ("same", "2"), ("same", "3"), ("same", "2"), ("same", "1")],
    ];
    for list in lists {
        let user_properties: UserProperties =
            list.iter().map(|(name, value)| (text(name), text(value))).collect();
        assert_unaltered(&hearth, &PublishProperties { user_properties, ..PublishProperties::default() });
    }
}

// MQTT 5.0 server: MQTT-3.3.2-4 MQTT-3.3.2-15 MQTT-3.3.2-16 MQTT-3.3.2-17 MQTT-3.3.2-20
#[test]
fn all_properties_together_come_unaltered() {
    let hearth = BROKER.get();
    let properties = PublishProperties {
        payload_format: Some(PayloadFormat::Utf8),
        response_topic: Some(TopicName::new(text("answers")).unwrap()),
        correlation_data: Some(Bytes::from_static(b"\0\xFF")),
        user_properties: [("b", "1"), ("a", "2")]
            .map(|(name, value)| (text(name), text(value)))
            .into_iter()
            .collect(),
        content_type: Some(text("text/plain")),
        ..PublishProperties::default()
    };
    assert_unaltered(&hearth, &properties);
}

/// The broker closes on a PUBLISH with this property.
#[track_caller]
fn assert_refused(hearth: &Hearth, property: &[u8], reasons: &[ReasonCode]) {
    let bytes = raw::publish(Version::V5, 0, b"t", &[property], b"x");
    match closed_by(hearth.mqtt(), Version::V5, &bytes) {
        Some(Packet::Disconnect(disconnect)) => {
            assert!(reasons.contains(&disconnect.reason), "{property:02x?}: {}", disconnect.reason);
        }
        other => panic!("{property:02x?}: {other:?}"),
    }
}

// MQTT 5.0 server: MQTT-3.3.2-13 MQTT-3.3.2-19
#[test]
fn response_topic_and_content_type_are_utf_8() {
    let hearth = BROKER.get();
    for bad in [&b"\xFF"[..], b"\xC0\xAF", b"\xED\xA0\x80", b"a\0b"] {
        for id in [0x08, 0x03] {
            assert_refused(&hearth, &[&[id], &field(bad)[..]].concat(), &[ReasonCode::MalformedPacket]);
        }
    }
}

// MQTT 5.0 server: MQTT-3.3.2-14
#[test]
fn a_response_topic_with_a_wildcard_closes_the_connection() {
    let hearth = BROKER.get();
    for bad in ["#", "+", "a/#", "a/+/b", "a+"] {
        let property = [&[0x08], &field(bad)[..]].concat();
        let allowed = [ReasonCode::ProtocolError, ReasonCode::MalformedPacket, ReasonCode::TopicNameInvalid];
        assert_refused(&hearth, &property, &allowed);
    }
}

fn with_expiry(topic: &str, seconds: u32, qos: QoS) -> Publish {
    let properties = PublishProperties { message_expiry: Some(seconds), ..PublishProperties::default() };
    with(message(topic, b"x", qos), properties)
}

fn expiry_of(publish: &Publish) -> Option<u32> {
    publish.properties.as_ref().and_then(|properties| properties.message_expiry)
}

// MQTT 5.0 server: MQTT-3.3.2-5
#[test]
fn a_message_whose_time_is_over_before_its_delivery_begins_is_deleted() {
    let hearth = BROKER.get();
    let (topic, kept) = (unique("expired"), unique("expired"));
    let away = persistent(Version::V5, &unique("away"));
    let (mut wire, _) = Wire::connect(hearth.mqtt(), away.clone());
    wire.subscribe(&topic, QoS::ExactlyOnce);
    leave(wire);
    // One that holds back what it could have: its one place is taken.
    let mut full = persistent(Version::V5, &unique("full"));
    full.properties.receive_maximum = Some(1);
    let (mut full, _) = Wire::connect(hearth.mqtt(), full);
    full.subscribe(&topic, QoS::ExactlyOnce);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    publisher.publish_acknowledged(&topic, b"first");
    let first = full.next_publish();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        publisher.publish_to_the_end(with_expiry(&topic, 1, qos));
        publisher.publish_to_the_end(with_expiry(&topic, 3600, qos));
    }
    publisher.publish_to_the_end(Publish { retain: true, ..with_expiry(&kept, 1, QoS::AtLeastOnce) });
    let_pass(hearth.mqtt(), &topic, 2);
    let (mut back, _) = Wire::connect(hearth.mqtt(), away);
    let heard: Vec<bool> = hear(&mut back, 3).iter().map(|publish| expiry_of(publish).is_some()).collect();
    assert_eq!(heard, [false, true, true], "those of one second are gone");
    back.assert_quiet();
    full.send(&packets::puback(first.packet_id.unwrap().get()));
    for heard in hear(&mut full, 2) {
        assert!(expiry_of(&heard).is_some_and(|left| left > 3000), "{heard:?}");
    }
    full.assert_quiet();
    back.subscribe(&kept, QoS::AtMostOnce);
    back.assert_quiet();
}

// MQTT 5.0 server: MQTT-3.3.2-6
#[test]
fn the_expiry_that_a_client_is_told_is_less_by_the_time_that_the_message_waited() {
    const SECONDS: u32 = 100;
    let hearth = BROKER.get();
    let (topic, kept) = (unique("waits"), unique("waits"));
    let away = persistent(Version::V5, &unique("away"));
    let (mut wire, _) = Wire::connect(hearth.mqtt(), away.clone());
    wire.subscribe(&topic, QoS::AtLeastOnce);
    leave(wire);
    let mut live = client(hearth.mqtt(), Version::V5);
    live.subscribe(&topic, QoS::AtMostOnce);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let before = Instant::now();
    publisher.publish_to_the_end(with_expiry(&topic, SECONDS, QoS::AtLeastOnce));
    publisher.publish_to_the_end(Publish { retain: true, ..with_expiry(&kept, SECONDS, QoS::AtLeastOnce) });
    // Whole seconds: the one that has begun may count or not.
    let most = |waited: Duration| SECONDS - u32::try_from(waited.as_secs()).unwrap();
    let told = expiry_of(&live.next_publish()).expect("it has one");
    assert!((most(before.elapsed()) - 1..=SECONDS).contains(&told), "at once: {told}");
    let stored = Instant::now();
    let_pass(hearth.mqtt(), &topic, 2);
    let waited = stored.elapsed();
    let (mut back, _) = Wire::connect(hearth.mqtt(), away);
    let from_session = back.next_publish();
    back.subscribe(&kept, QoS::AtMostOnce);
    let from_store = back.next_publish();
    for publish in [from_session, from_store] {
        let told = expiry_of(&publish).expect("it has one");
        assert!((most(before.elapsed()) - 1..=most(waited)).contains(&told), "after {waited:?}: {told}");
    }
}

// MQTT 5.0 server: MQTT-3.3.2-6
#[test]
fn a_message_without_an_expiry_gets_none_however_long_it_waits() {
    let hearth = BROKER.get();
    let topic = unique("ever");
    let mut publisher = client(hearth.mqtt(), Version::V5);
    publisher.publish_to_the_end(Publish { retain: true, ..message(&topic, b"x", QoS::AtLeastOnce) });
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    assert_eq!(expiry_of(&subscriber.next_publish()), None);
}
