//! Subscriptions come and go.

use hearth_protocol::packet::{RetainHandling, Subscribe, Unsubscribe};

use super::Model;
use super::session::Subscription;

impl Model {
    pub(super) fn on_subscribe(&mut self, client: usize, subscribe: &Subscribe) {
        let since = self.messages.len();
        for asked in &subscribe.subscriptions {
            if let Some(session) = self.sessions.get_mut(&client) {
                session.promised.gone.remove(asked.filter.as_str());
            }
            if asked.filter.shared().is_some() {
                self.join(client, asked);
                continue;
            }
            let Some(session) = self.sessions.get_mut(&client) else { return };
            let id = subscribe.properties.subscription_id;
            let old = session.subscriptions.get(asked.filter.as_str());
            let subscription = Subscription {
                since: old.map_or(since, |old| old.since),
                filter: asked.filter.clone(),
                qos: asked.qos,
                no_local: asked.no_local,
                retain_as_published: asked.retain_as_published,
                id,
            };
            session.as_published |= asked.retain_as_published;
            let old = session.subscriptions.insert(asked.filter.as_str().to_owned(), subscription);
            let wants_retained = match asked.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => old.is_none(),
                RetainHandling::DoNotSend => false,
            };
            if wants_retained {
                self.begin_replay(client, asked, id);
            }
        }
    }

    pub(super) fn on_unsubscribe(&mut self, client: usize, unsubscribe: &Unsubscribe) {
        for filter in &unsubscribe.filters {
            if let Some(session) = self.sessions.get_mut(&client) {
                session.promised.filters.remove(filter.as_str());
            }
            if filter.shared().is_some() {
                self.leave(client, filter.as_str());
            } else if let Some(session) = self.sessions.get_mut(&client) {
                session.subscriptions.remove(filter.as_str());
                self.end_replay(client, filter);
            }
        }
    }

    /// The filters that a client subscribes to, shared ones included.
    pub(in super::super) fn filters_of(&self, client: usize) -> Vec<String> {
        let Some(session) = self.sessions.get(&client) else { return Vec::new() };
        let shared = self.groups.iter().filter(|(_, group)| group.members.contains(&client));
        session.subscriptions.keys().chain(shared.map(|(filter, _)| filter)).cloned().collect()
    }

    /// How many subscriptions there are, shared ones included.
    pub(in super::super) fn subscriptions_len(&self) -> usize {
        let own: usize = self.sessions.values().map(|session| session.subscriptions.len()).sum();
        own + self.groups.values().map(|group| group.members.len()).sum::<usize>()
    }
}
