//! The subscriptions of the subscribe page, and the messages that they bring.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use hearth_protocol::ReasonCode;
use hearth_protocol::connection::client::{RequestError, Token};
use hearth_protocol::packet::{Publish, Subscription};

use super::hub::Hub;
use super::part::Part;
use crate::state::filters::{AddError, Filters, State, on_wire};
use crate::state::link::Link;
use crate::state::outcome::Answer;
use crate::state::stream::Stream;
use crate::state::subscriptions::Owner;
use hearth_protocol::Query;

/// What the subscribe page works with; it outlives the page.
pub struct Subscriber {
    filters: RefCell<Filters>,
    stream: RefCell<Stream>,
    /// What is typed to search the stream.
    search: RefCell<String>,
    is_online: Cell<bool>,
}

impl Subscriber {
    /// The subscriber of a hub.
    pub fn of(hub: &Hub) -> Rc<Self> {
        hub.part(|| Self {
            filters: RefCell::default(),
            stream: RefCell::default(),
            search: RefCell::default(),
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
            hub.connection().unsubscribe(Owner::Stream(id), on_wire(&filter.subscription));
        }
        hub.touch();
    }

    /// Changes the stream.
    pub fn change(&self, hub: &Hub, change: impl FnOnce(&mut Stream)) {
        change(&mut self.stream.borrow_mut());
        hub.touch();
    }

    /// Searches the stream.
    pub fn set_search(&self, hub: &Hub, typed: String) {
        self.stream.borrow_mut().set_query(Query::parse(&typed));
        self.search.replace(typed);
        hub.touch();
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

impl Part for Subscriber {
    fn on_message(&self, hub: &Hub, message: &Publish, at_ms: f64, _is_trees: bool) {
        let is_numbered = hub.connection().has_identifiers();
        let marks = self.filters.borrow_mut().count(message, is_numbered);
        if !marks.is_empty() {
            self.stream.borrow_mut().push(message, marks, at_ms);
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
