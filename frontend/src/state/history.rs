//! The last messages of each topic, kept within one budget for all.

use std::collections::VecDeque;

use hearth_protocol::QoS;

/// Messages kept of one topic: what a person scrolls through.
pub const MESSAGES_MAX: usize = 50;

/// A payload above this is not kept, only its size; the topic itself always holds its last one whole.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// What all histories together may hold, in payload bytes: a phone must live with it.
pub const BYTES_MAX: usize = 24 * 1024 * 1024;

/// What a message costs beside its payload.
const OVERHEAD_BYTES: usize = 48;

/// What was kept of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    Whole(Box<[u8]>),
    /// It was too large to keep; its length in bytes.
    TooLarge(usize),
}

/// A message that has passed.
#[derive(Clone, Debug, PartialEq)]
pub struct PastMessage {
    /// Milliseconds since 1970.
    pub at_ms: f64,
    /// The retain flag that it came with.
    pub retain: bool,
    /// The QoS that it was delivered with.
    pub qos: QoS,
    /// Its payload.
    pub payload: Kept,
}

impl PastMessage {
    fn cost(&self) -> usize {
        OVERHEAD_BYTES
            + match &self.payload {
                Kept::Whole(bytes) => bytes.len(),
                Kept::TooLarge(_) => 0,
            }
    }
}

/// The last messages of one topic, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    messages: VecDeque<PastMessage>,
}

/// What all histories hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    used: usize,
}

impl Budget {
    /// Bytes in use.
    pub const fn used(self) -> usize {
        self.used
    }
}

impl History {
    /// Adds a message. When the budget is spent, the topic's own oldest messages go first, and a topic that has
    /// none to give up keeps nothing.
    pub fn push(&mut self, budget: &mut Budget, at_ms: f64, retain: bool, qos: QoS, payload: &[u8]) {
        let payload = if payload.len() > PAYLOAD_BYTES_MAX {
            Kept::TooLarge(payload.len())
        } else {
            Kept::Whole(payload.into())
        };
        let message = PastMessage { at_ms, retain, qos, payload };
        let cost = message.cost();
        while self.messages.len() == MESSAGES_MAX || budget.used + cost > BYTES_MAX {
            match self.messages.pop_front() {
                Some(oldest) => budget.used -= oldest.cost(),
                None => return,
            }
        }
        budget.used += cost;
        self.messages.push_back(message);
    }

    /// The messages, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &PastMessage> {
        self.messages.iter().rev()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_keeps_its_last_messages() {
        let (mut history, mut budget) = (History::default(), Budget::default());
        for number in 0..60_u8 {
            history.push(&mut budget, f64::from(number), false, QoS::AtMostOnce, &[number]);
        }
        assert_eq!(history.len(), MESSAGES_MAX);
        assert_eq!(history.newest_first().next().unwrap().payload, Kept::Whole([59].into()));
        assert_eq!(budget.used(), MESSAGES_MAX * (OVERHEAD_BYTES + 1));
    }

    #[test]
    fn a_large_payload_leaves_its_size() {
        let (mut history, mut budget) = (History::default(), Budget::default());
        history.push(&mut budget, 0.0, false, QoS::AtMostOnce, &vec![0; PAYLOAD_BYTES_MAX + 1]);
        assert_eq!(history.newest_first().next().unwrap().payload, Kept::TooLarge(PAYLOAD_BYTES_MAX + 1));
    }

    #[test]
    fn a_spent_budget_costs_the_topic_its_own_past() {
        let (mut history, mut other) = (History::default(), History::default());
        let mut budget = Budget { used: BYTES_MAX - 2 * (OVERHEAD_BYTES + 1) };
        for number in 0..3 {
            history.push(&mut budget, 0.0, false, QoS::AtMostOnce, &[number]);
        }
        assert_eq!(history.len(), 2);
        other.push(&mut budget, 0.0, false, QoS::AtMostOnce, &[9]);
        assert!(other.is_empty());
        assert!(budget.used() <= BYTES_MAX);
    }
}
