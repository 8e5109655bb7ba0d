//! The retained messages that a SUBSCRIBE brings.

use std::collections::VecDeque;
use std::sync::Arc;

use hearth_protocol::{QoS, Time, TopicFilter};

use crate::delivery::{Delivery, SubscriptionIds};
use crate::message::Message;
use crate::retained::{Cursor, RetainedStore};
use crate::router::Place;

/// Reads the retained messages of one subscription page by page, as there is room for them: a filter that matches
/// all of them costs its session a page.
pub(crate) struct Replay {
    /// Of the subscription.
    pub(crate) place: Place,
    filter: TopicFilter,
    qos: QoS,
    ids: SubscriptionIds,
    page: VecDeque<Arc<Message>>,
    /// Where the next page begins; `None` when this is the last one.
    next: Option<Cursor>,
}

impl Replay {
    /// `id` is the subscription identifier, 0 for none.
    pub(crate) fn new(place: Place, filter: &TopicFilter, qos: QoS, id: u32) -> Self {
        let ids = if id == 0 { SubscriptionIds::None } else { SubscriptionIds::One(id) };
        let (filter, next) = (filter.detached(), Some(Cursor::first(filter)));
        Self { place, filter, qos, ids, page: VecDeque::new(), next }
    }

    /// The QoS of the next message; `None` when there is no more.
    pub(crate) fn peek(&mut self, store: &RetainedStore, now: Time) -> Option<QoS> {
        while self.page.is_empty() {
            let (page, next) = store.page(&self.filter, self.next.take()?, now);
            (self.page, self.next) = (page.into(), next);
        }
        self.page.front().map(|message| message.qos.min(self.qos))
    }

    /// The message that was looked at.
    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let message = self.page.pop_front()?;
        let qos = message.qos.min(self.qos);
        Some(Delivery { message, qos, retain: true, ids: self.ids.clone(), group: None, kept: None })
    }

    /// The connection is gone; whether the next one takes it up, which it does where there may be messages that the
    /// client has to acknowledge.
    pub(crate) fn pause(&mut self) -> bool {
        if let Some(first) = self.page.front() {
            self.next = Some(Cursor::before(&first.topic));
            self.page = VecDeque::new();
        }
        self.qos > QoS::AtMostOnce
    }
}
