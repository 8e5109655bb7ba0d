//! The bytes of a turn: from the sockets to the shard, and back.

use std::io;

use bytes::BytesMut;
use hearth_broker::{Closer, ConnectionId, Output};
use hearth_protocol::Time;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::appetite::READ_BYTES_MAX;
use super::connection::{Phase, Received, Sent};
use super::{CLOSE_MAX, FLUSH_ROUNDS, ShardDriver, TURN_OUTPUT_COST_MAX};

/// Bytes that one connection may bring in a turn before the others get theirs.
const CONNECTION_BYTES_PER_TURN: usize = 2 * READ_BYTES_MAX;

/// A partial packet up to this size is copied before the next bytes of its connection in the shared buffer;
/// a longer one grows in a buffer of its own.
const PARTIAL_COPY_MAX: usize = 4096;

/// What is left to do for a socket after its part of the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing, until the system tells of it or its pause ends.
    Wait,
    /// It may have more to read.
    Again,
}

/// What a turn may still read.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// Bytes of input.
    input: usize,
    /// Where [`Shard::output_cost`](hearth_broker::Shard::output_cost) may come to.
    output_end: u64,
}

/// Where the bytes of a read go.
struct Buffer {
    bytes: BytesMut,
    /// Of the connection; otherwise it is the one that all share.
    is_own: bool,
}

impl Buffer {
    /// The one to which the next bytes of a connection are to be put, with what it has of a packet.
    fn begin(shared: &mut BytesMut, partial: &mut BytesMut) -> Self {
        let partial = std::mem::take(partial);
        if partial.len() > PARTIAL_COPY_MAX {
            return Self { bytes: partial, is_own: true };
        }
        let mut bytes = std::mem::take(shared);
        // The end of a packet that is a little longer than a read then finds room behind its beginning, and nothing is moved.
        bytes.reserve(PARTIAL_COPY_MAX + READ_BYTES_MAX);
        bytes.extend_from_slice(&partial);
        Self { bytes, is_own: false }
    }
}

impl ShardDriver {
    /// Reads what is ready, until the turn's share is used up or a neighbouring shard has no room.
    pub(super) fn read_sockets(&mut self, now: Time) {
        self.read_resumed(now);
        self.send_unblocked(now);
        let mut left =
            Left { input: self.turn_bytes, output_end: self.shard.output_cost() + TURN_OUTPUT_COST_MAX };
        for _ in 0..self.due.len() {
            if self.is_satisfied(left) {
                break;
            }
            let Some(slot) = self.due.pop_front() else { break };
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            connection.due = false;
            if self.read_socket(now, slot, &mut left) == Next::Again {
                self.make_due(slot);
            }
        }
    }

    /// Lets the shard have what it left of the input of clients that it did not know yet.
    fn read_resumed(&mut self, now: Time) {
        for slot in std::mem::take(&mut self.resumed) {
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            let Phase::Open(id) = connection.phase else { continue };
            let mut bytes = std::mem::take(&mut connection.partial);
            if !bytes.is_empty() {
                self.shard.handle_input(now, id, &mut bytes);
                self.keep_rest(slot, Buffer { bytes, is_own: true });
                self.carry_out_effects(now);
            }
        }
    }

    /// Sends what waited for room in sockets that have some now.
    fn send_unblocked(&mut self, now: Time) {
        let mut unblocked = std::mem::take(&mut self.unblocked);
        for slot in unblocked.drain(..) {
            if let Some(connection) = self.connections.get_mut(slot)
                && std::mem::take(&mut connection.write_blocked)
            {
                self.send(now, slot);
            }
        }
        self.unblocked = unblocked;
    }

    /// Puts a connection on the list of those to be read, once.
    fn make_due(&mut self, slot: usize) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !std::mem::replace(&mut connection.due, true)
        {
            self.due.push_back(slot);
        }
    }

    /// Whether the turn reads no more.
    fn is_satisfied(&self, left: Left) -> bool {
        left.input == 0 || self.shard.output_cost() >= left.output_end || self.is_congested()
    }

    /// Reads one socket until it would block or its share is used up.
    fn read_socket(&mut self, now: Time, slot: usize, left: &mut Left) -> Next {
        let mut share = CONNECTION_BYTES_PER_TURN;
        while share > 0 && !self.is_satisfied(*left) {
            if !self.may_read(slot) {
                return Next::Wait;
            }
            let Some(connection) = self.connections.get_mut(slot) else { return Next::Wait };
            let len_max = connection.appetite.read_bytes().min(left.input);
            match connection.receive(&mut self.scratch[..len_max]) {
                Received::Bytes(len) => {
                    share = share.saturating_sub(len);
                    left.input = left.input.saturating_sub(len);
                    let mut buffer = Buffer::begin(&mut self.buffer, &mut connection.partial);
                    let start = buffer.bytes.len();
                    buffer.bytes.extend_from_slice(&self.scratch[..len]);
                    let before = self.shard.output_cost();
                    self.digest(now, slot, buffer, start);
                    let cost = self.shard.output_cost() - before;
                    if let Some(connection) = self.connections.get_mut(slot) {
                        connection.appetite.learn(cost);
                    }
                }
                Received::Blocked => return Next::Wait,
                Received::Ended(error) => {
                    self.on_peer_end(now, slot, error);
                    return Next::Wait;
                }
            }
        }
        Next::Again
    }

    /// Whether the socket has something for which the shard has room.
    fn may_read(&mut self, slot: usize) -> bool {
        let Some(connection) = self.connections.get_mut(slot) else { return false };
        if let Phase::Open(id) = connection.phase
            && !self.shard.wants_input(id)
        {
            if !std::mem::replace(&mut connection.paused, true) {
                self.paused.push(slot);
            }
            return false;
        }
        connection.is_readable()
    }

    /// Hands over the bytes that the door read.
    pub(super) fn receive_first(&mut self, now: Time, slot: usize, bytes: &[u8]) {
        let mut buffer = Buffer { bytes: std::mem::take(&mut self.buffer), is_own: false };
        buffer.bytes.extend_from_slice(bytes);
        self.digest(now, slot, buffer, 0);
    }

    /// Lets the shard have the bytes of `buffer`, of which those from `start` on are new.
    fn digest(&mut self, now: Time, slot: usize, mut buffer: Buffer, start: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let Phase::Open(id) = connection.phase else {
            // What comes after the end is read only so that the peer's last look at us is no reset.
            buffer.bytes.clear();
            self.keep_rest(slot, buffer);
            return;
        };
        let end = connection.unwrap(&mut buffer.bytes, start);
        if connection.has_pending() {
            self.owing.push(slot);
        }
        self.shard.handle_input(now, id, &mut buffer.bytes);
        self.keep_rest(slot, buffer);
        self.carry_out_effects(now);
        if let Err(end) = end
            && self.slot_of(id).is_some()
        {
            tracing::debug!(?id, ?end, "the WebSocket ended");
            let output = self.shard.take_output(id);
            self.shard.handle_closed(now, id);
            self.start_close(now, slot, output, Closer::Broker);
            self.carry_out_effects(now);
        }
    }

    /// Leaves what the shard did not take with its connection, and the shared buffer empty for the next one.
    fn keep_rest(&mut self, slot: usize, buffer: Buffer) {
        let Buffer { mut bytes, is_own } = buffer;
        if !bytes.is_empty()
            && let Some(connection) = self.connections.get_mut(slot)
            && matches!(connection.phase, Phase::Open(_))
        {
            if bytes.len() > PARTIAL_COPY_MAX {
                // The long packet has the buffer; the next connection that reads makes a new one.
                connection.partial = bytes;
                return;
            }
            connection.partial = BytesMut::from(&bytes[..]);
        }
        if !is_own {
            bytes.clear();
            self.buffer = bytes;
        }
    }

    fn on_peer_end(&mut self, now: Time, slot: usize, error: Option<io::Error>) {
        let Some(connection) = self.connections.get(slot) else { return };
        match connection.phase {
            Phase::Open(id) => {
                tracing::debug!(?id, ?error, "the peer ended the connection");
                // It may have closed one direction only, and wait for answers.
                if error.is_none() {
                    self.send(now, slot);
                }
                if self.slot_of(id) == Some(slot) {
                    self.connections.remove(slot);
                    self.shard.handle_closed(now, id);
                    self.carry_out_effects(now);
                }
            }
            // It may still read what is left for it.
            Phase::Flushing { .. } if error.is_none() => {}
            Phase::Flushing { .. } | Phase::Lingering { .. } => {
                self.connections.remove(slot);
            }
        }
    }

    /// The slot of a connection that the shard still knows.
    pub(super) fn slot_of(&self, id: ConnectionId) -> Option<usize> {
        let slot = *self.slots.get(id.as_index())?;
        let connection = self.connections.get(slot)?;
        matches!(connection.phase, Phase::Open(own) if own == id).then_some(slot)
    }

    /// The shard is done with a connection.
    pub(super) fn begin_close(&mut self, now: Time, id: ConnectionId, closer: Closer) {
        let output = self.shard.take_output(id);
        if let Some(slot) = self.slot_of(id) {
            self.start_close(now, slot, output, closer);
        }
    }

    fn start_close(&mut self, now: Time, slot: usize, output: Output, closer: Closer) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if let Some(frames) = connection.frames() {
            frames.close(CloseCode::Normal);
        }
        let until = now.saturating_add(CLOSE_MAX);
        connection.partial = BytesMut::new();
        connection.phase = Phase::Flushing { output: Box::new(output), until, closer };
        self.close_deadlines.push_back((until, slot));
        self.owing.push(slot);
    }

    /// Writes once to each connection that has something to say, and again to those that get more by it.
    pub(super) fn flush(&mut self, now: Time) {
        for _ in 0..FLUSH_ROUNDS {
            let mut owing = std::mem::take(&mut self.owing);
            for slot in owing.drain(..) {
                self.send_unless_blocked(now, slot);
            }
            self.owing = owing;
            while let Some(id) = self.shard.poll_dirty() {
                if let Some(slot) = self.slot_of(id)
                    && !self.send_unless_blocked(now, slot)
                {
                    self.shard.handle_sent(id);
                }
            }
            if self.flushed.is_empty() && self.owing.is_empty() {
                return;
            }
            let mut flushed = std::mem::take(&mut self.flushed);
            for id in flushed.drain(..) {
                self.shard.handle_flushed(now, id);
            }
            self.flushed = flushed;
            self.carry_out_effects(now);
        }
        self.more_to_do = true;
    }

    /// Whether it was tried: a socket that is full says when it is not.
    fn send_unless_blocked(&mut self, now: Time, slot: usize) -> bool {
        let is_ready = self.connections.get(slot).is_some_and(|connection| !connection.write_blocked);
        if is_ready {
            self.send(now, slot);
        }
        is_ready
    }

    fn send(&mut self, now: Time, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let Phase::Open(id) = connection.phase else { return self.send_last_words(now, slot) };
        let Some(output) = self.shard.output(id) else { return };
        match connection.send(output) {
            Sent::All => self.flushed.push(id),
            Sent::Blocked => self.shard.handle_sent(id),
            Sent::Failed(error) => self.on_peer_end(now, slot, Some(error)),
        }
    }

    /// What a connection has left to send that the shard is done with.
    fn send_last_words(&mut self, now: Time, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        match std::mem::replace(&mut connection.phase, Phase::Lingering { until: now }) {
            Phase::Flushing { mut output, until, closer } => match connection.send(output.sending()) {
                // Nothing is left to be read that would make the close a reset.
                Sent::All if connection.has_ended() || connection.may_close(closer) => {
                    self.connections.remove(slot);
                }
                Sent::All => {
                    connection.phase = Phase::Lingering { until };
                    if let Err(error) = connection.close_write() {
                        tracing::debug!(%error, "a socket was gone before it was closed");
                        self.connections.remove(slot);
                    } else if connection.is_readable() {
                        self.make_due(slot);
                    }
                }
                Sent::Blocked => connection.phase = Phase::Flushing { output, until, closer },
                Sent::Failed(_) => {
                    self.connections.remove(slot);
                }
            },
            other @ (Phase::Open(_) | Phase::Lingering { .. }) => connection.phase = other,
        }
    }

    /// Reads the connections again that the shard has room for again.
    pub(super) fn unpause(&mut self) {
        let mut paused = std::mem::take(&mut self.paused);
        paused.retain(|slot| {
            let Some(connection) = self.connections.get_mut(*slot).filter(|connection| connection.paused)
            else {
                return false;
            };
            connection.paused = matches!(connection.phase, Phase::Open(id) if !self.shard.wants_input(id));
            if !connection.paused {
                if !connection.partial.is_empty() {
                    // It may hold whole packets, behind which the client sends nothing more before they are answered.
                    self.resumed.push(*slot);
                }
                self.make_due(*slot);
                self.more_to_do = true;
                return false;
            }
            true
        });
        self.paused = paused;
    }
}
