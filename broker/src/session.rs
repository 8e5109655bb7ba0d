//! What the broker holds for a client, with or without a connection.

use std::collections::VecDeque;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hearth_protocol::packet::Will;
use hearth_protocol::session::{Inbound, Outbound};
use hearth_protocol::{Text, Time, TopicFilter, Version};

use crate::delivery::Delivery;
use crate::ids::SessionId;
use crate::router::SubscriptionOptions;

/// The state of a session (MQTT 5.0, 4.1).
pub(crate) struct Session {
    pub(crate) serial: u64,
    pub(crate) client_id: Text,
    /// Of the connection, or of the last one.
    pub(crate) version: Version,
    /// Index of the connection.
    pub(crate) connection: Option<u32>,
    pub(crate) subscriptions: HashMap<TopicFilter, SubscriptionOptions, FixedState>,
    /// QoS 1 and 2 messages under way to the client.
    pub(crate) outbound: Outbound<Delivery>,
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
}

impl Session {
    pub(crate) fn new(serial: u64, client_id: Text, version: Version, seed: u64) -> Self {
        Self {
            serial,
            client_id,
            version,
            connection: None,
            subscriptions: HashMap::with_hasher(FixedState::with_seed(seed)),
            outbound: Outbound::new(u16::MAX),
            inbound: Inbound::new(),
            queue: Queue::default(),
            expiry_seconds: 0,
            will: None,
            will_at: None,
            expires_at: None,
        }
    }

    pub(crate) const fn id(&self, index: u32) -> SessionId {
        SessionId { index, serial: self.serial }
    }
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

    /// Forgets the replays and QoS 0 messages, which mean nothing once the connection is gone.
    pub(crate) fn keep_acknowledged(&mut self) {
        let is_dropping = self.is_dropping;
        for delivery in std::mem::take(self).deliveries {
            if delivery.qos > hearth_protocol::QoS::AtMostOnce {
                self.push(Delivery { is_replay: false, ..delivery });
            }
        }
        self.is_dropping = is_dropping;
    }
}
