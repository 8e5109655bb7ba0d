//! What a packet must hold to be written: exactly what the decoder of the other side demands.

use super::EncodeError;
use super::publish::{PublishHead, head};
use super::reason::allowed;
use crate::packet::{
    Auth, AuthProperties, ConnAck, Connect, ConnectProperties, Packet, PacketType, SubAck, Subscribe, Will,
};
use crate::{QoS, ReasonCode, TopicName, Version};

/// The highest value of a variable byte integer (1.5.5).
const VARIABLE_BYTE_INTEGER_MAX: u32 = 268_435_455;

type Check = Result<(), EncodeError>;

/// Checks what the types of the packet leave open. What the version does not have is left out, not refused, where
/// the packet says the same without it.
pub(super) fn packet(packet: &Packet, version: Version) -> Check {
    let kind = packet.packet_type();
    match packet {
        Packet::Connect(connect) => check_connect(connect),
        Packet::ConnAck(connack) => check_connack(connack, version),
        Packet::Publish(packet) => publish(&head(packet), version),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            demand(!version.is_v5() || allowed(kind, ack.reason), kind.as_str(), REASON)
        }
        Packet::Subscribe(subscribe) => check_subscribe(subscribe, version),
        Packet::SubAck(suback) => check_suback(suback, version),
        Packet::Unsubscribe(unsubscribe) => demand(!unsubscribe.filters.is_empty(), "topic filters", MISSING),
        Packet::UnsubAck(unsuback) if version.is_v5() => {
            demand(!unsuback.reasons.is_empty(), "reason codes", MISSING)?;
            let is_good = unsuback.reasons.iter().all(|reason| allowed(kind, *reason));
            demand(is_good, kind.as_str(), REASON)
        }
        // Before version 5 the packet means a normal end and nothing else.
        Packet::Disconnect(disconnect) => {
            let is_good = disconnect.reason == ReasonCode::Success
                || (version.is_v5() && allowed(kind, disconnect.reason));
            demand(is_good, kind.as_str(), REASON)
        }
        Packet::Auth(auth) => check_auth(auth, version),
        Packet::UnsubAck(_) | Packet::PingReq | Packet::PingResp => Ok(()),
    }
}

const REASON: &str = "the version does not allow this reason code in it";
const MISSING: &str = "there must be one at least";
const ZERO: &str = "must not be 0";
const EMPTY: &str = "must not be empty";

fn demand(is_good: bool, field: &'static str, problem: &'static str) -> Check {
    if is_good { Ok(()) } else { Err(EncodeError::Unsupported { field, problem }) }
}

fn check_connect(connect: &Connect) -> Check {
    if let Some(will) = &connect.will {
        check_will(will, connect.version)?;
    }
    if !connect.version.is_v5() {
        let problem = "needs a user name before MQTT 5.0";
        return demand(connect.password.is_none() || connect.user_name.is_some(), "password", problem);
    }
    let ConnectProperties { receive_maximum, packet_size_max, authentication_method, .. } =
        &connect.properties;
    demand(*receive_maximum != Some(0), "receive maximum", ZERO)?;
    demand(*packet_size_max != Some(0), "maximum packet size", ZERO)?;
    let has_data = connect.properties.authentication_data.is_some();
    demand(!has_data || authentication_method.is_some(), "authentication data", "needs a method")
}

fn check_will(will: &Will, version: Version) -> Check {
    demand(!will.topic.as_str().is_empty(), "will topic", EMPTY)?;
    if version.is_v5() { response_topic(will.properties.response_topic.as_ref()) } else { Ok(()) }
}

fn check_connack(connack: &ConnAck, version: Version) -> Check {
    let is_good = !connack.session_present || !connack.reason.is_failure();
    demand(is_good, "session present", "must not be set in a refusal")?;
    if version.is_v5() {
        demand(allowed(PacketType::ConnAck, connack.reason), "CONNACK", REASON)?;
        demand(connack.properties.receive_maximum != Some(0), "receive maximum", ZERO)?;
        demand(connack.properties.packet_size_max != Some(0), "maximum packet size", ZERO)?;
    } else {
        let problem = "has no return code for this reason in version 3";
        demand(connack.reason.connect_return_code().is_some(), "CONNACK", problem)?;
    }
    Ok(())
}

/// Checks the head of a PUBLISH; on the path of every message, so the common one passes few comparisons.
pub(super) fn publish(head: &PublishHead<'_>, version: Version) -> Check {
    let is_acknowledged = head.qos > QoS::AtMostOnce;
    let problem = "must be there exactly when the QoS is above 0";
    demand(is_acknowledged == head.packet_id.is_some(), "packet identifier", problem)?;
    demand(is_acknowledged || !head.dup, "DUP", "must not be set with QoS 0")?;
    let mut alias = None;
    if version.is_v5() {
        alias = head.topic_alias;
        if let Some(properties) = head.properties {
            alias = alias.or(properties.topic_alias);
            response_topic(properties.response_topic.as_ref())?;
        }
        demand(alias != Some(0), "topic alias", ZERO)?;
        head.subscription_ids().iter().try_for_each(|id| subscription_id(*id))?;
    }
    demand(!head.topic.is_empty() || alias.is_some(), "topic name", "is empty without a topic alias")
}

fn response_topic(topic: Option<&TopicName>) -> Check {
    demand(topic.is_none_or(|topic| !topic.as_str().is_empty()), "response topic", EMPTY)
}

fn subscription_id(id: u32) -> Check {
    let problem = "must be from 1 to 268,435,455";
    demand(id > 0 && id <= VARIABLE_BYTE_INTEGER_MAX, "subscription identifier", problem)
}

fn check_subscribe(subscribe: &Subscribe, version: Version) -> Check {
    demand(!subscribe.subscriptions.is_empty(), "topic filters", MISSING)?;
    if !version.is_v5() {
        return Ok(());
    }
    subscribe.properties.subscription_id.map_or(Ok(()), subscription_id)?;
    let is_good = subscribe.subscriptions.iter().all(|one| !one.no_local || one.filter.shared().is_none());
    demand(is_good, "no local", "must not be set on a shared subscription")
}

fn check_suback(suback: &SubAck, version: Version) -> Check {
    demand(!suback.reasons.is_empty(), "reason codes", MISSING)?;
    // Before version 5 every failure is written as 0x80.
    let is_good = |reason: &ReasonCode| {
        allowed(PacketType::SubAck, *reason) || (!version.is_v5() && reason.is_failure())
    };
    demand(suback.reasons.iter().all(is_good), "SUBACK", REASON)
}

fn check_auth(auth: &Auth, version: Version) -> Check {
    demand(version.is_v5(), "AUTH", "exists from MQTT 5.0 on")?;
    demand(allowed(PacketType::Auth, auth.reason), "AUTH", REASON)?;
    let is_short = auth.reason == ReasonCode::Success && auth.properties == AuthProperties::default();
    demand(is_short || auth.properties.authentication_method.is_some(), "authentication method", MISSING)
}
