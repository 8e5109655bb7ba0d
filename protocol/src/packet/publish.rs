//! PUBLISH: a message on its way.

use bytes::Bytes;

use super::PacketId;
use crate::property::{PayloadFormat, UserProperties};
use crate::{QoS, Text, TopicName};

/// A message from a client to the server or back (MQTT 5.0, 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Set on a second try of the same packet [MQTT-3.3.1-1].
    pub dup: bool,
    /// Delivery guarantee of this hop.
    pub qos: QoS,
    /// To the server: keep it. To a client: it was kept.
    pub retain: bool,
    /// Empty on the wire only in version 5 with a topic alias; the connection fills it in.
    pub topic: TopicName,
    /// `Some` exactly when the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// The application's bytes.
    pub payload: Bytes,
    /// Version 5 only; `None` when there is none, so that the common packet stays small.
    pub properties: Option<Box<PublishProperties>>,
}

/// Properties of PUBLISH (MQTT 5.0, 3.3.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishProperties {
    /// Payload format indicator.
    pub payload_format: Option<PayloadFormat>,
    /// Seconds the message lives; `None` is for ever.
    pub message_expiry: Option<u32>,
    /// Stands for the topic on this connection; never `Some(0)`.
    pub topic_alias: Option<u16>,
    /// Where an answer goes.
    pub response_topic: Option<TopicName>,
    /// What an answer carries back.
    pub correlation_data: Option<Bytes>,
    /// User properties in their order.
    pub user_properties: UserProperties,
    /// Identifiers of the subscriptions that matched; server to client only; 1..=268,435,455.
    pub subscription_ids: Vec<u32>,
    /// Content type.
    pub content_type: Option<Text>,
}

impl PublishProperties {
    /// No property.
    pub const EMPTY: Self = Self {
        payload_format: None,
        message_expiry: None,
        topic_alias: None,
        response_topic: None,
        correlation_data: None,
        user_properties: UserProperties::EMPTY,
        subscription_ids: Vec::new(),
        content_type: None,
    };
}
