//! Messages that wait for one client.

use std::collections::VecDeque;

use hearth_protocol::QoS;

use crate::delivery::Delivery;
use crate::limits::Limit;

/// Messages that wait for a connection, for room in its window or in its output, in order.
#[derive(Default)]
pub(crate) struct Queue {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    /// How many of them are QoS 0.
    unacknowledged: usize,
    /// Set while messages are dropped because it is full, so that it is told once.
    pub(crate) is_dropping: bool,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { deliveries: VecDeque::new(), bytes: 0, unacknowledged: 0, is_dropping: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.deliveries.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bound that one more message of so many bytes would not keep.
    pub(crate) fn exceeded(&self, bytes: usize, messages_max: usize, bytes_max: usize) -> Option<Limit> {
        if self.deliveries.len() >= messages_max {
            Some(Limit::QueuedMessages)
        } else if self.bytes + bytes > bytes_max {
            Some(Limit::QueuedBytes)
        } else {
            None
        }
    }

    /// Whether QoS 0 messages wait, which the next one must not overtake [MQTT-4.6.0-6].
    pub(crate) const fn holds_unacknowledged(&self) -> bool {
        self.unacknowledged > 0
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.bytes += delivery.message.bytes();
        self.unacknowledged += usize::from(delivery.qos == QoS::AtMostOnce);
        self.deliveries.push_back(delivery);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    /// To change what is held of them beside the messages.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Delivery> {
        self.deliveries.iter_mut()
    }

    pub(crate) fn front(&self) -> Option<&Delivery> {
        self.deliveries.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        self.bytes -= delivery.message.bytes();
        self.unacknowledged -= usize::from(delivery.qos == QoS::AtMostOnce);
        if self.deliveries.is_empty() {
            *self = Self::new();
        }
        Some(delivery)
    }

    /// Takes out what is wanted, in order.
    pub(crate) fn extract(&mut self, is_wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        if !self.deliveries.iter().any(&is_wanted) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for delivery in std::mem::take(self).deliveries {
            if is_wanted(&delivery) {
                taken.push(delivery);
            } else {
                self.push(delivery);
            }
        }
        taken
    }

    /// The connection is gone: QoS 0 messages mean nothing to the next one.
    pub(crate) fn keep_acknowledged(&mut self) {
        self.deliveries.retain(|delivery| delivery.qos > QoS::AtMostOnce);
        self.unacknowledged = 0;
        self.bytes = self.deliveries.iter().map(|delivery| delivery.message.bytes()).sum();
    }
}
