//! One branch or topic of the index.

use std::ops::AddAssign;

use hearth_protocol::Time;

/// Seconds over which a rate is taken: what came a while ago counts less and less.
const RATE_SECONDS: f32 = 5.0;

/// Below this there is no rate any more.
const RATE_MIN: f32 = 0.05;

/// A place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

/// Tenths of seconds since the start, from 1 on; four bytes are enough for 13 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(u32);

/// How much came, how fast and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Traffic {
    pub(super) messages: u64,
    /// Messages a second as of `at`.
    rate: f32,
    pub(super) at: Moment,
}

/// A branch, a topic, or both.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: NodeId,
    pub(super) first_child: NodeId,
    /// The neighbours among the children of the parent, in no order.
    pub(super) next: NodeId,
    pub(super) previous: NodeId,
    pub(super) level: Box<str>,
    /// What it has as a topic.
    pub(super) value: Option<Box<Value>>,
    /// At and below it.
    pub(super) traffic: Traffic,
    /// At and below it.
    pub(super) topics: u32,
    pub(super) children: u32,
    /// Changes when a child comes or goes.
    pub(super) shape: u32,
}

/// What a node has as a topic.
#[derive(Debug)]
pub(super) struct Value {
    /// The neighbours in the list of topics that are not retained.
    pub(super) newer: NodeId,
    pub(super) older: NodeId,
    /// Of the topic alone.
    pub(super) traffic: Traffic,
    pub(super) payload_len: u32,
    pub(super) is_retained: bool,
    pub(super) preview: Box<[u8]>,
}

impl NodeId {
    /// The whole tree.
    pub(super) const ROOT: Self = Self(0);
    /// No node.
    pub(super) const NONE: Self = Self(u32::MAX);

    /// A place; bounded far below 2^32, since each takes memory.
    pub(super) fn of_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

impl Moment {
    /// Before the start.
    pub(super) const NEVER: Self = Self(0);

    pub(super) fn of(time: Time) -> Self {
        Self(u32::try_from(time.as_millis() / 100).unwrap_or(u32::MAX - 1) + 1)
    }

    /// Milliseconds since the start; `None` before it.
    pub(super) fn as_millis(self) -> Option<u64> {
        Some(u64::from(self.0.checked_sub(1)?) * 100)
    }

    fn seconds_since(self, earlier: Self) -> f32 {
        self.0.saturating_sub(earlier.0) as f32 / 10.0
    }
}

impl Traffic {
    /// So many messages have come until then.
    pub(super) fn count(&mut self, messages: u64, at: Moment) {
        if messages > 0 {
            self.rate = self.decayed(at) + messages as f32 / RATE_SECONDS;
            self.messages += messages;
        }
        self.at = self.at.max(at);
    }

    fn decayed(&self, now: Moment) -> f32 {
        match now.seconds_since(self.at) {
            0.0 => self.rate,
            seconds => self.rate * (-seconds / RATE_SECONDS).exp(),
        }
    }

    /// Messages a second.
    pub(super) fn rate(&self, now: Moment) -> f32 {
        let rate = self.decayed(now);
        if rate < RATE_MIN { 0.0 } else { rate }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        let at = self.at.max(other.at);
        let rate = self.decayed(at) + other.decayed(at);
        *self = Self { messages: self.messages + other.messages, rate, at };
    }
}

impl Node {
    /// What one counts against the bound: with its place in the table and what an allocation takes beside its bytes.
    pub(super) const BYTES: usize = size_of::<Self>() + 8 + 16;

    pub(super) const fn new(parent: NodeId, level: Box<str>) -> Self {
        Self {
            parent,
            first_child: NodeId::NONE,
            next: NodeId::NONE,
            previous: NodeId::NONE,
            level,
            value: None,
            traffic: Traffic { messages: 0, rate: 0.0, at: Moment::NEVER },
            topics: 0,
            children: 0,
            shape: 0,
        }
    }
}

impl Value {
    /// What one counts against the bound, beside its preview.
    pub(super) const BYTES: usize = size_of::<Self>() + 2 * 16;
}

impl Default for Value {
    fn default() -> Self {
        Self {
            newer: NodeId::NONE,
            older: NodeId::NONE,
            traffic: Traffic::default(),
            payload_len: 0,
            is_retained: false,
            preview: Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::of(Time::from_millis(millis))
    }

    #[test]
    fn a_steady_stream_has_its_rate_and_one_that_ends_has_none_after_a_while() {
        let mut traffic = Traffic::default();
        for quarter in 0..400 {
            traffic.count(25, at(quarter * 250));
        }
        let rate = traffic.rate(at(100_000));
        assert!((95.0..105.0).contains(&rate), "{rate}");
        assert!((30.0..40.0).contains(&traffic.rate(at(105_000))), "{}", traffic.rate(at(105_000)));
        assert_eq!(traffic.rate(at(150_000)), 0.0);
        assert_eq!(traffic.messages, 10_000);
    }

    #[test]
    fn the_traffic_of_two_is_their_sum_at_the_later_time() {
        let mut early = Traffic::default();
        early.count(50, at(0));
        let mut late = Traffic::default();
        late.count(50, at(5000));
        early += late;
        assert_eq!((early.messages, early.at), (100, at(5000)));
        assert!((13.0..14.0).contains(&early.rate(at(5000))), "{}", early.rate(at(5000)));
    }

    #[test]
    fn a_node_takes_little_memory() {
        assert!(size_of::<Node>() <= 72, "{}", size_of::<Node>());
        assert!(size_of::<Value>() <= 56, "{}", size_of::<Value>());
    }
}
