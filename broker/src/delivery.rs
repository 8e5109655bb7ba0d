//! A message on its way to one session, or to all that want it.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hearth_protocol::packet::{Publish, PublishProperties};
use hearth_protocol::{QoS, Time, TopicName};

use crate::durable::Entry;
use crate::held::Account;
use crate::message::{Message, bytes_to_hold, expires_at};
use crate::router::{Group, Route};

/// A message that waits for one session or is under way to it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    /// The retain flag that the client sees.
    pub(crate) retain: bool,
    pub(crate) ids: SubscriptionIds,
    /// The group of which the session is the member whose turn it was.
    pub(crate) group: Option<Arc<Group>>,
    /// Its row in the store, where it has one.
    pub(crate) kept: Option<KeptDelivery>,
}

/// Where a delivery stands in the store.
#[derive(Clone, Debug)]
pub(crate) enum KeptDelivery {
    /// In the row of its message, which it was the first to need. Its place in the order of its session.
    WithMessage(u64),
    /// In a row of its own.
    Apart(Rc<KeptApart>),
}

/// The row of a delivery in the store.
#[derive(Debug)]
pub(crate) struct KeptApart {
    /// Its place in the order of its session.
    pub(crate) place: u64,
    /// The number of the message's row.
    pub(crate) message: u64,
    /// The last change of it.
    pub(crate) written: Cell<Option<Entry>>,
    /// Whether an earlier change of it was collected, so that it may be on disk.
    pub(crate) is_collected: Cell<bool>,
}

impl KeptApart {
    pub(crate) const fn new(place: u64, message: u64) -> Self {
        Self { place, message, written: Cell::new(None), is_collected: Cell::new(false) }
    }

    /// One that was read from the store.
    pub(crate) const fn restored(place: u64, message: u64) -> Self {
        Self { place, message, written: Cell::new(None), is_collected: Cell::new(true) }
    }
}

/// The subscription identifiers of one delivery, ascending. One takes no memory of its own.
#[derive(Clone, Debug, Default)]
pub(crate) enum SubscriptionIds {
    #[default]
    None,
    One(u32),
    Several(Rc<[u32]>),
}

impl SubscriptionIds {
    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Several(ids) => ids,
        }
    }
}

impl From<&[u32]> for SubscriptionIds {
    fn from(ids: &[u32]) -> Self {
        match ids {
            [] => Self::None,
            [id] => Self::One(*id),
            several => Self::Several(several.into()),
        }
    }
}

/// A message to route. It becomes a [`Message`] only when somebody has to hold it.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a TopicName,
    pub(crate) payload: &'a Bytes,
    pub(crate) properties: Option<&'a PublishProperties>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) publisher: u64,
    pub(crate) expires_at: Option<Time>,
    source: Source<'a>,
}

enum Source<'a> {
    Packet {
        publish: &'a Publish,
        now: Time,
        /// The topic in memory that others hold too.
        topic: Option<&'a TopicName>,
        message: OnceCell<Arc<Message>>,
    },
    Message(&'a Arc<Message>),
}

impl<'a> Outgoing<'a> {
    /// A packet as it came from a client.
    pub(crate) fn of_packet(publish: &'a Publish, publisher: u64, now: Time) -> Self {
        let properties = publish.properties.as_deref();
        Self {
            topic: &publish.topic,
            payload: &publish.payload,
            properties,
            qos: publish.qos,
            retain: publish.retain,
            publisher,
            expires_at: expires_at(properties.and_then(|properties| properties.message_expiry), now),
            source: Source::Packet { publish, now, topic: None, message: OnceCell::new() },
        }
    }

    /// A message that is held already.
    pub(crate) fn of_message(message: &'a Arc<Message>) -> Self {
        Self {
            topic: &message.topic,
            payload: &message.payload,
            properties: message.properties.as_deref(),
            qos: message.qos,
            retain: message.retain,
            publisher: message.publisher,
            expires_at: message.expires_at,
            source: Source::Message(message),
        }
    }

    /// Lets the message share the memory of its route's topic.
    pub(crate) fn on_route(mut self, route: &'a Route) -> Self {
        match &mut self.source {
            Source::Packet { topic, .. } => *topic = route.topic.as_ref(),
            Source::Message(_) => {}
        }
        self
    }

    /// What the message counts against a bound of bytes.
    pub(crate) fn bytes(&self) -> usize {
        bytes_to_hold(self.topic, self.payload, self.properties)
    }

    /// The message to hold: made once, shared by all that hold it, and entered into the account of the shard.
    pub(crate) fn message(&self, account: &Arc<Account>) -> Arc<Message> {
        match &self.source {
            Source::Message(message) => Arc::clone(message),
            Source::Packet { publish, now, topic, message } => Arc::clone(message.get_or_init(|| {
                let topic = topic.map_or_else(|| publish.topic.detached(), TopicName::clone);
                Arc::new(Message::detached(topic, publish, self.publisher, *now).charged(account))
            })),
        }
    }
}
