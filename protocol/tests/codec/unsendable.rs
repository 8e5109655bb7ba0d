//! Packets that are not written, since the other side would have to refuse them.

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{EncodeError, PublishHead, encode, encode_publish_head, encoded_len};
use hearth_protocol::packet::{
    Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect, Packet,
    Publish, PublishAck, PublishProperties, SubAck, Subscribe, SubscribeProperties, Subscription, UnsubAck,
    Unsubscribe, Will, WillProperties,
};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use super::values::{connect, filter, id, publish, text, will};
use Version::{V5, V31, V311};

fn connects() -> Vec<(Version, Packet, &'static str)> {
    let row = |connect: Connect, field| (connect.version, Packet::Connect(Box::new(connect)), field);
    let properties = |properties| Connect { properties, ..connect(V5) };
    let no_topic = Will { topic: TopicName::ALIASED, ..will(QoS::AtMostOnce, false) };
    let no_response = WillProperties { response_topic: Some(TopicName::ALIASED), ..Default::default() };
    let no_response = Will { properties: no_response, ..will(QoS::AtMostOnce, false) };
    let data = ConnectProperties { authentication_data: Some(Bytes::new()), ..Default::default() };
    let password = Some(Bytes::from_static(b"p"));
    vec![
        row(Connect { password: password.clone(), ..connect(V31) }, "password"),
        row(Connect { password, ..connect(V311) }, "password"),
        row(Connect { will: Some(no_topic), ..connect(V311) }, "will topic"),
        row(Connect { will: Some(no_response), ..connect(V5) }, "response topic"),
        row(
            properties(ConnectProperties { receive_maximum: Some(0), ..Default::default() }),
            "receive maximum",
        ),
        row(
            properties(ConnectProperties { packet_size_max: Some(0), ..Default::default() }),
            "maximum packet size",
        ),
        row(properties(data), "authentication data"),
    ]
}

fn connacks() -> Vec<(Version, Packet, &'static str)> {
    let row = |version, session_present, reason, properties, field| {
        (version, Packet::ConnAck(Box::new(ConnAck { session_present, reason, properties })), field)
    };
    let plain = ConnAckProperties::default;
    let zero = ConnAckProperties { receive_maximum: Some(0), ..plain() };
    vec![
        row(V5, true, ReasonCode::NotAuthorized, plain(), "session present"),
        row(V311, true, ReasonCode::NotAuthorized, plain(), "session present"),
        row(V5, false, ReasonCode::SessionTakenOver, plain(), "CONNACK"),
        row(V5, false, ReasonCode::Success, zero, "receive maximum"),
    ]
}

fn publishes() -> Vec<(Version, Packet, &'static str)> {
    let row = |version, publish, field| (version, Packet::Publish(publish), field);
    let with = |properties| Publish { properties: Some(Box::new(properties)), ..publish("t", b"") };
    let none = PublishProperties::default;
    let no_topic = |publish| Publish { topic: TopicName::ALIASED, ..publish };
    vec![
        row(V311, Publish { packet_id: Some(id(1)), ..publish("t", b"") }, "packet identifier"),
        row(V5, Publish { qos: QoS::AtLeastOnce, ..publish("t", b"") }, "packet identifier"),
        row(V311, Publish { dup: true, ..publish("t", b"") }, "DUP"),
        row(V5, no_topic(publish("t", b"")), "topic name"),
        // An alias does not help a version without aliases.
        row(V311, no_topic(with(PublishProperties { topic_alias: Some(1), ..none() })), "topic name"),
        row(V5, with(PublishProperties { topic_alias: Some(0), ..none() }), "topic alias"),
        row(
            V5,
            with(PublishProperties { subscription_ids: vec![1, 0], ..none() }),
            "subscription identifier",
        ),
        row(
            V5,
            with(PublishProperties { subscription_ids: vec![268_435_456], ..none() }),
            "subscription identifier",
        ),
        row(
            V5,
            with(PublishProperties { response_topic: Some(TopicName::ALIASED), ..none() }),
            "response topic",
        ),
    ]
}

fn the_rest() -> Vec<(Version, Packet, &'static str)> {
    let subscribe = |subscriptions, subscription_id| {
        let properties = SubscribeProperties { subscription_id, ..Default::default() };
        Packet::Subscribe(Subscribe { packet_id: id(1), subscriptions, properties })
    };
    let plain = Subscription::new(filter("a"), QoS::AtMostOnce);
    let shared = Subscription { no_local: true, ..Subscription::new(filter("$share/g/a"), QoS::AtMostOnce) };
    let suback =
        |reasons| Packet::SubAck(SubAck { packet_id: id(1), reasons, properties: Default::default() });
    let unsuback =
        |reasons| Packet::UnsubAck(UnsubAck { packet_id: id(1), reasons, properties: Default::default() });
    let unsubscribe = Unsubscribe { packet_id: id(1), filters: vec![], properties: Default::default() };
    let auth = |reason, properties| Packet::Auth(Auth { reason, properties });
    let method = AuthProperties { authentication_method: Some(text("m")), ..Default::default() };
    let ack = |reason| PublishAck::new(id(1), reason);
    vec![
        (V5, Packet::PubAck(ack(ReasonCode::PacketIdentifierNotFound)), "PUBACK"),
        (V5, Packet::PubRec(ack(ReasonCode::GrantedQoS1)), "PUBREC"),
        (V5, Packet::PubRel(ack(ReasonCode::QuotaExceeded)), "PUBREL"),
        (V5, Packet::PubComp(ack(ReasonCode::UnspecifiedError)), "PUBCOMP"),
        (V31, subscribe(vec![], None), "topic filters"),
        (V5, subscribe(vec![plain.clone()], Some(0)), "subscription identifier"),
        (V5, subscribe(vec![plain.clone()], Some(268_435_456)), "subscription identifier"),
        (V5, subscribe(vec![plain, shared], None), "no local"),
        (V311, suback(vec![]), "reason codes"),
        (V311, suback(vec![ReasonCode::NoSubscriptionExisted]), "SUBACK"),
        (V5, suback(vec![ReasonCode::Success, ReasonCode::Banned]), "SUBACK"),
        (V311, Packet::Unsubscribe(unsubscribe), "topic filters"),
        (V5, unsuback(vec![]), "reason codes"),
        (V5, unsuback(vec![ReasonCode::GrantedQoS1]), "UNSUBACK"),
        (V5, Packet::Disconnect(Disconnect::new(ReasonCode::PacketIdentifierInUse)), "DISCONNECT"),
        // It would tell the server to forget the will.
        (V311, Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill)), "DISCONNECT"),
        (V311, auth(ReasonCode::Success, method.clone()), "AUTH"),
        (V5, auth(ReasonCode::NotAuthorized, method), "AUTH"),
        (V5, auth(ReasonCode::ContinueAuthentication, AuthProperties::default()), "authentication method"),
    ]
}

#[test]
fn what_the_other_side_would_refuse_is_not_written() {
    for (version, packet, expected) in [connects(), connacks(), publishes(), the_rest()].concat() {
        let mut output = BytesMut::from(&b"before"[..]);
        match encode(&packet, version, &mut output) {
            Err(EncodeError::Unsupported { field, .. }) => assert_eq!(field, expected, "{packet:?}"),
            other => panic!("MQTT {version}, {packet:?}: {other:?}"),
        }
        assert!(encoded_len(&packet, version).is_err());
        assert_eq!(output, b"before"[..], "{packet:?}");
    }
}

#[test]
fn the_values_that_replace_those_of_a_head_are_checked_too() {
    let good = PublishHead {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "t",
        packet_id: None,
        properties: None,
        message_expiry: None,
        topic_alias: None,
        subscription_ids: &[],
        payload_len: 0,
    };
    let table = [
        (PublishHead { topic_alias: Some(0), ..good }, "topic alias"),
        (PublishHead { topic: "", ..good }, "topic name"),
        (PublishHead { subscription_ids: &[0], ..good }, "subscription identifier"),
    ];
    for (head, expected) in table {
        let mut output = BytesMut::new();
        match encode_publish_head(&head, V5, &mut output) {
            Err(EncodeError::Unsupported { field, .. }) => assert_eq!(field, expected),
            other => panic!("{head:?}: {other:?}"),
        }
        assert!(output.is_empty());
    }
    let long = "x".repeat(65_536);
    let head = PublishHead { topic: &long, ..good };
    let error = EncodeError::FieldTooLong { field: "string", bytes: 65_536 };
    assert_eq!(encode_publish_head(&head, V5, &mut BytesMut::new()), Err(error));
}
