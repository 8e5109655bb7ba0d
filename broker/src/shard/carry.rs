//! QoS 2 messages and wills that cross shards: each has a row of its own on its way, so that what two shards write is as exact as
//! one commit.
//!
//! What their publishers send behind them goes behind them, whatever its QoS [MQTT-4.6.0-5].
//!
//! The row is written with the packet identifier by which the message is known when it comes again; that of a will with the end of
//! it in its session, from which it would be published again. The message leaves once
//! that is on disk, and the shard that takes it removes the row in the commit that has all of its own rows. After a crash
//! [`Image`](crate::Image) gives what was on its way to whom it was for.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_protocol::{QoS, Time};

use super::Shard;
use crate::delivery::Outgoing;
use crate::durable::{Carried, CarriedRow, Change, Hold, Lane, Release, Table};
use crate::effect::{Awaited, Consignment, Effect, Forward};
use crate::faults::{self, Fault};
use crate::ids::{ConnectionId, ShardId};
use crate::message::Message;
use crate::router::Group;

/// How a message goes to another shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// At once; who waits for the disk awaits word of it.
    Plain,
    /// With a row, so that it comes once.
    Exact,
    /// With the row that it has already.
    Carried(Carried),
}

/// What of each publisher waits here to go to other shards.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<u64, Amount>);

#[derive(Debug, Default)]
struct Amount {
    messages: usize,
    bytes: usize,
}

impl Waiting {
    fn add(&mut self, message: &Message) {
        let amount = self.0.entry(message.publisher).or_default();
        amount.messages += 1;
        amount.bytes += message.bytes();
    }

    fn remove(&mut self, message: &Message) {
        let Some(amount) = self.0.get_mut(&message.publisher) else { return };
        amount.messages -= 1;
        amount.bytes -= message.bytes();
        if amount.messages == 0 {
            self.0.remove(&message.publisher);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn is_of(&self, publisher: u64) -> bool {
        !self.is_empty() && self.0.contains_key(&publisher)
    }

    fn bytes_of(&self, publisher: u64) -> usize {
        self.0.get(&publisher).map_or(0, |amount| amount.bytes)
    }
}

impl Shard {
    /// How the message of a client goes: QoS 2 that would be known again after a crash must not be lost or doubled by it.
    pub(super) fn way_of(&self, session: u32, qos: QoS) -> Way {
        match qos {
            QoS::ExactlyOnce if self.sessions[session].is_kept => Way::Exact,
            QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce => Way::Plain,
        }
    }

    /// How the will of a session goes: the commit in which the session has it no more is the one that has its row on the way,
    /// so that it is neither lost nor published once more by the next process.
    pub(super) fn way_of_will(&self, session: u32, qos: QoS) -> Way {
        match qos {
            QoS::AtLeastOnce | QoS::ExactlyOnce
                if self.sessions[session].is_kept && !faults::has(Fault::WillNotCarried) =>
            {
                Way::Exact
            }
            QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce => Way::Plain,
        }
    }

    /// Whether it needs a row on its way there.
    pub(super) fn needs_row(&self, way: &Way, to: ShardId) -> bool {
        *way == Way::Exact && self.shared.keeps(to)
    }

    /// Whether something for other shards waits for the disk: a stop waits for that.
    pub fn has_more_to_send(&self) -> bool {
        self.holds.has_held(Lane::Forwards)
    }

    /// Whether so much of a client's messages waits here to go to other shards that it is read no further.
    pub(super) fn is_held_up(&self, id: ConnectionId) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let session = self.connection(id).and_then(|connection| connection.session);
        session.is_some_and(|session| {
            self.waiting.bytes_of(self.sessions[session].serial) >= self.shared.limits.output_bytes_max
        })
    }

    /// Sends a message to the sessions of another shard.
    pub(super) fn send_to(&mut self, now: Time, to: ShardId, outgoing: &Outgoing<'_>, way: &Way) {
        if self.needs_row(way, to) {
            self.waiting.add(&outgoing.message(&self.account));
            return self.carry(to, outgoing, None, |message, carried| {
                Forward::Carried(Box::new(Consignment { message, carried }))
            });
        }
        let message = outgoing.message(&self.account);
        let is_awaited = outgoing.qos > QoS::AtMostOnce;
        if !self.waiting.is_of(message.publisher) || faults::has(Fault::CarriedOvertaken) {
            let awaited = if is_awaited { self.awaited(to) } else { None };
            let forward = Forward::Message(message, awaited);
            return self.effects.push_back(Effect::Forward { to, forward });
        }
        self.waiting.add(&message);
        let answer = self.hold.filter(|_| is_awaited && self.is_awaited(to));
        if let Some(answer) = answer {
            self.holds.expect_receipt(answer);
        }
        let hold = self.holds.begin(Lane::Forwards);
        let forward = Box::new(Forward::Message(message, None));
        if let Some(release) = self.holds.end(hold, Release::Forward(to, forward, answer)) {
            self.carry_out(now, release);
        }
    }

    /// Sends a message to another shard once its row is on disk.
    pub(super) fn carry(
        &mut self,
        to: ShardId,
        outgoing: &Outgoing<'_>,
        group: Option<&Arc<Group>>,
        forward: impl FnOnce(Arc<Message>, Carried) -> Forward,
    ) {
        let message = outgoing.message(&self.account);
        let number = self.keep_message(&message);
        let carried = Carried::new(number, to, group.map(|group| group.filter()));
        let row = CarriedRow { placement: self.shared.placement() }.encode();
        self.append(Change::Put(Table::Carried, carried.key().into(), row.into()));
        let hold = self.holds.begin(Lane::Forwards);
        self.holds.add_change(hold, self.journal.open_batch());
        let forward = Box::new(forward(message, carried));
        let release = self.holds.end(hold, Release::Forward(to, forward, None));
        debug_assert!(release.is_none(), "the batch is open");
    }

    /// What had to wait for the disk, or behind that, need not any more.
    pub(super) fn send_later(&mut self, to: ShardId, mut forward: Forward, answer: Option<Hold>) {
        match &mut forward {
            Forward::Carried(consignment) => self.waiting.remove(&consignment.message),
            Forward::Message(message, awaited) => {
                self.waiting.remove(message);
                *awaited = answer.map(|answer| {
                    let number = self.holds.send_expected(answer, to);
                    Awaited { from: self.id, number }
                });
            }
            // Members of a group have no order among them.
            Forward::Shared(_)
            | Forward::Returned(_)
            | Forward::Receipt { .. }
            | Forward::Done { .. }
            | Forward::Unkept { .. }
            | Forward::Untaken { .. }
            | Forward::Unneeded(_) => {}
        }
        self.effects.push_back(Effect::Forward { to, forward });
    }

    /// The message has arrived, and every row of it here is in this batch: its row on the way goes in the same one.
    pub(super) fn settle(&mut self, carried: &Carried, message: &Message) {
        self.append(Change::Delete(Table::Carried, carried.key().into()));
        self.let_go_of_message(message);
    }
}
