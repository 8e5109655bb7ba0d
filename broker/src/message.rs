//! A message that somebody has to hold.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hearth_protocol::packet::{Publish, PublishProperties, Will};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, Text, Time, TopicName};

use crate::durable::Entry;
use crate::faults::{self, Fault};
use crate::held::{Account, Charge};
use crate::ids::ShardId;

/// A message in memory of its own, shared by all that wait for it.
#[derive(Debug)]
pub struct Message {
    pub(crate) topic: TopicName,
    pub(crate) payload: Bytes,
    /// Of the publication; a delivery has at most this.
    pub(crate) qos: QoS,
    /// As the publisher set it.
    pub(crate) retain: bool,
    pub(crate) properties: Option<Box<PublishProperties>>,
    /// Serial of the publisher's session; 0 for the broker itself.
    pub(crate) publisher: u64,
    /// When it is not worth delivering any more (MQTT 5.0, 3.3.2.3.3).
    pub(crate) expires_at: Option<Time>,
    /// Its row in the store, while somebody needs it there.
    pub(crate) kept: Mutex<Kept>,
    /// Its entry in the account of the shard that has made it.
    pub(crate) charge: Option<Charge>,
}

/// The row of a message in the store.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Of the row; means nothing without references.
    pub(crate) number: u64,
    /// Rows of sessions that refer to it.
    pub(crate) references: u32,
    /// The last change that writes it, and of which shard: nobody else can take it back.
    pub(crate) written: Option<(ShardId, Entry)>,
    /// Whether an earlier change of it was collected, so that it may be on disk.
    pub(crate) is_collected: bool,
}

impl Message {
    /// Copies what is to be kept out of the receive buffer, so that a small message does not hold a large
    /// buffer; `topic` is the packet's in memory of its own.
    pub(crate) fn detached(topic: TopicName, publish: &Publish, publisher: u64, now: Time) -> Self {
        let expiry = publish.properties.as_ref().and_then(|properties| properties.message_expiry);
        Self {
            topic,
            payload: Bytes::copy_from_slice(&publish.payload),
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties.as_deref().and_then(detach),
            publisher,
            expires_at: expires_at(expiry, now),
            kept: Mutex::default(),
            charge: None,
        }
    }

    /// The same message, entered into an account.
    pub(crate) fn charged(mut self, account: &Arc<Account>) -> Self {
        self.charge_to(account);
        self
    }

    /// Has it counted in an account for as long as it lives.
    pub(crate) fn charge_to(&mut self, account: &Arc<Account>) {
        self.charge = Some(Charge::new(account, size_of::<Self>() + self.bytes()));
    }

    /// The message of a will, published now.
    pub(crate) fn of_will(will: Will, publisher: u64, now: Time) -> Self {
        let properties = will.properties;
        let expires_at = expires_at(properties.message_expiry, now);
        let properties = PublishProperties {
            payload_format: properties.payload_format,
            message_expiry: properties.message_expiry,
            topic_alias: None,
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data,
            user_properties: properties.user_properties,
            subscription_ids: Vec::new(),
            content_type: properties.content_type,
        };
        Self {
            topic: will.topic,
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: (properties != PublishProperties::EMPTY).then(|| Box::new(properties)),
            publisher,
            expires_at,
            kept: Mutex::default(),
            charge: None,
        }
    }

    /// What it was published to.
    pub const fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// What it says.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// When it is not worth delivering any more.
    pub const fn expires_at(&self) -> Option<Time> {
        self.expires_at
    }

    /// What it counts against a bound of bytes.
    pub(crate) fn bytes(&self) -> usize {
        if let Some(charge) = &self.charge {
            return charge.bytes() - size_of::<Self>();
        }
        bytes_to_hold(&self.topic, &self.payload, self.properties.as_deref())
    }

    /// Whether its time is over.
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|at| at <= now) && !faults::has(Fault::ExpiredSent)
    }
}

/// What a message counts against a bound of bytes: whatever of it can be long, as it lies in memory. A pair of user
/// properties takes room there even when both of its strings are empty.
pub(crate) fn bytes_to_hold(
    topic: &TopicName,
    payload: &Bytes,
    properties: Option<&PublishProperties>,
) -> usize {
    topic.as_str().len() + payload.len() + properties.map_or(0, property_bytes)
}

fn property_bytes(properties: &PublishProperties) -> usize {
    let pairs: usize =
        properties.user_properties.iter().map(|pair| size_of_val(pair) + pair.0.len() + pair.1.len()).sum();
    pairs
        + properties.content_type.as_ref().map_or(0, |text| text.len())
        + properties.response_topic.as_ref().map_or(0, |topic| topic.as_str().len())
        + properties.correlation_data.as_ref().map_or(0, Bytes::len)
}

pub(crate) fn expires_at(expiry: Option<u32>, now: Time) -> Option<Time> {
    expiry.map(|seconds| now.saturating_add(Duration::from_secs(u64::from(seconds))))
}

/// Seconds that are left, begun ones counted [MQTT-3.3.2-6]; `None` for a message without expiry.
pub(crate) fn expiry_left(expires_at: Option<Time>, now: Time) -> Option<u32> {
    expires_at.map(|at| {
        let millis = at.saturating_since(now).as_millis();
        u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX)
    })
}

/// A will in memory of its own.
pub(crate) fn detached_will(will: &Will) -> Will {
    let mut properties = will.properties.clone();
    properties.content_type = properties.content_type.as_ref().map(Text::detached);
    properties.response_topic = properties.response_topic.as_ref().map(TopicName::detached);
    properties.correlation_data = properties.correlation_data.as_deref().map(Bytes::copy_from_slice);
    properties.user_properties = detach_pairs(&properties.user_properties);
    Will {
        topic: will.topic.detached(),
        payload: Bytes::copy_from_slice(&will.payload),
        qos: will.qos,
        retain: will.retain,
        properties,
    }
}

/// What of properties is the message's; `None` where that is nothing, as when the topic came as an alias.
fn detach(properties: &PublishProperties) -> Option<Box<PublishProperties>> {
    let own = PublishProperties {
        payload_format: properties.payload_format,
        message_expiry: properties.message_expiry,
        topic_alias: None,
        response_topic: properties.response_topic.as_ref().map(TopicName::detached),
        correlation_data: properties.correlation_data.as_deref().map(Bytes::copy_from_slice),
        user_properties: detach_pairs(&properties.user_properties),
        subscription_ids: Vec::new(),
        content_type: properties.content_type.as_ref().map(Text::detached),
    };
    (own != PublishProperties::EMPTY).then(|| Box::new(own))
}

fn detach_pairs(pairs: &UserProperties) -> UserProperties {
    pairs.iter().map(|(name, value)| (name.detached(), value.detached())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties_held(properties: PublishProperties) -> Option<Box<PublishProperties>> {
        let topic = TopicName::try_from("a").unwrap();
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: topic.clone(),
            packet_id: None,
            payload: Bytes::new(),
            properties: Some(Box::new(properties)),
        };
        Message::detached(topic, &publish, 0, Time::ZERO).properties
    }

    #[test]
    fn what_belongs_to_a_connection_takes_no_memory_in_a_message() {
        let alias = PublishProperties { topic_alias: Some(7), ..PublishProperties::EMPTY };
        assert_eq!(properties_held(alias.clone()), None);
        let own = PublishProperties { message_expiry: Some(60), ..PublishProperties::EMPTY };
        let both = PublishProperties { topic_alias: Some(7), ..own.clone() };
        assert_eq!(properties_held(both), Some(Box::new(own)));
    }
}
