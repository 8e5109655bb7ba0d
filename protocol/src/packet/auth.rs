//! AUTH: a step of enhanced authentication, version 5 only.

use bytes::Bytes;

use crate::property::UserProperties;
use crate::{ReasonCode, Text};

/// A challenge or its answer (MQTT 5.0, 3.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Success, continue authentication or re-authenticate.
    pub reason: ReasonCode,
    /// Properties.
    pub properties: AuthProperties,
}

/// Properties of AUTH (MQTT 5.0, 3.15.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthProperties {
    /// The method; must be there unless the packet is the short form of success.
    pub authentication_method: Option<Text>,
    /// Its data.
    pub authentication_data: Option<Bytes>,
    /// Text for people.
    pub reason_string: Option<Text>,
    /// User properties in their order.
    pub user_properties: UserProperties,
}
