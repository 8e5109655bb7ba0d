//! PUBLISH (3.3).

use hearth_protocol::packet::PublishProperties;
use hearth_protocol::topic::TopicError;

use super::super::raw::{self, field};
use super::*;

const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

// MQTT 3.1.1 client: MQTT-3.3.1-1
// MQTT 5.0 client: MQTT-3.3.1-1
#[test]
fn a_message_says_that_it_comes_again_on_every_try_but_the_first() {
    for version in VERSIONS {
        for qos in ACKNOWLEDGED {
            let mut stage = Stage::open_plain(version);
            // Whatever the driver says: the client knows which try it is.
            stage.publish(Publish { dup: true, ..message("t", b"x", qos) });
            assert_eq!(stage.heard(), [numbered(1, message("t", b"x", qos))]);
            for _ in 0..3 {
                let (sent, _) = stage.connect(true, ConnAckProperties::default());
                assert_eq!(sent[1..], [again(1, message("t", b"x", qos))]);
            }
        }
    }
}

// MQTT 3.1.1 client: MQTT-3.3.1-2
// MQTT 5.0 client: MQTT-3.3.1-2
#[test]
fn a_message_of_qos_0_never_says_that_it_comes_again() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        stage.publish(Publish { dup: true, ..message("t", b"x", QoS::AtMostOnce) });
        assert_eq!(stage.heard_bytes()[0], 0x30);
        let (sent, _) = stage.connect(true, ConnAckProperties::default());
        assert_eq!(sent.len(), 1, "nor does it come again");
        stage.refused(&raw::publish(version, 0b1000, b"t", &[], b"x"));
    }
}

// MQTT 3.1.1 client: MQTT-3.3.1-4
// MQTT 5.0 client: MQTT-3.3.1-4
#[test]
fn a_qos_of_3_ends_the_connection_and_cannot_be_sent() {
    for version in VERSIONS {
        for flags in [0b0110, 0b0111, 0b1110, 0b1111] {
            let mut stage = Stage::open_plain(version);
            stage.refused(&raw::publish(version, flags, b"t", &[], b"x"));
        }
        assert_eq!(QoS::from_bits(3), None);
        let mut stage = Stage::open_plain(version);
        for qos in QUALITIES {
            stage.publish(message("t", b"x", qos));
            assert_eq!(stage.heard_bytes()[0], 0x30 | qos.bits() << 1);
        }
    }
}

// MQTT 3.1.1 client: MQTT-3.3.2-1
// MQTT 5.0 client: MQTT-3.3.2-1
#[test]
fn the_topic_is_the_first_field_and_a_string() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for (topic, qos) in [("t", QoS::AtMostOnce), ("a/ä/€/𝄞", QoS::AtLeastOnce), ("$x", QoS::ExactlyOnce)]
        {
            stage.publish(message(topic, b"", qos));
            let bytes = stage.heard_bytes();
            assert!(bytes[2..].starts_with(&field(topic)), "{bytes:02x?}");
        }
        let nowhere = Publish { topic: TopicName::ALIASED, ..message("t", b"x", QoS::AtMostOnce) };
        assert_eq!(stage.client.publish(stage.now, nowhere), Err(PublishError::Topic));
    }
}

// MQTT 3.1.1 client: MQTT-3.3.2-2
// MQTT 5.0 client: MQTT-3.3.2-2
#[test]
fn a_topic_with_a_wildcard_ends_the_connection_and_cannot_be_sent() {
    for version in VERSIONS {
        for topic in ["#", "+", "a/#", "a/+/b", "a+", "#b"] {
            let mut stage = Stage::open_plain(version);
            let error = stage.refused(&raw::publish(version, 0, topic.as_bytes(), &[], b"x"));
            assert_eq!(error.reason, ReasonCode::TopicNameInvalid);
            assert!(matches!(TopicName::try_from(topic), Err(TopicError::WildcardInName(_))));
        }
    }
}

fn aliased(topic: &str, alias: u16) -> Vec<u8> {
    raw::publish(Version::V5, 0, topic.as_bytes(), &[&[0x23], &alias.to_be_bytes()], b"x")
}

/// A client that takes aliases up to `maximum`.
fn taking(maximum: u16) -> Stage {
    let mut options = options(Version::V5);
    options.properties.topic_alias_maximum = Some(maximum);
    Stage::open(options, ConnAckProperties::default())
}

// MQTT 5.0 client: MQTT-3.3.2-7
#[test]
fn aliases_end_with_their_connection_in_both_directions() {
    let granted = || ConnAckProperties { topic_alias_maximum: Some(5), ..Default::default() };
    let mut stage = taking(5);
    stage.connect(true, granted());
    for bytes in [aliased("topic", 1), aliased("", 1)] {
        stage.say_bytes(&bytes).unwrap();
    }
    assert_eq!(stage.messages().len(), 2);
    stage.publish(message("topic", b"x", QoS::AtMostOnce));
    stage.publish(message("topic", b"x", QoS::AtLeastOnce));
    let sent = stage.heard();
    assert!(matches!(&sent[1], Packet::Publish(publish) if publish.topic.as_str().is_empty()));
    let (sent, _) = stage.connect(true, granted());
    assert_eq!(sent[1..], [again(1, message("topic", b"x", QoS::AtLeastOnce))], "with its topic in full");
    stage.publish(message("topic", b"x", QoS::AtMostOnce));
    let sent = stage.heard();
    assert!(matches!(&sent[0], Packet::Publish(publish) if publish.topic.as_str() == "topic"));
    let error = stage.refused(&aliased("", 1));
    assert_eq!(error.reason, ReasonCode::ProtocolError, "it stands for nothing here");
}

// MQTT 5.0 client: MQTT-3.3.2-10
#[test]
fn every_alias_up_to_the_stated_maximum_is_taken() {
    for maximum in [1, 9, 300, u16::MAX] {
        let mut stage = taking(maximum);
        let some = (1..=maximum).filter(|alias| *alias < 300 || *alias > u16::MAX - 5);
        for alias in some {
            let topic = format!("topic/{alias}");
            for bytes in [aliased(&topic, alias), aliased("", alias)] {
                stage.say_bytes(&bytes).unwrap();
            }
            let told: Vec<_> = stage.messages().into_iter().map(|publish| publish.topic).collect();
            assert!(told.iter().all(|told| told.as_str() == topic) && told.len() == 2);
        }
        assert_eq!(stage.refused(&aliased("topic", 0)).reason, ReasonCode::TopicAliasInvalid);
        if let Some(above) = maximum.checked_add(1) {
            let error = taking(maximum).refused(&aliased("topic", above));
            assert_eq!(error.reason, ReasonCode::TopicAliasInvalid);
        }
    }
}

/// PUBLISH with one property that is a string.
fn with_text(property: u8, bytes: &[u8]) -> Vec<u8> {
    raw::publish(Version::V5, 0, b"t", &[&[property], &field(bytes)], b"x")
}

const RESPONSE_TOPIC: u8 = 0x08;
const CONTENT_TYPE: u8 = 0x03;

// MQTT 5.0 client: MQTT-3.3.2-13 MQTT-3.3.2-19
#[test]
fn response_topic_and_content_type_are_strings_or_the_connection_ends() {
    let mut stage = Stage::open_plain(Version::V5);
    let properties = PublishProperties {
        response_topic: TopicName::try_from("answers/ä").ok(),
        content_type: Some(text("text/ö")),
        ..Default::default()
    };
    stage.publish(Publish { properties: Some(Box::new(properties)), ..message("t", b"x", QoS::AtMostOnce) });
    let parts: [&[u8]; 4] = [&[RESPONSE_TOPIC], &field("answers/ä"), &[CONTENT_TYPE], &field("text/ö")];
    assert_eq!(stage.heard_bytes(), raw::publish(Version::V5, 0, b"t", &parts, b"x"));
    for property in [RESPONSE_TOPIC, CONTENT_TYPE] {
        stage.say_bytes(&with_text(property, "gut/ß".as_bytes())).unwrap();
        assert_eq!(stage.messages().len(), 1);
        for bytes in [&b"\xff"[..], b"a\0", b"\xed\xa0\x80"] {
            Stage::open_plain(Version::V5).refused(&with_text(property, bytes));
            assert!(Text::from_bytes(Bytes::from_static(bytes)).is_err(), "it cannot be sent either");
        }
    }
}

// MQTT 5.0 client: MQTT-3.3.2-14
#[test]
fn a_response_topic_with_a_wildcard_ends_the_connection_and_cannot_be_sent() {
    for topic in ["#", "+", "answers/+/x", "answers/#"] {
        Stage::open_plain(Version::V5).refused(&with_text(RESPONSE_TOPIC, topic.as_bytes()));
        assert!(TopicName::try_from(topic).is_err());
    }
}

// MQTT 3.1.1 client: MQTT-3.3.4-1
// MQTT 5.0 client: MQTT-3.3.4-1
#[test]
fn every_message_is_answered_as_its_qos_says() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        let answers: [Vec<Packet>; 3] = [vec![], vec![Packet::PubAck(ok(7))], vec![Packet::PubRec(ok(7))]];
        for (qos, answer) in QUALITIES.into_iter().zip(answers) {
            let packet_id = if qos == QoS::AtMostOnce { 0 } else { 7 };
            stage.tell(&numbered(packet_id, message("t", b"x", qos)));
            assert_eq!(stage.heard(), answer);
        }
        stage.tell(&Packet::PubRel(ok(7)));
        assert_eq!(stage.heard(), [Packet::PubComp(ok(7))]);
    }
}

// MQTT 5.0 client: MQTT-3.3.4-6
#[test]
fn a_client_sends_no_subscription_identifier() {
    let mut stage = Stage::open_plain(Version::V5);
    for qos in QUALITIES {
        let properties = PublishProperties { subscription_ids: vec![1], ..Default::default() };
        let numbered = Publish { properties: Some(Box::new(properties)), ..message("t", b"x", qos) };
        assert_eq!(stage.client.publish(stage.now, numbered), Err(PublishError::SubscriptionId));
    }
    assert_eq!(stage.heard(), []);
}
