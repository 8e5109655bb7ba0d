//! The subscriptions of the subscribe page, and the messages that they bring.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use hearth_protocol::ReasonCode;
use hearth_protocol::connection::client::{RequestError, Token};
use hearth_protocol::packet::{Publish, Subscription};

use super::clock;
use super::hub::Hub;
use super::part::Part;
use crate::state::filters::{AddError, Filter, Filters, State, on_wire};
use crate::state::link::Link;
use crate::state::outcome::Answer;
use crate::state::seen::Seen;
use crate::state::stream::{Counts, Stream};
use crate::state::subscriptions::Owner;
use hearth_protocol::Query;

/// The shortest time between two pictures of a stream, in milliseconds: rows that change more often cannot be read, and writing them
/// at each frame keeps what is typed and touched waiting.
const TOLD_EVERY_MS: f64 = 100.0;

/// A rate falls while nothing comes, in milliseconds.
const RATE_EVERY_MS: f64 = 1_000.0;

/// What is told of the stream at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// Another number than before when something else is to be shown.
    pub revision: u64,
    /// What was counted.
    pub counts: Counts,
    /// Messages a second.
    pub per_second: u64,
    at_ms: f64,
    edits: u64,
}

/// What the subscribe page works with; it outlives the page.
pub struct Subscriber {
    filters: RefCell<Filters>,
    stream: RefCell<Stream>,
    seen: RefCell<Seen>,
    /// What is typed to search the stream.
    search: RefCell<String>,
    /// Changes that a person made, or that a search brought: they are shown at once.
    edits: Cell<u64>,
    told: Cell<Told>,
    is_online: Cell<bool>,
}

impl Subscriber {
    /// The subscriber of a hub.
    pub fn of(hub: &Hub) -> Rc<Self> {
        hub.part(|| Self {
            filters: RefCell::default(),
            stream: RefCell::default(),
            seen: RefCell::default(),
            search: RefCell::default(),
            edits: Cell::default(),
            told: Cell::default(),
            is_online: Cell::new(hub.link().is_online()),
        })
    }

    /// The filters.
    pub fn filters(&self) -> Ref<'_, Filters> {
        self.filters.borrow()
    }

    /// The messages.
    pub fn stream(&self) -> Ref<'_, Stream> {
        self.stream.borrow()
    }

    /// What to tell of the stream now, at most ten times a second however many messages come; a person's changes at once.
    pub fn told(&self, hub: &Hub) -> Told {
        let (told, now_ms) = (self.told.get(), clock::wall_ms());
        let stream = self.stream.borrow();
        let (counts, edits) = (stream.counts(), self.edits.get());
        let waited_ms = (now_ms - told.at_ms).abs();
        if counts == told.counts && edits == told.edits && waited_ms < RATE_EVERY_MS {
            return told;
        }
        if edits == told.edits && waited_ms < TOLD_EVERY_MS {
            // Told with a later frame, which must come even when no message does.
            hub.touch_news();
            return told;
        }
        let is_other = counts != told.counts || edits != told.edits;
        let revision = told.revision + u64::from(is_other);
        let per_second = stream.per_second(now_ms).round() as u64;
        let told = Told { revision, counts, per_second, at_ms: now_ms, edits };
        self.told.set(told);
        told
    }

    /// Searches on in what came before a search; once a frame, so that no frame is long.
    pub fn search_on(&self, hub: &Hub) {
        if self.stream.borrow().is_searching() {
            self.stream.borrow_mut().search_on();
            self.edit(hub);
        }
    }

    fn edit(&self, hub: &Hub) {
        self.edits.set(self.edits.get() + 1);
        hub.touch();
    }

    /// What is typed to search the stream.
    pub fn search(&self) -> Ref<'_, String> {
        self.search.borrow()
    }

    /// Subscribes.
    ///
    /// # Errors
    /// Nothing was added.
    pub fn add(&self, hub: &Hub, subscription: Subscription) -> Result<(), AddError> {
        let id = self.filters.borrow_mut().add(subscription)?;
        self.ask(hub, id);
        hub.touch();
        Ok(())
    }

    /// Ends a subscription. Its messages stay.
    pub fn remove(&self, hub: &Hub, id: u32) {
        let removed = self.filters.borrow_mut().remove(id);
        if let Some(filter) = removed {
            self.seen.borrow_mut().forget(filter.mark);
            // The next filter with this mark is another one.
            self.stream.borrow_mut().set_hidden(filter.mark, false);
            self.edits.set(self.edits.get() + 1);
            hub.connection().unsubscribe(Owner::Stream(id), on_wire(&filter.subscription));
        }
        hub.touch();
    }

    /// Changes the stream.
    pub fn change(&self, hub: &Hub, change: impl FnOnce(&mut Stream)) {
        change(&mut self.stream.borrow_mut());
        self.edit(hub);
    }

    /// Searches the stream.
    pub fn set_search(&self, hub: &Hub, typed: String) {
        self.stream.borrow_mut().set_query(Query::parse(&typed));
        self.search.replace(typed);
        self.edit(hub);
    }

    fn ask(&self, hub: &Hub, id: u32) {
        if !hub.link().is_online() {
            return;
        }
        let found =
            self.filters.borrow().iter().find(|filter| filter.id == id).map(|it| it.subscription.clone());
        let Some(subscription) = found else { return };
        let filter = on_wire(&subscription);
        let subscription = Subscription { filter, ..subscription };
        let state = match hub.connection().subscribe(Owner::Stream(id), subscription) {
            Ok(token) => State::Asked(token),
            Err(RequestError::NotConnected) => State::Offline,
            Err(RequestError::Unsupported(reason)) => State::Refused(reason),
            Err(RequestError::NoPacketId) => State::Refused(ReasonCode::QuotaExceeded),
            Err(RequestError::Unsendable) => State::Refused(ReasonCode::PacketTooLarge),
        };
        self.filters.borrow_mut().set_state(id, state);
    }
}

/// Whether the message came for several subscriptions in one copy, which no message does that the broker had kept: that one is sent
/// for the new subscription alone.
fn is_of_several(message: &Publish) -> bool {
    message.properties.as_ref().is_some_and(|properties| properties.subscription_ids.len() > 1)
}

/// Whether a message that is published now comes to this filter without its retain flag [MQTT-3.3.1-12]. In a copy that is the
/// tree's too it is set, as the tree asked for it.
fn clears_retain(filter: &Filter) -> bool {
    !filter.subscription.retain_as_published
}

impl Part for Subscriber {
    fn on_message(&self, hub: &Hub, message: &Publish, at_ms: f64, _is_trees: bool) {
        let mut filters = self.filters.borrow_mut();
        let marks = filters.marks(message, hub.connection().has_identifiers());
        if marks.is_empty() {
            return;
        }
        let copies =
            || hub.connection().copies(&filters.marked(marks).map(|filter| filter.id).collect::<Vec<_>>());
        if !self.seen.borrow_mut().is_repeated(message, marks, copies) {
            filters.count(marks);
            let retain =
                message.retain && !(is_of_several(message) && filters.marked(marks).all(clears_retain));
            self.stream.borrow_mut().push(message, marks, retain, at_ms);
        }
    }

    fn on_published(&self, _hub: &Hub, _token: Token, _answer: &Answer) {}

    fn on_answered(&self, _hub: &Hub, token: Token, reasons: &[ReasonCode]) {
        self.filters.borrow_mut().on_answered(token, reasons);
    }

    fn on_link(&self, hub: &Hub, link: &Link) {
        match link {
            Link::Online { .. } => {
                if !self.is_online.replace(true) {
                    let ids: Vec<u32> = self.filters.borrow().iter().map(|filter| filter.id).collect();
                    for id in ids {
                        self.ask(hub, id);
                    }
                }
            }
            Link::Checking => {}
            Link::Connecting | Link::Waiting { .. } | Link::Refused { .. } | Link::Closed => {
                if self.is_online.replace(false) {
                    self.filters.borrow_mut().on_lost();
                }
            }
        }
    }
}
