//! What the shard does about what the broker holds for its clients.

use hearth_protocol::Time;

use super::Shard;
use crate::delivery::Delivery;
use crate::effect::Event;
use crate::held::Pressure;
use crate::ids::ConnectionId;
use crate::limits::Limit;
use crate::session::Session;

impl Shard {
    /// The driver's turn begins.
    pub fn handle_turn_begin(&mut self, now: Time) {
        if self.gauge.is_due(now) {
            self.look_at_held(now);
        }
    }

    /// The socket of a connection has not taken all of its output; to be called again when that grows, or becomes less.
    /// For [`Shard::handle_flushed`] it is not needed.
    pub fn handle_sent(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.as_index()).filter(|place| place.is(id)) else {
            return;
        };
        self.outputs.settle(&mut connection.output);
        let len = connection.output_len();
        let before = std::mem::replace(&mut connection.backlog, len);
        self.backlog = self.backlog + len - before;
    }

    pub(super) fn look_at_held(&mut self, now: Time) {
        let held = self.shared.held_bytes();
        let Some(pressure) = self.gauge.look(now, held, self.shared.limits.held_bytes_max) else { return };
        self.event(Event::Pressure { pressure, held, limit: Limit::HeldBytes.name() });
    }

    /// Lets all shards know what this one holds.
    pub(super) fn enter_held(&self) {
        self.account.set_rest(self.queued * size_of::<Delivery>() + self.backlog);
    }

    /// A connection is not read on, until there is room.
    pub(super) fn pause(&mut self, id: ConnectionId) {
        let Some(connection) = self.open_connection(id) else { return };
        let was_paused = std::mem::replace(&mut connection.is_paused, true);
        if let Some(session) = connection.session.filter(|_| !was_paused) {
            self.stats.paused += 1;
            self.limited(session, Limit::HeldBytes);
        }
    }

    /// Whether nothing more may be held for a connection that has not taken what it was sent, or for none.
    pub(super) fn refuses_for(&self, connection: Option<u32>) -> bool {
        self.gauge.pressure() == Pressure::Refusing
            && connection.is_none_or(|connection| self.connections[connection as usize].backlog > 0)
    }

    /// Bytes of messages that may be under way to one client.
    pub(super) fn under_way_bytes_max(&self) -> usize {
        let limits = &self.shared.limits;
        match self.gauge.pressure() {
            Pressure::None | Pressure::Pausing => limits.queued_bytes_max,
            Pressure::Refusing => limits.queued_bytes_max.min(limits.output_bytes_max),
        }
    }

    /// Changes a session in a way that may take messages out of its queue.
    pub(super) fn with_queue<R>(&mut self, index: u32, change: impl FnOnce(&mut Session) -> R) -> R {
        let session = &mut self.sessions[index];
        let before = session.queued();
        let result = change(session);
        self.queued = self.queued + session.queued() - before;
        result
    }
}
