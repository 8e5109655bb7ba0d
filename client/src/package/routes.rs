//! Numbers for topics, so that JavaScript makes the string of a topic, and looks for its subscriptions, once.

use hashbrown::HashMap;
use hearth_protocol::{Text, TopicName};

/// What the topics and their routes may take in memory. Some eighty thousand topics of usual length fit; a page that hears
/// more begins anew each time they are through, which costs it the string of each topic.
const BYTES_MAX: usize = 8 << 20;

/// What a route takes beside its topic, in this memory and as an object of JavaScript.
const ROUTE_BYTES: usize = 64;

#[derive(Debug)]
struct Route {
    /// Of messages without identifiers, or with any where they make no difference.
    number: Option<u32>,
    /// With several subscriptions, those meant are told by the identifiers; each set of them is a route of its own.
    is_ambiguous: bool,
    narrowed: Vec<(Box<[u32]>, u32)>,
}

/// Topic names, each with the number of its route.
#[derive(Debug, Default)]
pub struct Routes {
    by_topic: HashMap<Text, Route>,
    bytes: usize,
    next: u32,
}

impl Routes {
    /// The route of a message with these subscription identifiers, if it is known.
    pub fn find(&self, topic: &TopicName, ids: &[u32]) -> Option<u32> {
        let route = self.by_topic.get(topic.as_text())?;
        if ids.is_empty() || !route.is_ambiguous {
            return route.number;
        }
        route.narrowed.iter().find(|(narrowed, _)| **narrowed == *ids).map(|(_, number)| *number)
    }

    /// Whether the topic fits; if not, all routes are to be forgotten first.
    pub fn has_room(&self, topic: &TopicName) -> bool {
        self.by_topic.is_empty() || self.bytes + topic.as_str().len() + ROUTE_BYTES <= BYTES_MAX
    }

    /// A number for a route that is not known: a topic with so many subscriptions, or with these identifiers.
    pub fn insert(&mut self, topic: &TopicName, ids: &[u32], is_ambiguous: bool) -> u32 {
        let number = self.next;
        self.next += 1;
        self.bytes += topic.as_str().len() + ROUTE_BYTES;
        let new = || Route { number: None, is_ambiguous, narrowed: Vec::new() };
        // Not the text itself, which would keep the frame alive that it came in.
        let route = self.by_topic.entry(topic.as_text().detached()).or_insert_with(new);
        if ids.is_empty() || !is_ambiguous {
            route.number = Some(number);
        } else {
            route.narrowed.push((ids.into(), number));
        }
        number
    }

    /// Forgets them all; numbers begin again with 0.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::try_from(text).unwrap()
    }

    #[test]
    fn a_topic_has_one_number_unless_identifiers_make_a_difference() {
        let mut routes = Routes::default();
        assert_eq!(routes.find(&topic("a"), &[]), None);
        assert_eq!(routes.insert(&topic("a"), &[1], false), 0);
        assert_eq!(routes.insert(&topic("b"), &[], true), 1);
        assert_eq!(routes.find(&topic("a"), &[]), Some(0));
        assert_eq!(routes.find(&topic("a"), &[7]), Some(0));
        assert_eq!(routes.find(&topic("b"), &[1]), None);
        assert_eq!(routes.insert(&topic("b"), &[1], true), 2);
        assert_eq!(routes.insert(&topic("b"), &[1, 2], true), 3);
        assert_eq!(routes.find(&topic("b"), &[1]), Some(2));
        assert_eq!(routes.find(&topic("b"), &[1, 2]), Some(3));
        assert_eq!(routes.find(&topic("b"), &[]), Some(1));
        routes.clear();
        assert_eq!(routes.find(&topic("b"), &[]), None);
    }

    #[test]
    fn a_first_message_with_identifiers_does_not_speak_for_one_without() {
        let mut routes = Routes::default();
        assert_eq!(routes.insert(&topic("a"), &[2], true), 0);
        assert_eq!(routes.find(&topic("a"), &[2]), Some(0));
        assert_eq!(routes.find(&topic("a"), &[1]), None);
        assert_eq!(routes.find(&topic("a"), &[]), None);
    }

    #[test]
    fn the_memory_for_topics_is_bounded() {
        let mut routes = Routes::default();
        let long = |number: usize| topic(&format!("{number}{}", "x".repeat(60_000)));
        let fitting = (0..1000).take_while(|number| {
            let fits = routes.has_room(&long(*number));
            if fits {
                routes.insert(&long(*number), &[], false);
            }
            fits
        });
        assert_eq!(fitting.count(), BYTES_MAX / (60_000 + 3 + ROUTE_BYTES));
    }
}
