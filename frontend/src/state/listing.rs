//! The topics that the filter leaves, kept up to date at a bounded cost.

use super::query::Query;
use super::topics::{TopicId, Topics};

/// Milliseconds between two searches through the values: 100,000 topics take about 10 ms.
const VALUE_SEARCH_MS: f64 = 300.0;

/// A filter and the topics it leaves, in the order of their names.
#[derive(Debug, Default)]
pub struct Listing {
    query: Query,
    rows: Vec<TopicId>,
    topics_seen: usize,
    messages_seen: u64,
    searched_at_ms: f64,
}

impl Listing {
    /// Filters by `query` from now on.
    pub fn set_query(&mut self, query: Query) {
        if query != self.query {
            *self = Self { query, ..Self::default() };
        }
    }

    /// Follows the topics; says whether the rows may have changed. Call it once a frame, after
    /// [`Topics::merge`].
    pub fn update(&mut self, topics: &Topics, now_ms: f64) -> bool {
        let grown = topics.sorted().len() != self.topics_seen;
        let values_due = self.query.reads_values()
            && topics.messages() != self.messages_seen
            && now_ms - self.searched_at_ms >= VALUE_SEARCH_MS;
        if !grown && !values_due {
            return false;
        }
        self.topics_seen = topics.sorted().len();
        self.messages_seen = topics.messages();
        self.searched_at_ms = now_ms;
        if !self.query.is_empty() {
            self.rows.clear();
            let query = &self.query;
            self.rows.extend(topics.sorted().iter().filter(|&&id| {
                let topic = topics.topic(id);
                query.matches(topic.name(), topic.payload())
            }));
        }
        true
    }

    /// The rows as of the last [`Self::update`].
    pub fn rows<'a>(&'a self, topics: &'a Topics) -> &'a [TopicId] {
        if self.query.is_empty() { topics.sorted() } else { &self.rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::topics::tests::message;

    fn names(listing: &Listing, topics: &Topics) -> Vec<String> {
        listing.rows(topics).iter().map(|&id| topics.topic(id).name().to_owned()).collect()
    }

    #[test]
    fn new_topics_enter_at_once_and_new_values_soon() {
        let mut topics = Topics::default();
        let mut listing = Listing::default();
        listing.set_query(Query::parse("on"));
        topics.record(&message("b", b"on", false), 0.0);
        topics.record(&message("a", b"off", false), 0.0);
        topics.merge();
        assert!(listing.update(&topics, 1000.0));
        assert_eq!(names(&listing, &topics), ["b"]);

        topics.record(&message("a", b"on", false), 0.0);
        assert!(!listing.update(&topics, 1100.0), "values are searched only so often");
        assert!(listing.update(&topics, 1300.0));
        assert_eq!(names(&listing, &topics), ["a", "b"]);
        assert!(!listing.update(&topics, 9000.0), "nothing is new");
    }

    #[test]
    fn without_a_filter_all_topics_are_rows() {
        let mut topics = Topics::default();
        topics.record(&message("b", b"", false), 0.0);
        topics.merge();
        let mut listing = Listing::default();
        listing.update(&topics, 0.0);
        assert_eq!(names(&listing, &topics), ["b"]);
        listing.set_query(Query::parse("nothing"));
        listing.update(&topics, 0.0);
        assert!(names(&listing, &topics).is_empty());
    }
}
