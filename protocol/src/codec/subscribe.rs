//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK on the wire (MQTT 5.0, 3.8 to 3.11).

use super::acknowledge::read_properties;
use super::properties::{Place, Properties};
use super::reader::{Reader, bounded};
use super::writer::{Fields, Sink, put_properties};
use super::{DecodeError, reason};
use crate::packet::{
    PacketType, ReasonProperties, RetainHandling, SubAck, Subscribe, SubscribeProperties, Subscription,
    UnsubAck, Unsubscribe, UnsubscribeProperties,
};
use crate::property::PropertyId as P;
use crate::{QoS, ReasonCode, Version};

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_HANDLING_SHIFT: u8 = 4;

pub(super) fn decode_subscribe(body: &mut Reader, version: Version) -> Result<Subscribe, DecodeError> {
    let packet_id = body.packet_id("packet identifier")?;
    let properties = if version.is_v5() {
        let read = Properties::read(body, Place::Packet(PacketType::Subscribe))?;
        SubscribeProperties {
            subscription_id: read.subscription_ids.first().copied(),
            user_properties: read.user_properties,
        }
    } else {
        SubscribeProperties::default()
    };
    let mut subscriptions = Vec::new();
    while !body.is_empty() {
        bounded("topic filters", subscriptions.len())?;
        let filter = body.topic_filter("topic filter")?;
        let options = body.u8("subscription options")?;
        let subscription = decode_options(Subscription::new(filter, QoS::AtMostOnce), options, version)?;
        subscriptions.push(subscription);
    }
    if subscriptions.is_empty() {
        return Err(nothing("SUBSCRIBE payload", "MQTT-3.8.3-2"));
    }
    Ok(Subscribe { packet_id, subscriptions, properties })
}

fn decode_options(
    subscription: Subscription,
    options: u8,
    version: Version,
) -> Result<Subscription, DecodeError> {
    let value = u32::from(options);
    let field = "subscription options";
    let (reserved, clause) =
        if version.is_v5() { (0xC0, "MQTT-3.8.3-5") } else { (0xFC, "3.1.1: MQTT-3.8.3-4") };
    if options & reserved != 0 {
        return Err(DecodeError::Value { field, value, clause });
    }
    let qos = QoS::from_bits(options & 0b11).ok_or(DecodeError::Forbidden {
        field: "subscription QoS",
        problem: "is 3",
        clause: "3.8.3.1",
    })?;
    let retain_handling = match options >> RETAIN_HANDLING_SHIFT & 0b11 {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => {
            return Err(DecodeError::Forbidden {
                field: "retain handling",
                problem: "is 3",
                clause: "3.8.3.1",
            });
        }
    };
    let no_local = options & NO_LOCAL != 0;
    if no_local && subscription.filter.shared().is_some() {
        return Err(DecodeError::Forbidden {
            field: "no local",
            problem: "is set on a shared subscription",
            clause: "MQTT-3.8.3-4",
        });
    }
    let retain_as_published = options & RETAIN_AS_PUBLISHED != 0;
    Ok(Subscription { qos, no_local, retain_as_published, retain_handling, ..subscription })
}

fn nothing(field: &'static str, clause: &'static str) -> DecodeError {
    DecodeError::Forbidden { field, problem: "is empty", clause }
}

pub(super) fn write_subscribe(subscribe: &Subscribe, version: Version, sink: &mut impl Sink) {
    sink.u16(subscribe.packet_id.get());
    if version.is_v5() {
        put_properties(sink, &subscribe.properties);
    }
    for subscription in &subscribe.subscriptions {
        sink.text(subscription.filter.as_str());
        let mut options = subscription.qos.bits();
        if version.is_v5() {
            options |= if subscription.no_local { NO_LOCAL } else { 0 };
            options |= if subscription.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
            options |= (subscription.retain_handling as u8) << RETAIN_HANDLING_SHIFT;
        }
        sink.u8(options);
    }
}

pub(super) fn decode_suback(body: &mut Reader, version: Version) -> Result<SubAck, DecodeError> {
    let packet_id = body.packet_id("packet identifier")?;
    let properties = if version.is_v5() {
        read_properties(body, PacketType::SubAck)?
    } else {
        ReasonProperties::default()
    };
    let mut reasons = Vec::new();
    // A reason code takes one byte here as on the wire: no bound of its own.
    while !body.is_empty() {
        let reason = reason::read(body, PacketType::SubAck)?;
        if !version.is_v5() && !matches!(reason.byte(), 0..=2 | 0x80) {
            return Err(DecodeError::ReasonCode { packet: PacketType::SubAck, code: reason.byte() });
        }
        reasons.push(reason);
    }
    if reasons.is_empty() {
        return Err(nothing("SUBACK payload", "MQTT-3.9.3-2"));
    }
    Ok(SubAck { packet_id, reasons, properties })
}

pub(super) fn write_suback(suback: &SubAck, version: Version, sink: &mut impl Sink) {
    sink.u16(suback.packet_id.get());
    if version.is_v5() {
        put_properties(sink, &suback.properties);
    }
    for reason in &suback.reasons {
        let failed = reason.is_failure() && !version.is_v5();
        sink.u8(if failed { ReasonCode::UnspecifiedError.byte() } else { reason.byte() });
    }
}

pub(super) fn decode_unsubscribe(body: &mut Reader, version: Version) -> Result<Unsubscribe, DecodeError> {
    let packet_id = body.packet_id("packet identifier")?;
    let properties = if version.is_v5() {
        let read = Properties::read(body, Place::Packet(PacketType::Unsubscribe))?;
        UnsubscribeProperties { user_properties: read.user_properties }
    } else {
        UnsubscribeProperties::default()
    };
    let mut filters = Vec::new();
    while !body.is_empty() {
        bounded("topic filters", filters.len())?;
        filters.push(body.topic_filter("topic filter")?);
    }
    if filters.is_empty() {
        return Err(nothing("UNSUBSCRIBE payload", "MQTT-3.10.3-2"));
    }
    Ok(Unsubscribe { packet_id, filters, properties })
}

pub(super) fn write_unsubscribe(unsubscribe: &Unsubscribe, version: Version, sink: &mut impl Sink) {
    sink.u16(unsubscribe.packet_id.get());
    if version.is_v5() {
        put_properties(sink, &unsubscribe.properties);
    }
    for filter in &unsubscribe.filters {
        sink.text(filter.as_str());
    }
}

pub(super) fn decode_unsuback(body: &mut Reader, version: Version) -> Result<UnsubAck, DecodeError> {
    let packet_id = body.packet_id("packet identifier")?;
    let mut reasons = Vec::new();
    if !version.is_v5() {
        return Ok(UnsubAck { packet_id, reasons, properties: ReasonProperties::default() });
    }
    let properties = read_properties(body, PacketType::UnsubAck)?;
    while !body.is_empty() {
        reasons.push(reason::read(body, PacketType::UnsubAck)?);
    }
    if reasons.is_empty() {
        return Err(nothing("UNSUBACK payload", "MQTT-3.11.3-2"));
    }
    Ok(UnsubAck { packet_id, reasons, properties })
}

pub(super) fn write_unsuback(unsuback: &UnsubAck, version: Version, sink: &mut impl Sink) {
    sink.u16(unsuback.packet_id.get());
    if version.is_v5() {
        put_properties(sink, &unsuback.properties);
        for reason in &unsuback.reasons {
            sink.u8(reason.byte());
        }
    }
}

impl Fields for SubscribeProperties {
    fn write(&self, sink: &mut impl Sink) {
        if let Some(id) = self.subscription_id {
            sink.u8(P::SubscriptionIdentifier as u8);
            sink.variable_byte_integer(id as usize);
        }
        sink.user_properties(&self.user_properties);
    }
}

impl Fields for UnsubscribeProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.user_properties(&self.user_properties);
    }
}
