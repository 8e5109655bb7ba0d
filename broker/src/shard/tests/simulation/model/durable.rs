//! What has to be there after the broker has ended: what was on disk, and whatever somebody was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hearth_protocol::packet::{PacketId, Publish};
use hearth_protocol::{QoS, Time};

use super::promised::Promised;
use super::session::{Entry, Origin, Session};
use super::shares::State;
use super::{Model, key_of};

/// What is on disk, and what is being written.
#[derive(Debug, Default)]
pub(super) struct Durable {
    collected: BTreeMap<usize, Snapshot>,
    written: BTreeMap<usize, Snapshot>,
    /// Messages that were taken before this process began.
    pub(super) messages_before: usize,
    /// How far messages with a row on their way are, by the shard that they go to, until what came of them is on disk.
    pub(super) carried: BTreeMap<(usize, usize), Carriage>,
    /// Messages that were taken when the retained store was looked at.
    retained_collected: usize,
    retained_written: usize,
    pub(super) is_failing: bool,
    /// A shard hears in this call that it did, however it is by now.
    pub(super) is_failure_heard: bool,
    pub(super) may_fail: bool,
    is_on: bool,
}

/// How far a message is that goes to another shard with a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    UnderWay,
    Arrived,
    /// What came of it was collected for the disk.
    Collected,
}

/// A shard at the moment when its changes were collected.
#[derive(Debug)]
struct Snapshot {
    /// Messages that were taken before.
    messages: usize,
    sessions: BTreeMap<usize, Session>,
}

impl Model {
    /// The changes of a shard were collected for the disk.
    pub(in super::super) fn on_collected(&mut self, shard: usize) {
        let is_here = |client: &usize| self.shards[*client] == shard;
        let sessions = self.sessions.iter().filter(|(client, session)| is_here(client) && session.expiry > 0);
        let sessions = sessions.map(|(client, session)| (*client, session.to_save())).collect();
        let snapshot = Snapshot { messages: self.messages.len(), sessions };
        self.store.collected.insert(shard, snapshot);
        let here = self.store.carried.iter_mut().filter(|((_, to), _)| *to == shard);
        here.filter(|(_, carriage)| **carriage == Carriage::Arrived)
            .for_each(|(_, carriage)| *carriage = Carriage::Collected);
    }

    pub(in super::super) fn on_retained_collected(&mut self) {
        self.store.retained_collected = self.messages.len();
    }

    /// There is a store from the beginning.
    pub(in super::super) fn turn_store_on(&mut self) {
        self.store.is_on = true;
    }

    /// What was collected is on disk.
    pub(in super::super) fn on_written(&mut self) {
        let collected = std::mem::take(&mut self.store.collected);
        self.store.written.extend(collected);
        self.store.carried.retain(|_, carriage| *carriage != Carriage::Collected);
        self.store.retained_written = self.store.retained_written.max(self.store.retained_collected);
    }

    pub(super) const fn has_store(&self) -> bool {
        self.store.is_on
    }

    /// Whether a PUBLISH with DUP may be the first: another connection, which ended, was to get it, or it was under way when
    /// the broker ended.
    pub(super) fn is_first_again(&self, link: usize, session: &Session, publish: &Publish) -> bool {
        let key = key_of(publish);
        let packet_id = publish.packet_id.map_or(0, PacketId::get);
        let is_known = session.flights.get(&packet_id).is_some_and(|flight| {
            !flight.is_released
                && flight.link != link
                && flight.qos == publish.qos
                && self.messages[flight.message].key == key
        });
        !is_known && self.store.messages_before > 0
    }

    /// A message that was sent before the broker ended, and comes once more.
    pub(super) fn find_returned(
        &self,
        session: &mut Session,
        key: &str,
        publish: &Publish,
    ) -> Option<(usize, Origin)> {
        let place = session.waiting.iter().position(|entry| {
            entry.origin != Origin::Live
                && self.messages[entry.message].key == key
                && entry.qos == publish.qos
                && entry.retain == publish.retain
        })?;
        let entry = session.waiting.remove(place);
        Some((entry.message, entry.origin))
    }

    /// The broker has ended, and another one has begun at `now`, with the clients on other shards.
    pub(in super::super) fn on_crash(&mut self, now: Time, shards: Vec<usize>) {
        self.now = now;
        for link in std::mem::take(&mut self.open) {
            self.connections[link].is_over = true;
        }
        self.closing.clear();
        self.closed.clear();
        self.ended.clear();
        let told = std::mem::take(&mut self.told);
        let mut carried = self.take_carried(&told);
        let written = std::mem::take(&mut self.store.written);
        for (number, message) in self.messages.iter_mut().enumerate() {
            let home = written.get(&self.shards[message.publisher]);
            let is_known = home.is_some_and(|home| number < home.messages);
            message.is_acknowledged |=
                is_known && message.is_kept_will && number >= self.store.messages_before;
            message.is_unsure |= !message.is_acknowledged;
            message.is_undone |= !is_known && !message.is_acknowledged;
        }
        carried.retain(|(number, _), _| !self.messages[*number].is_undone);
        let mut saved: BTreeMap<usize, Session> =
            written.into_values().flat_map(|snapshot| snapshot.sessions).collect();
        // A will that its session has still is to come from there, and nowhere else.
        let is_to_come = |entry: &Entry| {
            let message = &self.messages[entry.message];
            entry.origin == Origin::Live && message.is_kept_will && message.is_undone
        };
        saved.values_mut().for_each(|session| session.waiting.retain(|entry| !is_to_come(entry)));
        self.restore_carried(&carried, &mut saved);
        let live = std::mem::take(&mut self.sessions);
        let kept: BTreeSet<usize> = live
            .iter()
            .filter(|(_, session)| session.expiry > 0 && session.promised.session)
            .map(|(client, _)| *client)
            .collect();
        for (client, saved) in &mut saved {
            let is_it = |live: &&Session| live.number == saved.number && live.expiry > 0;
            if live.get(client).filter(is_it).is_none() {
                saved.is_to_end();
                saved.back_since = self.messages.len();
            }
        }
        for (client, live) in live {
            let is_saved = saved.get(&client).is_some_and(|saved| saved.number == live.number);
            if is_saved {
                if let Some(saved) = saved.get_mut(&client) {
                    self.keep_promises(saved, live, self.shards[client]);
                }
            } else if live.expiry > 0 && live.promised.session {
                saved.insert(client, live);
            }
        }
        // That its connections are gone is not on disk before the next commit.
        let written = saved.iter().map(|(client, session)| (*client, session.to_save())).collect();
        saved.values_mut().for_each(|session| session.begin_again(now));
        self.sessions = saved;
        self.restore_groups(&kept);
        self.restore_retained();
        self.shards = shards;
        self.begin_store(written);
        self.taken_before = self.messages.len();
    }

    fn begin_store(&mut self, mut sessions: BTreeMap<usize, Session>) {
        let messages = self.messages.len();
        let may_fail = self.store.may_fail;
        self.store = Durable {
            may_fail,
            is_on: true,
            retained_written: messages,
            messages_before: messages,
            ..Durable::default()
        };
        for (client, shard) in self.shards.iter().enumerate() {
            let snapshot = self
                .store
                .written
                .entry(*shard)
                .or_insert_with(|| Snapshot { messages, sessions: BTreeMap::new() });
            snapshot.sessions.extend(sessions.remove(&client).map(|session| (client, session)));
        }
    }

    /// The messages with a row on their way, and the shards that they go to. What was on its way without one has to be there
    /// if it was acknowledged. True of those that must arrive: a row may be on disk for a shard that had no subscriber when the
    /// message was taken, and has one by now.
    fn take_carried(&mut self, told: &BTreeSet<(usize, usize)>) -> BTreeMap<(usize, usize), bool> {
        let shards: BTreeSet<usize> = self.shards.iter().copied().collect();
        let mut carried = BTreeMap::new();
        for (number, message) in self.messages.iter().enumerate().skip(self.store.messages_before) {
            if self.may_be_carried(number) && !message.is_acknowledged {
                let untold = shards.iter().map(|shard| (number, *shard)).filter(|at| !told.contains(at));
                carried.extend(untold.map(|at| (at, false)));
            }
        }
        carried.extend(std::mem::take(&mut self.store.carried).into_keys().map(|at| (at, true)));
        for ((number, shard), is_on_the_way) in std::mem::take(&mut self.forwards) {
            let message = &self.messages[number];
            if self.may_be_carried(number) && !is_on_the_way {
                carried.insert((number, shard), true);
            } else if message.is_acknowledged && carried.get(&(number, shard)) != Some(&true) {
                self.deliver(number, shard);
                self.forgive_late(number);
            }
        }
        carried
    }

    /// A message that was taken before a session asked for it may have come to it, and need not any more.
    fn forgive_late(&mut self, number: usize) {
        let topic = &self.messages[number].topic;
        for session in self.sessions.values_mut() {
            if !session.asked_before(topic, number) {
                let entries = session.waiting.iter_mut().filter(|entry| entry.message == number);
                entries.for_each(|entry| entry.is_optional = true);
            }
        }
    }

    /// They come to the sessions of that shard, as those are on disk.
    fn restore_carried(
        &self,
        carried: &BTreeMap<(usize, usize), bool>,
        saved: &mut BTreeMap<usize, Session>,
    ) {
        for ((number, shard), is_owed) in carried {
            if self.is_near(*number, *shard) {
                continue;
            }
            for (client, session) in saved.iter_mut().filter(|(client, _)| self.shards[**client] == *shard) {
                let Some((qos, retain, ids)) = self.wanted_by(session, *number) else { continue };
                let is_owed = *is_owed && self.still_needs(*client, session.number, *number);
                let is_known = session.waiting.iter().any(|entry| entry.message == *number);
                if qos > QoS::AtMostOnce && !is_known {
                    let (message, is_optional) = (*number, !is_owed);
                    session.waiting.push(Entry {
                        message,
                        qos,
                        retain,
                        ids,
                        is_optional,
                        origin: Origin::Live,
                    });
                }
            }
        }
    }

    /// Whether a session that was there when the broker ended still had to get a message that came from another shard, or might
    /// have: nobody keeps it for one that is to end, wants it no more, or with QoS 0 alone, or has acknowledged it, whatever is on disk of that.
    fn still_needs(&self, client: usize, session: u64, number: usize) -> bool {
        let live = self.sessions.get(&client).filter(|live| live.number == session && live.expiry > 0);
        live.is_some_and(|live| {
            let has_come = live.seen.contains(&self.messages[number].key);
            let is_kept = |wanted: (QoS, bool, Vec<u32>)| wanted.0 > QoS::AtMostOnce;
            live.is_open(number) || (!has_come && self.wanted_by(live, number).is_some_and(is_kept))
        })
    }

    /// Enters what somebody was told of a session into what is on disk of it.
    fn keep_promises(&self, saved: &mut Session, live: Session, home: usize) {
        for (filter, subscription) in &live.subscriptions {
            if live.promised.filters.contains(filter) {
                saved.subscriptions.entry(filter.clone()).or_insert_with(|| subscription.clone());
            }
        }
        let promised = live.groups.iter().filter(|filter| live.promised.filters.contains(*filter));
        saved.groups.extend(promised.cloned());
        saved.subscriptions.retain(|filter, _| !live.promised.gone.contains(filter));
        saved.groups.retain(|filter| !live.promised.gone.contains(filter));
        saved.held.retain(|id, _| !live.promised.completed.contains(id));
        let taken = live.held.iter().filter(|(_, number)| self.messages[**number].is_acknowledged);
        saved.held.extend(taken);
        let flights = saved.flights.values().filter(|flight| flight.origin == Origin::Live);
        let known = saved.waiting.iter().filter(|entry| entry.origin == Origin::Live);
        let known: BTreeSet<usize> =
            known.map(|entry| entry.message).chain(flights.map(|flight| flight.message)).collect();
        for entry in &live.waiting {
            let is_live = entry.origin == Origin::Live && entry.qos > QoS::AtMostOnce;
            let is_new = is_live && !known.contains(&entry.message);
            let number = entry.message;
            let is_wanted = self.is_wanted(saved, number, entry.qos, home);
            if live.expiry == 0 {
                // It was to end with its connection.
            } else if is_new && is_wanted && self.messages[number].is_acknowledged {
                saved.waiting.push(entry.clone());
            } else if is_new && self.is_near(number, home) {
                saved.missing.insert(number);
            }
        }
        // What the client has acknowledged since may be gone from the disk, or not.
        let sent = saved.flights.values_mut().filter(|flight| flight.qos == QoS::AtLeastOnce);
        sent.for_each(|flight| flight.may_be_over |= !live.is_open(flight.message));
        let waiting = saved.waiting.iter_mut().filter(|entry| entry.qos == QoS::AtLeastOnce);
        waiting.for_each(|entry| entry.is_optional |= !live.is_open(entry.message));
        for (id, flight) in live.flights {
            let is_new = !known.contains(&flight.message);
            if flight.qos == QoS::ExactlyOnce && !flight.is_released {
                saved.waiting.retain(|entry| !flight.is_of(entry));
                saved.flights.insert(id, flight);
            } else if flight.qos == QoS::ExactlyOnce && !flight.is_told {
                // It was not on disk, or is, that the client took it: PUBLISH or PUBREL may come.
                saved.waiting.retain(|entry| !flight.is_of(entry));
                let flight = super::session::Flight { is_released: false, ..flight };
                let is_it = |saved: &super::session::Flight| {
                    saved.message == flight.message && saved.origin == flight.origin
                };
                if !saved.flights.get(&id).is_some_and(is_it) {
                    // The identifier may have been that of something that went to another member before.
                    saved.flights.insert(id, flight);
                }
                if let Some(restored) = saved.flights.get_mut(&id) {
                    (restored.may_be_over, restored.is_again) = (true, true);
                }
            } else if flight.is_told {
                saved.waiting.retain(|entry| !flight.is_of(entry));
                saved.flights.insert(id, flight);
            } else if is_new
                && flight.qos == QoS::AtLeastOnce
                && flight.origin == Origin::Live
                && live.expiry > 0
            {
                let is_wanted = self.is_wanted(saved, flight.message, flight.qos, home);
                if is_wanted && self.messages[flight.message].is_acknowledged {
                    saved.flights.insert(id, flight);
                } else if self.is_near(flight.message, home) {
                    saved.missing.insert(flight.message);
                }
            }
        }
        saved.missing.extend(live.missing);
        saved.flights_begun = saved.flights_begun.max(live.flights_begun);
        (saved.seen, saved.lost, saved.promised) = (live.seen, live.lost, live.promised);
        saved.unclear = live.unclear;
    }

    /// Whether a message has to come to a session as it is on disk: what comes with a row of its own comes to the subscriptions that
    /// are there, and if it came before them to whom else may be acknowledged sooner.
    fn is_wanted(&self, saved: &Session, number: usize, qos: QoS, home: usize) -> bool {
        let is_same = |wanted: (QoS, bool, Vec<u32>)| wanted.0 == qos;
        self.is_near(number, home)
            || (self.wanted_by(saved, number).is_some_and(is_same)
                && saved.asked_before(&self.messages[number].topic, number))
    }

    /// Whether the publisher of a message was on this shard. What another shard had taken of a QoS 2 message may be
    /// on disk without the rest.
    fn is_near(&self, number: usize, shard: usize) -> bool {
        self.shards[self.messages[number].publisher] == shard
    }

    /// Who is a member, and who may have what was shared out.
    fn restore_groups(&mut self, kept: &BTreeSet<usize>) {
        let mut sent = BTreeMap::new();
        for session in self.sessions.values_mut() {
            session.waiting.retain(|entry| !matches!(entry.origin, Origin::Share(_)));
            for flight in session.flights.values().filter(|flight| !flight.is_released) {
                if let Origin::Share(share) = flight.origin {
                    sent.insert(share, session.number);
                }
            }
        }
        for (number, share) in self.shares.iter_mut().enumerate() {
            let group = &self.groups[&share.group];
            let is_safe = group.members.is_subset(kept);
            share.is_owed &= is_safe && !share.was_unkept && self.messages[share.message].is_acknowledged;
            share.state = match (sent.get(&number), share.state) {
                (Some(session), _) => State::Loose(*session),
                (None, State::Sent(_) | State::Loose(_) | State::Waiting) if share.qos < QoS::ExactlyOnce => {
                    State::Waiting
                }
                (None, State::Done) if share.qos == QoS::AtLeastOnce => {
                    share.is_owed = false;
                    State::Waiting
                }
                (None, State::Sent(_) | State::Loose(_)) => State::Done,
                (None, state @ (State::Waiting | State::Done)) => state,
            };
        }
        for group in self.groups.values_mut() {
            group.members.clear();
        }
        for (client, session) in &self.sessions {
            for filter in &session.groups {
                if let Some(group) = self.groups.get_mut(filter) {
                    group.members.insert(*client);
                }
            }
        }
        for share in &mut self.shares {
            share.is_owed &= !self.groups[&share.group].members.is_empty();
        }
    }

    /// Of each topic the last that was acknowledged, or a later one that is on disk.
    fn restore_retained(&mut self) {
        let written = self.store.retained_written;
        let since = self.messages.len().saturating_sub(1);
        for values in self.retained.values_mut() {
            let is_there =
                |value: &super::Value| value.since < written || self.messages[value.since].is_acknowledged;
            let last = values.iter().rposition(is_there);
            let message = last.and_then(|place| values[place].message);
            if last.is_none_or(|place| place + 1 < values.len()) {
                values.push(super::Value { since, message });
            }
        }
    }
}

impl Session {
    /// Whether it waits for a message that it has to acknowledge, or has not acknowledged it.
    fn is_open(&self, number: usize) -> bool {
        self.flights.values().any(|flight| flight.message == number)
            || self.waiting.iter().any(|entry| entry.message == number && entry.qos > QoS::AtMostOnce)
    }

    /// It was over when the broker ended, or was to be with its connection, and is on disk still: that it gets something is not
    /// promised any more.
    fn is_to_end(&mut self) {
        self.waiting.iter_mut().for_each(|entry| entry.is_optional = true);
        self.flights.values_mut().for_each(|flight| flight.may_be_over = true);
    }

    /// What a store has of it. What was sent is known of the session itself.
    fn to_save(&self) -> Self {
        let is_kept = |entry: &&Entry| entry.qos > QoS::AtMostOnce;
        Self {
            will: self.will.clone(),
            subscriptions: self.subscriptions.clone(),
            groups: self.groups.clone(),
            held: self.held.clone(),
            waiting: self.waiting.iter().filter(is_kept).cloned().collect(),
            flights: self.flights.clone(),
            moved: BTreeMap::new(),
            replays: self.replays.clone(),
            seen: BTreeSet::new(),
            lost: BTreeSet::new(),
            promised: Promised::default(),
            unclear: BTreeSet::new(),
            missing: BTreeSet::new(),
            ..*self
        }
    }

    /// Its connection is gone with the broker, if it had one. What was sent with QoS 1 may come in another way.
    fn begin_again(&mut self, now: Time) {
        if self.link.take().is_some() {
            let life = Duration::from_secs(u64::from(self.expiry));
            self.expires_at = (self.expiry != u32::MAX).then(|| now.saturating_add(life));
            let delay = self.will.as_ref().map(|will| will.properties.delay.unwrap_or(0));
            self.will_due = delay.map(|delay| now.saturating_add(Duration::from_secs(u64::from(delay))));
        }
        self.replays.iter_mut().for_each(|replay| replay.is_over = true);
        let is_loose = |flight: &super::session::Flight| flight.qos == QoS::AtLeastOnce;
        let mut loose: Vec<_> = self.flights.extract_if(.., |_, flight| is_loose(flight)).collect();
        loose.sort_by_key(|(_, flight)| flight.place);
        let entries = loose.into_iter().map(|(_, flight)| Entry {
            message: flight.message,
            qos: flight.qos,
            retain: flight.retain,
            ids: flight.ids,
            is_optional: flight.may_be_over,
            origin: flight.origin,
        });
        self.waiting.splice(0..0, entries);
    }
}
