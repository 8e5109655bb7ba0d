//! AUTH on the wire (MQTT 5.0, 3.15).

use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Fields, Sink, as_str, put_properties};
use super::{DecodeError, reason};
use crate::ReasonCode;
use crate::packet::{Auth, AuthProperties, PacketType};
use crate::property::PropertyId as P;

pub(super) fn decode(body: &mut Reader) -> Result<Auth, DecodeError> {
    if body.is_empty() {
        return Ok(Auth { reason: ReasonCode::Success, properties: AuthProperties::default() });
    }
    let reason = reason::read(body, PacketType::Auth)?;
    let read = Properties::read(body, Place::Packet(PacketType::Auth))?;
    if read.authentication_method.is_none() {
        return Err(DecodeError::Forbidden {
            field: "authentication method",
            problem: "is missing",
            clause: "3.15.2.2.2",
        });
    }
    let properties = AuthProperties {
        authentication_method: read.authentication_method,
        authentication_data: read.authentication_data,
        reason_string: read.reason_string,
        user_properties: read.user_properties,
    };
    Ok(Auth { reason, properties })
}

pub(super) fn write(auth: &Auth, sink: &mut impl Sink) {
    if auth.reason != ReasonCode::Success || auth.properties != AuthProperties::default() {
        sink.u8(auth.reason.byte());
        put_properties(sink, &auth.properties);
    }
}

impl Fields for AuthProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.property_text(P::AuthenticationMethod, as_str(self.authentication_method.as_ref()));
        sink.property_binary(
            P::AuthenticationData,
            "authentication data",
            self.authentication_data.as_deref(),
        );
        sink.property_text(P::ReasonString, as_str(self.reason_string.as_ref()));
        sink.user_properties(&self.user_properties);
    }
}
