//! The course of one number inside a topic's payloads, gathered while somebody looks at it.

use super::history::Kept;
use super::series::{Point, Series};
use super::sparkplug::Births;
use super::topics::Topic;
use super::view::{self, Told};

/// Follows one field of one topic; begins with what the topic's history still has.
#[derive(Clone, Debug, Default)]
pub struct FieldSeries {
    topic: String,
    field: String,
    series: Series,
    messages_seen: u64,
}

impl FieldSeries {
    /// The series of the field at a JSON pointer, brought up to date.
    pub fn follow(&mut self, topic: &Topic, field: &str, births: &Births) -> &Series {
        if self.topic != topic.name() || self.field != field {
            *self = Self { topic: topic.name().to_owned(), field: field.to_owned(), ..Self::default() };
        }
        let news = usize::try_from(topic.count() - self.messages_seen).unwrap_or(usize::MAX);
        self.messages_seen = topic.count();
        let history: Vec<_> = topic.history().newest_first().take(news).collect();
        let told = Told { topic: topic.name(), content_type: topic.content_type(), births };
        for message in history.into_iter().rev() {
            let Kept::Whole(payload) = &message.payload else { continue };
            if let Some(value) = view::value_at(told, payload, field) {
                self.series.push(Point { at_ms: message.at_ms, value }, true);
            }
        }
        &self.series
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::topics::Topics;
    use crate::state::topics::tests::message;

    #[test]
    fn each_message_is_taken_once() {
        let mut topics = Topics::default();
        let (mut field, none) = (FieldSeries::default(), Births::default());
        for (at_ms, payload) in [(1.0, r#"{"t":1}"#), (2.0, "broken"), (3.0, r#"{"t":2,"u":9}"#)] {
            topics.record(&message("a", payload.as_bytes(), false), at_ms);
        }
        let id = topics.find("a").unwrap();
        assert_eq!(field.follow(topics.topic(id), "/t", &none).len(), 2);
        assert_eq!(field.follow(topics.topic(id), "/t", &none).len(), 2);
        topics.record(&message("a", br#"{"t":3}"#, false), 4.0);
        assert_eq!(
            field.follow(topics.topic(id), "/t", &none).last(),
            Some(Point { at_ms: 4.0, value: 3.0 })
        );
        assert_eq!(
            field.follow(topics.topic(id), "/u", &none).last(),
            Some(Point { at_ms: 3.0, value: 9.0 })
        );
    }
}
