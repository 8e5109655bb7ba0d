//! What the broker holds for a client, with or without a connection.

use std::collections::VecDeque;

use foldhash::quality::FixedState;
use hashbrown::HashSet;
use hearth_protocol::packet::{PacketId, Will};
use hearth_protocol::session::{Inbound, Outbound};
use hearth_protocol::{QoS, Text, Time, TopicFilter, Version};

use crate::delivery::Delivery;
use crate::ids::SessionId;
use crate::limits::LimitSet;

/// The state of a session (MQTT 5.0, 4.1).
pub(crate) struct Session {
    pub(crate) serial: u64,
    pub(crate) client_id: Text,
    /// Of the connection, or of the last one.
    pub(crate) version: Version,
    /// Index of the connection.
    pub(crate) connection: Option<u32>,
    pub(crate) subscriptions: HashSet<TopicFilter, FixedState>,
    /// QoS 1 and 2 messages under way to the client.
    pub(crate) outbound: Outbound<Delivery>,
    /// What of `outbound` the connection has yet to send again, in order.
    pub(crate) resends: VecDeque<Resend>,
    /// How much may be under way at once.
    pub(crate) window: u16,
    /// QoS 2 messages under way from the client.
    pub(crate) inbound: Inbound,
    pub(crate) queue: Queue,
    /// Seconds that it outlives its connection; `u32::MAX` is for ever.
    pub(crate) expiry_seconds: u32,
    pub(crate) will: Option<Box<Will>>,
    /// When the will of a connection that is gone goes out.
    pub(crate) will_at: Option<Time>,
    /// When a session without a connection ends.
    pub(crate) expires_at: Option<Time>,
    /// When the shard's timers come to this session next.
    pub(crate) timer_at: Option<Time>,
    /// Bounds that the client was told of on this connection.
    pub(crate) limits_told: LimitSet,
}

impl Session {
    pub(crate) fn new(serial: u64, client_id: Text, version: Version, seed: u64) -> Self {
        Self {
            serial,
            client_id,
            version,
            connection: None,
            subscriptions: HashSet::with_hasher(FixedState::with_seed(seed)),
            outbound: Outbound::new(u16::MAX),
            resends: VecDeque::new(),
            window: u16::MAX,
            inbound: Inbound::new(),
            queue: Queue::default(),
            expiry_seconds: 0,
            will: None,
            will_at: None,
            expires_at: None,
            timer_at: None,
            limits_told: LimitSet::default(),
        }
    }

    pub(crate) const fn id(&self, index: u32) -> SessionId {
        SessionId { index, serial: self.serial }
    }

    /// Whether a QoS 1 or 2 message has others to let pass first.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.queue.is_empty() || !self.resends.is_empty()
    }

    /// Whether the connection may send one more of the messages again [MQTT-3.3.4-9].
    pub(crate) fn may_resend(&self) -> bool {
        self.outbound.inflight_len() - self.resends.len() < usize::from(self.window)
    }
}

/// A packet that a new connection has to send again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resend {
    Publish(PacketId),
    PubRel(PacketId),
}

/// Messages that wait for a connection, for room in its window or in its output, in order.
#[derive(Default)]
pub(crate) struct Queue {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    /// Retained messages of a SUBSCRIBE among them. While there are any, everything waits behind them, so that
    /// an older value never follows a newer one.
    replays: usize,
    /// Set while messages are dropped because it is full, so that it is told once.
    pub(crate) is_dropping: bool,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    pub(crate) const fn is_replaying(&self) -> bool {
        self.replays > 0
    }

    /// Retained messages of SUBSCRIBEs that wait.
    pub(crate) const fn replays(&self) -> usize {
        self.replays
    }

    /// Whether one more message of so many bytes fits.
    pub(crate) fn has_room(&self, bytes: usize, messages_max: usize, bytes_max: usize) -> bool {
        self.deliveries.len() - self.replays < messages_max && self.bytes + bytes <= bytes_max
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.replays += usize::from(delivery.is_replay);
        // Replays share their messages with the retained store and are bounded by it.
        self.bytes += if delivery.is_replay { 0 } else { delivery.message.bytes() };
        self.deliveries.push_back(delivery);
    }

    pub(crate) fn front(&self) -> Option<&Delivery> {
        self.deliveries.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        self.replays -= usize::from(delivery.is_replay);
        self.bytes -= if delivery.is_replay { 0 } else { delivery.message.bytes() };
        if self.deliveries.is_empty() {
            *self = Self::default();
        }
        Some(delivery)
    }

    /// The connection is gone: forgets QoS 0 messages, and replays for which there is no room among the messages
    /// that wait for the next one. Returns how many of the latter there were.
    pub(crate) fn keep_acknowledged(&mut self, messages_max: usize, bytes_max: usize) -> usize {
        let old = std::mem::take(self);
        self.is_dropping = old.is_dropping;
        let mut forgotten = 0;
        for delivery in old.deliveries {
            if delivery.qos == QoS::AtMostOnce {
                continue;
            }
            if delivery.is_replay && !self.has_room(delivery.message.bytes(), messages_max, bytes_max) {
                forgotten += 1;
                continue;
            }
            self.push(Delivery { is_replay: false, ..delivery });
        }
        forgotten
    }
}
