//! Which message the broker keeps for a topic, as far as the page has heard.

use bytes::Bytes;
use hashbrown::HashMap;
use hearth_protocol::packet::{Publish, PublishProperties};
use hearth_protocol::{QoS, TopicName};

use super::topics::detached;
use hearth_protocol::Query;

/// A retained message, whole: with it the broker can be given back what was cleared.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its payload; never empty.
    pub payload: Bytes,
    /// The QoS that it was delivered with.
    pub qos: QoS,
    /// Its properties.
    pub properties: Option<Box<PublishProperties>>,
    /// When the page heard of it, in milliseconds since 1970.
    pub at_ms: f64,
}

impl Kept {
    /// The message that makes the broker keep it again.
    pub fn message(&self, topic: TopicName) -> Publish {
        let properties = self.properties.as_ref().map(|properties| {
            // These belong to one delivery, not to the message.
            let own = PublishProperties {
                subscription_ids: Vec::new(),
                topic_alias: None,
                ..(**properties).clone()
            };
            Box::new(own)
        });
        Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: true,
            topic,
            packet_id: None,
            payload: self.payload.clone(),
            properties,
        }
    }
}

/// All retained messages by topic.
#[derive(Debug, Default)]
pub struct Retained {
    messages: HashMap<Box<str>, Kept>,
    bytes: usize,
    changes: u64,
}

impl Retained {
    /// Takes a message in that came with the retain flag as its publisher set it.
    pub fn record(&mut self, message: &Publish, at_ms: f64) {
        if !message.retain {
            return;
        }
        self.changes += 1;
        let topic = message.topic.as_str();
        let before = if message.payload.is_empty() {
            self.messages.remove(topic)
        } else {
            let payload = Bytes::copy_from_slice(&message.payload);
            let properties = message.properties.as_deref().map(|properties| Box::new(detached(properties)));
            self.bytes += payload.len();
            let kept = Kept { payload, qos: message.qos, properties, at_ms };
            match self.messages.get_mut(topic) {
                Some(place) => Some(std::mem::replace(place, kept)),
                None => self.messages.insert(topic.into(), kept),
            }
        };
        self.bytes -= before.map_or(0, |before| before.payload.len());
    }

    /// A connection begins: the broker tells anew what it keeps, and what it does not tell is gone.
    pub fn begin_epoch(&mut self) {
        *self = Self { changes: self.changes + 1, ..Self::default() };
    }

    /// What answers `query` among `names`, in their order, with its payload bytes.
    pub fn find<'a>(&self, names: impl Iterator<Item = &'a str>, query: &Query) -> Vec<(&'a str, usize)> {
        let answer = |name: &'a str| {
            let kept = self.messages.get(name).filter(|kept| query.matches(name, &kept.payload))?;
            Some((name, kept.payload.len()))
        };
        names.filter_map(answer).collect()
    }

    /// The message of one topic.
    pub fn get(&self, topic: &str) -> Option<&Kept> {
        self.messages.get(topic)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Payload bytes of all of them.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes so far; it grows exactly when something may be different.
    pub const fn changes(&self) -> u64 {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::super::topics::tests::message;
    use super::*;

    #[test]
    fn it_follows_what_the_broker_keeps() {
        let mut retained = Retained::default();
        retained.record(&message("a/b", b"12", true), 1.0);
        retained.record(&message("a/b", b"live", false), 2.0);
        retained.record(&message("a/c", b"345", true), 3.0);
        assert_eq!((retained.len(), retained.bytes()), (2, 5));
        assert_eq!(&retained.get("a/b").unwrap().payload[..], b"12");
        retained.record(&message("a/b", b"9", true), 4.0);
        retained.record(&message("a/c", b"", true), 5.0);
        assert_eq!((retained.len(), retained.bytes()), (1, 1));
        let before = retained.changes();
        retained.begin_epoch();
        assert!(retained.is_empty() && retained.bytes() == 0 && retained.changes() > before);
    }

    #[test]
    fn a_filter_finds_a_subtree_in_order() {
        let mut retained = Retained::default();
        for topic in ["home/b", "home", "car/x", "home/a/c"] {
            retained.record(&message(topic, b"1", true), 0.0);
        }
        let query = Query::parse("home/#");
        let names = ["car/x", "home", "home/a/c", "home/b", "home/never"];
        let found = retained.find(names.into_iter(), &query);
        assert_eq!(found, [("home", 1), ("home/a/c", 1), ("home/b", 1)]);
    }

    #[test]
    fn what_is_given_back_is_the_message_and_not_its_delivery() {
        let properties =
            PublishProperties { topic_alias: None, message_expiry: Some(60), ..PublishProperties::default() };
        let kept = Kept {
            payload: Bytes::from_static(b"on"),
            qos: QoS::AtMostOnce,
            properties: Some(Box::new(properties)),
            at_ms: 0.0,
        };
        let message = kept.message(TopicName::try_from("lamp").unwrap());
        assert!(message.retain && message.qos == QoS::AtLeastOnce);
        assert_eq!(message.properties.unwrap().message_expiry, Some(60));
    }
}
