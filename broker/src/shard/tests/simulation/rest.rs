//! How everything comes to rest, and what must be there then, or be gone.

use hearth_protocol::generate::Random;
use hearth_protocol::packet::Disconnect;
use hearth_protocol::{ReasonCode, TopicFilter};

use super::clients::{Actor, CLIENTS};
use super::invariants::Invariant;
use super::world::World;
use crate::session::Session;

/// Rounds after which everything must have come to rest.
const ROUNDS_MAX: usize = 5000;

impl World {
    /// Lets everything come to rest and looks whether anything is missing or left.
    pub(super) fn finish(&mut self, seed: u64) {
        self.random = Random::new(seed.wrapping_add(0xF1A1));
        let parts = [
            Self::look_at_messages,
            Self::look_at_retained,
            Self::take_subscriptions_back,
            Self::leave_for_ever,
        ];
        for part in parts {
            if self.model.failure().is_none() {
                part(self);
            }
        }
    }

    fn look_at_messages(&mut self) {
        self.come_to_rest(true);
        self.check_heard();
        self.model.check_rest();
        self.check_flows();
    }

    fn take_subscriptions_back(&mut self) {
        for client in 0..=CLIENTS {
            let filters = self.model.filters_of(client);
            let filters: Vec<_> =
                filters.iter().map(|filter| TopicFilter::try_from(filter.as_str()).unwrap()).collect();
            if !filters.is_empty() {
                self.unsubscribe_from(client, filters);
            }
        }
        self.come_to_rest(true);
        self.check_subscriptions();
    }

    fn leave_for_ever(&mut self) {
        for client in 0..=CLIENTS {
            self.say_goodbye(client, Disconnect::new(ReasonCode::Success));
        }
        self.come_to_rest(false);
        for client in 0..=CLIENTS {
            self.end_session_of(client);
        }
        self.wait(700);
        self.come_to_rest(false);
        self.check_nothing_is_left();
        self.check_rows();
    }

    /// The network is whole, everybody who is to be is connected and answers, until nothing moves.
    fn come_to_rest(&mut self, is_connected: bool) {
        for round in 0..ROUNDS_MAX {
            let mut has_moved = false;
            for client in (0..CLIENTS).filter(|_| is_connected) {
                if self.clients[client].link.is_none() {
                    self.connect_with(client, None, 1 << 20);
                    has_moved = true;
                }
            }
            for link in self.alive.clone() {
                let at = &mut self.links[link];
                (at.is_stalled, at.capacity) = (false, usize::MAX);
                if self.clients[at.client].link != Some(link) {
                    at.close_client();
                }
                if round == 0 && self.clients[at.client].is_raw() && is_connected {
                    // What a script has not answered it is asked again on the next connection.
                    self.close_client(link);
                }
                has_moved |=
                    self.flush(link) | self.pump_up(link, usize::MAX) | self.pump_down(link, usize::MAX);
            }
            for ring in 0..self.rings.len() {
                while !self.rings[ring].is_empty() {
                    self.forward(ring);
                    has_moved = true;
                }
            }
            for client in 0..CLIENTS {
                while let Actor::Raw(raw) = &mut self.clients[client].actor
                    && let Some(packet) = raw.answer()
                {
                    self.send_raw(client, &packet);
                    has_moved = true;
                }
            }
            has_moved |= self.settle_store();
            self.alive.retain(|link| self.links[*link].is_alive());
            if !has_moved || self.model.failure().is_some() {
                return;
            }
        }
        self.model.fail(Invariant::NothingLeaks, format!("no rest after {ROUNDS_MAX} rounds"));
    }

    fn check_heard(&mut self) {
        for (client, at) in self.clients.iter().enumerate() {
            let Actor::Machine(machine) = &at.actor else { continue };
            // It takes a message under an identifier of the other session for that one's.
            let taken = if machine.is_mistaken { Vec::new() } else { self.model.taken_once(client) };
            for key in taken {
                let times = machine.heard.get(&key).copied().unwrap_or(0);
                self.model.check_heard(client, &key, times);
            }
            for (key, times) in machine.heard.iter().filter(|_| !machine.is_mistaken) {
                self.model.check_heard(client, key, *times);
            }
            if machine.client.pending_len() > 0 {
                let detail = format!("client {client} waits for {} messages", machine.client.pending_len());
                self.model.fail(Invariant::NothingLeaks, detail);
            }
            if let Some(key) = machine.sent.values().next() {
                let detail = format!("client {client} was not told what became of {key}");
                self.model.fail(Invariant::NothingLeaks, detail);
            }
        }
    }

    /// A client that comes now sees what was retained last.
    fn look_at_retained(&mut self) {
        let observer = CLIENTS;
        self.open(observer, usize::MAX);
        let Actor::Machine(machine) = &mut self.clients[observer].actor else { return };
        machine.prepare_to_leave();
        machine.client.handle_open(self.now);
        self.on_client_output(observer);
        self.come_to_rest(true);
        if self.model.failure().is_none() {
            self.subscribe_to_all(observer);
            self.come_to_rest(true);
            self.model.check_rest();
        }
    }

    /// Begins a session without a past or a future, and ends it.
    fn end_session_of(&mut self, client: usize) {
        let link = self.open(client, usize::MAX);
        let at = &mut self.clients[client];
        match &mut at.actor {
            Actor::Machine(machine) => {
                machine.prepare_to_leave();
                machine.client.handle_open(self.now);
            }
            Actor::Raw(raw) => {
                let bytes = raw.open_to_leave(&at.profile, &mut self.random);
                self.links[link].up.extend_from_slice(&bytes);
            }
        }
        self.on_client_output(client);
        self.come_to_rest(false);
        self.say_goodbye(client, Disconnect::new(ReasonCode::Success));
        self.come_to_rest(false);
    }

    /// Nothing is held for anybody who has acknowledged everything.
    fn check_flows(&mut self) {
        for (client, at) in self.clients.iter().enumerate() {
            let shard = &self.shards[self.shared.shard_of(&at.profile.id).as_index()];
            let session = shard.sessions.find(&at.profile.id).map(|index| &shard.sessions[index]);
            let Some(flow) = session.and_then(Session::flow) else { continue };
            let is_replaying = session.is_some_and(Session::is_replaying);
            // A script may leave its own messages unfinished, and so may a client those of a session that it knows nothing of.
            let is_honest = matches!(&at.actor, Actor::Machine(machine) if !machine.is_mistaken);
            let is_inbound = !flow.inbound.is_empty() && is_honest;
            if is_inbound || is_replaying || !flow.outbound.is_empty() || !flow.queue.is_empty() {
                let detail = format!(
                    "client {client}: {} under way, inbound {is_inbound}, retained {is_replaying}, queue empty {}",
                    flow.outbound.inflight_len(),
                    flow.queue.is_empty()
                );
                return self.model.fail(Invariant::NothingLeaks, detail);
            }
        }
    }

    fn check_subscriptions(&mut self) {
        let left = self.count(|stats| stats.subscriptions);
        if self.model.subscriptions_len() > 0 || left > 0 || self.shared.groups.len() > 0 {
            let detail = format!("{left} subscriptions where all were taken back");
            self.model.fail(Invariant::NothingLeaks, detail);
        } else if !self.shared.interest.is_empty() {
            self.model.fail(Invariant::NothingLeaks, "interest without a subscription".to_owned());
        }
    }

    fn check_nothing_is_left(&mut self) {
        let left = self.shards.iter().find_map(|shard| {
            let stats = shard.stats();
            let left = (stats.sessions, stats.connections, shard.connections.len(), shard.timers.len());
            (left != (0, 0, 0, 0)).then_some(left)
        });
        if let Some(left) = left {
            let detail = format!("sessions, connections, their places and timers are left: {left:?}");
            self.model.fail(Invariant::NothingLeaks, detail);
        }
    }
}
