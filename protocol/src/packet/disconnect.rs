//! DISCONNECT: an orderly end.

use crate::property::UserProperties;
use crate::{ReasonCode, Text};

/// The last packet of a side that leaves (MQTT 5.0, 3.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// Always [`ReasonCode::Success`] (normal disconnection) before version 5.
    pub reason: ReasonCode,
    /// Version 5 only; default before.
    pub properties: DisconnectProperties,
}

/// Properties of DISCONNECT (MQTT 5.0, 3.14.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisconnectProperties {
    /// Seconds; client to server only.
    pub session_expiry: Option<u32>,
    /// Text for people.
    pub reason_string: Option<Text>,
    /// User properties in their order.
    pub user_properties: UserProperties,
    /// Another server to use; server to client only.
    pub server_reference: Option<Text>,
}

impl Disconnect {
    /// A DISCONNECT with a reason and no properties.
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: DisconnectProperties::default() }
    }
}
