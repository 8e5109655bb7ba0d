//! SUBSCRIBE: what a client wants to hear.

use super::PacketId;
use crate::property::UserProperties;
use crate::{QoS, TopicFilter};

/// One or more subscriptions (MQTT 5.0, 3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Comes back in SUBACK.
    pub packet_id: PacketId,
    /// At least one [MQTT-3.8.3-2].
    pub subscriptions: Vec<Subscription>,
    /// Version 5 only; default before.
    pub properties: SubscribeProperties,
}

/// A topic filter with its options (MQTT 5.0, 3.8.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Which topics.
    pub filter: TopicFilter,
    /// Highest QoS that the client wants.
    pub qos: QoS,
    /// Do not send the client what it published itself.
    pub no_local: bool,
    /// Keep the retain flag as the publisher set it.
    pub retain_as_published: bool,
    /// Whether retained messages are sent at once.
    pub retain_handling: RetainHandling,
}

/// When SUBSCRIBE brings the retained messages (MQTT 5.0, 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// With every SUBSCRIBE.
    #[default]
    Send = 0,
    /// Only when the subscription is new.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// Properties of SUBSCRIBE (MQTT 5.0, 3.8.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeProperties {
    /// Comes with each message that this subscription brings; 1..=268,435,455.
    pub subscription_id: Option<u32>,
    /// User properties in their order.
    pub user_properties: UserProperties,
}

impl Subscription {
    /// A subscription as versions before 5 know it.
    pub fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self {
            filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }
}
