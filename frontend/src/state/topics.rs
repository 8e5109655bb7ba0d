//! Every topic that has been heard, with its last message: an arena outside the virtual DOM.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use hearth_protocol::QoS;
use hearth_protocol::packet::{Publish, PublishProperties};

use super::history::{Budget, History};
use super::payload;
use super::rate::Rate;
use super::series::{Point, Series};

/// More topics than these are counted but not kept: a tab that holds them needs about 300 MB.
pub const TOPICS_MAX: usize = 500_000;

/// Points of all series together; 16 bytes each, so 32 MB.
const POINTS_TOTAL_MAX: usize = 2_000_000;

/// The place of a topic in the arena; it never changes while the page lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(u32);

impl TopicId {
    /// Its number, counted from 0 in the order in which topics were first heard.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the last payload of a topic is to the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No bytes.
    Empty,
    /// A finite number.
    Number,
    /// On or off, in words.
    Switch,
    /// `open` or `closed`.
    Contact,
    /// Anything else.
    Other,
}

impl Kind {
    fn of(payload: &[u8], number: Option<f64>) -> Self {
        if payload.is_empty() {
            return Self::Empty;
        }
        if number.is_some() {
            return Self::Number;
        }
        if payload::switch(payload).is_some() {
            return Self::Switch;
        }
        if payload.eq_ignore_ascii_case(b"open") || payload.eq_ignore_ascii_case(b"closed") {
            return Self::Contact;
        }
        Self::Other
    }
}

/// A topic and what is known of it.
#[derive(Debug)]
pub struct Topic {
    name: Box<str>,
    payload: Vec<u8>,
    kind: Kind,
    is_kept: bool,
    retain: bool,
    dup: bool,
    qos: QoS,
    at_ms: f64,
    count: u64,
    rate: Rate,
    epoch: u32,
    properties: Option<Box<PublishProperties>>,
    history: History,
    series: Option<Box<Series>>,
}

impl Topic {
    /// The topic name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last payload, whole.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the last payload is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the last message carried the retain flag, as its publisher set it.
    pub const fn retain(&self) -> bool {
        self.retain
    }

    /// Whether the broker had tried to deliver the last message before [MQTT-3.3.1-1].
    pub const fn dup(&self) -> bool {
        self.dup
    }

    /// The QoS that the last message was delivered with.
    pub const fn qos(&self) -> QoS {
        self.qos
    }

    /// When the last message came, in milliseconds since 1970.
    pub const fn at_ms(&self) -> f64 {
        self.at_ms
    }

    /// Whether the broker kept the last message from before: nobody knows since when.
    pub const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Messages since the page was opened.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Messages a second.
    pub fn per_second(&self, now_ms: f64) -> f64 {
        self.rate.per_second(now_ms)
    }

    /// The MQTT 5 properties of the last message.
    pub fn properties(&self) -> Option<&PublishProperties> {
        self.properties.as_deref()
    }

    /// What the publisher says that the last payload is.
    pub fn content_type(&self) -> Option<&str> {
        self.properties()?.content_type.as_deref()
    }

    /// The last messages.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The course of its number, when it has been one.
    pub fn series(&self) -> Option<&Series> {
        self.series.as_deref()
    }
}

/// What [`Topics::record`] changed beside the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The topic was new.
    New(TopicId),
    /// The payload is of another kind than the one before.
    NewKind(TopicId),
    /// Only the value.
    Value(TopicId),
    /// Nothing but that the value is still true: the broker told again what it keeps, since it was asked to.
    Again(TopicId),
    /// Nothing: there are [`TOPICS_MAX`] topics.
    Dropped,
}

/// The arena, its index by name and its order by name.
#[derive(Debug, Default)]
pub struct Topics {
    arena: Vec<Topic>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    sorted: Vec<TopicId>,
    // Added since the last merge; sorting them in one by one would move the whole list each time.
    unsorted: Vec<TopicId>,
    budget: Budget,
    points: usize,
    numeric: usize,
    epoch: u32,
    online: bool,
    messages: u64,
    dropped: u64,
    rate: Rate,
}

impl Topics {
    /// A connection begins: values of earlier ones are stale until they come again.
    pub fn begin_epoch(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.online = true;
    }

    /// The connection is gone, or may be: no value passes for live.
    pub fn distrust(&mut self) {
        self.online = false;
    }

    /// The connection was there all the time: the values of its epoch are live after all.
    pub fn trust(&mut self) {
        self.online = true;
    }

    /// Takes a message in.
    pub fn record(&mut self, message: &Publish, at_ms: f64) -> Recorded {
        let name = message.topic.as_str();
        let hash = self.hasher.hash_one(name);
        let found = self.index.find(hash, |&index| *self.arena[index as usize].name == *name).copied();
        if let Some(index) = found
            && self.is_again(index, message)
        {
            let topic = &mut self.arena[index as usize];
            // Before version 5 what is published comes without its retain flag.
            (topic.epoch, topic.retain) = (self.epoch, true);
            return Recorded::Again(TopicId(index));
        }
        self.messages += 1;
        self.rate.count(at_ms);
        let number = payload::number(&message.payload);
        let kind = Kind::of(&message.payload, number);
        let (index, recorded) = match found {
            Some(index) => {
                let before = std::mem::replace(&mut self.arena[index as usize].kind, kind);
                let id = TopicId(index);
                (index, if before == kind { Recorded::Value(id) } else { Recorded::NewKind(id) })
            }
            None if self.arena.len() >= TOPICS_MAX => {
                self.dropped += 1;
                return Recorded::Dropped;
            }
            None => {
                let index = self.insert(name, hash, kind);
                (index, Recorded::New(TopicId(index)))
            }
        };
        self.update(index, message, number, at_ms);
        recorded
    }

    /// Whether a message only tells what the topic had already on an earlier connection. One that is published as the very same
    /// before the broker has told what it keeps stands for that, which then counts in its place.
    fn is_again(&self, index: u32, message: &Publish) -> bool {
        let topic = &self.arena[index as usize];
        message.retain && topic.epoch != self.epoch && topic.payload == *message.payload && {
            let (before, now) = (topic.properties.as_deref(), message.properties.as_deref());
            said(before).eq(&said(now))
        }
    }

    fn insert(&mut self, name: &str, hash: u64, kind: Kind) -> u32 {
        // TOPICS_MAX is far below u32::MAX.
        let index = u32::try_from(self.arena.len()).unwrap_or(u32::MAX);
        self.arena.push(Topic {
            name: name.into(),
            payload: Vec::new(),
            kind,
            is_kept: false,
            retain: false,
            dup: false,
            qos: QoS::AtMostOnce,
            at_ms: 0.0,
            count: 0,
            rate: Rate::default(),
            epoch: 0,
            properties: None,
            history: History::default(),
            series: None,
        });
        let (arena, hasher) = (&self.arena, &self.hasher);
        self.index.insert_unique(hash, index, |&other| hasher.hash_one(&*arena[other as usize].name));
        self.unsorted.push(TopicId(index));
        index
    }

    fn update(&mut self, index: u32, message: &Publish, number: Option<f64>, at_ms: f64) {
        let topic = &mut self.arena[index as usize];
        topic.payload.clear();
        topic.payload.extend_from_slice(&message.payload);
        // One huge message must not cost its size for ever.
        if topic.payload.capacity() > 4096 && topic.payload.capacity() > topic.payload.len() * 4 {
            topic.payload.shrink_to_fit();
        }
        // The first of a connection with the retain flag is what was kept, as brokers tell that first.
        topic.is_kept = message.retain && (topic.count == 0 || topic.epoch != self.epoch);
        topic.retain = message.retain;
        topic.dup = message.dup;
        topic.qos = message.qos;
        topic.at_ms = at_ms;
        topic.count += 1;
        topic.rate.count(at_ms);
        topic.epoch = self.epoch;
        topic.properties = message.properties.as_deref().map(|properties| Box::new(detached(properties)));
        topic.history.push(&mut self.budget, at_ms, message.retain, message.qos, &message.payload);
        if let Some(value) = number {
            self.numeric += usize::from(topic.series.is_none());
            let series = topic.series.get_or_insert_default();
            let before = series.len();
            series.push(Point { at_ms, value }, self.points < POINTS_TOTAL_MAX);
            self.points += series.len() - before;
        }
    }

    /// Brings the topics added since the last call into the order by name; says whether there were any.
    pub fn merge(&mut self) -> bool {
        if self.unsorted.is_empty() {
            return false;
        }
        let arena = &self.arena;
        let name = |id: &TopicId| &*arena[id.index()].name;
        self.unsorted.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        let mut merged = Vec::with_capacity(arena.len());
        let (mut old, mut new) = (self.sorted.iter().peekable(), self.unsorted.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if name(a) <= name(b) => merged.extend(old.next()),
                (_, Some(_)) => merged.extend(new.next()),
                (Some(_), None) => merged.extend(old.next()),
                (None, None) => break,
            }
        }
        self.sorted = merged;
        self.unsorted.clear();
        true
    }

    /// How many topics have carried numbers.
    pub const fn numeric(&self) -> usize {
        self.numeric
    }

    /// All topics in the order of their names, as of the last [`Self::merge`].
    pub fn sorted(&self) -> &[TopicId] {
        &self.sorted
    }

    /// The topics in the order in which they were first heard, from a place on.
    pub fn heard_from(&self, place: usize) -> impl Iterator<Item = (TopicId, &Topic)> {
        let topics = self.arena.iter().enumerate().skip(place);
        // TOPICS_MAX is far below u32::MAX.
        topics.map(|(index, topic)| (TopicId(u32::try_from(index).unwrap_or(u32::MAX)), topic))
    }

    /// The topic of an id.
    pub fn topic(&self, id: TopicId) -> &Topic {
        &self.arena[id.index()]
    }

    /// The id of a name that has been heard.
    pub fn find(&self, name: &str) -> Option<TopicId> {
        let hash = self.hasher.hash_one(name);
        self.index.find(hash, |&index| *self.arena[index as usize].name == *name).map(|&index| TopicId(index))
    }

    /// Whether the value came on the connection that is up now.
    pub fn is_live(&self, id: TopicId) -> bool {
        self.online && self.topic(id).epoch == self.epoch
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether nothing has been heard.
    pub fn is_empty(&self) -> bool {
        self.arena.is_empty()
    }

    /// Messages since the page was opened; it changes exactly when some value does.
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages of topics beyond [`TOPICS_MAX`].
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Messages a second over all topics.
    pub fn per_second(&self, now_ms: f64) -> f64 {
        self.rate.per_second(now_ms)
    }
}

/// What the publisher of a message says beside its payload. The expiry counts down while the broker keeps the message.
fn said(properties: Option<&PublishProperties>) -> PublishProperties {
    let own = |properties: &PublishProperties| PublishProperties {
        message_expiry: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        ..properties.clone()
    };
    properties.map_or(PublishProperties::EMPTY, own)
}

/// The same properties in memory of their own: as received they keep the whole receive buffer alive.
pub(super) fn detached(properties: &PublishProperties) -> PublishProperties {
    let text = hearth_protocol::Text::detached;
    PublishProperties {
        payload_format: properties.payload_format,
        message_expiry: properties.message_expiry,
        topic_alias: properties.topic_alias,
        response_topic: properties.response_topic.as_ref().map(hearth_protocol::TopicName::detached),
        correlation_data: properties
            .correlation_data
            .as_ref()
            .map(|data| bytes::Bytes::copy_from_slice(data)),
        user_properties: properties
            .user_properties
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
        subscription_ids: properties.subscription_ids.clone(),
        content_type: properties.content_type.as_ref().map(text),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use hearth_protocol::TopicName;

    use super::*;

    /// A message as the broker delivers it.
    pub(crate) fn message(topic: &str, payload: &[u8], retain: bool) -> Publish {
        Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain,
            topic: TopicName::try_from(topic).unwrap(),
            packet_id: None,
            payload: Bytes::copy_from_slice(payload),
            properties: None,
        }
    }

    fn names(topics: &Topics) -> Vec<&str> {
        topics.sorted().iter().map(|&id| topics.topic(id).name()).collect()
    }

    #[test]
    fn what_was_kept_is_what_a_connection_tells_first_with_the_flag() {
        let mut topics = Topics::default();
        let is_kept = |topics: &mut Topics, payload: &[u8], retain: bool| {
            topics.record(&message("a", payload, retain), 1.0);
            topics.topic(topics.find("a").unwrap()).is_kept()
        };
        assert!(is_kept(&mut topics, b"1", true));
        assert!(!is_kept(&mut topics, b"2", true), "published while the page listened");
        topics.begin_epoch();
        assert!(!is_kept(&mut topics, b"2", true), "known since before, with its time");
        topics.begin_epoch();
        assert!(is_kept(&mut topics, b"3", true), "it came while nobody listened");
        assert!(!is_kept(&mut topics, b"4", false));
    }

    #[test]
    fn the_last_message_of_a_topic_is_the_one_shown() {
        let mut topics = Topics::default();
        let Recorded::New(id) = topics.record(&message("a", b"1", false), 1.0) else { panic!("a is new") };
        assert_eq!(topics.record(&message("a", b"2", true), 2.0), Recorded::Value(id));
        let topic = topics.topic(id);
        assert_eq!(
            (topic.payload(), topic.retain(), topic.count(), topic.at_ms()),
            (&b"2"[..], true, 2, 2.0)
        );
        assert_eq!(topic.history().len(), 2);
        assert_eq!(topic.series().unwrap().len(), 2);
        assert_eq!(topics.numeric(), 1);
    }

    #[test]
    fn topics_stand_in_order_whenever_they_came() {
        let mut topics = Topics::default();
        for name in ["m", "z", "a"] {
            topics.record(&message(name, b"", false), 0.0);
        }
        assert!(topics.merge());
        for name in ["b", "zz", "m/1"] {
            topics.record(&message(name, b"", false), 0.0);
        }
        assert!(topics.merge());
        assert!(!topics.merge());
        assert_eq!(names(&topics), ["a", "b", "m", "m/1", "z", "zz"]);
    }

    #[test]
    fn a_value_of_an_earlier_connection_is_stale_until_it_comes_again() {
        let mut topics = Topics::default();
        topics.begin_epoch();
        topics.record(&message("a", b"1", true), 0.0);
        let id = topics.find("a").unwrap();
        assert!(topics.is_live(id));
        topics.distrust();
        assert!(!topics.is_live(id));
        topics.trust();
        assert!(topics.is_live(id));
        topics.distrust();
        topics.begin_epoch();
        assert!(!topics.is_live(id));
        topics.record(&message("a", b"1", true), 1.0);
        assert!(topics.is_live(id));
    }

    #[test]
    fn what_the_broker_keeps_counts_once_though_every_connection_brings_it() {
        let mut topics = Topics::default();
        topics.begin_epoch();
        topics.record(&message("a", b"1", true), 0.0);
        topics.record(&message("b", b"1", false), 0.0);
        let (id, other) = (topics.find("a").unwrap(), topics.find("b").unwrap());
        assert_eq!(topics.record(&message("a", b"1", true), 1.0), Recorded::Value(id), "published once more");
        topics.distrust();
        topics.begin_epoch();
        let mut kept = message("a", b"1", true);
        kept.properties =
            Some(Box::new(PublishProperties { message_expiry: Some(9), ..PublishProperties::EMPTY }));
        assert_eq!(topics.record(&kept, 2.0), Recorded::Again(id));
        assert!(topics.is_live(id));
        let topic = topics.topic(id);
        assert_eq!((topic.count(), topic.at_ms(), topic.history().len(), topics.messages()), (2, 1.0, 2, 3));
        assert_eq!(topics.record(&kept, 3.0), Recorded::Value(id), "what comes now was published now");
        assert_eq!(topics.record(&message("b", b"1", false), 3.0), Recorded::Value(other));
        // What has changed meanwhile fills the gap.
        topics.begin_epoch();
        assert_eq!(topics.record(&message("a", b"2", true), 4.0), Recorded::Value(id));
        assert_eq!(topics.topic(id).count(), 4);
    }

    #[test]
    fn a_payload_that_changes_its_kind_is_told() {
        let mut topics = Topics::default();
        topics.record(&message("a", b"", true), 0.0);
        let id = topics.find("a").unwrap();
        assert_eq!(topics.record(&message("a", b"on", true), 0.0), Recorded::NewKind(id));
        assert_eq!(topics.record(&message("a", b"off", true), 0.0), Recorded::Value(id));
        assert_eq!(topics.topic(id).kind(), Kind::Switch);
    }

    #[test]
    fn a_hundred_thousand_topics_are_found_by_name() {
        let mut topics = Topics::default();
        for number in 0..100_000_u32 {
            topics.record(&message(&format!("t/{number}"), b"1", false), 0.0);
        }
        topics.merge();
        assert_eq!(topics.len(), 100_000);
        assert_eq!(topics.topic(topics.find("t/54321").unwrap()).name(), "t/54321");
        assert!(topics.find("t/100000").is_none());
        assert!(
            topics
                .sorted()
                .windows(2)
                .all(|pair| { topics.topic(pair[0]).name() < topics.topic(pair[1]).name() })
        );
    }
}
