//! A client with a session that lasts, which comes, goes, and changes what it asks for.

use std::collections::HashMap;

use hearth_protocol::connection::client::{ClientEvent, Token};
use hearth_protocol::generate::Random;
use hearth_protocol::packet::{SubscribeProperties, Subscription, UnsubscribeProperties};
use hearth_protocol::{QoS, TopicFilter, Version};

use super::Finding;
use super::ledger::{AudienceId, Ledger};
use super::peer::Peer;
use crate::wire::topic_filter;

/// What a subscriber is like.
pub struct Habits {
    pub name: &'static str,
    pub version: Version,
    pub filters: &'static [(&'static str, QoS)],
    /// The group in whose name it gets messages.
    pub group: Option<&'static str>,
    /// It comes and goes.
    pub is_restless: bool,
    /// It gives its last filter up at times, and asks for it again.
    pub is_fickle: bool,
}

/// The client.
pub struct Subscriber {
    pub peer: Peer,
    pub habits: &'static Habits,
    audience: AudienceId,
    filters: Vec<TopicFilter>,
    /// By filter: SUBACK has come, and nothing was sent since.
    has: Vec<bool>,
    /// What was asked on this connection.
    asked: HashMap<Token, usize>,
    has_asked: Vec<bool>,
    /// Filters that it does without for now.
    without: Vec<bool>,
}

impl Subscriber {
    pub fn new(habits: &'static Habits, audience: AudienceId) -> Self {
        let filters: Vec<_> = habits.filters.iter().map(|(filter, _)| topic_filter(filter)).collect();
        let count = filters.len();
        Self {
            peer: Peer::new(habits.version, habits.name),
            habits,
            audience,
            filters,
            has: vec![false; count],
            asked: HashMap::new(),
            has_asked: vec![false; count],
            without: vec![false; count],
        }
    }

    /// Whether its wishes are known to the broker.
    pub fn is_settled(&self) -> bool {
        self.has.iter().zip(&self.without).all(|(has, without)| has != without)
    }

    /// Asks for what it wants and has not; what it wants changes only while it is lively.
    pub fn act(&mut self, dice: &mut Random, ledger: &mut Ledger, is_lively: bool) {
        if !self.peer.client.is_connected() {
            return;
        }
        if is_lively && self.habits.is_fickle && self.is_settled() && dice.one_in(60) {
            let last = self.filters.len() - 1;
            self.without[last] = !self.without[last];
        }
        for place in 0..self.filters.len() {
            if self.has[place] != self.without[place] || self.has_asked[place] {
                continue;
            }
            let (now, filter) = (self.peer.now(), self.filters[place].clone());
            let client = &mut self.peer.client;
            let token = if self.without[place] {
                ledger.end(self.audience, &filter);
                client.unsubscribe(now, vec![filter], UnsubscribeProperties::default())
            } else {
                let subscription = Subscription::new(filter, self.habits.filters[place].1);
                client.subscribe(now, vec![subscription], SubscribeProperties::default())
            };
            self.asked.insert(token.unwrap(), place);
            self.has_asked[place] = true;
        }
    }

    pub fn take(&mut self, events: &[ClientEvent], ledger: &mut Ledger) -> Result<(), Finding> {
        for event in events {
            match event {
                ClientEvent::Connected { .. } => {
                    self.asked.clear();
                    self.has_asked.fill(false);
                }
                ClientEvent::Subscribed { token, reasons } => {
                    if reasons.iter().any(|reason| reason.is_failure()) {
                        return Err(format!("{}: SUBACK says {reasons:?}", self.habits.name));
                    }
                    if let Some(place) = self.asked.remove(token) {
                        (self.has[place], self.has_asked[place]) = (true, false);
                        ledger.begin(self.audience, &self.filters[place], self.habits.filters[place].1);
                    }
                }
                ClientEvent::Unsubscribed { token, .. } => {
                    if let Some(place) = self.asked.remove(token) {
                        (self.has[place], self.has_asked[place]) = (false, false);
                    }
                }
                ClientEvent::Message(publish) => {
                    ledger.receive(self.audience, self.habits.name, &self.filters, publish)?;
                }
                ClientEvent::Refused { .. }
                | ClientEvent::Challenge { .. }
                | ClientEvent::Reauthenticated { .. }
                | ClientEvent::Published { .. }
                | ClientEvent::Pong { .. }
                | ClientEvent::Disconnected(_) => {}
            }
        }
        Ok(())
    }
}

impl Habits {
    /// One that stays, for as long as it may.
    pub const fn steady(
        name: &'static str,
        version: Version,
        filters: &'static [(&'static str, QoS)],
    ) -> Self {
        Self { name, version, filters, group: None, is_restless: false, is_fickle: false }
    }

    /// A member of the one group.
    pub const fn member(
        name: &'static str,
        version: Version,
        filters: &'static [(&'static str, QoS)],
    ) -> Self {
        Self { group: Some("the group"), ..Self::steady(name, version, filters) }
    }
}
