//! PUBLISH on the wire (MQTT 5.0, 3.3).

use bytes::BytesMut;

use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Length, Sink, as_str};
use super::{DecodeError, EncodeError, check};
use crate::packet::{PacketId, PacketType, Publish, PublishProperties};
use crate::property::{PayloadFormat, PropertyId as P};
use crate::{QoS, TopicName, Version};

const DUP: u8 = 0b1000;
const RETAIN: u8 = 0b0001;

pub(super) const fn flags(dup: bool, qos: QoS, retain: bool) -> u8 {
    qos.bits() << 1 | if dup { DUP } else { 0 } | if retain { RETAIN } else { 0 }
}

pub(super) fn check_flags(flags: u8) -> Result<(), DecodeError> {
    let value = u32::from(flags);
    match QoS::from_bits(flags >> 1 & 0b11) {
        None => Err(DecodeError::Value { field: "PUBLISH QoS", value: 3, clause: "MQTT-3.3.1-4" }),
        Some(QoS::AtMostOnce) if flags & DUP != 0 => {
            Err(DecodeError::Value { field: "PUBLISH DUP", value, clause: "MQTT-3.3.1-2" })
        }
        Some(QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce) => Ok(()),
    }
}

pub(super) fn decode(flags: u8, body: &mut Reader, version: Version) -> Result<Publish, DecodeError> {
    let qos = QoS::from_bits(flags >> 1 & 0b11).unwrap_or_default();
    let name = body.text("topic name")?;
    let topic = if name.is_empty() && version.is_v5() {
        TopicName::ALIASED
    } else {
        TopicName::new(name).map_err(|error| DecodeError::TopicName { field: "topic name", error })?
    };
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(body.packet_id("packet identifier")?) };
    let properties = if version.is_v5() { decode_properties(body)? } else { None };
    if topic.as_str().is_empty() && properties.as_ref().is_none_or(|read| read.topic_alias.is_none()) {
        return Err(DecodeError::Forbidden {
            field: "topic name",
            problem: "is empty and there is no topic alias",
            clause: "3.3.2.1",
        });
    }
    let (dup, retain) = (flags & DUP != 0, flags & RETAIN != 0);
    Ok(Publish { dup, qos, retain, topic, packet_id, payload: body.rest(), properties })
}

fn decode_properties(body: &mut Reader) -> Result<Option<Box<PublishProperties>>, DecodeError> {
    if body.0.first() == Some(&0) {
        body.u8("property length")?;
        return Ok(None);
    }
    let read = Properties::read(body, Place::Packet(PacketType::Publish))?;
    Ok(Some(Box::new(PublishProperties {
        payload_format: read.payload_format,
        message_expiry: read.message_expiry,
        topic_alias: read.topic_alias,
        response_topic: read.response_topic,
        correlation_data: read.correlation_data,
        user_properties: read.user_properties,
        subscription_ids: read.subscription_ids,
        content_type: read.content_type,
    })))
}

/// What stands before the payload of a PUBLISH, borrowed; the three overrides replace what `properties` says.
#[derive(Clone, Copy, Debug)]
pub struct PublishHead<'a> {
    /// Set on a second try.
    pub dup: bool,
    /// Delivery guarantee of this hop.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// Topic name; empty with a topic alias that is known.
    pub topic: &'a str,
    /// `Some` exactly when the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// Written in version 5 only.
    pub properties: Option<&'a PublishProperties>,
    /// Seconds left to live, in place of those in `properties`.
    pub message_expiry: Option<u32>,
    /// Topic alias, in place of the one in `properties`.
    pub topic_alias: Option<u16>,
    /// Subscription identifiers, in place of those in `properties`.
    pub subscription_ids: &'a [u32],
    /// Length of the payload that follows.
    pub payload_len: usize,
}

/// Writes a PUBLISH up to its payload and returns where in `output` its packet identifier stands, for patching.
///
/// # Errors
/// When it does not fit a packet; `output` is as before then.
pub fn encode_publish_head(
    head: &PublishHead<'_>,
    version: Version,
    output: &mut BytesMut,
) -> Result<Option<usize>, EncodeError> {
    check::publish(head, version)?;
    let mut length = Length::default();
    head.write(version, &mut length);
    let fixed = length.bytes;
    let remaining = length.check(head.payload_len)?;
    output.reserve(5 + fixed);
    output.u8((PacketType::Publish as u8) << 4 | flags(head.dup, head.qos, head.retain));
    output.variable_byte_integer(remaining);
    let packet_id_at = output.len() + 2 + head.topic.len();
    head.write(version, output);
    Ok(head.packet_id.map(|_| packet_id_at))
}

impl PublishHead<'_> {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.text(self.topic);
        if let Some(packet_id) = self.packet_id {
            sink.u16(packet_id.get());
        }
        if version.is_v5() {
            if self.has_no_properties() {
                sink.u8(0);
                return;
            }
            let mut length = Length::default();
            self.write_properties(&mut length);
            sink.variable_byte_integer(length.bytes);
            if length.bytes > 0 {
                self.write_properties(sink);
            }
        }
    }

    /// Whether the block of properties is empty without a look at each of them, as it is in most messages.
    const fn has_no_properties(&self) -> bool {
        self.properties.is_none()
            && self.message_expiry.is_none()
            && self.topic_alias.is_none()
            && self.subscription_ids.is_empty()
    }

    /// The identifiers that are written.
    pub(super) fn subscription_ids(&self) -> &[u32] {
        match self.properties {
            Some(properties) if self.subscription_ids.is_empty() => &properties.subscription_ids,
            Some(_) | None => self.subscription_ids,
        }
    }

    fn write_properties(&self, sink: &mut impl Sink) {
        let none = &PublishProperties::EMPTY;
        let properties = self.properties.unwrap_or(none);
        sink.property_u8(P::PayloadFormatIndicator, properties.payload_format.map(PayloadFormat::byte));
        sink.property_u32(P::MessageExpiryInterval, self.message_expiry.or(properties.message_expiry));
        sink.property_u16(P::TopicAlias, self.topic_alias.or(properties.topic_alias));
        sink.property_text(P::ResponseTopic, properties.response_topic.as_ref().map(TopicName::as_str));
        sink.property_binary(P::CorrelationData, "correlation data", properties.correlation_data.as_deref());
        sink.user_properties(&properties.user_properties);
        for id in self.subscription_ids() {
            sink.u8(P::SubscriptionIdentifier as u8);
            sink.variable_byte_integer(*id as usize);
        }
        sink.property_text(P::ContentType, as_str(properties.content_type.as_ref()));
    }
}

/// The head of a packet that carries its own values.
pub(super) fn head(publish: &Publish) -> PublishHead<'_> {
    PublishHead {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic.as_str(),
        packet_id: publish.packet_id,
        properties: publish.properties.as_deref(),
        message_expiry: None,
        topic_alias: None,
        subscription_ids: &[],
        payload_len: publish.payload.len(),
    }
}

pub(super) fn write(publish: &Publish, version: Version, sink: &mut impl Sink) {
    head(publish).write(version, sink);
    sink.put(&publish.payload);
}
