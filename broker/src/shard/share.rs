//! Shared subscriptions: one member of a group gets a message (MQTT 5.0, 4.8.2).

use std::sync::Arc;

use hearth_protocol::{QoS, Time, TopicFilter};

use super::Shard;
use super::carry::Way;
use crate::connection::Connection;
use crate::delivery::{Delivery, Outgoing};
use crate::effect::{Assigned, DropReason, Effect, Forward};
use crate::faults::{self, Fault};
use crate::held::Pressure;
use crate::ids::SessionId;
use crate::limits::Limit;
use crate::router::{Choice, Group, Room, SubscriptionOptions};
use crate::session::Shares;

/// How often a message may be passed on between shards because the members that were chosen had no room any more.
/// Each time one of them is known to be full, so that more than this takes members that fill up as fast.
const HOPS_MAX: u8 = 8;

/// What became of a message for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispatched {
    /// A member of this shard has taken it.
    Given,
    /// It is on its way to the shard of a member.
    Assigned,
    /// No member has room.
    Refused,
}

impl Shard {
    /// Enters a session into a group, or changes what it asked for.
    pub(super) fn join(&mut self, index: u32, filter: &TopicFilter, options: SubscriptionOptions) {
        let room = self.room_of(index, 0);
        let session = &mut self.sessions[index];
        let choice = Choice { shard: self.id, session: session.id(index), options };
        let shares = session.shares.get_or_insert_with(|| Box::new(Shares::new(room)));
        let (group, is_new) = self.shared.groups.join(filter, choice, &shares.availability);
        if shares.find(filter).is_none() {
            shares.groups.push(group);
            self.shared_subscriptions += 1;
        }
        if is_new {
            self.shared.interest.renew_routes();
        }
    }

    /// Takes a session out of a group.
    pub(super) fn leave(&mut self, session: SessionId, group: &Group) {
        self.shared_subscriptions -= 1;
        if self.shared.groups.leave(group, self.id, session) {
            self.shared.interest.renew_routes();
        }
    }

    /// Gives a message to one member of a group.
    pub(super) fn dispatch(
        &mut self,
        now: Time,
        group: &Arc<Group>,
        outgoing: &Outgoing<'_>,
        hops: u8,
        way: &Way,
    ) -> Dispatched {
        // A member that takes nothing is known to be full after it was asked: each is asked once at most.
        for _ in 0..=group.len() {
            let Some(choice) = group.choose(outgoing.qos) else { return Dispatched::Refused };
            if choice.shard != self.id {
                self.stats.forwarded += 1;
                self.assign(group, choice, outgoing, hops, way);
                return Dispatched::Assigned;
            }
            if self.give(now, group, choice, outgoing) && !faults::has(Fault::SharedTwice) {
                if let Way::Carried(carried) = way {
                    self.settle(carried, &outgoing.message(&self.account));
                }
                return Dispatched::Given;
            }
        }
        Dispatched::Refused
    }

    /// Sends a message to the shard of a member.
    fn assign(&mut self, group: &Arc<Group>, choice: Choice, outgoing: &Outgoing<'_>, hops: u8, way: &Way) {
        let (to, of_group) = (choice.shard, Arc::clone(group));
        let assigned = |message, awaited, carried| {
            let group = of_group;
            Forward::Shared(Box::new(Assigned { message, group, choice, hops, awaited, carried }))
        };
        if self.needs_row(way, to) {
            return self
                .carry(to, outgoing, Some(group), |message, carried| assigned(message, None, Some(carried)));
        }
        let message = outgoing.message(&self.account);
        let forward = match way {
            Way::Carried(carried) => assigned(message, None, Some(carried.clone())),
            Way::Plain | Way::Exact if message.qos > QoS::AtMostOnce => {
                let awaited = self.awaited(to);
                assigned(message, awaited, None)
            }
            Way::Plain | Way::Exact => assigned(message, None, None),
        };
        self.effects.push_back(Effect::Forward { to, forward });
    }

    /// A message for a member that another shard has chosen.
    pub(super) fn take_assigned(&mut self, now: Time, assigned: &Assigned) {
        let Assigned { message, group, choice, hops: _, awaited, carried } = assigned;
        let outgoing = Outgoing::of_message(message);
        self.encodings.clear(&mut self.outputs.tape);
        if self.give(now, group, *choice, &outgoing) {
            if let Some(carried) = carried {
                self.settle(carried, message);
            }
            return;
        }
        if let Some(awaited) = awaited {
            // Who awaits word of it looks for another member, so that no shard waits for one that waits for it.
            let forward = Forward::Returned(Box::new(assigned.clone()));
            self.effects.push_back(Effect::Forward { to: awaited.from, forward });
            return;
        }
        self.pass_to_another(now, assigned);
    }

    /// A message that the shard of the chosen member could not give to it.
    pub(super) fn take_returned(&mut self, now: Time, assigned: &Assigned) {
        let Some(awaited) = assigned.awaited else { return };
        self.hold = self.holds.awaiting(assigned.choice.shard, awaited.number);
        let dispatched = self.pass_to_another(now, assigned);
        let hold = self.hold.take().filter(|_| assigned.group.keeps(assigned.message.qos));
        if let Some(hold) = hold.filter(|_| dispatched == Dispatched::Refused) {
            self.stats.limited[Limit::QueuedMessages.as_index()] += 1;
            self.on_untaken(hold, Some(Limit::QueuedMessages));
        }
    }

    fn pass_to_another(&mut self, now: Time, assigned: &Assigned) -> Dispatched {
        let Assigned { message, group, hops, carried, .. } = assigned;
        let way = carried.clone().map_or(Way::Plain, Way::Carried);
        let outgoing = Outgoing::of_message(message);
        self.encodings.clear(&mut self.outputs.tape);
        let dispatched = if *hops < HOPS_MAX {
            self.dispatch(now, group, &outgoing, hops + 1, &way)
        } else {
            Dispatched::Refused
        };
        if dispatched == Dispatched::Refused {
            self.count_drop(DropReason::QueueFull);
            if let Some(carried) = carried {
                self.settle(carried, message);
            }
        }
        dispatched
    }

    /// Gives a message to a session of this shard, if it takes it now.
    fn give(&mut self, now: Time, group: &Arc<Group>, choice: Choice, outgoing: &Outgoing<'_>) -> bool {
        let index = choice.session.index;
        if self.sessions.get_mut(index).is_none_or(|session| session.id(index) != choice.session) {
            return false;
        }
        let qos = choice.options.qos.min(outgoing.qos);
        let room = self.room_of(index, outgoing.bytes());
        let is_taken = match qos {
            QoS::AtMostOnce => room <= Room::Busy,
            QoS::AtLeastOnce | QoS::ExactlyOnce => room <= Room::Away,
        };
        let is_taken = is_taken && self.deliver_shared(now, group, choice, outgoing);
        if is_taken {
            self.tell_room(index);
        } else if let Some(shares) = &self.sessions[index].shares {
            // What it had room for a moment ago may be larger than the room.
            shares.availability.set(room.max(Room::Away));
        }
        is_taken
    }

    /// Passes on what a session cannot be asked to acknowledge any more, or has not been sent yet. `serial` is the
    /// session's.
    pub(super) fn pass_on(&mut self, now: Time, serial: u64, deliveries: Vec<Delivery>) {
        if faults::has(Fault::ShareAbandoned) {
            return;
        }
        let outer = self.hold.take();
        for delivery in deliveries {
            let has_row = delivery.kept.is_some() && !faults::has(Fault::MoveNotCarried);
            let way = if has_row { Way::Exact } else { Way::Plain };
            // Who waits for its row here waits for the one that comes in its place.
            self.hold = self.hold_of_row(&delivery);
            self.pass_on_one(now, &delivery, &way);
            self.hold = None;
            // In the commit that has the message in another place: with a session of this shard, or on its way.
            self.let_go(serial, &delivery);
        }
        self.hold = outer;
    }

    fn pass_on_one(&mut self, now: Time, delivery: &Delivery, way: &Way) {
        let Some(group) = &delivery.group else { return };
        if delivery.message.is_expired(now) {
            self.count_drop(DropReason::Expired);
            return;
        }
        self.encodings.clear(&mut self.outputs.tape);
        let outgoing = Outgoing::of_message(&delivery.message);
        if self.dispatch(now, group, &outgoing, 0, way) == Dispatched::Refused && group.len() > 0 {
            self.count_drop(DropReason::QueueFull);
        }
    }

    /// What the session can take now, for a message of so many bytes.
    fn room_of(&self, index: u32, bytes: usize) -> Room {
        let (session, limits) = (&self.sessions[index], &self.shared.limits);
        let has_room = session.flow().is_none_or(|flow| {
            flow.queue.exceeded(bytes, limits.queued_messages_max, limits.queued_bytes_max).is_none()
        });
        let greeted =
            |at: u32| Some(&self.connections[at as usize]).filter(|connection| connection.is_greeted);
        let output_len = session.connection.and_then(greeted).map(Connection::output_len);
        match output_len {
            Some(len)
                if len < limits.output_bytes_max
                    && session.is_clear(self.under_way_bytes_max())
                    && !self.refuses_for(session.connection) =>
            {
                Room::Ready
            }
            Some(_) | None if self.gauge.pressure() == Pressure::Refusing => Room::Full,
            Some(_) if has_room => Room::Busy,
            None if has_room => Room::Away,
            Some(_) | None => Room::Full,
        }
    }

    /// Lets all shards know what a member of groups can take now.
    pub(super) fn tell_room(&mut self, index: u32) {
        if let Some(shares) = &self.sessions[index].shares {
            shares.availability.set(self.room_of(index, 0));
        }
    }
}
