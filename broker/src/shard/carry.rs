//! QoS 2 messages that cross shards: each has a row of its own on its way, so that what two shards write is as exact as one commit.
//!
//! The row is written with the packet identifier by which the message is known when it comes again. The message leaves once
//! that is on disk, and the shard that takes it removes the row in the commit that has all of its own rows. After a crash
//! [`Image`](crate::Image) gives what was on its way to whom it was for.

use std::sync::Arc;

use hearth_protocol::QoS;

use super::Shard;
use crate::delivery::Outgoing;
use crate::durable::{Carried, CarriedRow, Change, Lane, Release, Table};
use crate::effect::{Effect, Forward};
use crate::ids::ShardId;
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

impl Shard {
    /// How the message of a client goes: QoS 2 that would be known again after a crash must not be lost or doubled by it.
    pub(super) fn way_of(&self, session: u32, qos: QoS) -> Way {
        match qos {
            QoS::ExactlyOnce if self.sessions[session].is_kept => Way::Exact,
            QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce => Way::Plain,
        }
    }

    /// Whether it needs a row on its way there: behind others that have one it does, or it would overtake them.
    pub(super) fn needs_row(&self, way: &Way, to: ShardId) -> bool {
        *way == Way::Exact && (self.shared.keeps(to) || self.holds.has_held(Lane::Forwards))
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
        let release = self.holds.end(hold, Release::Forward(to, forward));
        debug_assert!(release.is_none(), "the batch is open");
    }

    pub(super) fn send_carried(&mut self, to: ShardId, forward: Forward) {
        self.effects.push_back(Effect::Forward { to, forward });
    }

    /// The message has arrived, and every row of it here is in this batch: its row on the way goes in the same one.
    pub(super) fn settle(&mut self, carried: &Carried, message: &Message) {
        self.append(Change::Delete(Table::Carried, carried.key().into()));
        self.let_go_of_message(message);
    }
}
