//! Who publishes what to whom.

use clap::ValueEnum;
use hearth_protocol::{QoS, Version};

/// What a crowd of clients does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) pattern: Pattern,
    pub(crate) qos: QoS,
    /// 16 at least, which say who sent which message when.
    pub(crate) payload_bytes: usize,
    pub(crate) version: Version,
    pub(crate) way: Way,
}

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// MQTT over TCP.
    Tcp,
    /// MQTT in WebSocket frames.
    WebSocket,
}

/// Who listens to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// One publisher, so many subscribers of its topic.
    FanOut(usize),
    /// So many publishers, one subscriber of all with a wildcard.
    FanIn(usize),
    /// So many publishers, each with a subscriber of its own.
    Pairs(usize),
    /// So many filters with a wildcard in the middle, of [`LISTENERS`] subscribers; [`SPEAKERS`] publishers go through topics
    /// that match one each.
    Wildcards(usize),
    /// The same with so many filters that are topics.
    Exact(usize),
}

/// Subscribers that share many filters.
const LISTENERS: usize = 100;
/// Publishers that go through many topics.
const SPEAKERS: usize = 10;

impl Pattern {
    /// Clients that publish.
    pub(crate) const fn publishers(self) -> usize {
        match self {
            Self::FanOut(_) => 1,
            Self::FanIn(publishers) | Self::Pairs(publishers) => publishers,
            Self::Wildcards(_) | Self::Exact(_) => SPEAKERS,
        }
    }

    /// Clients that subscribe.
    pub(crate) const fn subscribers(self) -> usize {
        match self {
            Self::FanOut(subscribers) | Self::Pairs(subscribers) => subscribers,
            Self::FanIn(_) => 1,
            Self::Wildcards(_) | Self::Exact(_) => LISTENERS,
        }
    }

    /// Subscribers that get each message.
    pub(crate) const fn copies(self) -> usize {
        match self {
            Self::FanOut(subscribers) => subscribers,
            Self::FanIn(_) | Self::Pairs(_) | Self::Wildcards(_) | Self::Exact(_) => 1,
        }
    }

    /// What a subscriber subscribes to.
    pub(crate) fn filters(self, subscriber: usize) -> Vec<String> {
        let share = |filters: usize| (subscriber..filters).step_by(LISTENERS);
        match self {
            Self::FanOut(_) => vec![topic(0)],
            Self::FanIn(_) => vec!["bench/+/state".to_owned()],
            Self::Pairs(_) => vec![topic(subscriber)],
            Self::Wildcards(filters) => {
                share(filters).map(|number| format!("bench/{number}/+/state")).collect()
            }
            Self::Exact(filters) => share(filters).map(topic).collect(),
        }
    }

    /// What a publisher publishes to, in turn.
    pub(crate) fn topics(self, publisher: usize) -> Vec<String> {
        let share = |filters: usize| (publisher..filters).step_by(SPEAKERS);
        match self {
            Self::FanOut(_) | Self::FanIn(_) | Self::Pairs(_) => vec![topic(publisher)],
            Self::Wildcards(filters) => {
                share(filters).map(|number| format!("bench/{number}/{publisher}/state")).collect()
            }
            Self::Exact(filters) => share(filters).map(topic).collect(),
        }
    }

    /// For people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::FanOut(subscribers) => format!("fan-out 1 to {subscribers}"),
            Self::FanIn(publishers) => format!("fan-in {publishers} to 1"),
            Self::Pairs(1) => "1 pair".to_owned(),
            Self::Pairs(pairs) => format!("{pairs} pairs"),
            Self::Wildcards(filters) => format!("{filters} wildcard filters"),
            Self::Exact(filters) => format!("{filters} exact filters"),
        }
    }
}

fn topic(number: usize) -> String {
    format!("bench/{number}/state")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn matches(filter: &str, topic: &str) -> bool {
        let (filter, topic): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
        filter.len() == topic.len()
            && filter.iter().zip(&topic).all(|(level, name)| level == name || *level == "+")
    }

    #[test]
    fn every_topic_reaches_as_many_subscribers_as_the_pattern_says() {
        for pattern in [
            Pattern::FanOut(7),
            Pattern::FanIn(5),
            Pattern::Pairs(4),
            Pattern::Wildcards(1000),
            Pattern::Exact(2000),
        ] {
            let mut filters = Vec::new();
            for subscriber in 0..pattern.subscribers() {
                filters.extend(pattern.filters(subscriber));
            }
            let by_copies = (0..pattern.publishers()).flat_map(|publisher| {
                pattern
                    .topics(publisher)
                    .into_iter()
                    .step_by(50)
                    .map(|topic| filters.iter().filter(|filter| matches(filter, &topic)).count())
            });
            let counts = by_copies.fold(HashMap::new(), |mut counts, copies| {
                *counts.entry(copies).or_insert(0) += 1;
                counts
            });
            assert_eq!(counts.keys().collect::<Vec<_>>(), [&pattern.copies()], "{pattern:?}");
        }
    }

    #[test]
    fn many_filters_are_shared_out_without_rest() {
        for pattern in [Pattern::Wildcards(1000), Pattern::Exact(100_000)] {
            let filters: usize = (0..pattern.subscribers()).map(|number| pattern.filters(number).len()).sum();
            let topics: usize = (0..pattern.publishers()).map(|number| pattern.topics(number).len()).sum();
            assert_eq!(filters, topics, "{pattern:?}");
        }
    }
}
