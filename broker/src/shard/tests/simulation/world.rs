//! A broker of three shards, its clients and the network between them, with a clock that is told to go on.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hearth_protocol::generate::Random;
use hearth_protocol::{Text, Time};

use super::clients::{Actor, CLIENTS, SimClient};
use super::invariants::Invariant;
use super::model::{Model, Terms, key};
use super::network::Link;
use super::store::Store;
use crate::shard::Shard;
use crate::{
    ConnectionId, Effect, Event, Forward, Limits, Peer, ShardCount, ShardId, Shared, Stats, Transport,
};

/// Shards that a broker begins with.
pub(super) const SHARDS: usize = 3;

/// Whether the network of a seed is fast, so that what is written meets what is answered at every point of it.
pub(super) const fn is_fast(seed: u64) -> bool {
    seed % 8 == 5
}

/// Whether groups have most of the work in a seed whose network is fast, and members that are lost in the midst of it.
pub(super) const fn is_of_groups(seed: u64) -> bool {
    seed % 16 == 13
}

/// Everything there is.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now: Time,
    pub(super) shared: Arc<Shared>,
    pub(super) shards: Vec<Shard>,
    /// Messages on the way from shard to shard, in order, with their numbers in the model.
    pub(super) rings: Vec<VecDeque<(Forward, Option<usize>)>>,
    pub(super) links: Vec<Link>,
    /// Those on which something may still happen.
    pub(super) alive: Vec<usize>,
    pub(super) link_by_id: HashMap<(usize, ConnectionId), usize>,
    pub(super) clients: Vec<SimClient>,
    pub(super) model: Model,
    pub(super) keys: u32,
    /// What happened, if anybody wants to know.
    log: Option<String>,
    /// When the process began that runs now.
    pub(super) begun: Time,
    pub(super) hash_key: [u64; 2],
    /// Whose each session is, by the number that messages name it by.
    clients_by_serial: HashMap<u64, usize>,
    /// What outlives the process, in the seeds that have it.
    pub(super) store: Option<Store>,
}

impl World {
    /// The world of a seed; `is_logged` keeps what happens for a reader.
    pub(super) fn new(seed: u64, is_logged: bool) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let expires = random.one_in(4);
        let limits = Limits {
            session_expiry_max_seconds: if expires { 100 } else { 7 * 24 * 3600 },
            output_bytes_max: random.pick(&[400, 20_000, 1 << 20]),
            inflight_max: random.pick(&[20, 1024]),
            ..Limits::default()
        };
        let terms = Terms {
            session_expiry_max: limits.session_expiry_max_seconds,
            inflight_max: limits.inflight_max,
        };
        let hash_key = [seed, random.bits()];
        let store = Store::of_seed(seed);
        let count = ShardCount::new(NonZeroU16::new(SHARDS as u16).unwrap());
        let mut shared = Shared::new(count, limits, hash_key);
        if store.is_some() {
            shared = shared.with_store(0);
        }
        let shared = Arc::new(shared);
        let shards = (0..SHARDS as u16).map(|id| Shard::new(Arc::clone(&shared), ShardId::new(id))).collect();
        let clients: Vec<_> =
            (0..=CLIENTS).map(|number| SimClient::new(&mut random, number, expires, seed)).collect();
        let homes = clients.iter().map(|client| shared.shard_of(&client.profile.id).as_index()).collect();
        let honest = clients.iter().map(|client| matches!(client.actor, Actor::Machine(_))).collect();
        let now = Time::from_millis(1000);
        let mut model = Model::new(now, terms, homes, honest);
        if store.is_some() {
            model.turn_store_on();
        }
        Self {
            random,
            now,
            shared,
            shards,
            rings: (0..SHARDS * SHARDS).map(|_| VecDeque::new()).collect(),
            links: Vec::new(),
            alive: Vec::new(),
            link_by_id: HashMap::new(),
            clients,
            model,
            keys: 0,
            log: is_logged.then(String::new),
            begun: Time::ZERO,
            hash_key,
            clients_by_serial: HashMap::new(),
            store,
        }
    }

    /// The clock of the process that runs now.
    pub(super) const fn time(&self) -> Time {
        Time::from_millis(self.now.as_millis() - self.begun.as_millis())
    }

    /// A name that no other message has.
    pub(super) fn key(&mut self, kind: &str) -> String {
        self.keys += 1;
        format!("{kind}{}", self.keys)
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            // Writing to a string cannot fail.
            let _written = writeln!(log, "{:>7} {}", self.now.as_millis() / 1000, what());
        }
    }

    /// What happened so far.
    pub(super) fn take_log(&mut self) -> String {
        self.log.take().unwrap_or_default()
    }

    /// A counter of all shards together.
    pub(super) fn count(&self, counter: impl Fn(&Stats) -> usize) -> usize {
        self.shards.iter().map(|shard| counter(&shard.stats())).sum()
    }

    /// A transport from a client to the shard of its session.
    pub(super) fn open(&mut self, client: usize, capacity: usize) -> usize {
        let id = &self.clients[client].profile.id;
        let shard = self.shared.shard_of(id).as_index();
        let peer = Peer {
            address: None,
            is_local: false,
            transport: Transport::Tcp,
            assigned_client_id: Text::EMPTY,
        };
        let now = self.time();
        let id = self.shards[shard].handle_open(now, peer);
        let link = self.links.len();
        self.links.push(Link::new(client, shard, id, capacity));
        self.link_by_id.insert((shard, id), link);
        self.alive.push(link);
        self.model.on_open(client);
        self.clients[client].link = Some(link);
        self.note(|| format!("client {client} opens link {link} to shard {shard}"));
        link
    }

    /// The clock goes on, second by second.
    pub(super) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now.saturating_add(Duration::from_secs(1));
            let now = self.time();
            for shard in 0..self.shards.len() {
                self.model.on_time(self.now, shard);
                if self.shards[shard].poll_timeout().is_some_and(|due| due <= now) {
                    self.shards[shard].handle_timeout(now);
                    self.collect(shard);
                }
                self.model.end_call();
            }
            for client in 0..self.clients.len() {
                self.on_client_time(client);
            }
        }
        let (sessions, expected) = (self.count(|stats| stats.sessions), self.model.sessions_len());
        if sessions != expected {
            self.model.fail(
                Invariant::SessionsEndInTime,
                format!("{sessions} sessions where {expected} should be"),
            );
        }
    }

    /// The server finds the transport gone.
    pub(super) fn end_transport(&mut self, link: usize) {
        self.note(|| format!("link {link}: the server finds it gone"));
        let Link { shard, id, .. } = self.links[link];
        self.model.on_transport_end(link);
        self.links[link].close_server();
        let now = self.time();
        self.shards[shard].handle_closed(now, id);
        self.collect(shard);
        self.model.end_call();
        if self.clients[self.links[link].client].profile.is_member {
            self.on_member_gone(shard);
        }
    }

    /// A message arrives from another shard.
    pub(super) fn forward(&mut self, ring: usize) {
        let to = ring % self.shards.len();
        let Some((forward, number)) = self.rings[ring].pop_front() else { return };
        if let Some(number) = number {
            self.model.on_arrived(number, to);
        }
        self.note(|| format!("shard {to} gets {}", key_of_forward(&forward)));
        let now = self.time();
        self.shards[to].handle_forward(now, forward);
        self.collect(to);
        self.model.end_call();
    }

    /// Carries out what a shard wants done, and looks at all that it has written.
    pub(super) fn collect(&mut self, shard: usize) {
        loop {
            if let Some(effect) = self.shards[shard].poll_effect() {
                match effect {
                    Effect::Forward { to, forward } => self.send_forward(shard, to.as_index(), forward),
                    Effect::Close(id, _) => self.close(shard, id),
                    Effect::Authenticate { connection, .. } => {
                        let detail = format!("{connection:?} is asked who it is where everybody may do all");
                        self.model.fail(Invariant::ConnectionsEndForAReason, detail);
                    }
                    Effect::View(_) => {}
                    Effect::Event(event) => {
                        self.note(|| format!("shard {shard}: {event:?}"));
                        if let Event::Connected { client_id, .. } = &event {
                            self.learn_serial(shard, client_id);
                        }
                    }
                }
            } else if let Some(id) = self.shards[shard].poll_dirty() {
                self.tap(self.link_by_id[&(shard, id)]);
            } else {
                return;
            }
        }
    }

    /// Two clients may publish the same: a message without payload.
    fn learn_serial(&mut self, shard: usize, client_id: &Text) {
        let sessions = &self.shards[shard].sessions;
        let serial = sessions.find(client_id).map(|session| sessions[session].serial);
        let client = self.clients.iter().position(|client| client.profile.id == *client_id);
        self.clients_by_serial.extend(serial.zip(client));
    }

    fn send_forward(&mut self, from: usize, to: usize, forward: Forward) {
        let publisher = forward.message().and_then(|message| self.clients_by_serial.get(&message.publisher));
        let way = (from, to, publisher.copied());
        let number = match &forward {
            Forward::Message(message, _) => self.model.on_forwarded(message, way, false),
            Forward::Carried(consignment) => self.model.on_forwarded(&consignment.message, way, true),
            // Whose turn it is in a group is the broker's to choose: the model looks at what comes of it.
            Forward::Shared(_)
            | Forward::Returned(_)
            | Forward::Receipt { .. }
            | Forward::Done { .. }
            | Forward::Unkept { .. }
            | Forward::Untaken { .. }
            | Forward::Unneeded(_) => None,
        };
        self.rings[from * self.shards.len() + to].push_back((forward, number));
    }

    /// The broker ends a connection.
    fn close(&mut self, shard: usize, id: ConnectionId) {
        let link = self.link_by_id[&(shard, id)];
        let last = self.shards[shard].take_output(id).take_contiguous();
        let tapped = std::mem::take(&mut self.links[link].tapped);
        self.links[link].told.extend_from_slice(&last[tapped..]);
        self.tell(link);
        self.links[link].down.extend_from_slice(&last);
        self.links[link].close_server();
        self.model.on_closed(link);
        self.note(|| format!("link {link}: the server closes it"));
    }
}

fn key_of_forward(forward: &Forward) -> String {
    match forward.message() {
        Some(message) => key(message.topic.as_str(), &message.payload),
        None => format!("{forward:?}"),
    }
}
