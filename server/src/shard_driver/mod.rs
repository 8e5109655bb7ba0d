//! Runs one shard: owns its sockets and takes its turns.
//!
//! A turn reads every socket that has something, hands the bytes to the shard, carries out what the shard
//! wants done, and ends with one write per connection that has output. Nothing in here waits but the reactor,
//! between turns.

mod appetite;
mod bell;
mod connection;
mod doorstep;
mod events;
mod farewell;
mod inbox;
mod reactor;
mod ring;
mod socket;
mod traffic;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hearth_broker::{AuthStep, ConnectionId, Effect, Forward, Limits, Shard};
use hearth_protocol::Time;
use slab::Slab;

use self::appetite::READ_BYTES_MAX;
use self::bell::Bell;
use self::connection::{Connection, Phase};
use self::doorstep::Doorstep;
use self::farewell::Farewell;
use self::inbox::Command;
pub(crate) use self::inbox::{HandOver, Inbox};
use self::reactor::Place;
pub(crate) use self::reactor::Reactor;
use self::ring::Rings;
use self::socket::Socket;
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::figures::{ShardFigures, TurnFigures};
use crate::store::CommitQueue;
use crate::tree::Desk;

/// How long a connection may take to send what is left and to see the peer's end, once the shard closed it.
/// A peer that does not read holds its slot no longer than this.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// How long the connections together may take to go when the broker stops.
const STOP_MAX: Duration = Duration::from_secs(2);

/// How long, after that, what the shards have for each other may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(2);

/// How long a stop waits for peers that were sent everything and do not close their side.
const STOP_LINGER: Duration = Duration::from_millis(500);

/// Bytes after which a turn reads no more sockets and takes no more messages from other shards, so that the
/// output they cause goes out first: some socket buffers full, and little enough to stay in the cache.
const TURN_BYTES_MAX: usize = 256 * 1024;

/// [Cost](Shard::output_cost) of the output after which a turn reads no more sockets, so that what was put together is written
/// while the cache still has it, no buffer grows beyond what is kept, and those of other connections need not wait for long:
/// 1 MiB that is copied here, or 16 MiB that only the kernel copies, which takes it some milliseconds.
const TURN_OUTPUT_COST_MAX: u64 = 1 << 20;

/// How often in one turn connections whose output went out may get more (replays, queues) and send it at once.
const FLUSH_ROUNDS: usize = 4;

/// A shard with its sockets.
pub(crate) struct ShardDriver {
    shard: Shard,
    clock: Clock,
    authenticator: Authenticator,
    /// Where changes go, if anything outlives the process.
    commit_queue: Option<Arc<CommitQueue>>,
    /// Where it says who looks at the live tree, if there is one.
    tree: Option<Arc<Desk>>,
    /// Of the shard.
    number: usize,
    inbox: Arc<Inbox>,
    rings: Rings<Forward>,
    /// Entries that were put into the rings, and that were taken out of them, since the beginning.
    sent: u64,
    received: u64,
    farewell: Arc<Farewell>,
    reactor: Reactor,
    doorstep: Doorstep,
    /// Within which a client must have said who it is.
    connect_time_max: Duration,
    connections: Slab<Connection>,
    /// The slot of a connection, by the index of its id in the shard.
    slots: Vec<usize>,
    /// Connections that came in this turn. They are opened in the next one, behind what the sockets have until then:
    /// a client that says DISCONNECT and is back at once must not be taken for one that is taken over, whose will
    /// would be published.
    arrivals: Vec<HandOver>,
    /// What [`TURN_BYTES_MAX`] is for this broker.
    turn_bytes: usize,
    /// Slots to look at, in the order in which they became ready.
    due: VecDeque<usize>,
    /// Slots whose client was authenticated, with what it had sent before.
    resumed: Vec<usize>,
    /// Slots whose sockets have room again for what waits for them.
    unblocked: Vec<usize>,
    /// Slots that are not read because the shard does not want their input now.
    paused: Vec<usize>,
    /// Slots that have to send something that the shard does not know of: control frames, and last words.
    owing: Vec<usize>,
    /// Connections whose output went out completely in this round.
    flushed: Vec<ConnectionId>,
    /// Where reads of sockets go, all of them.
    scratch: Box<[u8]>,
    /// What was read, for the shard to take packets from.
    buffer: BytesMut,
    /// When closing connections lose patience, in order; an entry may have outlived its connection.
    close_deadlines: VecDeque<(Time, usize)>,
    /// Set while the broker stops: when everybody was told.
    stop: Option<Time>,
    more_to_do: bool,
    counted: TurnFigures,
}

/// Between one turn and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// There is more to do.
    None,
    /// This long, unless something happens.
    For(Duration),
    /// Until something happens.
    Endless,
}

/// The shard drivers of a broker, connected with each other, and their inboxes.
pub(crate) fn connect(shard_count: usize) -> (Vec<Arc<Inbox>>, Vec<Seat>) {
    let inboxes: Vec<Arc<Inbox>> = (0..shard_count).map(|_| Arc::default()).collect();
    let bells: Vec<_> = inboxes.iter().map(|inbox| Arc::clone(inbox.bell())).collect();
    let rings = ring::connect(&bells);
    let farewell = Arc::new(Farewell::new(bells));
    let seat = |(number, (rings, inbox)): (usize, (Rings<Forward>, &Arc<Inbox>))| Seat {
        number,
        rings,
        farewell: Arc::clone(&farewell),
        inbox: Arc::clone(inbox),
        commit_queue: None,
        tree: None,
    };
    let seats = rings.into_iter().zip(&inboxes).enumerate().map(seat).collect();
    (inboxes, seats)
}

/// What connects one shard with the rest of the process.
pub(crate) struct Seat {
    number: usize,
    rings: Rings<Forward>,
    farewell: Arc<Farewell>,
    inbox: Arc<Inbox>,
    commit_queue: Option<Arc<CommitQueue>>,
    tree: Option<Arc<Desk>>,
}

impl Seat {
    /// The same, with somebody who keeps the live tree.
    pub(crate) fn with_tree(self, tree: Option<Arc<Desk>>) -> Self {
        Self { tree, ..self }
    }

    /// What wakes the shard.
    pub(crate) fn bell(&self) -> &Bell {
        self.inbox.bell()
    }

    /// The same, with somewhere for changes to go.
    pub(crate) fn with_store(self, commit_queue: Option<Arc<CommitQueue>>) -> Self {
        Self { commit_queue, ..self }
    }
}

impl ShardDriver {
    /// `reactor` is one that the bell of `seat` wakes.
    pub(crate) fn new(
        shard: Shard,
        limits: &Limits,
        clock: Clock,
        seat: Seat,
        authenticator: Authenticator,
        reactor: Reactor,
    ) -> Self {
        // All that a turn brings, from sockets and from other shards, may be for one subscriber, who must not
        // lose messages by it.
        let turn_bytes = (limits.output_bytes_max / 4).min(TURN_BYTES_MAX);
        Self {
            shard,
            clock,
            authenticator,
            commit_queue: seat.commit_queue,
            tree: seat.tree,
            number: seat.number,
            inbox: seat.inbox,
            rings: seat.rings,
            sent: 0,
            received: 0,
            farewell: seat.farewell,
            doorstep: Doorstep::default(),
            connect_time_max: limits.connect_time_max(),
            connections: Slab::new(),
            slots: Vec::new(),
            arrivals: Vec::new(),
            reactor,
            turn_bytes,
            due: VecDeque::new(),
            resumed: Vec::new(),
            unblocked: Vec::new(),
            paused: Vec::new(),
            owing: Vec::new(),
            flushed: Vec::new(),
            scratch: vec![0; READ_BYTES_MAX].into_boxed_slice(),
            buffer: BytesMut::new(),
            close_deadlines: VecDeque::new(),
            stop: None,
            more_to_do: false,
            counted: TurnFigures::default(),
        }
    }

    /// Takes turns until the broker has stopped.
    ///
    /// # Errors
    /// The system does not let it wait for its sockets.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while let Some(pause) = self.take_turn() {
            self.wait(pause)?;
        }
        if let (Some(queue), Some(batch)) = (&self.commit_queue, self.shard.poll_batch()) {
            queue.leave(self.number, batch);
        }
        Ok(())
    }

    /// Waits for the next turn, and takes note of the sockets for which it is.
    fn wait(&mut self, pause: Pause) -> io::Result<()> {
        let timeout = match pause {
            Pause::None => Some(Duration::ZERO),
            Pause::For(duration) => Some(duration),
            Pause::Endless => None,
        };
        let Self { reactor, doorstep, connections, due, unblocked, .. } = self;
        reactor.wait(timeout, |place, event| {
            let slot = match place {
                Place::Slot(slot) => slot,
                Place::Silent(number) => return doorstep.on_spoken(number),
                Place::Listener(number) => return doorstep.on_arrival(number),
            };
            let Some(connection) = connections.get_mut(slot) else { return };
            if connection.on_ready(event) && !std::mem::replace(&mut connection.due, true) {
                due.push_back(slot);
            }
            if connection.write_blocked && (event.is_writable() || event.is_error()) {
                unblocked.push(slot);
            }
        })
    }

    /// Has what this turn has changed written, if somebody is ready for it.
    fn offer_changes(&mut self) {
        if let Some(queue) = &self.commit_queue
            && self.shard.wants_commit()
        {
            let shard = &mut self.shard;
            queue.offer(self.number, || shard.poll_batch());
        }
    }

    /// How long to wait then; `None`: the broker has stopped.
    fn take_turn(&mut self) -> Option<Pause> {
        self.inbox.bell().listen();
        // Before the clock is read, so that nothing that comes from another shard is from a later time.
        self.rings.inboxes.iter_mut().for_each(ring::Inbox::look);
        self.more_to_do = false;
        let began = self.clock.elapsed();
        let now = Time::ZERO.saturating_add(began);
        let arrivals = std::mem::take(&mut self.arrivals);
        self.shard.handle_turn_begin(now);
        self.obey_commands(now);
        self.take_forwards(now);
        self.read_sockets(now);
        for hand_over in arrivals {
            self.open(now, hand_over);
        }
        self.attend_doorstep(now);
        self.run_timers(now);
        self.flush(now);
        self.unpause();
        self.offer_changes();
        self.shard.handle_turn_end();
        self.end_rings();
        if self.stop.is_some_and(|stop| self.has_stopped(now, stop)) {
            return None;
        }
        self.counted.durations.add(self.clock.elapsed().saturating_sub(began));
        let pause = self.pause(now);
        let may_wait = !self.more_to_do && pause != Pause::None && self.inbox.bell().may_sleep();
        Some(if may_wait { pause } else { Pause::None })
    }

    fn obey_commands(&mut self, now: Time) {
        for command in self.inbox.take() {
            match command {
                Command::Open(hand_over) => {
                    self.arrivals.push(*hand_over);
                    self.more_to_do = true;
                }
                Command::Listen(porter) => self.listen(*porter),
                Command::Authenticated(id, step) => {
                    self.on_authenticated(now, id, step);
                    self.carry_out_effects(now);
                }
                Command::AccessChanged => {
                    self.shard.handle_access_changed(now);
                    self.carry_out_effects(now);
                }
                // Whoever asked may have lost patience.
                Command::Probe(answer) => drop(answer.send(())),
                Command::Figures(answer) => drop(answer.send(self.figures())),
                Command::Publish(messages) => {
                    for (topic, payload) in messages {
                        self.shard.handle_own_message(now, topic, payload);
                    }
                    self.carry_out_effects(now);
                }
                Command::Told(told) => {
                    self.shard.handle_told(now, told);
                    self.carry_out_effects(now);
                }
                Command::Committed(batch) => {
                    self.shard.handle_committed(now, batch);
                    self.carry_out_effects(now);
                }
                Command::CommitFailed => {
                    self.shard.handle_commit_failed(now);
                    self.carry_out_effects(now);
                }
                Command::Stop => {
                    self.stop.get_or_insert(now);
                    // Nobody is let in any more.
                    self.doorstep = Doorstep::default();
                    self.shard.handle_shutdown(now);
                    self.carry_out_effects(now);
                }
            }
        }
    }

    fn open(&mut self, now: Time, hand_over: HandOver) {
        if self.stop.is_some() {
            return;
        }
        let HandOver { socket, bytes, peer, is_websocket, standing, presence } = hand_over;
        let address = peer.address;
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        let mut socket = Socket::from(socket);
        if let Err(error) = self.reactor.watch(&mut socket, slot) {
            tracing::warn!(?address, %error, "a connection could not be watched and is dropped");
            return;
        }
        drop(standing);
        let id = self.shard.handle_open(now, peer);
        entry.insert(Connection::new(socket, is_websocket, presence, Phase::Open(id)));
        if self.slots.len() <= id.as_index() {
            self.slots.resize(id.as_index() + 1, usize::MAX);
        }
        self.slots[id.as_index()] = slot;
        self.carry_out_effects(now);
        self.receive_first(now, slot, &bytes);
    }

    /// The shard is told who a client is, and gets what the client has sent meanwhile.
    fn on_authenticated(&mut self, now: Time, id: ConnectionId, step: AuthStep) {
        self.shard.handle_authenticated(now, id, step);
        // Not at once: this may be one of the effects of the bytes before.
        if let Some(slot) = self.slot_of(id) {
            self.resumed.push(slot);
            self.more_to_do = true;
        }
    }

    fn take_forwards(&mut self, now: Time) {
        let (shard, received) = (&mut self.shard, &mut self.received);
        let share = self.turn_bytes / self.rings.inboxes.len().max(1);
        for inbox in &mut self.rings.inboxes {
            inbox.drain(share, |forward| {
                *received += 1;
                shard.handle_forward(now, forward);
            });
            self.more_to_do |= !inbox.is_empty();
        }
        self.carry_out_effects(now);
        for outbox in self.rings.outboxes.iter_mut().flatten() {
            outbox.relieve();
        }
    }

    /// Wakes the neighbours that got something, and lets those know that have no room for all of it.
    fn end_rings(&mut self) {
        let mut is_congested = false;
        for outbox in self.rings.outboxes.iter_mut().flatten() {
            is_congested |= !outbox.relieve();
            outbox.end_turn();
        }
        self.counted.congested += u64::from(is_congested);
        // A congested shard sleeps until the neighbour that made room rings.
        self.more_to_do |= !self.due.is_empty() && !is_congested;
    }

    /// What the shard and this have counted.
    fn figures(&self) -> ShardFigures {
        let ring_waiting = self.rings.outboxes.iter().flatten().map(ring::Outbox::waiting).sum();
        let turns = TurnFigures { ring_waiting, paused: self.paused.len(), ..self.counted };
        ShardFigures { stats: self.shard.stats(), turns }
    }

    /// Whether a neighbour has no room for what this shard has for it.
    fn is_congested(&self) -> bool {
        self.rings.outboxes.iter().flatten().any(ring::Outbox::is_congested)
    }

    fn run_timers(&mut self, now: Time) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.shard.handle_timeout(now);
            self.carry_out_effects(now);
        }
        while let Some((until, slot)) = self.close_deadlines.pop_front_if(|(until, _)| *until <= now) {
            let Some(connection) = self.connections.get(slot) else { continue };
            match connection.phase {
                Phase::Flushing { until: own, .. } if own == until => {
                    connection.abort();
                    self.connections.remove(slot);
                }
                Phase::Lingering { until: own } if own == until => {
                    self.connections.remove(slot);
                }
                Phase::Open(_) | Phase::Flushing { .. } | Phase::Lingering { .. } => {}
            }
        }
    }

    /// When the shard has something to do. While the broker stops nothing begins any more: what comes due is for the next
    /// one, since others may be gone that would have to hear of it.
    fn poll_timeout(&self) -> Option<Time> {
        if self.stop.is_some() { None } else { self.shard.poll_timeout() }
    }

    /// Whether nobody is left here, and nothing is on the way between the shards: wills are, of clients that were told to
    /// go.
    fn has_stopped(&self, now: Time, stop: Time) -> bool {
        if now.saturating_since(stop) >= STOP_MAX + ARRIVAL_MAX {
            tracing::warn!(shard = self.number, "stopped while messages were on the way to other shards");
            return true;
        }
        let is_ready = self.are_connections_gone(now, stop) && !self.shard.has_more_to_send();
        is_ready && self.farewell.tell(self.number, self.sent, self.received)
    }

    /// Whether nobody is left, or nobody who is worth waiting for.
    fn are_connections_gone(&self, now: Time, stop: Time) -> bool {
        let since = now.saturating_since(stop);
        let is_sent =
            |(_, connection): (usize, &Connection)| matches!(connection.phase, Phase::Lingering { .. });
        self.connections.is_empty()
            || since >= STOP_MAX
            || (since >= STOP_LINGER && self.connections.iter().all(is_sent))
    }

    /// How long there is nothing to do but for others; `now` is when the turn began.
    fn pause(&self, now: Time) -> Pause {
        let close = self.close_deadlines.front().map(|(until, _)| *until);
        let stop = self.stop.map(|stop| {
            let steps = [STOP_LINGER, STOP_MAX, STOP_MAX + ARRIVAL_MAX].map(|step| stop.saturating_add(step));
            steps.into_iter().find(|step| *step > now).unwrap_or(now)
        });
        match [self.poll_timeout(), close, stop, self.doorstep.poll_timeout()].into_iter().flatten().min() {
            None => Pause::Endless,
            Some(next) => match self.clock.until(next) {
                Duration::ZERO => Pause::None,
                duration => Pause::For(duration),
            },
        }
    }

    /// Carries out everything that the shard wants done.
    fn carry_out_effects(&mut self, now: Time) {
        while let Some(effect) = self.shard.poll_effect() {
            match effect {
                Effect::Forward { to, forward } => {
                    if let Some(outbox) = &mut self.rings.outboxes[to.as_index()] {
                        self.sent += 1;
                        outbox.push(forward);
                    }
                }
                Effect::Close(id, closer) => self.begin_close(now, id, closer),
                Effect::Authenticate { connection, request } => {
                    let inbox = Arc::clone(&self.inbox);
                    let reply = Box::new(move |step| inbox.authenticated(connection, step));
                    if let Some(step) = self.authenticator.answer(*request, reply) {
                        self.on_authenticated(now, connection, step);
                    }
                }
                Effect::View(change) => {
                    if let Some(tree) = &self.tree {
                        tree.change(self.number, change);
                    }
                }
                Effect::Event(event) => events::log(&event),
            }
        }
    }
}
