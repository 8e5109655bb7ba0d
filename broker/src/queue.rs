//! Messages that wait for one client.

use std::collections::VecDeque;

use hearth_protocol::QoS;

use crate::delivery::Delivery;

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
    pub(crate) const fn new() -> Self {
        Self { deliveries: VecDeque::new(), bytes: 0, replays: 0, is_dropping: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
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
