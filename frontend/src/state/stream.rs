//! The messages of the subscribe page: the last ones, bounded in number and bytes, with a count of what is gone.

use std::collections::VecDeque;

use bytes::Bytes;
use hearth_protocol::packet::{Publish, PublishProperties};
use hearth_protocol::{QoS, TopicName};

use super::filters::Marks;
use super::rate::Rate;
use super::topics::detached;
use hearth_protocol::Query;

/// Messages that are kept: more than a person scrolls through.
pub const MESSAGES_MAX: usize = 10_000;

/// Bytes of their topics and payloads; with what keeps them a tab holds about twice as much.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of names and payloads that are searched at a time: a millisecond or two, so that no letter that is typed waits long for
/// what was typed before.
const SEARCHED_BYTES_MAX: usize = 256 * 1024;

/// What an entry costs a search beside its bytes, and how much of a payload it looks at.
const ENTRY_COST: usize = 64;
const PAYLOAD_COST_MAX: usize = 4 * 1024;

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counts the kept ones from 0.
    pub number: u64,
    /// When it came, in milliseconds since 1970.
    pub at_ms: f64,
    /// The filters that brought it.
    pub marks: Marks,
    /// Its topic.
    pub topic: TopicName,
    /// Its payload, whole.
    pub payload: Bytes,
    /// The QoS of its delivery.
    pub qos: QoS,
    /// Whether the retain flag was set.
    pub retain: bool,
    /// Its properties.
    pub properties: Option<Box<PublishProperties>>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.topic.as_str().len() + self.payload.len()
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came.
    pub delivered: u64,
    /// Those of them that are not kept any more, or never were.
    pub dropped: u64,
    /// Those that are kept.
    pub kept: u64,
    /// Those that came while the stream was paused and are kept: they show when it goes on.
    pub waiting: u64,
}

/// The stream.
#[derive(Debug, Default)]
pub struct Stream {
    entries: VecDeque<Entry>,
    /// The number of the first kept entry.
    first: u64,
    bytes: usize,
    delivered: u64,
    dropped: u64,
    rate: Rate,
    /// While paused: the number of the first entry that is not shown.
    paused_at: Option<u64>,
    choice: Choice,
    /// The numbers of the entries that are chosen, unless all are.
    found: VecDeque<u64>,
    /// The entries from this number on were searched.
    searched_from: u64,
}

/// What a person wants to see of it.
#[derive(Clone, Debug, Default)]
struct Choice {
    query: Query,
    /// Filters of which nothing is shown, unless another one brought it too.
    hidden: Marks,
}

impl Choice {
    fn is_all(&self) -> bool {
        self.query.is_empty() && self.hidden.is_empty()
    }

    fn takes(&self, entry: &Entry) -> bool {
        let is_hidden = !entry.marks.is_empty() && self.hidden.contain(entry.marks);
        !is_hidden && self.query.matches(entry.topic.as_str(), &entry.payload)
    }
}

impl Stream {
    /// Takes a message in. A paused stream keeps what it shows: without room for more it drops the new ones instead of the
    /// oldest. `retain` is the retain flag as it is for these filters.
    pub fn push(&mut self, message: &Publish, marks: Marks, retain: bool, at_ms: f64) {
        self.delivered += 1;
        self.rate.count(at_ms);
        let bytes = message.topic.as_str().len() + message.payload.len();
        let is_paused = self.paused_at.is_some();
        if bytes > BYTES_MAX || (is_paused && !self.has_room(bytes)) {
            self.dropped += 1;
            return;
        }
        while !self.has_room(bytes) {
            self.drop_oldest();
        }
        let entry = Entry {
            number: self.first + self.entries.len() as u64,
            at_ms,
            marks,
            // They must not keep the frame alive that they came in.
            topic: message.topic.detached(),
            payload: Bytes::copy_from_slice(&message.payload),
            qos: message.qos,
            retain,
            properties: message.properties.as_deref().map(|properties| Box::new(detached(properties))),
        };
        self.bytes += bytes;
        if !self.choice.is_all() && self.choice.takes(&entry) {
            self.found.push_back(entry.number);
        }
        self.entries.push_back(entry);
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.entries.len() < MESSAGES_MAX && self.bytes + bytes <= BYTES_MAX
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= oldest.bytes();
            self.first += 1;
            self.dropped += 1;
            if self.found.front() == Some(&oldest.number) {
                self.found.pop_front();
            }
        }
    }

    /// Stops what is shown; the counts go on.
    pub fn pause(&mut self) {
        self.paused_at.get_or_insert(self.first + self.entries.len() as u64);
    }

    /// Shows what came meanwhile, and goes on.
    pub fn resume(&mut self) {
        self.paused_at = None;
    }

    /// Whether it is paused.
    pub const fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Forgets the messages and begins to count anew.
    pub fn clear(&mut self) {
        let (choice, paused) = (std::mem::take(&mut self.choice), self.is_paused());
        // Numbers go on, so that none is another message than before.
        let first = self.first + self.entries.len() as u64;
        *self = Self { choice, first, paused_at: paused.then_some(first), ..Self::default() };
    }

    /// Shows only what answers a query, as far as [`Self::search_on`] has looked.
    pub fn set_query(&mut self, query: Query) {
        self.choice.query = query;
        self.choose_anew();
    }

    /// Shows what the filter with this mark brings, or hides it where no other one brought it.
    pub fn set_hidden(&mut self, mark: u8, is_hidden: bool) {
        let hidden = self.choice.hidden;
        self.choice.hidden = if is_hidden { hidden.with(mark) } else { hidden.without(mark) };
        if self.choice.hidden != hidden {
            self.choose_anew();
        }
    }

    /// Whether what the filter with this mark brings is hidden.
    pub const fn is_hidden(&self, mark: u8) -> bool {
        self.choice.hidden.contain(Marks::of(mark))
    }

    fn choose_anew(&mut self) {
        self.found.clear();
        self.searched_from = if self.choice.is_all() { 0 } else { self.first + self.entries.len() as u64 };
        self.search_on();
    }

    /// Searches some more of what came before the choice, the newest first.
    pub fn search_on(&mut self) {
        let mut cost = 0;
        while self.is_searching() && cost < SEARCHED_BYTES_MAX {
            self.searched_from -= 1;
            let place = usize::try_from(self.searched_from - self.first).unwrap_or(usize::MAX);
            let Some(entry) = self.entries.get(place) else { continue };
            cost += entry.topic.as_str().len() + entry.payload.len().min(PAYLOAD_COST_MAX) + ENTRY_COST;
            if self.choice.takes(entry) {
                self.found.push_front(entry.number);
            }
        }
    }

    /// Whether some of what came before the choice was not searched yet.
    pub const fn is_searching(&self) -> bool {
        self.searched_from > self.first
    }

    /// How many are shown.
    pub fn len(&self) -> usize {
        let end = self.paused_at.unwrap_or(u64::MAX);
        if self.choice.is_all() {
            let shown = end.saturating_sub(self.first).min(self.entries.len() as u64);
            return usize::try_from(shown).unwrap_or(usize::MAX);
        }
        self.found.partition_point(|&number| number < end)
    }

    /// Whether none is shown.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shown entry with this index, the newest first.
    pub fn shown(&self, index: usize) -> Option<&Entry> {
        let place = self.len().checked_sub(index + 1)?;
        match self.choice.is_all() {
            true => self.entries.get(place),
            false => self.find(*self.found.get(place)?),
        }
    }

    /// The entry with this number, while it is kept.
    pub fn find(&self, number: u64) -> Option<&Entry> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get(place)
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        let kept = self.entries.len() as u64;
        let end = self.first + kept;
        let waiting = self.paused_at.map_or(0, |at| end - at);
        Counts { delivered: self.delivered, dropped: self.dropped, kept, waiting }
    }

    /// Messages a second.
    pub fn per_second(&self, now_ms: f64) -> f64 {
        self.rate.per_second(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::outcome::message;

    fn push(stream: &mut Stream, topic: &str, payload: &[u8]) {
        let topic = TopicName::try_from(topic).unwrap();
        stream.push(&message(topic, payload, QoS::AtMostOnce, false), Marks::default(), false, 0.0);
    }

    fn shown(stream: &Stream) -> Vec<&str> {
        (0..stream.len()).map(|index| stream.shown(index).unwrap().topic.as_str()).collect()
    }

    #[test]
    fn the_newest_is_first_and_the_oldest_give_way() {
        let mut stream = Stream::default();
        for number in 0..MESSAGES_MAX + 3 {
            push(&mut stream, &number.to_string(), b"");
        }
        assert_eq!(stream.len(), MESSAGES_MAX);
        assert_eq!(stream.shown(0).unwrap().topic.as_str(), (MESSAGES_MAX + 2).to_string());
        assert_eq!(stream.shown(MESSAGES_MAX - 1).unwrap().topic.as_str(), "3");
        assert_eq!(stream.shown(MESSAGES_MAX), None);
        let counts = stream.counts();
        assert_eq!((counts.delivered, counts.dropped), (MESSAGES_MAX as u64 + 3, 3));
        assert_eq!(stream.find(2), None);
        assert_eq!(stream.find(3).unwrap().topic.as_str(), "3");
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut stream = Stream::default();
        let large = vec![b'x'; BYTES_MAX / 2];
        push(&mut stream, "a", &large);
        push(&mut stream, "b", &large);
        assert_eq!(shown(&stream), ["b"]);
        push(&mut stream, "c", &vec![0; BYTES_MAX + 1]);
        assert_eq!(shown(&stream), ["b"], "one that fits nowhere drives nothing out");
        assert_eq!(stream.counts().dropped, 2);
    }

    #[test]
    fn a_paused_stream_stands_still_and_goes_on_with_what_came_meanwhile() {
        let mut stream = Stream::default();
        push(&mut stream, "a", b"");
        stream.pause();
        push(&mut stream, "b", b"");
        stream.pause();
        push(&mut stream, "c", b"");
        assert_eq!(shown(&stream), ["a"]);
        assert_eq!((stream.counts().waiting, stream.counts().delivered), (2, 3));
        for _ in 0..MESSAGES_MAX {
            push(&mut stream, "more", b"");
        }
        assert_eq!(shown(&stream), ["a"], "what is shown does not give way");
        assert_eq!(stream.counts().dropped, 3);
        stream.resume();
        assert_eq!(stream.len(), MESSAGES_MAX);
        assert_eq!(stream.counts().waiting, 0);
    }

    #[test]
    fn a_query_shows_what_answers_it_now_and_later() {
        let mut stream = Stream::default();
        push(&mut stream, "home/lamp", b"on");
        push(&mut stream, "home/door", b"open");
        stream.set_query(Query::parse("lamp"));
        push(&mut stream, "car/lamp", b"off");
        push(&mut stream, "car/door", b"lamp");
        assert_eq!(shown(&stream), ["car/door", "car/lamp", "home/lamp"]);
        stream.pause();
        push(&mut stream, "lamp", b"");
        assert_eq!(stream.len(), 3);
        stream.resume();
        assert_eq!(stream.len(), 4);
        for _ in 0..MESSAGES_MAX {
            push(&mut stream, "other", b"");
        }
        assert_eq!(stream.len(), 0, "those that answered are gone");
        stream.set_query(Query::default());
        assert_eq!(stream.len(), MESSAGES_MAX);
    }

    #[test]
    fn what_only_hidden_filters_brought_is_not_shown() {
        let mut stream = Stream::default();
        let come = |stream: &mut Stream, topic: &str, marks: &[u8]| {
            let topic = TopicName::try_from(topic).unwrap();
            let marks = marks.iter().fold(Marks::default(), |marks, mark| marks.with(*mark));
            stream.push(&message(topic, b"", QoS::AtMostOnce, false), marks, false, 0.0);
        };
        come(&mut stream, "a", &[0]);
        come(&mut stream, "both", &[0, 1]);
        stream.set_hidden(0, true);
        assert!(stream.is_hidden(0) && !stream.is_hidden(1));
        come(&mut stream, "a/later", &[0]);
        come(&mut stream, "b", &[1]);
        assert_eq!(shown(&stream), ["b", "both"]);
        stream.set_query(Query::parse("both"));
        assert_eq!(shown(&stream), ["both"]);
        stream.set_query(Query::default());
        stream.set_hidden(0, false);
        assert_eq!(shown(&stream), ["b", "a/later", "both", "a"]);
        assert_eq!(stream.counts().delivered, 4);
    }

    #[test]
    fn a_long_stream_is_searched_piece_by_piece_while_it_goes_on() {
        let mut stream = Stream::default();
        let payload = vec![b'.'; PAYLOAD_COST_MAX];
        let count = 3 * SEARCHED_BYTES_MAX / PAYLOAD_COST_MAX;
        for number in 0..count {
            push(&mut stream, if number % 2 == 0 { "even" } else { "odd" }, &payload);
        }
        stream.set_query(Query::parse("even"));
        let begun = stream.len();
        assert!(stream.is_searching() && begun > 0 && begun < count / 4, "{begun} of {count}");
        push(&mut stream, "even/new", b"");
        let mut pieces = 1;
        while stream.is_searching() {
            stream.search_on();
            pieces += 1;
        }
        assert_eq!((stream.len(), pieces), (count / 2 + 1, 4));
        assert_eq!(stream.shown(0).unwrap().topic.as_str(), "even/new");
        assert!(
            (0..stream.len()).map(|index| stream.shown(index).unwrap().number).is_sorted_by(|a, b| a > b)
        );
        stream.set_query(Query::default());
        assert!(!stream.is_searching() && stream.len() == count + 1);
    }

    #[test]
    fn a_cleared_stream_counts_anew_and_stays_paused() {
        let mut stream = Stream::default();
        push(&mut stream, "a", b"");
        stream.pause();
        stream.clear();
        assert_eq!(stream.counts(), Counts::default());
        push(&mut stream, "b", b"");
        assert_eq!((stream.len(), stream.counts().waiting), (0, 1));
        stream.resume();
        assert_eq!(stream.find(1).unwrap().topic.as_str(), "b");
    }
}
