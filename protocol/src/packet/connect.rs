//! CONNECT: a client asks for a session.

use bytes::Bytes;

use crate::property::{PayloadFormat, UserProperties};
use crate::{QoS, Text, TopicName, Version};

/// The first packet of a client (MQTT 5.0, 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The version that the rest of the connection speaks.
    pub version: Version,
    /// Bridges of Mosquitto set the top bit of the protocol level; the standard has no such bit.
    pub bridge: bool,
    /// Clean Session before version 5, Clean Start from then on.
    pub clean_start: bool,
    /// Seconds between two packets of the client at most, times one and a half; 0 turns the check off.
    pub keep_alive: u16,
    /// May be empty: the server then assigns one, where the version allows that.
    pub client_id: Text,
    /// Published by the server when the connection ends without DISCONNECT.
    pub will: Option<Will>,
    /// User name.
    pub user_name: Option<Text>,
    /// Password, any bytes.
    pub password: Option<Bytes>,
    /// Version 5 only; default before.
    pub properties: ConnectProperties,
}

/// Properties of CONNECT; `None` is "absent", which the standard gives a meaning (MQTT 5.0, 3.1.2.11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectProperties {
    /// Seconds; `None` is 0: the session ends with the connection. `u32::MAX` never ends it.
    pub session_expiry: Option<u32>,
    /// QoS 1 and 2 messages the client takes at once; `None` is 65,535; never `Some(0)`.
    pub receive_maximum: Option<u16>,
    /// Largest packet in bytes the client takes; `None` is no bound; never `Some(0)`.
    pub packet_size_max: Option<u32>,
    /// Highest topic alias the client takes; `None` is 0.
    pub topic_alias_maximum: Option<u16>,
    /// Whether the client wants response information in CONNACK; `None` is no.
    pub request_response_information: Option<bool>,
    /// Whether reason strings and user properties may come in packets other than PUBLISH, CONNACK and
    /// DISCONNECT; `None` is yes.
    pub request_problem_information: Option<bool>,
    /// User properties in their order.
    pub user_properties: UserProperties,
    /// Enhanced authentication method.
    pub authentication_method: Option<Text>,
    /// Its data; only with a method.
    pub authentication_data: Option<Bytes>,
}

/// The message that the server publishes for a client that is gone (MQTT 5.0, 3.1.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where to.
    pub topic: TopicName,
    /// What; at most 65,535 bytes.
    pub payload: Bytes,
    /// QoS of the publication.
    pub qos: QoS,
    /// Whether it becomes the retained message of its topic.
    pub retain: bool,
    /// Version 5 only; default before.
    pub properties: WillProperties,
}

/// Properties of a will (MQTT 5.0, 3.1.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WillProperties {
    /// Seconds between the end of the connection and the publication; `None` is 0.
    pub delay: Option<u32>,
    /// Payload format indicator.
    pub payload_format: Option<PayloadFormat>,
    /// Seconds the published message lives; `None` is for ever.
    pub message_expiry: Option<u32>,
    /// Content type.
    pub content_type: Option<Text>,
    /// Where an answer goes.
    pub response_topic: Option<TopicName>,
    /// What an answer carries back.
    pub correlation_data: Option<Bytes>,
    /// User properties in their order.
    pub user_properties: UserProperties,
}
