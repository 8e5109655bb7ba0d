//! What the stream has shown last of each topic, so that a retained message that comes only because a filter was asked for again is
//! known.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashMap};
use hearth_protocol::packet::{Publish, PublishProperties};

use super::filters::Marks;

/// Topics that are remembered, some 40 bytes each; retained messages of more may show again after a loss of the connection.
const TOPICS_MAX: usize = 250_000;

/// How a message that the broker had kept is told from one that was just published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// By the retain flag: without *retain as published* nothing else has it.
    Marked,
    /// Not at all. So many times the broker was asked, beyond the first time, for what it keeps.
    Due(u32),
}

/// What was shown last of a topic.
#[derive(Debug)]
struct Last {
    content: u64,
    /// Filters that have brought a message of it.
    marks: Marks,
}

/// The memory of the stream.
#[derive(Debug, Default)]
pub struct Seen {
    last: HashMap<u64, Last>,
    /// By topic and mark, how many due copies have come.
    taken: HashMap<(u64, u8), u32>,
    hasher: DefaultHashBuilder,
}

impl Seen {
    /// Takes a message in, and says whether it only repeats what was shown: a retained message of a topic of which each filter
    /// that brings it has shown one, and the same as the last one.
    pub fn is_repeated(&mut self, message: &Publish, marks: Marks, copies: impl FnOnce() -> Copies) -> bool {
        let topic = self.hasher.hash_one(message.topic.as_str());
        let content = self.content(message);
        let is_full = self.last.len() >= TOPICS_MAX;
        let Some(last) = self.last.get_mut(&topic) else {
            if !is_full {
                self.last.insert(topic, Last { content, marks });
            }
            return false;
        };
        let is_known = message.retain && last.content == content && last.marks.contain(marks);
        if is_known && self.is_copy(topic, marks, copies()) {
            return true;
        }
        if let Some(last) = self.last.get_mut(&topic) {
            (last.content, last.marks) = (content, last.marks.and(marks));
        }
        false
    }

    /// Whether a message with the retain flag is one that the broker had kept. One copy of each that is due is taken for it, so that a
    /// value that is published again and again still counts.
    fn is_copy(&mut self, topic: u64, marks: Marks, copies: Copies) -> bool {
        match copies {
            Copies::Marked => true,
            Copies::Due(due) => {
                let taken: u32 =
                    marks.iter().filter_map(|mark| self.taken.get(&(topic, mark))).copied().sum();
                let first = marks.iter().next().filter(|_| taken < due);
                if let Some(mark) = first {
                    *self.taken.entry((topic, mark)).or_default() += 1;
                }
                first.is_some()
            }
        }
    }

    /// A mark is another filter's from now on, which has shown nothing yet.
    pub fn forget(&mut self, mark: u8) {
        for last in self.last.values_mut() {
            last.marks = last.marks.without(mark);
        }
        self.taken.retain(|(_, other), _| *other != mark);
    }

    /// A hash of what its publisher said. The expiry counts down while the broker keeps it, and identifiers belong to the delivery.
    fn content(&self, message: &Publish) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        message.payload.hash(&mut hasher);
        if let Some(properties) = message.properties.as_deref() {
            let PublishProperties {
                payload_format,
                message_expiry: _,
                topic_alias: _,
                response_topic,
                correlation_data,
                user_properties,
                subscription_ids: _,
                content_type,
            } = properties;
            let format = payload_format.as_ref().map(std::mem::discriminant);
            let said = (
                format,
                response_topic.as_ref().map(|it| it.as_str()),
                correlation_data,
                content_type.as_deref(),
            );
            if said != (None, None, &None, None) || user_properties.iter().next().is_some() {
                said.hash(&mut hasher);
                user_properties.iter().for_each(|(name, value)| (&**name, &**value).hash(&mut hasher));
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::Text;

    use super::super::topics::tests::message;
    use super::*;

    /// By mark.
    const A: u8 = 0;
    const B: u8 = 1;

    fn marks(marks: &[u8]) -> Marks {
        marks.iter().fold(Marks::default(), |all, mark| all.with(*mark))
    }

    fn with_source(source: &str, expiry: u32, ids: &[u32]) -> Publish {
        let pair = (Text::try_from("source").unwrap(), Text::try_from(source).unwrap());
        let properties = PublishProperties {
            message_expiry: Some(expiry),
            subscription_ids: ids.to_vec(),
            user_properties: std::iter::once(pair).collect(),
            ..PublishProperties::EMPTY
        };
        Publish { properties: Some(Box::new(properties)), ..message("t", b"on", true) }
    }

    #[test]
    fn a_kept_message_is_shown_once_however_often_its_filter_is_asked_for() {
        let mut seen = Seen::default();
        let mut repeats = |payload: &[u8], retain| {
            seen.is_repeated(&message("t", payload, retain), marks(&[A]), || Copies::Marked)
        };
        assert!(!repeats(b"on", true));
        assert!(repeats(b"on", true) && repeats(b"on", true));
        // What changed meanwhile fills the gap, and what is published is never left out.
        assert!(!repeats(b"off", true));
        assert!(!repeats(b"off", false) && !repeats(b"off", false));
        assert!(repeats(b"off", true));
        assert!(!repeats(b"on", true), "it is another one than the last");
    }

    #[test]
    fn each_filter_shows_it_once_and_a_new_one_of_the_same_letter_too() {
        let mut seen = Seen::default();
        let kept = message("t", b"on", true);
        let repeats = |seen: &mut Seen, by: &[u8]| seen.is_repeated(&kept, marks(by), || Copies::Marked);
        assert!(
            !repeats(&mut seen, &[A]) && !repeats(&mut seen, &[B]) && !repeats(&mut Seen::default(), &[A])
        );
        assert!(repeats(&mut seen, &[A]) && repeats(&mut seen, &[B]) && repeats(&mut seen, &[A, B]));
        seen.forget(B);
        assert!(repeats(&mut seen, &[A]) && !repeats(&mut seen, &[A, B]) && repeats(&mut seen, &[B]));
    }

    #[test]
    fn where_what_is_published_is_marked_too_only_copies_that_are_due_are_left_out() {
        let mut seen = Seen::default();
        let mut repeats = |topic: &str, due| {
            seen.is_repeated(&message(topic, b"on", true), marks(&[A]), || Copies::Due(due))
        };
        for topic in ["one", "two"] {
            assert!(!repeats(topic, 0) && !repeats(topic, 0), "published again and again");
            assert!(repeats(topic, 1) && !repeats(topic, 1));
            assert!(repeats(topic, 3) && repeats(topic, 3) && !repeats(topic, 3));
        }
    }

    #[test]
    fn what_the_publisher_says_beside_the_payload_makes_another_message_and_what_the_broker_says_does_not() {
        let mut seen = Seen::default();
        let mut repeats = |message: &Publish| seen.is_repeated(message, marks(&[A]), || Copies::Marked);
        assert!(!repeats(&with_source("hall", 100, &[2])));
        assert!(repeats(&with_source("hall", 90, &[2, 3])));
        assert!(!repeats(&with_source("cellar", 90, &[2])));
        assert!(!repeats(&message("t", b"on", true)));
        assert!(repeats(&Publish {
            properties: Some(Box::new(PublishProperties {
                subscription_ids: vec![2],
                ..PublishProperties::EMPTY
            })),
            ..message("t", b"on", true)
        }));
    }
}
