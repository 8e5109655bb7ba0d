//! One shard: takes bytes and time, gives bytes and effects.

mod acknowledge;
mod authenticate;
mod carry;
mod close;
mod connect;
mod deliver;
#[cfg(feature = "generate")]
pub(crate) mod exercise;
mod keep;
mod pressure;
mod publish;
mod reply;
mod restore;
mod share;
mod subscribe;
mod timers;
mod view;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use hearth_protocol::codec;
use hearth_protocol::connection::ProtocolError;
use hearth_protocol::connection::server::ServerConnection;
use hearth_protocol::packet::{Packet, ReasonProperties};
use hearth_protocol::{ReasonCode, Text, Time, Version};
use slab::Slab;

use crate::connection::{Connection, Peer};
use crate::durable::{Hold, Holds, Journal};
use crate::effect::{Consignment, DropReason, Effect, EndReason, Event, Forward};
use crate::encoding::Encodings;
use crate::held::{Account, Gauge, Pressure};
use crate::ids::{ConnectionId, ShardId};
use crate::limits::{Limit, LimitSet};
use crate::output::{Output, Outputs, Sending};
use crate::router::Router;
use crate::sessions::Sessions;
use crate::shared::Shared;
use crate::stats::Stats;
use crate::tally::{TallySeat, TallySlot};
use crate::tap::Tap;
use timers::{Timer, Timers};
pub use view::{Told, ViewChange, ViewId, Viewing};

/// One part of a broker, with the sessions whose client ids hash to it.
///
/// After each `handle_*` call the driver carries out every [`Shard::poll_effect`]; at the end of its turn it
/// writes the output of every [`Shard::poll_dirty`].
pub struct Shard {
    shared: Arc<Shared>,
    id: ShardId,
    router: Router,
    sessions: Sessions,
    connections: Slab<Connection>,
    generation_next: u32,
    serial_next: u64,
    dirty: VecDeque<ConnectionId>,
    effects: VecDeque<Effect>,
    timers: Timers,
    encodings: Encodings,
    outputs: Outputs,
    stats: Stats,
    /// Shared subscriptions of the sessions here.
    shared_subscriptions: usize,
    /// Wills of the sessions here.
    wills: usize,
    /// Bounds that the broker's own messages met, each told once.
    own_limits_told: LimitSet,
    /// Changes for the store.
    journal: Journal,
    /// What waits for them.
    holds: Holds,
    /// What is going on now waits for what it changes.
    hold: Option<Hold>,
    /// Set when something may go on although nothing was written.
    may_release: bool,
    /// What has to go to other shards and waits for the disk.
    waiting: carry::Waiting,
    tap: Option<Box<dyn Tap>>,
    /// What came of each topic, for the live tree.
    tally: Option<TallySeat>,
    /// Who looks at the live tree.
    views: view::Views,
    /// Where this shard enters what it holds.
    account: Arc<Account>,
    gauge: Gauge,
    /// Messages in the queues of the sessions here.
    queued: usize,
    /// Bytes of output that sockets have not taken.
    backlog: usize,
}

impl Shard {
    /// A shard without sessions.
    pub fn new(shared: Arc<Shared>, id: ShardId) -> Self {
        let seed = shared.hash_seed();
        let topic_cache_max = shared.limits.topic_cache_max;
        let (journal, holds) = (Journal::new(shared.has_store()), Holds::new(shared.shard_count().get()));
        Self {
            router: Router::new(id, seed, topic_cache_max),
            account: Arc::clone(shared.account(id)),
            shared,
            id,
            sessions: Sessions::new(seed),
            connections: Slab::new(),
            generation_next: 0,
            serial_next: (id.as_index() as u64) << 48,
            dirty: VecDeque::new(),
            effects: VecDeque::new(),
            timers: Timers::default(),
            encodings: Encodings::default(),
            outputs: Outputs::default(),
            stats: Stats::default(),
            shared_subscriptions: 0,
            wills: 0,
            own_limits_told: LimitSet::EMPTY,
            journal,
            holds,
            hold: None,
            may_release: false,
            waiting: carry::Waiting::default(),
            tap: None,
            tally: None,
            views: view::Views::default(),
            gauge: Gauge::default(),
            queued: 0,
            backlog: 0,
        }
    }

    /// Has somebody look at every message that this shard takes from now on.
    pub fn set_tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// Has what comes of each topic counted from now on, for the live tree.
    pub fn set_tally(&mut self, slot: Arc<TallySlot>) {
        self.tally = Some(TallySeat::new(slot));
    }

    /// The driver's turn ends.
    pub fn handle_turn_end(&mut self) {
        if let Some(tally) = &mut self.tally {
            tally.end_turn();
        }
        if let Some(tap) = &mut self.tap {
            tap.on_turn_end();
        }
        self.enter_held();
    }

    /// A transport is up; its first packet must be CONNECT.
    pub fn handle_open(&mut self, now: Time, peer: Peer) -> ConnectionId {
        self.generation_next = self.generation_next.wrapping_add(1);
        let index = self.connections.insert(Connection {
            generation: self.generation_next,
            protocol: ServerConnection::new(self.shared.limits.packet_bytes_max)
                .with_stranger_packet_size_max(self.shared.limits.connect_bytes_max()),
            is_local: peer.is_local,
            peer: Some(Box::new(peer)),
            session: None,
            authentication: None,
            aliases: None,
            output: None,
            is_dirty: false,
            backlog: 0,
            is_paused: false,
            is_closed: false,
            is_dropping: false,
            is_greeted: false,
            held: 0,
            held_publishes: 0,
        });
        // A slab of 2^32 connections would need terabytes.
        let id = ConnectionId { index: index as u32, generation: self.generation_next };
        self.timers.set(now, now.saturating_add(self.shared.limits.connect_time_max()), Timer::Connect(id));
        self.stats.connections += 1;
        self.shared.count_opened();
        self.stats.opened += 1;
        id
    }

    /// Takes the whole packets off `input` and leaves the start of one that is not whole; and everything from a PUBLISH on
    /// while publishers are not read.
    pub fn handle_input(&mut self, now: Time, id: ConnectionId, input: &mut BytesMut) {
        let pressure = self.gauge.pressure();
        while let Some(connection) = self.open_connection(id) {
            if connection.is_paused || pressure == Pressure::Pausing {
                if must_pause(connection, pressure, input) {
                    self.pause(id);
                    self.release_if_due(now);
                    return;
                }
                connection.is_paused = false;
            }
            let len = input.len();
            match connection.protocol.next_packet(now, input) {
                Ok(Some(packet)) => {
                    self.stats.packets_in += 1;
                    self.stats.bytes_in += (len - input.len()) as u64;
                    self.on_packet(now, id, packet);
                }
                Ok(None) => {
                    self.release_if_due(now);
                    return;
                }
                Err(error) => self.on_violation(now, id, &error),
            }
        }
        input.clear();
        self.release_if_due(now);
    }

    /// A message from another shard.
    pub fn handle_forward(&mut self, now: Time, forward: Forward) {
        // It may have waited longer between the shards than it was to live [MQTT-3.3.2-5].
        let is_expired = forward.message().is_some_and(|message| message.is_expired(now));
        if is_expired {
            self.count_drop(DropReason::Expired);
        }
        match forward {
            Forward::Message(message, awaited) => {
                self.begin_receipt(awaited);
                if !is_expired {
                    let delivered = self.deliver_forwarded(now, &message);
                    self.tell_untaken(delivered, awaited);
                }
                self.end_receipt(now, awaited);
            }
            Forward::Carried(consignment) => {
                let Consignment { message, carried } = *consignment;
                if !is_expired {
                    self.deliver_forwarded(now, &message);
                }
                self.settle(&carried, &message);
            }
            Forward::Shared(assigned) => {
                self.begin_receipt(assigned.awaited);
                if !is_expired {
                    self.take_assigned(now, &assigned);
                } else if let Some(carried) = &assigned.carried {
                    self.settle(carried, &assigned.message);
                }
                self.end_receipt(now, assigned.awaited);
            }
            Forward::Returned(assigned) if is_expired => drop(assigned),
            Forward::Returned(assigned) => self.take_returned(now, &assigned),
            Forward::Receipt { from, up_to } => self.handle_receipt(now, from, up_to),
            Forward::Done { from, number } => self.handle_done(now, from, number),
            Forward::Unkept { from, number } => self.handle_unkept(now, from, number),
            Forward::Untaken { from, number, met } => self.handle_untaken(from, number, met),
            Forward::Unneeded(unneeded) => self.handle_unneeded(unneeded),
        }
        self.release_if_due(now);
    }

    /// Everything in the output of a connection is written: there is room for more.
    pub fn handle_flushed(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.as_index()).filter(|place| place.is(id)) else {
            return;
        };
        connection.is_dropping = false;
        self.backlog -= std::mem::take(&mut connection.backlog);
        self.outputs.reclaim(&mut connection.output);
        if let Some(session) = connection.session {
            self.send_queue(now, session);
        }
        self.release_if_due(now);
    }

    /// Whether more input of a connection should be read: not while its own output is full, so that a client
    /// that does not read its acknowledgements cannot make the broker hold them; nor while as much of what it published waits for
    /// the disk to go to other shards; not before it is known who the client is, so that a stranger cannot make the broker hold
    /// what it sends behind its CONNECT; and not while it publishes and there is no room for what it publishes.
    pub fn wants_input(&self, id: ConnectionId) -> bool {
        self.connection(id).is_none_or(|connection| {
            let is_full = connection.output_len() >= self.shared.limits.output_bytes_max;
            let is_paused = connection.is_paused && self.gauge.pressure() == Pressure::Pausing;
            !(connection.is_held() || is_full || is_paused || self.is_held_up(id))
        })
    }

    /// What output has cost since the beginning, in bytes copied to the outputs of subscribers. Bytes that only the
    /// kernel copies count for a sixteenth: they leave the cache alone, but take their time when they are written.
    pub const fn output_cost(&self) -> u64 {
        self.outputs.copied + self.stats.bytes_out / 16
    }

    /// The next connection whose output has grown.
    pub fn poll_dirty(&mut self) -> Option<ConnectionId> {
        loop {
            let id = self.dirty.pop_front()?;
            if let Some(connection) = self.open_connection(id) {
                connection.is_dirty = false;
                return Some(id);
            }
        }
    }

    /// What is to be written to a connection; `None` when the connection is over.
    pub fn output(&mut self, id: ConnectionId) -> Option<Sending<'_>> {
        let connection = self.connections.get_mut(id.as_index()).filter(|place| place.is(id))?;
        Some(self.outputs.sending(&mut connection.output))
    }

    /// The last words to a connection that is over, or all that is left for one that is to end now.
    pub fn take_output(&mut self, id: ConnectionId) -> Output {
        let Some(connection) = self.connections.get_mut(id.as_index()) else { return Output::default() };
        if connection.generation != id.generation {
            return Output::default();
        }
        self.outputs.settle(&mut connection.output);
        let output = connection.output.take().map_or_else(Output::default, |output| *output);
        self.backlog -= std::mem::take(&mut connection.backlog);
        if connection.is_closed {
            self.connections.remove(id.as_index());
        }
        output
    }

    /// The next thing to be done outside.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What has been counted. It looks at every session: for a call every few seconds.
    pub fn stats(&self) -> Stats {
        Stats {
            sessions: self.sessions.len(),
            subscriptions: self.router.len() + self.shared_subscriptions,
            shared_subscriptions: self.shared_subscriptions,
            wills: self.wills,
            waiting: self.sessions.waiting(),
            waiting_bytes: self.sessions.waiting_bytes(),
            held_bytes: self.account.bytes(),
            pressure: self.gauge.pressure(),
            most_dropped: self.sessions.most_dropped(),
            ..self.stats.clone()
        }
    }

    fn on_packet(&mut self, now: Time, id: ConnectionId, packet: Packet) {
        let Some(session) = self.connection(id).and_then(|connection| connection.session) else {
            return self.on_early_packet(now, id, packet);
        };
        match packet {
            Packet::Publish(publish) if publish.packet_id.is_none() => {
                self.on_publish(now, id, session, &publish);
            }
            Packet::Publish(publish) => {
                self.begin_hold();
                self.on_publish(now, id, session, &publish);
                self.end_hold();
            }
            Packet::PubAck(ack) => self.on_puback(now, session, &ack),
            Packet::PubRec(ack) => {
                self.begin_hold();
                self.on_pubrec(now, id, session, &ack);
                self.end_hold();
            }
            Packet::PubRel(ack) => {
                self.begin_hold();
                self.on_pubrel(now, id, session, &ack);
                self.end_hold();
            }
            Packet::PubComp(ack) => self.on_pubcomp(now, session, &ack),
            Packet::Subscribe(subscribe) => {
                self.begin_hold();
                self.on_subscribe(now, id, session, &subscribe);
                self.end_hold();
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.begin_hold();
                self.on_unsubscribe(now, id, session, &unsubscribe);
                self.end_hold();
            }
            Packet::PingReq => self.reply(now, id, Packet::PingResp),
            Packet::Disconnect(disconnect) => self.on_disconnect(now, id, session, &disconnect),
            Packet::Auth(auth) => self.on_auth(now, id, &auth),
            // `ServerConnection` lets none of these through.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => {}
        }
    }

    /// A packet of a client that is not let in yet.
    fn on_early_packet(&mut self, now: Time, id: ConnectionId, packet: Packet) {
        match packet {
            Packet::Connect(connect) => self.on_connect(now, id, &connect),
            Packet::Auth(auth) => self.on_auth(now, id, &auth),
            Packet::Disconnect(disconnect) => {
                self.end_connection(now, id, EndReason::Disconnect(disconnect.reason));
            }
            // `ServerConnection` lets none of these through.
            Packet::ConnAck(_)
            | Packet::Publish(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Subscribe(_)
            | Packet::SubAck(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_)
            | Packet::PingReq
            | Packet::PingResp => {}
        }
    }

    /// A client broke a rule: it is told, where its version has words for it, and its connection ends.
    fn on_violation(&mut self, now: Time, id: ConnectionId, error: &ProtocolError) {
        self.stats.protocol_errors.add(error.reason);
        let Some(connection) = self.open_connection(id) else { return };
        let (session, limit) = (connection.session, Limit::of_violation(error.reason));
        match (session, limit) {
            (Some(session), Some(limit)) => self.limited(session, limit),
            (None, Some(limit)) => self.limited_early(id, Text::EMPTY, limit),
            (_, None) => {}
        }
        let Some(connection) = self.open_connection(id) else { return };
        if connection.session.is_none() {
            let version = connection.protocol.version();
            self.refuse(id, version, error.reason, error.detail.to_string());
            return;
        }
        let end = EndReason::Violation { reason: error.reason, detail: error.detail.to_string() };
        self.end_connection(now, id, end);
    }

    fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id.as_index()).filter(|place| place.is(id))
    }

    fn open_connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(id.as_index()).filter(|place| place.is(id))
    }

    /// Who is on the other end of a connection whose CONNECT is not accepted yet.
    fn peer(&self, id: ConnectionId) -> Option<&Peer> {
        self.connection(id)?.peer.as_deref()
    }

    fn connection_id(&self, index: u32) -> Option<ConnectionId> {
        let connection = self.connections.get(index as usize)?;
        Some(ConnectionId { index, generation: connection.generation })
    }

    /// The words for a refusal, where the client wants any (3.1.2.11.7).
    fn words(&self, id: ConnectionId, detail: &str) -> ReasonProperties {
        let peer = self.connection(id).and_then(|connection| {
            let is_v5 = connection.protocol.version().is_some_and(Version::is_v5);
            connection.protocol.peer().filter(|_| is_v5)
        });
        let reason_string = match peer {
            Some(peer) if peer.request_problem_information => Text::try_from(detail).ok(),
            Some(_) | None => None,
        };
        ReasonProperties { reason_string, ..ReasonProperties::default() }
    }

    /// As [`Shard::reply`], with the words for a refusal where there is room for them [MQTT-3.4.2-2].
    fn answer_with(
        &mut self,
        now: Time,
        id: ConnectionId,
        detail: Option<&str>,
        packet: impl Fn(ReasonProperties) -> Packet,
    ) {
        let packet = self.worded(id, detail, packet);
        self.reply(now, id, packet);
    }

    /// An answer with words, where the client wants them and has room for them.
    fn worded(
        &self,
        id: ConnectionId,
        detail: Option<&str>,
        packet: impl Fn(ReasonProperties) -> Packet,
    ) -> Packet {
        let words = detail.map_or_else(ReasonProperties::default, |detail| self.words(id, detail));
        let has_room = words.reason_string.is_some() && self.fits(id, &packet(words.clone()));
        packet(if has_room { words } else { ReasonProperties::default() })
    }

    /// Whether the client takes a packet of this size.
    fn fits(&self, id: ConnectionId, packet: &Packet) -> bool {
        let Some(connection) = self.connection(id) else { return false };
        let version = connection.protocol.version().unwrap_or(Version::V311);
        codec::encoded_len(packet, version).is_ok_and(|len| len <= connection.packet_size_max())
    }

    /// Sends what the client is owed. If that is larger than the client takes, the connection ends, since it could
    /// only wait for it in vain.
    fn answer(&mut self, now: Time, id: ConnectionId, packet: &Packet) {
        if !self.send(id, packet) {
            let kind = packet.packet_type();
            let detail =
                format!("{kind} is larger than the maximum packet size of the client [MQTT-3.1.2-24]");
            self.end_connection(now, id, EndReason::Violation { reason: ReasonCode::PacketTooLarge, detail });
        }
    }

    /// Puts a packet into the output of a connection, unless it is larger than the client takes.
    fn send(&mut self, id: ConnectionId, packet: &Packet) -> bool {
        let Some(connection) = self.connections.get_mut(id.as_index()).filter(|place| place.is(id)) else {
            return false;
        };
        let version = connection.protocol.version().unwrap_or(Version::V311);
        let size_max = connection.packet_size_max();
        let fitting = codec::encoded_len(packet, version).ok().filter(|len| *len <= size_max);
        let output = self.outputs.lend(&mut connection.output);
        if let Some(len) = fitting
            && output.write(|tail| codec::encode(packet, version, tail)).is_ok()
        {
            self.stats.packets_out += 1;
            self.stats.bytes_out += len as u64;
            mark_dirty(&mut self.dirty, connection, id.index);
            true
        } else {
            self.count_drop(DropReason::PacketTooLarge);
            false
        }
    }

    fn event(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }

    fn count_drop(&mut self, reason: DropReason) {
        self.stats.dropped[reason.as_index()] += 1;
    }

    /// The same for something of a client.
    fn count_drop_of(&mut self, session: u32, reason: DropReason) {
        self.count_drop(reason);
        self.sessions[session].count_drop(reason);
    }

    /// Something of a client was refused because of a bound: counted each time, told once a connection.
    fn limited(&mut self, session: u32, limit: Limit) {
        self.stats.limited[limit.as_index()] += 1;
        self.tell_limit(session, limit);
    }

    fn tell_limit(&mut self, session: u32, limit: Limit) {
        let session = &mut self.sessions[session];
        if session.limits_told.insert(limit) {
            let client_id = session.client_id.clone();
            self.event(Event::Limited { client_id, address: None, limit: limit.name() });
        }
    }

    /// The same for a client that is not let in yet, and whose name may not be known or not be one for the log.
    fn limited_early(&mut self, id: ConnectionId, client_id: Text, limit: Limit) {
        self.stats.limited[limit.as_index()] += 1;
        let address = self.peer(id).and_then(|peer| peer.address);
        self.event(Event::Limited { client_id, address, limit: limit.name() });
    }
}

/// Whether a client that is let in comes to a PUBLISH while publishers are not read. What else it says is taken, so that
/// acknowledgements make room.
fn must_pause(connection: &Connection, pressure: Pressure, input: &[u8]) -> bool {
    const PUBLISH: u8 = 3;
    let is_publish = input.first().is_some_and(|first| first >> 4 == PUBLISH);
    pressure == Pressure::Pausing && is_publish && connection.session.is_some()
}

fn mark_dirty(dirty: &mut VecDeque<ConnectionId>, connection: &mut Connection, index: u32) {
    if !connection.is_dirty {
        connection.is_dirty = true;
        dirty.push_back(ConnectionId { index, generation: connection.generation });
    }
}
