//! The topics that the filter leaves, kept up to date at a bounded cost.

use super::topics::{TopicId, Topics};
use hearth_protocol::Query;

/// Milliseconds between the beginnings of two searches through the values.
const VALUE_SEARCH_MS: f64 = 300.0;

/// Topics that are looked at in one frame: some milliseconds on a phone, so that typing is never held up.
pub const SEARCHED_PER_FRAME: usize = 2_500;

/// A filter and the topics it leaves, in the order of their names.
#[derive(Debug, Default)]
pub struct Listing {
    query: Query,
    rows: Vec<TopicId>,
    // By the number of the topic.
    matches: Vec<bool>,
    // Where the search goes on that is under way.
    next: Option<usize>,
    ordered: usize,
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

    /// Follows the topics, and looks at some more of them while a search is under way; says whether the rows may have
    /// changed. Call it once a frame, after [`Topics::merge`].
    pub fn update(&mut self, topics: &Topics, now_ms: f64) -> bool {
        let mut is_stale = topics.sorted().len() != self.ordered;
        self.ordered = topics.sorted().len();
        if self.query.is_empty() {
            return is_stale;
        }
        let values_due = self.query.reads_values()
            && topics.messages() != self.messages_seen
            && now_ms - self.searched_at_ms >= VALUE_SEARCH_MS;
        if self.next.is_none() && (values_due || topics.len() > self.matches.len()) {
            // New ones alone, when only they are to be looked at.
            self.next = Some(if values_due { 0 } else { self.matches.len() });
            self.messages_seen = topics.messages();
            if values_due {
                self.searched_at_ms = now_ms;
            }
        }
        if let Some(next) = self.next {
            is_stale |= self.search(topics, next);
        }
        if is_stale {
            self.rows.clear();
            let matches = |id: &&TopicId| self.matches.get(id.index()).copied().unwrap_or_default();
            self.rows.extend(topics.sorted().iter().filter(matches));
        }
        is_stale
    }

    /// Looks at the next topics; says whether any of them answers otherwise than before.
    fn search(&mut self, topics: &Topics, from: usize) -> bool {
        let mut has_changed = false;
        for (id, topic) in topics.heard_from(from).take(SEARCHED_PER_FRAME) {
            let matches = self.query.matches(topic.name(), topic.payload());
            match self.matches.get_mut(id.index()) {
                Some(before) => has_changed |= std::mem::replace(before, matches) != matches,
                None => {
                    self.matches.push(matches);
                    has_changed |= matches;
                }
            }
        }
        let next = from + SEARCHED_PER_FRAME;
        self.next = (next < topics.len()).then_some(next);
        has_changed
    }

    /// Whether the filter has looked at every topic.
    pub const fn is_searched(&self) -> bool {
        self.next.is_none()
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
    fn a_long_search_goes_on_from_frame_to_frame() {
        let mut topics = Topics::default();
        let all = SEARCHED_PER_FRAME * 2 + 1;
        for number in 0..all {
            topics.record(&message(&format!("t/{number:06}"), b"on", false), 0.0);
        }
        topics.merge();
        let mut listing = Listing::default();
        listing.set_query(Query::parse("on"));
        let mut found = Vec::new();
        for frame in 0..4 {
            listing.update(&topics, f64::from(frame) * 16.0);
            found.push(listing.rows(&topics).len());
        }
        assert_eq!(found, [SEARCHED_PER_FRAME, SEARCHED_PER_FRAME * 2, all, all]);
        // A new value that answers no more is seen by the next search, and until then nothing is missing.
        topics.record(&message("t/000000", b"off", false), 0.0);
        let mut lengths = Vec::new();
        for frame in 0..3 {
            listing.update(&topics, 400.0 + f64::from(frame) * 16.0);
            lengths.push(listing.rows(&topics).len());
        }
        assert_eq!(lengths, [all - 1; 3]);
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
