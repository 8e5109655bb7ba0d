//! Who looks at the live tree: subscriptions below `$hearth`, and what is sent to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter, TopicName};

use super::Shard;
use crate::access::Identity;
use crate::effect::Effect;
use crate::limits::Limit;
use crate::message::Message;
use crate::refusal::Refusal;
use crate::router::Place;
use crate::view::{View, is_below_root};

/// Names a subscription to the live tree of one shard; it is never given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewId {
    session: u32,
    number: u64,
}

/// Somebody begins to look at the live tree or ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewChange {
    /// A client looks at it from now on.
    Begins(Box<Viewing>),
    /// It does no more.
    Ends(ViewId),
    /// Something that was to be shown could not be sent: all of it is to be shown anew, a little later.
    Missed(ViewId),
}

/// A client that looks at the live tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewing {
    /// Names it.
    pub id: ViewId,
    /// What it looks at.
    pub view: View,
    /// The filter that says so, which is the topic of its windows.
    pub filter: TopicFilter,
    /// Who it is.
    pub client_id: Text,
    /// Whom its session belongs to.
    pub identity: Identity,
}

/// Something to show to one who looks at the live tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// To whom.
    pub id: ViewId,
    /// The topic of the message.
    pub topic: TopicName,
    /// Its payload.
    pub payload: Bytes,
}

/// The subscriptions to the live tree, by session.
#[derive(Debug, Default)]
pub(super) struct Views {
    by_session: HashMap<u32, Vec<Shown>>,
    last: u64,
}

#[derive(Debug)]
struct Shown {
    number: u64,
    place: Place,
    /// Subscription identifier; 0 for none.
    subscription_id: u32,
    filter: TopicFilter,
    view: View,
}

impl Shard {
    /// Why a subscription to the live tree is not taken; `None` for one that is, and for any other.
    pub(super) fn view_refusal(&mut self, session: u32, filter: &TopicFilter) -> Option<Refusal> {
        if !is_below_root(filter.pattern()) {
            return None;
        }
        if !self.shared.options.tree {
            let detail = "there is no live tree here (tree.enabled)";
            return Some(Refusal::new(ReasonCode::ImplementationSpecificError, detail));
        }
        if let Err(detail) = View::parse(filter) {
            return Some(Refusal::new(ReasonCode::TopicFilterInvalid, detail));
        }
        let shown = self.views.by_session.get(&session).map_or(&[][..], Vec::as_slice);
        if shown.iter().any(|shown| shown.filter == *filter) {
            return None;
        }
        let limit = if shown.len() >= self.shared.limits.views_per_session_max {
            Limit::ViewsOfSession
        } else if self.shared.views() >= self.shared.limits.views_max {
            Limit::Views
        } else {
            return None;
        };
        self.limited(session, limit);
        Some(Refusal::limit(ReasonCode::QuotaExceeded, limit))
    }

    /// Enters a subscription to the live tree; whether it is one. It takes the place of an earlier one with the same filter.
    pub(super) fn begin_view(
        &mut self,
        session: u32,
        filter: &TopicFilter,
        place: Place,
        subscription_id: u32,
    ) -> bool {
        if !is_below_root(filter.pattern()) {
            return false;
        }
        // One that is not well formed was refused, unless it was kept by another version: it shows nothing.
        let Ok(view) = View::parse(filter) else { return true };
        self.end_view(session, place);
        self.views.last += 1;
        let shown =
            Shown { number: self.views.last, place, subscription_id, filter: filter.detached(), view };
        if self.sessions[session].connection.is_some() {
            self.announce_view(session, &shown);
        }
        self.views.by_session.entry(session).or_default().push(shown);
        self.shared.count_views(1);
        true
    }

    /// A subscription has ended, which may be one to the live tree.
    pub(super) fn end_view(&mut self, session: u32, place: Place) {
        let Some(views) = self.views.by_session.get_mut(&session) else { return };
        let Some(at) = views.iter().position(|shown| shown.place == place) else { return };
        let number = views.swap_remove(at).number;
        self.shared.count_views(-1);
        if views.is_empty() {
            self.views.by_session.remove(&session);
        }
        self.effects.push_back(Effect::View(ViewChange::Ends(ViewId { session, number })));
    }

    /// The client is here again: what it looks at is shown to it anew.
    pub(super) fn resume_views(&mut self, session: u32) {
        let Some(views) = self.views.by_session.remove(&session) else { return };
        for shown in &views {
            self.announce_view(session, shown);
        }
        self.views.by_session.insert(session, views);
    }

    /// The client is away.
    pub(super) fn pause_views(&mut self, session: u32) {
        for Shown { number, .. } in self.views.by_session.get(&session).into_iter().flatten() {
            self.effects.push_back(Effect::View(ViewChange::Ends(ViewId { session, number: *number })));
        }
    }

    /// The session is over.
    pub(super) fn forget_views(&mut self, session: u32) {
        let views = self.views.by_session.remove(&session).unwrap_or_default();
        // A session has few.
        self.shared.count_views(-(views.len() as isize));
    }

    fn announce_view(&mut self, session: u32, shown: &Shown) {
        let Shown { number, filter, view, .. } = shown;
        let owner = &self.sessions[session];
        let viewing = Viewing {
            id: ViewId { session, number: *number },
            view: view.clone(),
            filter: filter.clone(),
            client_id: owner.client_id.clone(),
            identity: owner.identity.clone(),
        };
        self.effects.push_back(Effect::View(ViewChange::Begins(Box::new(viewing))));
    }

    /// Sends what those see who look at the live tree, as QoS 0. Nothing waits for a client that does not keep up: it is shown the
    /// newest once it does.
    pub fn handle_told(&mut self, now: Time, told: Vec<Told>) {
        for Told { id, topic, payload } in told {
            let views = self.views.by_session.get(&id.session);
            let Some(shown) = views.and_then(|views| views.iter().find(|it| it.number == id.number)) else {
                continue;
            };
            let subscription_id = shown.subscription_id;
            let message = Message {
                topic,
                payload,
                qos: QoS::AtMostOnce,
                retain: false,
                properties: None,
                publisher: 0,
                expires_at: None,
                kept: Mutex::default(),
                charge: None,
            };
            let message = Arc::new(message.charged(&self.account));
            if !self.deliver_view(now, id.session, subscription_id, &message) {
                self.effects.push_back(Effect::View(ViewChange::Missed(id)));
            }
        }
    }
}
