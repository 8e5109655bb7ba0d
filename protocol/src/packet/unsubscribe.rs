//! UNSUBSCRIBE: what a client no longer wants to hear.

use super::PacketId;
use crate::TopicFilter;
use crate::property::UserProperties;

/// One or more filters to drop (MQTT 5.0, 3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Comes back in UNSUBACK.
    pub packet_id: PacketId,
    /// At least one [MQTT-3.10.3-2].
    pub filters: Vec<TopicFilter>,
    /// Version 5 only; default before.
    pub properties: UnsubscribeProperties,
}

/// Properties of UNSUBSCRIBE (MQTT 5.0, 3.10.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsubscribeProperties {
    /// User properties in their order.
    pub user_properties: UserProperties,
}
