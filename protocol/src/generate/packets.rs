//! Packets of every kind that a version has.

use std::num::NonZeroU16;

use bytes::Bytes;

use super::Random;
use crate::codec::allowed_reason;
use crate::packet::{
    Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect,
    DisconnectProperties, Packet, PacketId, PacketType, Publish, PublishAck, PublishProperties,
    ReasonProperties, RetainHandling, SubAck, Subscribe, SubscribeProperties, Subscription, UnsubAck,
    Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
use crate::property::PayloadFormat;
use crate::{QoS, ReasonCode, TopicName, Version};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

const SUBACK_BEFORE_V5: [ReasonCode; 4] =
    [ReasonCode::Success, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2, ReasonCode::UnspecifiedError];

/// A valid packet of the version: encoding and decoding it gives it back.
pub fn packet(random: &mut Random, version: Version) -> Packet {
    let is_v5 = version.is_v5();
    match random.below(if is_v5 { 15 } else { 14 }) {
        0 => Packet::Connect(Box::new(connect(random, version))),
        1 => Packet::ConnAck(Box::new(connack(random, version))),
        2 => Packet::Publish(publish(random, is_v5)),
        3 => Packet::PubAck(ack(random, is_v5, PacketType::PubAck)),
        4 => Packet::PubRec(ack(random, is_v5, PacketType::PubRec)),
        5 => Packet::PubRel(ack(random, is_v5, PacketType::PubRel)),
        6 => Packet::PubComp(ack(random, is_v5, PacketType::PubComp)),
        7 => Packet::Subscribe(subscribe(random, is_v5)),
        8 => {
            let packet_id = packet_id(random);
            let reasons = if is_v5 {
                reasons(random, PacketType::SubAck)
            } else {
                (0..=random.below(4)).map(|_| random.pick(&SUBACK_BEFORE_V5)).collect()
            };
            Packet::SubAck(SubAck { packet_id, reasons, properties: why(random, is_v5) })
        }
        9 => Packet::Unsubscribe(unsubscribe(random, is_v5)),
        10 => {
            let reasons = if is_v5 { reasons(random, PacketType::UnsubAck) } else { Vec::new() };
            Packet::UnsubAck(UnsubAck {
                packet_id: packet_id(random),
                reasons,
                properties: why(random, is_v5),
            })
        }
        11 => Packet::PingReq,
        12 => Packet::PingResp,
        13 => Packet::Disconnect(disconnect(random, is_v5)),
        _ => Packet::Auth(auth(random)),
    }
}

/// A packet that a client sends once it is connected, with a short payload; nearly all of them keep the rules that
/// bind clients alone.
pub fn client_packet(random: &mut Random, version: Version) -> Packet {
    let is_v5 = version.is_v5();
    match random.below(16) {
        0 => Packet::PingReq,
        1 => Packet::PubAck(ack(random, is_v5, PacketType::PubAck)),
        2 => Packet::PubRec(ack(random, is_v5, PacketType::PubRec)),
        3 => Packet::PubRel(ack(random, is_v5, PacketType::PubRel)),
        4 => Packet::PubComp(ack(random, is_v5, PacketType::PubComp)),
        5..8 => Packet::Subscribe(subscribe(random, is_v5)),
        8 => Packet::Unsubscribe(unsubscribe(random, is_v5)),
        9 if random.one_in(4) => packet(random, version),
        9.. => {
            let mut publish = publish(random, is_v5);
            publish.payload.truncate(64);
            if let Some(properties) = &mut publish.properties {
                properties.subscription_ids.clear();
                // Most aliases are small ones.
                properties.topic_alias = properties.topic_alias.map(|alias| 1 + (alias >> 1) % 4);
            }
            publish.properties.take_if(|properties| **properties == PublishProperties::EMPTY);
            Packet::Publish(publish)
        }
    }
}

/// A CONNECT of the version.
pub fn connect(random: &mut Random, version: Version) -> Connect {
    let user_name = random.maybe(Random::text);
    // Before version 5 a password needs a user name [MQTT-3.1.2-22].
    let may_have_password = version.is_v5() || user_name.is_some();
    Connect {
        version,
        bridge: random.one_in(8),
        clean_start: random.one_in(2),
        keep_alive: random.bits() as u16,
        client_id: random.text(),
        will: random.maybe(|random| will(random, version.is_v5())),
        user_name,
        password: if may_have_password { random.maybe(|random| random.bytes(16)) } else { None },
        properties: if version.is_v5() { connect_properties(random) } else { ConnectProperties::default() },
    }
}

fn connect_properties(random: &mut Random) -> ConnectProperties {
    let authentication_method = random.maybe(Random::text);
    let authentication_data =
        authentication_method.as_ref().and_then(|_| random.maybe(|random| random.bytes(9)));
    ConnectProperties {
        session_expiry: random.maybe(|random| random.bits() as u32),
        receive_maximum: random.maybe(|random| random.bits() as u16 | 1),
        packet_size_max: random.maybe(|random| random.bits() as u32 | 1),
        topic_alias_maximum: random.maybe(|random| random.bits() as u16),
        request_response_information: random.maybe(|random| random.one_in(2)),
        request_problem_information: random.maybe(|random| random.one_in(2)),
        user_properties: random.user_properties(),
        authentication_method,
        authentication_data,
    }
}

fn will(random: &mut Random, is_v5: bool) -> Will {
    let properties = if is_v5 {
        WillProperties {
            delay: random.maybe(|random| random.bits() as u32),
            payload_format: random.maybe(payload_format),
            message_expiry: random.maybe(|random| random.bits() as u32),
            content_type: random.maybe(Random::text),
            response_topic: random.maybe(Random::topic_name),
            correlation_data: random.maybe(|random| random.bytes(9)),
            user_properties: random.user_properties(),
        }
    } else {
        WillProperties::default()
    };
    Will {
        topic: random.topic_name(),
        payload: random.bytes(20),
        qos: random.pick(&QOS),
        retain: random.one_in(2),
        properties,
    }
}

fn connack(random: &mut Random, version: Version) -> ConnAck {
    let reason = if version.is_v5() {
        reason(random, PacketType::ConnAck)
    } else {
        ReasonCode::from_connect_return_code(random.below(6) as u8).unwrap_or_default()
    };
    let session_present = version != Version::V31 && !reason.is_failure() && random.one_in(2);
    let properties = if version.is_v5() { connack_properties(random) } else { ConnAckProperties::default() };
    ConnAck { session_present, reason, properties }
}

fn connack_properties(random: &mut Random) -> ConnAckProperties {
    ConnAckProperties {
        session_expiry: random.maybe(|random| random.bits() as u32),
        receive_maximum: random.maybe(|random| random.bits() as u16 | 1),
        maximum_qos: random.maybe(|random| random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce])),
        retain_available: random.maybe(|random| random.one_in(2)),
        packet_size_max: random.maybe(|random| random.bits() as u32 | 1),
        assigned_client_id: random.maybe(Random::text),
        topic_alias_maximum: random.maybe(|random| random.bits() as u16),
        reason_string: random.maybe(Random::text),
        user_properties: random.user_properties(),
        wildcard_subscription_available: random.maybe(|random| random.one_in(2)),
        subscription_identifiers_available: random.maybe(|random| random.one_in(2)),
        shared_subscription_available: random.maybe(|random| random.one_in(2)),
        server_keep_alive: random.maybe(|random| random.bits() as u16),
        response_information: random.maybe(Random::text),
        server_reference: random.maybe(Random::text),
        authentication_method: random.maybe(Random::text),
        authentication_data: random.maybe(|random| random.bytes(9)),
    }
}

fn publish(random: &mut Random, is_v5: bool) -> Publish {
    let qos = random.pick(&QOS);
    // An empty block of properties is read as none.
    let properties = if is_v5 { publish_properties(random) } else { None }
        .filter(|read| *read != PublishProperties::EMPTY);
    let is_aliased = properties.as_ref().is_some_and(|read| read.topic_alias.is_some());
    Publish {
        dup: qos > QoS::AtMostOnce && random.one_in(3),
        qos,
        retain: random.one_in(3),
        topic: if is_aliased && random.one_in(2) { TopicName::ALIASED } else { random.topic_name() },
        packet_id: (qos > QoS::AtMostOnce).then(|| packet_id(random)),
        payload: payload(random),
        properties: properties.map(Box::new),
    }
}

/// Mostly short; at times long enough for each length of a remaining length but the longest.
fn payload(random: &mut Random) -> Bytes {
    match random.below(64) {
        37 => Bytes::from(vec![random.byte(); 2_097_152]),
        38..=41 => Bytes::from(vec![random.byte(); 16_384]),
        _ => random.bytes(200),
    }
}

fn publish_properties(random: &mut Random) -> Option<PublishProperties> {
    random.maybe(|random| PublishProperties {
        payload_format: random.maybe(payload_format),
        message_expiry: random.maybe(|random| random.bits() as u32),
        topic_alias: random.maybe(|random| random.bits() as u16 | 1),
        response_topic: random.maybe(Random::topic_name),
        correlation_data: random.maybe(|random| random.bytes(9)),
        user_properties: random.user_properties(),
        subscription_ids: (0..random.below(3)).map(|_| subscription_id(random)).collect(),
        content_type: random.maybe(Random::text),
    })
}

fn ack(random: &mut Random, is_v5: bool, packet: PacketType) -> PublishAck {
    let reason = if is_v5 { reason(random, packet) } else { ReasonCode::Success };
    PublishAck { packet_id: packet_id(random), reason, properties: why(random, is_v5) }
}

fn subscribe(random: &mut Random, is_v5: bool) -> Subscribe {
    let subscriptions = (0..=random.below(3)).map(|_| subscription(random, is_v5)).collect();
    let properties = if is_v5 {
        SubscribeProperties {
            subscription_id: random.maybe(subscription_id),
            user_properties: random.user_properties(),
        }
    } else {
        SubscribeProperties::default()
    };
    Subscribe { packet_id: packet_id(random), subscriptions, properties }
}

fn unsubscribe(random: &mut Random, is_v5: bool) -> Unsubscribe {
    let filters = (0..=random.below(3)).map(|_| random.topic_filter()).collect();
    let user_properties = if is_v5 { random.user_properties() } else { Default::default() };
    let properties = UnsubscribeProperties { user_properties };
    Unsubscribe { packet_id: packet_id(random), filters, properties }
}

fn subscription(random: &mut Random, is_v5: bool) -> Subscription {
    let plain = Subscription::new(random.topic_filter(), random.pick(&QOS));
    if !is_v5 {
        return plain;
    }
    let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
    Subscription {
        // Not with a shared subscription [MQTT-3.8.3-4].
        no_local: plain.filter.shared().is_none() && random.one_in(2),
        retain_as_published: random.one_in(2),
        retain_handling: random.pick(&handling),
        ..plain
    }
}

fn disconnect(random: &mut Random, is_v5: bool) -> Disconnect {
    if !is_v5 {
        return Disconnect::new(ReasonCode::Success);
    }
    let reason = reason(random, PacketType::Disconnect);
    let properties = DisconnectProperties {
        session_expiry: random.maybe(|random| random.bits() as u32),
        reason_string: random.maybe(Random::text),
        user_properties: random.user_properties(),
        server_reference: random.maybe(Random::text),
    };
    Disconnect { reason, properties }
}

fn auth(random: &mut Random) -> Auth {
    let properties = AuthProperties {
        authentication_method: Some(random.text()),
        authentication_data: random.maybe(|random| random.bytes(9)),
        reason_string: random.maybe(Random::text),
        user_properties: random.user_properties(),
    };
    Auth { reason: reason(random, PacketType::Auth), properties }
}

fn why(random: &mut Random, is_v5: bool) -> ReasonProperties {
    if !is_v5 || random.one_in(2) {
        return ReasonProperties::default();
    }
    ReasonProperties { reason_string: random.maybe(Random::text), user_properties: random.user_properties() }
}

fn payload_format(random: &mut Random) -> PayloadFormat {
    random.pick(&[PayloadFormat::Bytes, PayloadFormat::Utf8])
}

fn packet_id(random: &mut Random) -> PacketId {
    NonZeroU16::new(random.bits() as u16).unwrap_or(NonZeroU16::MAX)
}

fn subscription_id(random: &mut Random) -> u32 {
    random.below(268_435_455) as u32 + 1
}

/// Any reason code that the packet may carry in version 5.
fn reason(random: &mut Random, packet: PacketType) -> ReasonCode {
    let may_stand = |reason: &ReasonCode| allowed_reason(packet, *reason);
    let reasons: Vec<ReasonCode> = (0..=0xFF).filter_map(ReasonCode::from_byte).filter(may_stand).collect();
    random.pick(&reasons)
}

fn reasons(random: &mut Random, packet: PacketType) -> Vec<ReasonCode> {
    (0..=random.below(4)).map(|_| reason(random, packet)).collect()
}
