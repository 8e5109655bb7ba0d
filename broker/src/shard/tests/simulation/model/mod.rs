//! What a broker must do, as plain lists: told what comes in, it knows what has to go out.
//!
//! It sees the packets that reach a shard and those that a shard writes, and nothing of the broker's own state.

mod acknowledge;
mod check;
mod connection;
mod durable;
mod promised;
mod retained;
mod sent;
mod session;
mod shares;
mod subscribe;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, Time, TopicName};

use super::invariants::{Failure, Invariant};
use connection::Connection;
use durable::{Carriage, Durable};
use retained::Value;
use session::{Entry, Origin, Session};
use shares::{Group, Share, State};

/// Payloads above this are larger than a client with a maximum packet size takes.
pub(super) const LARGE: usize = 200;

/// The bounds of the broker that a client can notice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) session_expiry_max: u32,
    pub(super) inflight_max: u16,
}

/// A message that was taken.
#[derive(Debug)]
struct Message {
    key: String,
    /// Number of the client that published it.
    publisher: usize,
    /// Of the publisher, at that time.
    session: u64,
    topic: TopicName,
    qos: QoS,
    retain: bool,
    expires_at: Option<Time>,
    is_large: bool,
    /// It may have to wait until a QoS 2 message of its publisher is on its way to other shards, or is one.
    may_wait: bool,
    /// It is of a session that is kept.
    is_of_kept: bool,
    /// It is the will of a session that is kept: in the commit in which that has it no more, it is on disk.
    is_kept_will: bool,
    /// Its publisher was told that it was taken.
    is_acknowledged: bool,
    /// It was refused before anybody got it.
    is_refused: bool,
    /// The broker ended before it was on disk that it came.
    is_undone: bool,
    /// The broker ended before its publisher was told that it was taken: nobody can count on it.
    is_unsure: bool,
}

/// A broker as it should be.
pub(super) struct Model {
    now: Time,
    terms: Terms,
    /// The shard that the session of each client lives on.
    shards: Vec<usize>,
    /// Whether a client never sends a QoS 2 message twice by its own mistake.
    honest: Vec<bool>,
    /// In the order in which they were taken.
    messages: Vec<Message>,
    by_key: HashMap<String, Vec<usize>>,
    /// Messages that another shard has to hear of, and whether they are on the way.
    forwards: BTreeMap<(usize, usize), bool>,
    /// Messages that were taken before this call, and those that another shard was told of.
    taken_before: usize,
    told: BTreeSet<(usize, usize)>,
    sessions: BTreeMap<usize, Session>,
    sessions_begun: u64,
    connections: Vec<Connection>,
    open: BTreeSet<usize>,
    /// Connections that the broker has to close in this call, and those that it has closed.
    closing: BTreeSet<usize>,
    closed: BTreeSet<usize>,
    /// Connections that ended in this call, for whatever reason.
    ended: Vec<usize>,
    retained: BTreeMap<TopicName, Vec<Value>>,
    groups: BTreeMap<String, Group>,
    shares: Vec<Share>,
    /// How often each QoS 2 message was sent to a client for the first time, and how often the client took it.
    sent_once: BTreeMap<(usize, String), usize>,
    taken_once: BTreeMap<(usize, String), usize>,
    store: Durable,
    failure: Option<Failure>,
}

impl Model {
    pub(super) fn new(now: Time, terms: Terms, shards: Vec<usize>, honest: Vec<bool>) -> Self {
        Self {
            now,
            terms,
            shards,
            honest,
            messages: Vec::new(),
            by_key: HashMap::new(),
            forwards: BTreeMap::new(),
            taken_before: 0,
            told: BTreeSet::new(),
            sessions: BTreeMap::new(),
            sessions_begun: 0,
            connections: Vec::new(),
            open: BTreeSet::new(),
            closing: BTreeSet::new(),
            closed: BTreeSet::new(),
            ended: Vec::new(),
            retained: BTreeMap::new(),
            groups: BTreeMap::new(),
            shares: Vec::new(),
            sent_once: BTreeMap::new(),
            taken_once: BTreeMap::new(),
            store: Durable::default(),
            failure: None,
        }
    }

    /// The first promise that was not kept.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub(super) fn fail(&mut self, invariant: Invariant, detail: String) {
        self.failure.get_or_insert(Failure { invariant, detail });
    }

    /// Whether a message with this key was taken.
    pub(super) fn has_taken(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    /// The broker takes a message of a client's session.
    fn take(&mut self, client: usize, session: u64, publish: &Publish) {
        self.take_from(client, session, publish, false);
    }

    /// The same of a will; whether it is that of a session that is kept.
    fn take_from(&mut self, client: usize, session: u64, publish: &Publish, is_kept_will: bool) {
        let key = key_of(publish);
        let known = self.by_key.get(&key).map_or(&[][..], |known| known);
        // A client that was told of a new session sends what it had sent in the one before anew.
        let back_since = self.sessions.get(&client).map_or(0, |session| session.back_since);
        let is_second = publish.qos == QoS::ExactlyOnce
            && !publish.payload.is_empty()
            && self.honest[client]
            && known.iter().any(|at| {
                let is_same = self.messages[*at].session == session;
                is_same && *at >= back_since && !self.messages[*at].is_undone
            });
        if is_second {
            self.fail(Invariant::ExactlyOnce, format!("client {client} sent {key} anew in one session"));
        }
        let expiry = publish.properties.as_ref().and_then(|properties| properties.message_expiry);
        let is_kept_will = is_kept_will && self.has_store() && publish.qos > QoS::AtMostOnce;
        let is_exact = publish.qos == QoS::ExactlyOnce || is_kept_will;
        let may_wait = self.has_store() && (is_exact || self.may_follow(client));
        let message = Message {
            key: key.clone(),
            publisher: client,
            session,
            topic: publish.topic.clone(),
            qos: publish.qos,
            retain: publish.retain,
            expires_at: expiry
                .map(|seconds| self.now.saturating_add(Duration::from_secs(u64::from(seconds)))),
            is_large: publish.payload.len() > LARGE,
            may_wait,
            is_of_kept: self.sessions.get(&client).is_some_and(|session| session.is_kept),
            is_kept_will,
            is_acknowledged: false,
            is_refused: false,
            is_undone: false,
            is_unsure: false,
        };
        let number = self.messages.len();
        self.messages.push(message);
        self.by_key.entry(key).or_default().push(number);
        if publish.retain {
            self.keep(number, publish.payload.is_empty());
        }
        let own = self.shards[client];
        self.deliver(number, own);
        for client in self.sessions.keys() {
            let shard = self.shards[*client];
            if shard != own && self.subscriptions_of(*client, number).is_some() {
                self.forwards.insert((number, shard), false);
            }
        }
        self.share(number);
    }

    /// The broker has not taken it after all, in the call in which it came.
    fn take_back(&mut self, number: usize) {
        let Message { key, topic, may_wait, is_refused, .. } = &mut self.messages[number];
        (*may_wait, *is_refused) = (false, true);
        if let Some(known) = self.by_key.get_mut(key) {
            known.retain(|other| *other != number);
        }
        if self.by_key.get(key).is_some_and(Vec::is_empty) {
            self.by_key.remove(key);
        }
        if let Some(values) = self.retained.get_mut(topic) {
            values.retain(|value| value.since != number);
        }
        for session in self.sessions.values_mut() {
            session.waiting.retain(|entry| entry.message != number);
        }
        self.forwards.retain(|(other, _), _| *other != number);
        for share in self.shares.iter_mut().filter(|share| share.message == number) {
            (share.is_owed, share.state) = (false, State::Done);
        }
    }

    /// A message reaches the sessions of a shard.
    fn deliver(&mut self, number: usize, shard: usize) {
        if self.messages[number].is_refused {
            return;
        }
        let clients: Vec<usize> =
            self.sessions.keys().copied().filter(|client| self.shards[*client] == shard).collect();
        for client in clients {
            let Some((qos, retain, ids)) = self.subscriptions_of(client, number) else { continue };
            let ended = &self.ended;
            let Some(session) = self.sessions.get_mut(&client) else { continue };
            let is_connected = session.link.is_some() || ended.contains(&session.link_last);
            if qos > QoS::AtMostOnce || is_connected {
                session.waiting.push(Entry {
                    message: number,
                    qos,
                    retain,
                    ids,
                    is_optional: false,
                    origin: Origin::Live,
                });
            }
        }
    }

    /// QoS, retain flag and identifiers of a message for a client, if one of its subscriptions asks for it.
    fn subscriptions_of(&self, client: usize, number: usize) -> Option<(QoS, bool, Vec<u32>)> {
        self.wanted_by(self.sessions.get(&client)?, number)
    }

    fn wanted_by(&self, session: &Session, number: usize) -> Option<(QoS, bool, Vec<u32>)> {
        let message = &self.messages[number];
        let matching: Vec<_> = session
            .subscriptions
            .values()
            .filter(|subscription| subscription.filter.matches(&message.topic))
            .filter(|subscription| !(subscription.no_local && message.session == session.number))
            .collect();
        let qos = matching.iter().map(|subscription| subscription.qos.min(message.qos)).max()?;
        let retain = message.retain && matching.iter().any(|subscription| subscription.retain_as_published);
        let mut ids: Vec<u32> = matching.iter().filter_map(|subscription| subscription.id).collect();
        ids.sort_unstable();
        Some((qos, retain, ids))
    }

    /// Whether something of a client's may wait to go to other shards.
    fn may_follow(&self, client: usize) -> bool {
        let is_waiting = |number: usize| {
            let message = &self.messages[number];
            message.may_wait && message.publisher == client && !message.is_acknowledged
        };
        (self.store.messages_before..self.messages.len()).any(is_waiting)
    }

    /// A shard has put a message on the way to another one: which of those that were taken in this call, or before where it
    /// had to wait for the disk. It may tell more shards than it has to, but each of them once, and in order. The way is from a shard
    /// to another one, of a client where that is known.
    pub(super) fn on_forwarded(
        &mut self,
        message: &crate::message::Message,
        (from, to, publisher): (usize, usize, Option<usize>),
        is_carried: bool,
    ) -> Option<usize> {
        let key = &key(message.topic.as_str(), &message.payload);
        let Some(known) = self.by_key.get(key) else {
            self.fail(unexpected(key), format!("{key} is on the way to shard {to} and was not published"));
            return None;
        };
        let is_it = |number: &usize| {
            let known = &self.messages[*number];
            let since = if known.may_wait { self.store.messages_before } else { self.taken_before };
            *number >= since
                && (!is_carried || known.may_wait)
                && known.qos == message.qos
                && self.shards[known.publisher] == from
                && publisher.is_none_or(|publisher| publisher == known.publisher)
                && !self.told.contains(&(*number, to))
        };
        // Messages without payload have one key: it is one that has to come there, and whose turn it is.
        let is_owed = |number: usize| self.forwards.contains_key(&(number, to));
        let rank = |number: &usize| {
            let is_usual = is_carried == self.messages[*number].is_of_kept;
            (self.overtaken_by(*number, to).is_some(), !is_owed(*number), !is_usual, *number)
        };
        let Some(number) = known.iter().copied().filter(is_it).min_by_key(rank) else {
            self.fail(Invariant::ExactlyOnce, format!("{key} is on the way to shard {to} once more"));
            return None;
        };
        if let Some(other) = self.overtaken_by(number, to) {
            let detail = format!("{key} is on the way to shard {to} before {}", self.messages[other].key);
            self.fail(Invariant::OrderIsKept, detail);
        }
        self.told.insert((number, to));
        if is_carried {
            self.store.carried.insert((number, to), Carriage::UnderWay);
        }
        if let Some(is_on_the_way) = self.forwards.get_mut(&(number, to)) {
            *is_on_the_way = true;
        }
        Some(number)
    }

    /// Whether a message may have a row on its way to other shards.
    fn may_be_carried(&self, number: usize) -> bool {
        let message = &self.messages[number];
        message.may_wait && (message.qos == QoS::ExactlyOnce || message.is_kept_will)
    }

    /// A message of the same publisher that has to come to a shard before this one and is not on the way.
    fn overtaken_by(&self, number: usize, to: usize) -> Option<usize> {
        let publisher = self.messages[number].session;
        let is_before = |other: usize| other < number && self.messages[other].session == publisher;
        let mut waiting =
            self.forwards.iter().filter(|((_, shard), is_on_the_way)| *shard == to && !**is_on_the_way);
        waiting.find(|((other, _), _)| is_before(*other)).map(|((other, _), _)| *other)
    }

    /// A message arrives at another shard.
    pub(super) fn on_arrived(&mut self, number: usize, shard: usize) {
        self.forwards.remove(&(number, shard));
        if let Some(carriage) = self.store.carried.get_mut(&(number, shard)) {
            *carriage = Carriage::Arrived;
        }
        self.deliver(number, shard);
    }

    /// A call of the broker is over: what it had to do at once is done.
    pub(super) fn end_call(&mut self) {
        if self.closing != self.closed {
            let detail = format!("closed {:?}, and had to close {:?}", self.closed, self.closing);
            self.fail(Invariant::ConnectionsEndForAReason, detail);
        }
        self.closing.clear();
        self.closed.clear();
        self.taken_before = self.messages.len();
        for link in std::mem::take(&mut self.ended) {
            let connection = &self.connections[link];
            if let Some(session) = self.sessions.get_mut(&connection.client)
                && session.link.is_none()
            {
                session.waiting.retain(|entry| entry.qos > QoS::AtMostOnce);
            }
        }
        // What its publisher was told of is on disk, and so is its row on the way.
        let may_wait = |number: usize| {
            let message = &self.messages[number];
            message.may_wait && !message.is_acknowledged
        };
        // What waits for nothing itself may have to stay behind something that does.
        let is_behind = |number: usize| {
            let message = &self.messages[number];
            let is_before = |other: usize| other < number && self.messages[other].session == message.session;
            let mut waiting = self.forwards.iter().filter(|(_, is_on_the_way)| !**is_on_the_way);
            message.may_wait
                && waiting.any(|((other, _), _)| is_before(*other) && self.may_be_carried(*other))
        };
        let is_late =
            |number: usize, is_on_the_way: bool| !is_on_the_way && !may_wait(number) && !is_behind(number);
        let late =
            self.forwards.iter().find(|((number, _), is_on_the_way)| is_late(*number, **is_on_the_way));
        if let Some(((number, shard), _)) = late {
            let key = &self.messages[*number].key;
            let detail = format!("shard {shard} has subscribers of {key} and was not told");
            self.fail(missing(key), detail);
        }
    }

    fn is_expired(&self, number: usize) -> bool {
        self.messages[number].expires_at.is_some_and(|at| at <= self.now)
    }

    /// Seconds that a message has to live.
    fn seconds_left(&self, number: usize) -> Option<u32> {
        let at = self.messages[number].expires_at?;
        u32::try_from(at.saturating_since(self.now).as_secs()).ok()
    }

    /// Whether a message may be lost with a broker that had not acknowledged it.
    fn is_lost(&self, number: usize) -> bool {
        self.messages[number].is_unsure && !self.messages[number].is_acknowledged
    }

    /// Whether the broker may leave out a message for a session.
    fn is_excused(&self, session: &Session, number: usize) -> bool {
        self.is_lost(number)
            || self.is_expired(number)
            || (session.packet_max.is_some() && self.messages[number].is_large)
    }

    /// Whether the broker may leave out what a session waits for.
    fn may_miss(&self, session: &Session, entry: &Entry) -> bool {
        entry.is_optional || self.is_excused(session, entry.message)
    }

    /// Whether two messages come one after the other for every subscriber that gets both with one QoS.
    fn are_in_order(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.messages[one], &self.messages[other]);
        one.publisher == other.publisher && one.topic == other.topic
    }
}

/// What tells one message from another: the start of its payload, or its topic when it has none.
pub(super) fn key_of(publish: &Publish) -> String {
    key(publish.topic.as_str(), &publish.payload)
}

pub(super) fn key(topic: &str, payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == b'.').unwrap_or(payload.len());
    match &payload[..end] {
        [] => format!("nothing on {topic}"),
        start => String::from_utf8_lossy(start).into_owned(),
    }
}

/// Which promise a message breaks that should not be there.
fn unexpected(key: &str) -> Invariant {
    if key.starts_with("will") { Invariant::WillsGoOutWhenTheyMust } else { Invariant::DeliveredAsSubscribed }
}

/// Which promise a message breaks that should be there.
fn missing(key: &str) -> Invariant {
    if key.starts_with("will") {
        Invariant::WillsGoOutWhenTheyMust
    } else {
        Invariant::AcknowledgedIsDelivered
    }
}
