//! What clients were told, and what they asked for and were not told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hearth_protocol::QoS;
use hearth_protocol::packet::{PacketId, Publish, PublishAck, Subscribe, Unsubscribe};

use super::session::{Flight, Session};
use super::{Invariant, Model};

/// What the client of a session was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Promised {
    /// That there is the session.
    pub(super) session: bool,
    /// That it subscribes to these, and no more to those.
    pub(super) filters: BTreeSet<String>,
    pub(super) gone: BTreeSet<String>,
    /// That its QoS 2 messages under these identifiers are through.
    pub(super) completed: BTreeSet<u16>,
}

/// What a connection has asked for and was not answered, by packet identifier and kind, in order.
#[derive(Debug, Default)]
pub(super) struct Open {
    publishes: BTreeMap<(QoS, PacketId), VecDeque<usize>>,
    filters: BTreeMap<(bool, PacketId), VecDeque<Vec<String>>>,
}

impl Open {
    pub(super) fn publish(&mut self, publish: &Publish, number: usize) {
        if let Some(packet_id) = publish.packet_id {
            self.publishes.entry((publish.qos, packet_id)).or_default().push_back(number);
        }
    }

    pub(super) fn subscribe(&mut self, subscribe: &Subscribe) {
        let filters = subscribe.subscriptions.iter().map(|asked| asked.filter.as_str().to_owned());
        self.filters.entry((true, subscribe.packet_id)).or_default().push_back(filters.collect());
    }

    fn has_asked(&self, filter: &String) -> bool {
        self.filters.values().flatten().any(|filters| filters.contains(filter))
    }

    pub(super) fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) {
        let filters = unsubscribe.filters.iter().map(|filter| filter.as_str().to_owned());
        self.filters.entry((false, unsubscribe.packet_id)).or_default().push_back(filters.collect());
    }
}

impl Model {
    pub(in super::super) fn on_store_failing(&mut self, is_failing: bool) {
        self.store.is_failing = is_failing;
        self.store.may_fail = true;
    }

    pub(in super::super) fn on_failure_heard(&mut self, is_heard: bool) {
        self.store.is_failure_heard = is_heard;
    }

    /// Whether what a client is told is a promise: not while the disk takes nothing.
    const fn is_promise(&self) -> bool {
        !self.store.is_failing && !self.store.is_failure_heard
    }

    /// A client was told that its message was taken, or that it was not.
    pub(super) fn on_answered(&mut self, link: usize, qos: QoS, ack: &PublishAck) {
        let connection = &mut self.connections[link];
        let client = connection.client;
        let open = connection.open.publishes.get_mut(&(qos, ack.packet_id));
        let number = open.and_then(VecDeque::pop_front);
        let Some(number) = number else { return };
        if ack.reason.is_failure() {
            if !self.store.may_fail {
                let detail = format!("a message of client {client} was not taken: {}", ack.reason);
                return self.fail(Invariant::AcknowledgedIsDelivered, detail);
            }
            return self.refuse(client, qos, ack, number);
        }
        self.messages[number].is_acknowledged = true;
        let lost = self.sessions.iter().find(|(_, session)| session.missing.contains(&number));
        if let Some((other, _)) = lost {
            let key = &self.messages[number].key;
            let detail =
                format!("client {client} was told that {key} was taken, which is lost for client {other}");
            self.fail(Invariant::AcknowledgedIsDelivered, detail);
        }
    }

    /// A message is refused, of which its publisher may not hear, and try again. What was to be exact goes to nobody then.
    fn refuse(&mut self, client: usize, qos: QoS, ack: &PublishAck, number: usize) {
        self.messages[number].is_undone = true;
        let Some(session) = self.sessions.get_mut(&client).filter(|_| qos == QoS::ExactlyOnce) else {
            return;
        };
        session.held.remove(&ack.packet_id.get());
        if session.had_rows {
            self.take_back(number);
        }
    }

    /// The session of a client that is told of it, if that is a promise.
    fn promised(&mut self, client: usize, session: Option<u64>) -> Option<&mut Session> {
        let is_it = |other: &&mut Session| Some(other.number) == session;
        if self.is_promise() { self.sessions.get_mut(&client).filter(is_it) } else { None }
    }

    pub(super) fn promise_session(&mut self, client: usize, session: Option<u64>) {
        if let Some(session) = self.promised(client, session) {
            session.promised.session = true;
        }
    }

    pub(super) fn promise_release(&mut self, client: usize, session: Option<u64>, ack: &PublishAck) {
        let id = ack.packet_id.get();
        let Some(mut of) = self.sessions.remove(&client) else { return };
        let is_it = |flight: &&mut Flight| flight.qos == QoS::ExactlyOnce && Some(of.number) == session;
        if let Some(flight) = of.flights.get_mut(&id).filter(is_it) {
            // Of a message that nobody acknowledged the row may be gone while the identifier of it is not.
            let is_lost = flight.message < self.store.messages_before && self.is_lost(flight.message);
            flight.is_released |= is_lost || flight.may_be_over;
            flight.is_told = flight.is_released;
        }
        self.sessions.insert(client, of);
    }

    pub(super) fn promise_completion(&mut self, client: usize, session: Option<u64>, ack: &PublishAck) {
        let is_it = |other: &&mut Session| Some(other.number) == session;
        if let Some(session) = self.sessions.get_mut(&client).filter(is_it) {
            session.promised.completed.insert(ack.packet_id.get());
        }
    }

    pub(super) fn promise_filters(&mut self, link: usize, packet_id: PacketId, stands: bool) {
        let connection = &mut self.connections[link];
        let (client, session) = (connection.client, connection.session);
        let open = connection.open.filters.get_mut(&(stands, packet_id));
        let Some(mut filters) = open.and_then(VecDeque::pop_front) else { return };
        // What was asked for since may be on disk.
        filters.retain(|filter| !connection.open.has_asked(filter));
        let is_promise = self.is_promise();
        let is_it = |other: &&mut Session| Some(other.number) == session;
        let Some(session) = self.sessions.get_mut(&client).filter(is_it) else { return };
        let promised = &mut session.promised;
        for filter in filters {
            // Without a promise of its own it takes the one before back.
            promised.filters.remove(&filter);
            promised.gone.remove(&filter);
            match stands {
                true if is_promise => drop(promised.filters.insert(filter)),
                false if is_promise => drop(promised.gone.insert(filter)),
                true | false => {}
            }
        }
    }
}
