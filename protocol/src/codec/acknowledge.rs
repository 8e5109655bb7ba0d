//! PUBACK, PUBREC, PUBREL and PUBCOMP on the wire (MQTT 5.0, 3.4 to 3.7).

use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Fields, Sink, as_str, put_properties};
use super::{DecodeError, reason};
use crate::packet::{PacketType, PublishAck, ReasonProperties};
use crate::property::PropertyId as P;
use crate::{ReasonCode, Version};

pub(super) fn decode(
    packet: PacketType,
    body: &mut Reader,
    version: Version,
) -> Result<PublishAck, DecodeError> {
    let packet_id = body.packet_id("packet identifier")?;
    // From version 5 on, reason code and properties may be left out when they say nothing (3.4.2.1).
    if !version.is_v5() || body.is_empty() {
        return Ok(PublishAck::success(packet_id));
    }
    let reason = reason::read(body, packet)?;
    let properties =
        if body.is_empty() { ReasonProperties::default() } else { read_properties(body, packet)? };
    Ok(PublishAck { packet_id, reason, properties })
}

pub(super) fn read_properties(
    body: &mut Reader,
    packet: PacketType,
) -> Result<ReasonProperties, DecodeError> {
    let read = Properties::read(body, Place::Packet(packet))?;
    Ok(ReasonProperties { reason_string: read.reason_string, user_properties: read.user_properties })
}

pub(super) fn write(ack: &PublishAck, version: Version, sink: &mut impl Sink) {
    sink.u16(ack.packet_id.get());
    let properties = ack.properties != ReasonProperties::default();
    if version.is_v5() && (properties || ack.reason != ReasonCode::Success) {
        sink.u8(ack.reason.byte());
        if properties {
            put_properties(sink, &ack.properties);
        }
    }
}

impl Fields for ReasonProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.property_text(P::ReasonString, as_str(self.reason_string.as_ref()));
        sink.user_properties(&self.user_properties);
    }
}
