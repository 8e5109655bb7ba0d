//! CONNACK: the server's answer to CONNECT.

use bytes::Bytes;

use crate::property::UserProperties;
use crate::{QoS, ReasonCode, Text};

/// Whether the server took the connection, and on what terms (MQTT 5.0, 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server resumed a session; false with every refusal [MQTT-3.2.2-6].
    pub session_present: bool,
    /// Success or why not; in version 3 the codec writes the return code that stands for it.
    pub reason: ReasonCode,
    /// Version 5 only; default before.
    pub properties: ConnAckProperties,
}

/// Properties of CONNACK (MQTT 5.0, 3.2.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnAckProperties {
    /// Seconds; only when it differs from what the client asked.
    pub session_expiry: Option<u32>,
    /// QoS 1 and 2 messages the server takes at once; `None` is 65,535; never `Some(0)`.
    pub receive_maximum: Option<u16>,
    /// Highest QoS the server takes; `None` is 2; never `Some(ExactlyOnce)`.
    pub maximum_qos: Option<QoS>,
    /// Whether retained messages are supported; `None` is yes.
    pub retain_available: Option<bool>,
    /// Largest packet in bytes the server takes; `None` is no bound.
    pub packet_size_max: Option<u32>,
    /// The client id the server chose for an empty one.
    pub assigned_client_id: Option<Text>,
    /// Highest topic alias the server takes; `None` is 0.
    pub topic_alias_maximum: Option<u16>,
    /// Text for people.
    pub reason_string: Option<Text>,
    /// User properties in their order.
    pub user_properties: UserProperties,
    /// `None` is yes.
    pub wildcard_subscription_available: Option<bool>,
    /// `None` is yes.
    pub subscription_identifiers_available: Option<bool>,
    /// `None` is yes.
    pub shared_subscription_available: Option<bool>,
    /// Seconds; replaces what the client asked for.
    pub server_keep_alive: Option<u16>,
    /// A base for response topics.
    pub response_information: Option<Text>,
    /// Another server to use.
    pub server_reference: Option<Text>,
    /// Enhanced authentication method.
    pub authentication_method: Option<Text>,
    /// Its data.
    pub authentication_data: Option<Bytes>,
}
