//! What no server may send: packets that answer nothing that was asked, and properties out of place.

use super::{Client, Phase, Session};
use crate::connection::ProtocolError;
use crate::packet::{ConnAck, Packet, PacketType, ReasonProperties};
use crate::property::UserProperties;
use crate::{ReasonCode, Text, Version};

/// The longest packet that the client cannot do without: PUBREL or PUBCOMP with a reason code (3.6, 3.7).
const PACKET_SIZE_LEAST: u32 = 5;

impl Client {
    /// Checks a CONNACK that takes the connection against what CONNECT asked.
    pub(super) fn check_connack(&self, connack: &ConnAck) -> Result<(), ProtocolError> {
        let properties = &connack.properties;
        let connect = &self.asked.connect;
        if connack.session_present && connect.clean_start {
            return Err(violation("CONNACK: a session is present after a clean start [MQTT-3.2.2-2]"));
        }
        let is_unknown = self.session == Session::None && !self.options.adopt_session;
        if connack.session_present && is_unknown && self.asked.version().is_v5() {
            return Err(violation(
                "CONNACK: the server has a session that this client knows nothing of [MQTT-3.2.2-4]; connect with a \
                 clean start, or let the client adopt it",
            ));
        }
        self.check_method(PacketType::ConnAck, properties.authentication_method.as_ref())?;
        if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
            return Err(violation("CONNACK: authentication data comes without a method (3.2.2.3.18)"));
        }
        let is_asked = connect.properties.request_response_information == Some(true);
        if properties.response_information.is_some() && !is_asked {
            return Err(violation("CONNACK: response information came unasked [MQTT-3.1.2-28]"));
        }
        let is_unnamed = self.asked.version() == Version::V5 && connect.client_id.is_empty();
        if is_unnamed && properties.assigned_client_id.is_none() {
            return Err(violation("CONNACK: no client identifier was assigned [MQTT-3.2.2-16]"));
        }
        if properties.packet_size_max.is_some_and(|bytes| bytes < PACKET_SIZE_LEAST) {
            let detail = "CONNACK: the server takes no packet of 5 bytes, which acknowledgements may have";
            return Err(ProtocolError::new(ReasonCode::PacketTooLarge, detail));
        }
        Ok(())
    }

    /// Checks a packet behind CONNACK for properties that only a client may send, or that CONNECT asked not to have.
    pub(super) fn check_properties(&mut self, packet: &Packet) -> Result<(), ProtocolError> {
        let wants_none = self.asked.connect.properties.request_problem_information == Some(false);
        let has_problem = wants_none
            && match packet {
                Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                    tells(&ack.properties)
                }
                Packet::SubAck(suback) => tells(&suback.properties),
                Packet::UnsubAck(unsuback) => tells(&unsuback.properties),
                Packet::Auth(auth) => {
                    has_words(auth.properties.reason_string.as_ref(), &auth.properties.user_properties)
                }
                Packet::Connect(_)
                | Packet::ConnAck(_)
                | Packet::Publish(_)
                | Packet::Subscribe(_)
                | Packet::Unsubscribe(_)
                | Packet::PingReq
                | Packet::PingResp
                | Packet::Disconnect(_) => false,
            };
        if has_problem {
            let detail = format!(
                "{}: it has words that CONNECT asked not to have [MQTT-3.1.2-29]",
                packet.packet_type()
            );
            return Err(ProtocolError::new(ReasonCode::ProtocolError, detail));
        }
        if let Packet::Disconnect(disconnect) = packet
            && disconnect.properties.session_expiry.is_some()
        {
            // The server is gone: there is nobody to answer.
            self.phase = Phase::Closing;
            return Err(violation("DISCONNECT: a server sent a session expiry interval [MQTT-3.14.2-2]"));
        }
        Ok(())
    }
}

fn tells(properties: &ReasonProperties) -> bool {
    has_words(properties.reason_string.as_ref(), &properties.user_properties)
}

fn has_words(reason_string: Option<&Text>, user_properties: &UserProperties) -> bool {
    reason_string.is_some() || *user_properties != UserProperties::EMPTY
}

fn violation(detail: &'static str) -> ProtocolError {
    ProtocolError::new(ReasonCode::ProtocolError, detail)
}
