//! DISCONNECT on the wire (MQTT 5.0, 3.14).

use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Fields, Sink, as_str, put_properties};
use super::{DecodeError, reason};
use crate::packet::{Disconnect, DisconnectProperties, PacketType};
use crate::property::PropertyId as P;
use crate::{ReasonCode, Version};

pub(super) fn decode(body: &mut Reader, version: Version) -> Result<Disconnect, DecodeError> {
    // Version 5 leaves out what says nothing (3.14.2.1); before that the packet is empty.
    if !version.is_v5() || body.is_empty() {
        return Ok(Disconnect::new(ReasonCode::Success));
    }
    let reason = reason::read(body, PacketType::Disconnect)?;
    if body.is_empty() {
        return Ok(Disconnect::new(reason));
    }
    let read = Properties::read(body, Place::Packet(PacketType::Disconnect))?;
    let properties = DisconnectProperties {
        session_expiry: read.session_expiry,
        reason_string: read.reason_string,
        user_properties: read.user_properties,
        server_reference: read.server_reference,
    };
    Ok(Disconnect { reason, properties })
}

pub(super) fn write(disconnect: &Disconnect, version: Version, sink: &mut impl Sink) {
    let properties = disconnect.properties != DisconnectProperties::default();
    if version.is_v5() && (properties || disconnect.reason != ReasonCode::Success) {
        sink.u8(disconnect.reason.byte());
        if properties {
            put_properties(sink, &disconnect.properties);
        }
    }
}

impl Fields for DisconnectProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.property_u32(P::SessionExpiryInterval, self.session_expiry);
        sink.property_text(P::ReasonString, as_str(self.reason_string.as_ref()));
        sink.user_properties(&self.user_properties);
        sink.property_text(P::ServerReference, as_str(self.server_reference.as_ref()));
    }
}
