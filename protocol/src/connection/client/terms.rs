//! What both sides agreed on for one connection.

use std::time::Duration;

use super::ClientOptions;
use crate::packet::{ConnAckProperties, Connect, Publish, Subscribe};
use crate::{QoS, ReasonCode, Text, Version};

/// What CONNECT said. The options may change while it holds.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) connect: Connect,
    /// Largest packet that the client takes.
    pub(super) packet_size_max: usize,
    /// QoS 2 messages without PUBREL that the client holds at once.
    pub(super) receive_maximum: u16,
    pub(super) topic_alias_maximum: u16,
}

/// What CONNACK granted, with the defaults of the standard filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    /// Zero for none.
    pub(super) keep_alive: Duration,
    /// Largest packet that the server takes.
    pub(super) packet_size_max: usize,
    pub(super) receive_maximum: u16,
    /// Highest topic alias that the server takes.
    pub(super) topic_alias_maximum: u16,
    qos_max: QoS,
    retain: bool,
    wildcards: bool,
    shared: bool,
    subscription_ids: bool,
}

impl Asked {
    pub(super) fn of(options: &ClientOptions) -> Self {
        let connect = options.connect();
        let properties = &connect.properties;
        let packet_size_max = properties.packet_size_max.map_or(usize::MAX, |bytes| bytes as usize);
        Self {
            packet_size_max: packet_size_max.min(options.packet_size_max),
            receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            connect,
        }
    }

    pub(super) const fn version(&self) -> Version {
        self.connect.version
    }

    /// Whether the session that CONNECT asks for outlives the connection, before the server has its say.
    pub(super) fn lasts(&self) -> bool {
        match self.version() {
            Version::V5 => self.session_expiry() > 0,
            Version::V31 | Version::V311 => !self.connect.clean_start,
        }
    }

    /// Seconds that CONNECT asks for; 0 when it asks for none.
    pub(super) fn session_expiry(&self) -> u32 {
        self.connect.properties.session_expiry.unwrap_or(0)
    }

    /// Whether it still does with what the server granted.
    pub(super) fn lasts_with(&self, granted: &ConnAckProperties) -> bool {
        granted.session_expiry.map_or_else(|| self.lasts(), |seconds| seconds > 0)
    }

    /// How the client authenticates, where it does more than give a password (4.12).
    pub(super) const fn method(&self) -> Option<&Text> {
        self.connect.properties.authentication_method.as_ref()
    }
}

impl Granted {
    pub(super) fn of(asked: &Asked, properties: &ConnAckProperties) -> Self {
        let keep_alive = properties.server_keep_alive.unwrap_or(asked.connect.keep_alive);
        Self {
            keep_alive: Duration::from_secs(u64::from(keep_alive)),
            packet_size_max: properties.packet_size_max.map_or(usize::MAX, |bytes| bytes as usize),
            receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            qos_max: properties.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain: properties.retain_available.unwrap_or(true),
            wildcards: properties.wildcard_subscription_available.unwrap_or(true),
            shared: properties.shared_subscription_available.unwrap_or(true),
            subscription_ids: properties.subscription_identifiers_available.unwrap_or(true),
        }
    }

    /// Why the server would end the connection over this message [MQTT-3.2.2-11], [MQTT-3.2.2-14].
    pub(super) fn objection_to_publish(&self, publish: &Publish) -> Option<ReasonCode> {
        if publish.qos > self.qos_max {
            return Some(ReasonCode::QoSNotSupported);
        }
        (publish.retain && !self.retain).then_some(ReasonCode::RetainNotSupported)
    }

    /// Why the server would end the connection over these subscriptions (3.2.2.3.11 to 3.2.2.3.13).
    pub(super) fn objection_to_subscribe(&self, subscribe: &Subscribe) -> Option<ReasonCode> {
        let filters = || subscribe.subscriptions.iter().map(|subscription| &subscription.filter);
        if !self.wildcards && filters().any(|filter| filter.has_wildcard()) {
            return Some(ReasonCode::WildcardSubscriptionsNotSupported);
        }
        if !self.shared && filters().any(|filter| filter.shared().is_some()) {
            return Some(ReasonCode::SharedSubscriptionsNotSupported);
        }
        let has_id = subscribe.properties.subscription_id.is_some();
        (has_id && !self.subscription_ids).then_some(ReasonCode::SubscriptionIdentifiersNotSupported)
    }
}
