//! What the broker holds for a client, with or without a connection.

use std::collections::VecDeque;
use std::sync::Arc;

use hearth_protocol::packet::{PacketId, Will};
use hearth_protocol::session::Inbound;
use hearth_protocol::{QoS, Text, Time, TopicFilter, Version};

use crate::access::{Identity, Subject};
use crate::delivery::Delivery;
use crate::dropped::DropCounts;
use crate::effect::DropReason;
use crate::faults::{self, Fault};
use crate::ids::SessionId;
use crate::limits::LimitSet;
use crate::queue::Queue;
use crate::replay::Replay;
use crate::retained::RetainedStore;
use crate::router::{Availability, Group, Place, Places, Room};
use crate::under_way::UnderWay;

/// The state of a session (MQTT 5.0, 4.1).
pub(crate) struct Session {
    /// Unique in the broker: the shard's number in the upper 16 bits. Messages name their publisher by it.
    pub(crate) serial: u64,
    pub(crate) client_id: Text,
    /// Whom it belongs to, from its first connection on.
    pub(crate) identity: Identity,
    /// Of the connection, or of the last one.
    pub(crate) version: Version,
    /// Index of the connection.
    pub(crate) connection: Option<u32>,
    /// Where its subscriptions are.
    pub(crate) subscriptions: Places,
    /// Its shared subscriptions, if it ever had one.
    pub(crate) shares: Option<Box<Shares>>,
    /// Messages under way; most sessions never have one that is acknowledged.
    flow: Option<Box<Flow>>,
    /// How many QoS 1 and 2 messages may be under way to the client at once; never 0.
    window: u16,
    /// Seconds that it outlives its connection; `u32::MAX` is for ever.
    pub(crate) expiry_seconds: u32,
    pub(crate) will: Option<Box<LastWill>>,
    /// When a session without a connection ends.
    pub(crate) expires_at: Option<Time>,
    /// When the shard's timers come to this session next.
    pub(crate) timer_at: Option<Time>,
    /// Bounds that the client was told of on this connection.
    pub(crate) limits_told: LimitSet,
    /// Whether it has rows in the store, so that it outlives the process.
    pub(crate) is_kept: bool,
    /// Whether it had rows, which may be on disk for a while yet.
    pub(crate) was_kept: bool,
    /// The place of the last message that was entered among its rows.
    pub(crate) place_next: u64,
    /// What was dropped of it, if anything ever was.
    drops: Option<Box<DropCounts>>,
}

/// The groups that a session is a member of.
pub(crate) struct Shares {
    pub(crate) availability: Arc<Availability>,
    pub(crate) groups: Vec<Arc<Group>>,
}

/// The will of a connection.
pub(crate) struct LastWill {
    pub(crate) will: Will,
    /// When it goes out, once the connection is gone.
    pub(crate) due: Option<Time>,
}

/// Messages under way, and those that wait to be.
pub(crate) struct Flow {
    /// QoS 1 and 2 messages to the client.
    pub(crate) outbound: UnderWay,
    /// Of those, what has its identifier and has not gone out, because it waits for the disk; in order.
    unsent: VecDeque<PacketId>,
    /// QoS 2 messages from the client.
    pub(crate) inbound: Inbound,
    /// Retained messages to the client. While there are any, everything else waits behind them, so that an older
    /// value never follows a newer one.
    replays: VecDeque<Replay>,
    /// Messages to the client behind those of `outbound` and `replays`.
    pub(crate) queue: Queue,
}

/// What there is to be sent of retained messages.
pub(crate) enum NextReplayed {
    /// Nothing.
    None,
    /// This.
    Message(Delivery),
    /// Something, for which there is no room under way.
    Waits,
}

impl Session {
    pub(crate) const fn new(serial: u64, client_id: Text, identity: Identity, version: Version) -> Self {
        Self {
            serial,
            client_id,
            identity,
            version,
            connection: None,
            subscriptions: Places::None,
            shares: None,
            flow: None,
            window: u16::MAX,
            expiry_seconds: 0,
            will: None,
            expires_at: None,
            timer_at: None,
            limits_told: LimitSet::EMPTY,
            is_kept: false,
            was_kept: false,
            place_next: 0,
            drops: None,
        }
    }

    /// Something of the client was dropped.
    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.drops.get_or_insert_with(|| Box::new([0; DropReason::COUNT]))[reason.as_index()] += 1;
    }

    /// What was dropped of it, if anything ever was.
    pub(crate) fn drops(&self) -> Option<&DropCounts> {
        self.drops.as_deref()
    }

    /// Messages in its queue.
    pub(crate) fn queued(&self) -> usize {
        self.flow.as_ref().map_or(0, |flow| flow.queue.len())
    }

    /// Whether something of it may be on disk.
    pub(crate) const fn has_rows(&self) -> bool {
        self.is_kept || self.was_kept
    }

    pub(crate) const fn id(&self, index: u32) -> SessionId {
        SessionId { index, generation: self.serial as u32 }
    }

    /// Its client as access rules see it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { client_id: &self.client_id, identity: &self.identity }
    }

    /// When the will of a connection that is gone goes out.
    pub(crate) fn will_due(&self) -> Option<Time> {
        self.will.as_ref()?.due
    }

    /// How many subscriptions it has, shared ones included.
    pub(crate) fn subscriptions_len(&self) -> usize {
        let shared = self.shares.as_ref().map_or(0, |shares| shares.groups.len());
        self.subscriptions.as_slice().len() + shared
    }

    /// What is under way, if there was ever anything.
    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.flow.as_deref()
    }

    /// What is under way, to change it.
    pub(crate) fn flow_mut(&mut self) -> &mut Flow {
        self.flow.get_or_insert_with(|| Box::new(Flow::new(self.window)))
    }

    /// A connection has begun; so many messages may be under way to it at once. What the last one left
    /// unacknowledged is sent again, in order [MQTT-4.4.0-1].
    pub(crate) fn begin_connection(&mut self, window: u16) {
        self.window = window;
        if let Some(flow) = &mut self.flow {
            flow.outbound.handle_resume(window);
        }
    }

    /// The connection has ended: what only it could use is forgotten.
    pub(crate) fn end_connection(&mut self) {
        let Some(flow) = &mut self.flow else { return };
        flow.replays.retain_mut(Replay::pause);
        flow.queue.keep_acknowledged();
        if faults::has(Fault::QueueForgotten) {
            flow.queue = Queue::new();
        }
        self.forget_flow();
    }

    /// Gives the memory back when nothing is under way or waits. Not after every message, which would have to ask
    /// for it again.
    pub(crate) fn forget_flow(&mut self) {
        self.flow.take_if(|flow| {
            flow.outbound.is_empty()
                && flow.inbound.is_empty()
                && flow.replays.is_empty()
                && flow.queue.is_empty()
        });
    }

    /// Takes out what the session got as a member of such a group; see [`Flow::take_shared`].
    pub(crate) fn take_shared(&mut self, is_wanted: impl Fn(&Group) -> bool) -> Vec<Delivery> {
        let Some(flow) = &mut self.flow else { return Vec::new() };
        let taken = flow.take_shared(is_wanted);
        self.forget_flow();
        taken
    }

    /// Takes the rows of what waits; see [`Flow::take_rows`].
    pub(crate) fn take_rows(&mut self) -> Vec<Delivery> {
        self.flow.as_deref_mut().map_or_else(Vec::new, Flow::take_rows)
    }

    /// Whether a QoS 1 or 2 message may go out now, with no other to let pass first and fewer than `bytes_max` under way.
    pub(crate) fn is_clear(&self, bytes_max: usize) -> bool {
        self.flow.as_ref().is_none_or(|flow| {
            (flow.queue.is_empty() || faults::has(Fault::QueueOvertaken))
                && flow.replays.is_empty()
                && !flow.outbound.is_redelivering()
                && flow.outbound.has_room(bytes_max)
        })
    }

    /// Whether a QoS 0 message has to wait: retained messages do, one of which may be older, or others of QoS 0 that
    /// came before it.
    pub(crate) fn is_waiting(&self) -> bool {
        let has_waiting = |flow: &Flow| !flow.replays.is_empty() || flow.queue.holds_unacknowledged();
        self.flow.as_deref().is_some_and(has_waiting)
    }

    /// Whether there is anything to be sent to the client now or once it has acknowledged something.
    pub(crate) fn has_waiting(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| {
            !flow.queue.is_empty() || !flow.replays.is_empty() || flow.outbound.is_redelivering()
        })
    }

    /// Whether retained messages of a SUBSCRIBE wait.
    pub(crate) fn is_replaying(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| !flow.replays.is_empty())
    }
}

impl Shares {
    pub(crate) fn new(room: Room) -> Self {
        Self { availability: Arc::new(Availability::new(room)), groups: Vec::new() }
    }

    /// Where the group of a filter stands.
    pub(crate) fn find(&self, filter: &TopicFilter) -> Option<usize> {
        self.groups.iter().position(|group| group.filter() == filter)
    }
}

impl Flow {
    const fn new(window: u16) -> Self {
        Self {
            outbound: UnderWay::new(window),
            unsent: VecDeque::new(),
            inbound: Inbound::new(),
            replays: VecDeque::new(),
            queue: Queue::new(),
        }
    }

    /// Messages that wait for room or for an acknowledgement.
    pub(crate) fn waiting(&self) -> usize {
        self.outbound.inflight_len() + self.queue.len()
    }

    /// Bytes of those messages.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.outbound.bytes() + self.queue.bytes()
    }

    /// A message has its identifier and waits for the disk before it goes out.
    pub(crate) fn begin_unsent(&mut self, id: PacketId) {
        self.unsent.push_back(id);
    }

    /// Whether a message has an identifier and has not gone out: the client cannot know it, whatever it says.
    pub(crate) fn is_unsent(&self, id: PacketId) -> bool {
        self.unsent.contains(&id)
    }

    /// A message goes out, or never will; whether it had not.
    pub(crate) fn end_unsent(&mut self, id: PacketId) -> bool {
        // They go in their order, nearly always.
        if self.unsent.front() == Some(&id) {
            return self.unsent.pop_front().is_some();
        }
        let place = self.unsent.iter().position(|other| *other == id);
        place.and_then(|place| self.unsent.remove(place)).is_some()
    }

    /// Takes out, in order, what the session got as a member of a group and others may get in its place: what waits, for
    /// room or for the disk, and of the rest QoS 1; QoS 2 is this client's once it was sent [MQTT-4.8.2-4], [MQTT-4.8.2-5].
    fn take_shared(&mut self, is_wanted: impl Fn(&Group) -> bool) -> Vec<Delivery> {
        let is_wanted = |delivery: &Delivery| delivery.group.as_ref().is_some_and(|group| is_wanted(group));
        let unsent = &self.unsent;
        let mut taken = self.outbound.extract(|id, qos, delivery| {
            (qos == QoS::AtLeastOnce || unsent.contains(&id)) && is_wanted(delivery)
        });
        self.unsent.retain(|id| self.outbound.message(*id).is_some());
        taken.extend(self.queue.extract(is_wanted));
        taken
    }

    /// Messages that wait for room or for an acknowledgement.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.outbound.messages().chain(self.queue.iter())
    }

    /// Takes the rows of all of them, each with its message: they wait on without.
    fn take_rows(&mut self) -> Vec<Delivery> {
        let deliveries = self.outbound.messages_mut().chain(self.queue.iter_mut());
        let with_rows = deliveries.filter(|delivery| delivery.kept.is_some());
        with_rows
            .map(|delivery| {
                let row = delivery.clone();
                delivery.kept = None;
                row
            })
            .collect()
    }

    /// Sends the retained messages of a subscription, in place of what is left of an earlier time.
    pub(crate) fn begin_replay(&mut self, replay: Replay) {
        self.end_replay(replay.place);
        self.replays.push_back(replay);
    }

    /// The subscription is no more.
    pub(crate) fn end_replay(&mut self, place: Place) {
        self.replays.retain(|replay| replay.place != place);
    }

    /// The retained message that goes out next, when there is one and it may go now.
    pub(crate) fn next_replayed(
        &mut self,
        store: &RetainedStore,
        now: Time,
        bytes_max: usize,
    ) -> NextReplayed {
        while let Some(replay) = self.replays.front_mut() {
            match replay.peek(store, now) {
                None => drop(self.replays.pop_front()),
                Some(qos) if qos > QoS::AtMostOnce && !self.outbound.has_room(bytes_max) => {
                    return NextReplayed::Waits;
                }
                Some(_) => return replay.pop().map_or(NextReplayed::None, NextReplayed::Message),
            }
        }
        self.replays = VecDeque::new();
        NextReplayed::None
    }
}
