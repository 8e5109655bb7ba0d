//! PUBACK, PUBREC, PUBREL and PUBCOMP on the wire (MQTT 5.0, 3.4 to 3.7).

use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Fields, Sink, as_str, put_properties};
use super::{DecodeError, reason};
use crate::packet::{Packet, PacketId, PacketType, PublishAck, ReasonProperties};
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

/// The bytes behind the fixed header of an acknowledgement that says success and nothing else: of every version the same
/// two. As many of these come and go as messages, so that they take a way of their own.
pub(super) const PLAIN_LEN: usize = 2;

/// An acknowledgement of [`PLAIN_LEN`] bytes; `None` when this is none, or not a good one.
pub(super) fn decode_plain(packet: PacketType, body: &[u8]) -> Option<Packet> {
    let [high, low] = *body else { return None };
    let ack = PublishAck::success(PacketId::new(u16::from_be_bytes([high, low]))?);
    match packet {
        PacketType::PubAck => Some(Packet::PubAck(ack)),
        PacketType::PubRec => Some(Packet::PubRec(ack)),
        PacketType::PubRel => Some(Packet::PubRel(ack)),
        PacketType::PubComp => Some(Packet::PubComp(ack)),
        PacketType::Connect
        | PacketType::ConnAck
        | PacketType::Publish
        | PacketType::Subscribe
        | PacketType::SubAck
        | PacketType::Unsubscribe
        | PacketType::UnsubAck
        | PacketType::PingReq
        | PacketType::PingResp
        | PacketType::Disconnect
        | PacketType::Auth => None,
    }
}

/// The whole packet when it is such an acknowledgement.
pub(super) fn encode_plain(packet: &Packet) -> Option<[u8; 2 + PLAIN_LEN]> {
    let (first, ack) = match packet {
        Packet::PubAck(ack) => (0x40, ack),
        Packet::PubRec(ack) => (0x50, ack),
        Packet::PubRel(ack) => (0x62, ack),
        Packet::PubComp(ack) => (0x70, ack),
        Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::Publish(_)
        | Packet::Subscribe(_)
        | Packet::SubAck(_)
        | Packet::Unsubscribe(_)
        | Packet::UnsubAck(_)
        | Packet::PingReq
        | Packet::PingResp
        | Packet::Disconnect(_)
        | Packet::Auth(_) => return None,
    };
    let is_plain = ack.reason == ReasonCode::Success
        && ack.properties.reason_string.is_none()
        && ack.properties.user_properties.is_empty();
    let [high, low] = ack.packet_id.get().to_be_bytes();
    is_plain.then_some([first, PLAIN_LEN as u8, high, low])
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
