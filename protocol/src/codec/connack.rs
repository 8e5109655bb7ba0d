//! CONNACK on the wire (MQTT 5.0, 3.2; 3.1.1, 3.2).

use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Fields, Sink, as_str, put_properties};
use super::{DecodeError, reason};
use crate::packet::{ConnAck, ConnAckProperties, PacketType};
use crate::property::PropertyId as P;
use crate::{QoS, ReasonCode, Version};

/// The CONNACK return code of version 3 that says least (3.1.1, 3.2.2.3).
const SERVER_UNAVAILABLE: u8 = 3;

pub(super) fn decode(body: &mut Reader, version: Version) -> Result<ConnAck, DecodeError> {
    let field = "connect acknowledge flags";
    let flags = body.u8(field)?;
    // In 3.1 the whole byte is reserved and means nothing.
    if flags > 1 && version != Version::V31 {
        return Err(DecodeError::Value { field, value: u32::from(flags), clause: "MQTT-3.2.2-1" });
    }
    let session_present = flags & 1 != 0 && version != Version::V31;
    let (reason, properties) = if version.is_v5() {
        (reason::read(body, PacketType::ConnAck)?, decode_properties(body)?)
    } else {
        let code = body.u8("connect return code")?;
        let reason = ReasonCode::from_connect_return_code(code)
            .ok_or(DecodeError::ReasonCode { packet: PacketType::ConnAck, code })?;
        (reason, ConnAckProperties::default())
    };
    if session_present && reason.is_failure() {
        return Err(DecodeError::Forbidden {
            field: "session present",
            problem: "is set in a refusal",
            clause: "MQTT-3.2.2-6",
        });
    }
    Ok(ConnAck { session_present, reason, properties })
}

fn decode_properties(body: &mut Reader) -> Result<ConnAckProperties, DecodeError> {
    let read = Properties::read(body, Place::Packet(PacketType::ConnAck))?;
    Ok(ConnAckProperties {
        session_expiry: read.session_expiry,
        receive_maximum: read.receive_maximum,
        maximum_qos: read.maximum_qos,
        retain_available: read.retain_available,
        packet_size_max: read.packet_size_max,
        assigned_client_id: read.assigned_client_id,
        topic_alias_maximum: read.topic_alias_maximum,
        reason_string: read.reason_string,
        user_properties: read.user_properties,
        wildcard_subscription_available: read.wildcard_subscription_available,
        subscription_identifiers_available: read.subscription_identifiers_available,
        shared_subscription_available: read.shared_subscription_available,
        server_keep_alive: read.server_keep_alive,
        response_information: read.response_information,
        server_reference: read.server_reference,
        authentication_method: read.authentication_method,
        authentication_data: read.authentication_data,
    })
}

pub(super) fn write(connack: &ConnAck, version: Version, sink: &mut impl Sink) {
    sink.u8(u8::from(connack.session_present && version != Version::V31));
    if version.is_v5() {
        sink.u8(connack.reason.byte());
        put_properties(sink, &connack.properties);
    } else {
        // `check` lets no reason through that has none.
        sink.u8(connack.reason.connect_return_code().unwrap_or(SERVER_UNAVAILABLE));
    }
}

impl Fields for ConnAckProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.property_u32(P::SessionExpiryInterval, self.session_expiry);
        sink.property_u16(P::ReceiveMaximum, self.receive_maximum);
        sink.property_u8(
            P::MaximumQoS,
            self.maximum_qos.filter(|qos| *qos < QoS::ExactlyOnce).map(QoS::bits),
        );
        sink.property_bool(P::RetainAvailable, self.retain_available);
        sink.property_u32(P::MaximumPacketSize, self.packet_size_max);
        sink.property_text(P::AssignedClientIdentifier, as_str(self.assigned_client_id.as_ref()));
        sink.property_u16(P::TopicAliasMaximum, self.topic_alias_maximum);
        sink.property_text(P::ReasonString, as_str(self.reason_string.as_ref()));
        sink.user_properties(&self.user_properties);
        sink.property_bool(P::WildcardSubscriptionAvailable, self.wildcard_subscription_available);
        sink.property_bool(P::SubscriptionIdentifierAvailable, self.subscription_identifiers_available);
        sink.property_bool(P::SharedSubscriptionAvailable, self.shared_subscription_available);
        sink.property_u16(P::ServerKeepAlive, self.server_keep_alive);
        sink.property_text(P::ResponseInformation, as_str(self.response_information.as_ref()));
        sink.property_text(P::ServerReference, as_str(self.server_reference.as_ref()));
        sink.property_text(P::AuthenticationMethod, as_str(self.authentication_method.as_ref()));
        sink.property_binary(
            P::AuthenticationData,
            "authentication data",
            self.authentication_data.as_deref(),
        );
    }
}
