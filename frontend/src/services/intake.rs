//! Keeps a connection subscribed to what the page is to hear: everything of a broker that is small or tells nothing of itself, else
//! what is shown and pinned.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::Bytes;
use gloo::timers::callback::Timeout;
use hearth_protocol::ReasonCode;
use hearth_protocol::connection::client::Token;
use hearth_protocol::packet::Publish;
use serde::Deserialize;

use super::clock;
use super::connection::Connection;
use crate::state::extent::{Extent, Scope, Whole};
use crate::state::interest::Interest;

/// Where a Hearth tells what its tree of all topics has.
const WHOLE: &str = "$hearth/tree";

/// Below it comes what was looked at, not what was published.
const LIVE: &str = "$hearth/";

/// How long a broker may take to say how large it is, in milliseconds. Hearth does at once; another may take the subscription
/// without having anything to say.
const ASKED_MS: u32 = 700;

/// The part of the payload of [`WHOLE`] that matters here.
#[derive(Deserialize)]
struct WholeTree {
    topics: u32,
    rate: f64,
}

/// The subscriptions of one connection.
pub(super) struct Intake {
    interest: RefCell<Interest>,
    extent: RefCell<Extent>,
    // The filters of a SUBSCRIBE; none for an UNSUBSCRIBE.
    asked: RefCell<HashMap<Token, Vec<String>>>,
    // The newest message for each filter of the live tree that is looked at, until it is taken.
    live: RefCell<HashMap<String, Bytes>>,
    patience: RefCell<Option<Timeout>>,
}

impl Intake {
    /// Of a connection for which these filters are everything. `may_tell`: whether the broker may have a tree of its own.
    pub(super) fn new(everything: Vec<String>, may_tell: bool) -> Self {
        let intake = Self {
            interest: RefCell::new(Interest::new(everything)),
            extent: RefCell::default(),
            asked: RefCell::default(),
            live: RefCell::default(),
            patience: RefCell::default(),
        };
        if may_tell {
            intake.interest.borrow_mut().claim(WHOLE);
        } else {
            intake.handle_silence();
        }
        intake
    }

    /// How much of the broker is taken in, and what it has where it tells.
    pub(super) fn extent(&self) -> (Scope, Option<Whole>) {
        let extent = self.extent.borrow();
        (extent.scope(), extent.whole())
    }

    /// Wants one filter more; [`Self::flush`] asks for it.
    pub(super) fn claim(&self, filter: &str) {
        self.interest.borrow_mut().claim(filter);
    }

    /// Does not want it any more.
    pub(super) fn release(&self, filter: &str) {
        self.interest.borrow_mut().release(filter);
        if !self.interest.borrow().is_claimed(filter) {
            self.live.borrow_mut().remove(filter);
        }
    }

    /// Why the broker refused a filter, if it did.
    pub(super) fn refusal(&self, filter: &str) -> Option<ReasonCode> {
        self.interest.borrow().refusal(filter)
    }

    /// Takes everything in, however much it is.
    pub(super) fn insist(&self) {
        self.extent.borrow_mut().insist();
        self.follow_extent();
    }

    /// What came last for a filter of the live tree, unless it was taken already.
    pub(super) fn take_live(&self, filter: &str) -> Option<Bytes> {
        self.live.borrow_mut().remove(filter)
    }

    /// Whether somebody wants exactly this filter.
    pub(super) fn is_claimed(&self, filter: &str) -> bool {
        self.interest.borrow().is_claimed(filter)
    }

    /// A connection stands. `on_silence` is called when the broker has not said in time how large it is.
    pub(super) fn handle_accepted(
        &self,
        connection: &Connection,
        is_resumed: bool,
        on_silence: impl FnOnce() + 'static,
    ) {
        self.asked.borrow_mut().clear();
        self.interest.borrow_mut().handle_connected(is_resumed);
        if self.extent.borrow().scope() == Scope::Unknown {
            self.patience.replace(Some(Timeout::new(ASKED_MS, on_silence)));
        }
        self.flush(connection);
    }

    /// The broker says nothing of its size.
    pub(super) fn handle_silence(&self) {
        self.extent.borrow_mut().handle_silence();
        self.follow_extent();
    }

    /// Time goes on; whether something else is taken in for that.
    pub(super) fn handle_time(&self) -> bool {
        let before = self.extent().0;
        self.extent.borrow_mut().handle_time(clock::wall_ms());
        self.follow_extent();
        self.extent().0 != before
    }

    /// The broker answered a request. `None`: it was another's; else with the reason when it gives nothing of what is everything.
    pub(super) fn handle_answered(&self, token: Token, reasons: &[ReasonCode]) -> Option<Option<ReasonCode>> {
        let filters = self.asked.borrow_mut().remove(&token)?;
        if filters.is_empty() {
            self.interest.borrow_mut().handle_unsubscribed();
        }
        let mut refused = None;
        let mut is_any_given = false;
        for (filter, &reason) in filters.iter().zip(reasons) {
            let mut interest = self.interest.borrow_mut();
            interest.handle_answer(filter, reason);
            if interest.is_everything(filter) {
                is_any_given |= !reason.is_failure();
                refused = refused.or(Some(reason).filter(|reason| reason.is_failure()));
            }
        }
        if self.refusal(WHOLE).is_some() {
            self.handle_silence();
        }
        Some(refused.filter(|_| !is_any_given))
    }

    /// Takes a message of the live tree in; says whether it was one. Nobody can publish such.
    pub(super) fn handle_message(&self, message: &Publish) -> bool {
        let topic = message.topic.as_str();
        if !topic.starts_with(LIVE) {
            return false;
        }
        if topic == WHOLE {
            // Another broker may have topics like these for anything.
            if let Ok(WholeTree { topics, rate }) = serde_json::from_slice(&message.payload) {
                self.extent.borrow_mut().handle_whole(Whole { topics, rate }, clock::wall_ms());
                self.follow_extent();
            }
        } else if self.interest.borrow().is_claimed(topic) {
            self.live.borrow_mut().insert(topic.to_owned(), message.payload.clone());
        }
        true
    }

    fn follow_extent(&self) {
        let scope = self.extent.borrow().scope();
        self.interest.borrow_mut().set_whole(scope == Scope::Everything);
        if scope != Scope::Unknown {
            self.patience.replace(None);
        }
    }

    /// Says to the broker what has changed.
    pub(super) fn flush(&self, connection: &Connection) {
        let changes = self.interest.borrow_mut().poll_changes();
        if !changes.subscribe.is_empty() {
            // Not held while it is sent, when answers to earlier requests may come.
            let asked = connection.subscribe_tree(&changes.subscribe);
            self.asked.borrow_mut().extend(asked);
        }
        if !changes.unsubscribe.is_empty() {
            match connection.unsubscribe_tree(&changes.unsubscribe) {
                Ok(Some(token)) => {
                    self.asked.borrow_mut().insert(token, Vec::new());
                }
                Ok(None) => self.interest.borrow_mut().handle_unsubscribed(),
                // A session that goes on is told again.
                Err(_) => {}
            }
        }
    }
}
