//! PUBACK, PUBREC, PUBREL and PUBCOMP: one shape, four steps.

use super::PacketId;
use crate::property::UserProperties;
use crate::{ReasonCode, Text};

/// A step in the delivery of a QoS 1 or 2 message (MQTT 5.0, 3.4 to 3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishAck {
    /// Of the PUBLISH that it belongs to.
    pub packet_id: PacketId,
    /// Always success before version 5.
    pub reason: ReasonCode,
    /// Version 5 only; default before.
    pub properties: ReasonProperties,
}

/// The two properties that every acknowledgement may carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonProperties {
    /// Text for people.
    pub reason_string: Option<Text>,
    /// User properties in their order.
    pub user_properties: UserProperties,
}

impl PublishAck {
    /// The plain acknowledgement.
    pub fn success(packet_id: PacketId) -> Self {
        Self::new(packet_id, ReasonCode::Success)
    }

    /// An acknowledgement with a reason and no properties.
    pub fn new(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { packet_id, reason, properties: ReasonProperties::default() }
    }
}
