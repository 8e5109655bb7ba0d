//! The last message of each topic that was published with the retain flag.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use hearth_protocol::{Time, TopicFilter, TopicName};

use crate::durable::{Change, Table, Value};
use crate::faults::{self, Fault};
use crate::limits::Limit;
use crate::message::Message;
use crate::system::is_reserved;

/// Retained messages by topic. The lock is taken by publications with the retain flag and by SUBSCRIBE, and held by
/// a reader for a page at most.
pub(crate) struct RetainedStore {
    messages_max: usize,
    bytes_max: usize,
    content: RwLock<Content>,
    /// What the messages have entered into accounts, for those who do not want to wait for the lock.
    charged: AtomicUsize,
}

/// Where the next page of a filter begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Key);

/// Messages of one page.
const PAGE_MESSAGES: usize = 256;

/// Topics looked at for one page: what a filter that matches little may cost under the lock.
const PAGE_STEPS: usize = 4096;

#[derive(Default)]
struct Content {
    messages: BTreeMap<Key, Arc<Message>>,
    bytes: usize,
    /// No message expires before.
    expires_next: Option<Time>,
    /// Topics that have changed since the last look, with what is retained of them; `None` where nobody looks.
    changed: Option<HashMap<TopicName, Option<Arc<Message>>>>,
}

/// A topic, or a place between topics, in the order of levels: what is below `a` follows `a` at once, before `a!`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key(Bytes);

impl RetainedStore {
    pub(crate) const fn new(messages_max: usize, bytes_max: usize) -> Self {
        let content = Content { messages: BTreeMap::new(), bytes: 0, expires_next: None, changed: None };
        Self { messages_max, bytes_max, content: RwLock::new(content), charged: AtomicUsize::new(0) }
    }

    /// Makes this the retained message of its topic, in place of the one before [MQTT-3.3.1-5]; an empty one
    /// removes it [MQTT-3.3.1-6].
    pub(crate) fn store(&self, message: &Arc<Message>, now: Time) -> Result<(), Limit> {
        let key = Key::of(&message.topic);
        let mut content = self.write();
        if message.payload.is_empty() {
            if !faults::has(Fault::RemovalIgnored) {
                content.remove(&key);
            }
            content.note(&message.topic, None);
            self.tell(&content);
            return Ok(());
        }
        if self.exceeded_by(&content, &key, message).is_some() {
            // Expired ones are not looked for as long as there is room.
            content.remove_expired(now);
            if let Some(limit) = self.exceeded_by(&content, &key, message) {
                return Err(limit);
            }
        }
        if !(faults::has(Fault::FirstRetained) && content.messages.contains_key(&key)) {
            content.insert(key, message);
        }
        content.note(&message.topic, Some(message));
        self.tell(&content);
        Ok(())
    }

    /// Has changes noted from now on, for a store.
    pub(crate) fn begin_journal(&self) {
        self.write().changed = Some(HashMap::new());
    }

    /// What has changed since the last call. The order among topics means nothing: of each there is the last.
    pub(crate) fn take_changes(&self, day_time: impl Fn(Time) -> u64) -> Vec<Change> {
        let changed = self.write().changed.as_mut().map(std::mem::take).unwrap_or_default();
        let change = |(topic, message): (TopicName, Option<Arc<Message>>)| {
            let key = topic.as_str().as_bytes().into();
            match message {
                Some(message) => {
                    let expires_at = message.expires_at.map(&day_time);
                    Change::Put(Table::Retained, key, Value::message(message, expires_at, None))
                }
                None => Change::Delete(Table::Retained, key),
            }
        };
        changed.into_iter().map(change).collect()
    }

    /// Takes back what a store has kept, one message a topic; before there is anything else.
    pub(crate) fn restore(&self, messages: Vec<Arc<Message>>) {
        let mut content = self.write();
        content.expires_next = messages.iter().filter_map(|message| message.expires_at).min();
        content.bytes = messages.iter().map(|message| message.bytes()).sum();
        // All at once: they come nearly in their order.
        let by_topic = |message: Arc<Message>| (Key::of(&message.topic), message);
        content.messages = messages.into_iter().map(by_topic).collect();
        self.tell(&content);
    }

    /// A page of the messages whose topics the filter matches, and where the next one begins, if there is one.
    pub(crate) fn page(
        &self,
        filter: &TopicFilter,
        from: Cursor,
        now: Time,
    ) -> (Vec<Arc<Message>>, Option<Cursor>) {
        let levels: Vec<&[u8]> = filter.levels().map(str::as_bytes).collect();
        let mut found = Vec::new();
        let content = self.read();
        let mut rest = content.messages.range(from.0..);
        for _ in 0..PAGE_STEPS {
            let Some((key, message)) = rest.next() else { return (found, None) };
            match step(&levels, &key.0) {
                Step::Take if message.is_expired(now) => {}
                Step::Take => found.push(Arc::clone(message)),
                Step::GoTo(key) => rest = content.messages.range(key..),
                Step::End => return (found, None),
            }
            if found.len() == PAGE_MESSAGES {
                break;
            }
        }
        let next = rest.next().map(|(key, _)| Cursor(key.clone()));
        (found, next)
    }

    /// A page of all whose topics do not begin with `$`.
    pub(crate) fn page_of_all(&self, from: Option<Cursor>, now: Time) -> (Vec<Arc<Message>>, Option<Cursor>) {
        // `#` is a filter.
        let Ok(filter) = TopicFilter::try_from("#") else { return (Vec::new(), None) };
        self.page(&filter, from.unwrap_or_else(|| Cursor::first(&filter)), now)
    }

    /// What is retained of a topic.
    pub(crate) fn find(&self, topic: &TopicName, now: Time) -> Option<Arc<Message>> {
        let content = self.read();
        content.messages.get(&Key::of(topic)).filter(|message| !message.is_expired(now)).cloned()
    }

    /// Whether this is what is retained of a topic.
    pub(crate) fn has(&self, topic: &TopicName, payload: &[u8]) -> bool {
        self.read().messages.get(&Key::of(topic)).is_some_and(|message| message.payload == payload)
    }

    /// Lets go of what has expired; with a look at every message, if there is one.
    pub(crate) fn remove_expired(&self, now: Time) {
        let mut content = self.write();
        content.remove_expired(now);
        self.tell(&content);
    }

    /// What the messages have entered into accounts. They have a bound of their own.
    pub(crate) fn charged(&self) -> usize {
        self.charged.load(Relaxed)
    }

    fn tell(&self, content: &Content) {
        // A sum that nothing else is published by.
        self.charged.store(content.bytes + content.messages.len() * size_of::<Message>(), Relaxed);
    }

    /// Messages and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let content = self.read();
        (content.messages.len(), content.bytes)
    }

    fn exceeded_by(&self, content: &Content, key: &Key, message: &Message) -> Option<Limit> {
        let (old_messages, old_bytes) = content.messages.get(key).map_or((0, 0), |old| (1, old.bytes()));
        if content.messages.len() - old_messages >= self.messages_max {
            Some(Limit::RetainedMessages)
        } else if content.bytes - old_bytes + message.bytes() > self.bytes_max {
            Some(Limit::RetainedBytes)
        } else {
            None
        }
    }

    // A panic ends the process, so that a poisoned lock is never seen; its content would be whole all the same.
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn note(&mut self, topic: &TopicName, message: Option<&Arc<Message>>) {
        if let Some(changed) = &mut self.changed
            && !is_reserved(topic)
        {
            changed.insert(topic.clone(), message.cloned());
        }
    }

    fn insert(&mut self, key: Key, message: &Arc<Message>) {
        self.expires_next = self.expires_next.into_iter().chain(message.expires_at).min();
        self.bytes += message.bytes();
        if let Some(old) = self.messages.insert(key, Arc::clone(message)) {
            self.bytes -= old.bytes();
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(old) = self.messages.remove(key) {
            self.bytes -= old.bytes();
        }
    }

    fn remove_expired(&mut self, now: Time) {
        if self.expires_next.is_none_or(|at| at > now) {
            return;
        }
        let expired: Vec<_> =
            self.messages.values().filter(|message| message.is_expired(now)).cloned().collect();
        for message in expired {
            self.messages.remove(&Key::of(&message.topic));
            self.note(&message.topic, None);
        }
        self.bytes = self.messages.values().map(|message| message.bytes()).sum();
        self.expires_next = self.messages.values().filter_map(|message| message.expires_at).min();
    }
}

impl Cursor {
    /// Before the first topic that a filter can match.
    pub(crate) fn first(filter: &TopicFilter) -> Self {
        let literal: Vec<&str> = filter.levels().take_while(|level| !matches!(*level, "+" | "#")).collect();
        Self(Key(Bytes::from(literal.join("/"))))
    }

    /// Before a topic.
    pub(crate) fn before(topic: &TopicName) -> Self {
        Self(Key::of(topic))
    }
}

impl Key {
    fn of(topic: &TopicName) -> Self {
        Self(topic.as_text().as_bytes().clone())
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        // No string of MQTT contains 0, so that it can stand for the end of a level.
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        match self.0.iter().zip(&other.0).find(|(own, other)| own != other) {
            Some((own, other)) => rank(*own).cmp(&rank(*other)),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a topic means for a walk along a filter.
enum Step {
    /// The filter matches it.
    Take,
    /// It does not match, nor does anything before this.
    GoTo(Key),
    /// Neither it nor anything behind it matches.
    End,
}

fn step(filter: &[&[u8]], topic: &[u8]) -> Step {
    // Where the level begins that is compared next; nowhere when the topic has no more.
    let mut start = Some(0);
    // The end of the last level that a `+` stands for.
    let mut plus_end = None;
    for (depth, level) in filter.iter().enumerate() {
        let is_wildcard = matches!(*level, b"+" | b"#");
        if is_wildcard && depth == 0 && topic.first() == Some(&b'$') {
            // Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
            return Step::GoTo(behind(&topic[..level_end(topic, 0)]));
        }
        if *level == b"#" {
            return Step::Take;
        }
        let Some(at) = start else {
            let below: &[u8] = if is_wildcard { b"" } else { level };
            return Step::GoTo(Key([topic, b"/", below].concat().into()));
        };
        let end = level_end(topic, at);
        match topic[at..end].cmp(level) {
            _ if is_wildcard => plus_end = Some(end),
            Ordering::Equal => {}
            Ordering::Less => return Step::GoTo(Key([&topic[..at], level].concat().into())),
            Ordering::Greater => return behind_plus(topic, plus_end),
        }
        start = (end < topic.len()).then_some(end + 1);
    }
    if start.is_none() { Step::Take } else { behind_plus(topic, plus_end) }
}

/// On to the next name for the last `+`.
fn behind_plus(topic: &[u8], plus_end: Option<usize>) -> Step {
    plus_end.map_or(Step::End, |end| Step::GoTo(behind(&topic[..end])))
}

/// Behind a topic and everything below it.
fn behind(topic: &[u8]) -> Key {
    Key([topic, b"\x01"].concat().into())
}

fn level_end(topic: &[u8], start: usize) -> usize {
    topic[start..].iter().position(|byte| *byte == b'/').map_or(topic.len(), |length| start + length)
}

#[cfg(test)]
mod tests {
    use hearth_protocol::QoS;

    use super::*;

    fn message(topic: &str, payload: &'static str) -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::try_from(topic).unwrap(),
            payload: Bytes::from_static(payload.as_bytes()),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: None,
            publisher: 0,
            expires_at: None,
            kept: Default::default(),
            charge: None,
        })
    }

    fn topics(store: &RetainedStore, filter: &str) -> Vec<String> {
        let filter = TopicFilter::try_from(filter).unwrap();
        let mut topics = Vec::new();
        let mut cursor = Some(Cursor::first(&filter));
        while let Some(from) = cursor {
            let (page, next) = store.page(&filter, from, Time::ZERO);
            assert!(page.len() <= PAGE_MESSAGES);
            topics.extend(page.iter().map(|message| message.topic.as_str().to_owned()));
            cursor = next;
        }
        topics
    }

    fn expected(names: &[String], filter: &str) -> Vec<String> {
        let filter = TopicFilter::try_from(filter).unwrap();
        let mut expected: Vec<_> = names
            .iter()
            .filter(|name| filter.matches(&TopicName::try_from(name.as_str()).unwrap()))
            .cloned()
            .collect();
        expected.sort_by_key(|name| Key(Bytes::from(name.clone())));
        expected.dedup();
        expected
    }

    #[test]
    fn filters_find_what_a_plain_comparison_finds() {
        let levels = ["a", "b", "", "a!", "\u{1}", "$x", "ab"];
        let filter_levels = ["a", "b", "", "+", "+", "a!", "$x"];
        let mut number: u32 = 7;
        let mut below = |bound: u32| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 8) % bound
        };
        for _ in 0..100 {
            let store = RetainedStore::new(1000, 100_000);
            let mut pick = |choices: &[&str]| {
                let picked: Vec<&str> = (0..=below(4)).map(|_| choices[below(7) as usize]).collect();
                picked.join("/")
            };
            let names: Vec<String> = (0..60).map(|_| pick(&levels)).filter(|name| !name.is_empty()).collect();
            for name in &names {
                store.store(&message(name, "x"), Time::ZERO).unwrap();
            }
            for _ in 0..60 {
                let filter = pick(&filter_levels);
                for filter in [format!("{filter}/#"), filter, "#".to_owned()] {
                    if !filter.is_empty() {
                        assert_eq!(topics(&store, &filter), expected(&names, &filter), "{filter} {names:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn many_messages_come_page_by_page() {
        let store = RetainedStore::new(10_000, 1_000_000);
        let names: Vec<String> = (0..6000).map(|number| format!("a/{number}/b")).collect();
        for name in &names {
            store.store(&message(name, "x"), Time::ZERO).unwrap();
        }
        for filter in ["#", "a/+/b", "+/+/c", "a/77/#", "a/+/+/#"] {
            assert_eq!(topics(&store, filter), expected(&names, filter), "{filter}");
        }
    }

    #[test]
    fn an_empty_message_removes_the_topic() {
        let store = RetainedStore::new(100, 10_000);
        store.store(&message("a/b/c", "x"), Time::ZERO).unwrap();
        store.store(&message("a/b/c", ""), Time::ZERO).unwrap();
        store.store(&message("never/there", ""), Time::ZERO).unwrap();
        assert_eq!(store.size(), (0, 0));
        assert_eq!(topics(&store, "#"), [""; 0]);
    }

    #[test]
    fn a_full_store_takes_new_values_of_topics_that_it_has() {
        let store = RetainedStore::new(1, 10_000);
        store.store(&message("a", "1"), Time::ZERO).unwrap();
        assert_eq!(store.store(&message("b", "1"), Time::ZERO), Err(Limit::RetainedMessages));
        store.store(&message("a", "22"), Time::ZERO).unwrap();
        assert_eq!(store.size(), (1, 3));
        let store = RetainedStore::new(10, 5);
        store.store(&message("a", "1"), Time::ZERO).unwrap();
        store.store(&message("a", "4444"), Time::ZERO).unwrap();
        assert_eq!(store.store(&message("b", "1"), Time::ZERO), Err(Limit::RetainedBytes));
    }

    #[test]
    fn expired_messages_make_room_for_new_ones() {
        let store = RetainedStore::new(2, 10_000);
        let expiring = |topic, seconds: u64| {
            let message = Arc::into_inner(message(topic, "x")).unwrap();
            Arc::new(Message { expires_at: Some(Time::from_millis(seconds * 1000)), ..message })
        };
        store.store(&expiring("a/b", 10), Time::ZERO).unwrap();
        store.store(&expiring("a/c", 20), Time::ZERO).unwrap();
        assert_eq!(store.store(&message("d", "x"), Time::from_millis(9_999)), Err(Limit::RetainedMessages));
        store.store(&message("d", "x"), Time::from_millis(10_000)).unwrap();
        assert_eq!(topics(&store, "#"), ["a/c", "d"]);
        assert_eq!(store.size(), (2, 6));
        assert_eq!(store.store(&message("e", "x"), Time::from_millis(10_000)), Err(Limit::RetainedMessages));
    }
}
