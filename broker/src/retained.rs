//! The last message of each topic that was published with the retain flag.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hearth_protocol::{Time, TopicFilter, TopicName};

use crate::message::Message;

/// Retained messages, in a tree of topic levels. Its lock is taken by publications with the retain flag and by
/// SUBSCRIBE, and by nobody for longer than one topic or one filter takes.
pub(crate) struct RetainedStore {
    messages_max: usize,
    bytes_max: usize,
    tree: RwLock<Tree>,
}

/// The store is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

struct Tree {
    nodes: Vec<Node>,
    free: Vec<u32>,
    messages: usize,
    bytes: usize,
    /// No message expires before.
    expires_next: Option<Time>,
    hash: FixedState,
}

struct Node {
    parent: u32,
    level: Box<str>,
    children: HashMap<Box<str>, u32, FixedState>,
    message: Option<Arc<Message>>,
}

const ROOT: u32 = 0;

impl RetainedStore {
    pub(crate) fn new(messages_max: usize, bytes_max: usize, seed: u64) -> Self {
        let hash = FixedState::with_seed(seed);
        let root = Node::new(ROOT, "", hash.clone());
        let tree =
            Tree { nodes: vec![root], free: Vec::new(), messages: 0, bytes: 0, expires_next: None, hash };
        Self { messages_max, bytes_max, tree: RwLock::new(tree) }
    }

    /// Makes this the retained message of its topic, in place of the one before [MQTT-3.3.1-5]; an empty one
    /// removes it [MQTT-3.3.1-6].
    pub(crate) fn store(&self, message: &Arc<Message>, now: Time) -> Result<(), Full> {
        let mut tree = self.write();
        if message.payload.is_empty() {
            tree.remove(&message.topic);
            return Ok(());
        }
        if !self.has_room(&tree, message) {
            // Expired ones are not looked for as long as there is room.
            tree.remove_expired(now);
            if !self.has_room(&tree, message) {
                return Err(Full);
            }
        }
        tree.insert(message);
        Ok(())
    }

    fn has_room(&self, tree: &Tree, message: &Message) -> bool {
        let (old_messages, old_bytes) = tree.message(&message.topic).map_or((0, 0), |old| (1, old.bytes()));
        tree.messages - old_messages < self.messages_max
            && tree.bytes - old_bytes + message.bytes() <= self.bytes_max
    }

    /// The messages whose topics the filter matches.
    pub(crate) fn matching(&self, filter: &TopicFilter, now: Time) -> Vec<Arc<Message>> {
        let mut found = Vec::new();
        let tree = self.read();
        tree.collect(filter, &mut found);
        drop(tree);
        found.retain(|message| !message.is_expired(now));
        found
    }

    /// Messages and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let tree = self.read();
        (tree.messages, tree.bytes)
    }

    // A panic ends the process, so that a poisoned lock is never seen; its content would be whole all the same.
    fn read(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tree> {
        self.tree.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn new(parent: u32, level: &str, hash: FixedState) -> Self {
        Self { parent, level: level.into(), children: HashMap::with_hasher(hash), message: None }
    }
}

impl Tree {
    fn find(&self, topic: &TopicName) -> Option<u32> {
        topic.levels().try_fold(ROOT, |node, level| self.nodes[node as usize].children.get(level).copied())
    }

    fn find_or_add(&mut self, topic: &TopicName) -> u32 {
        let mut node = ROOT;
        for level in topic.levels() {
            node = match self.nodes[node as usize].children.get(level) {
                Some(child) => *child,
                None => self.add_child(node, level),
            };
        }
        node
    }

    fn add_child(&mut self, parent: u32, level: &str) -> u32 {
        let child = Node::new(parent, level, self.hash.clone());
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index as usize] = child;
                index
            }
            None => {
                self.nodes.push(child);
                // A node is over 100 bytes: memory ends long before the numbers do.
                (self.nodes.len() - 1) as u32
            }
        };
        self.nodes[parent as usize].children.insert(level.into(), index);
        index
    }

    fn message(&self, topic: &TopicName) -> Option<&Arc<Message>> {
        self.find(topic).and_then(|node| self.nodes[node as usize].message.as_ref())
    }

    fn insert(&mut self, message: &Arc<Message>) {
        self.expires_next = self.expires_next.into_iter().chain(message.expires_at).min();
        self.messages += 1;
        self.bytes += message.bytes();
        let node = self.find_or_add(&message.topic);
        if let Some(old) = self.nodes[node as usize].message.replace(Arc::clone(message)) {
            self.messages -= 1;
            self.bytes -= old.bytes();
        }
    }

    fn remove_expired(&mut self, now: Time) {
        if self.expires_next.is_none_or(|at| at > now) {
            return;
        }
        let messages = || self.nodes.iter().filter_map(|node| node.message.as_ref());
        let expired: Vec<_> = messages()
            .filter(|message| message.is_expired(now))
            .map(|message| message.topic.clone())
            .collect();
        for topic in &expired {
            self.remove(topic);
        }
        self.expires_next = self.nodes.iter().filter_map(|node| node.message.as_ref()?.expires_at).min();
    }

    fn remove(&mut self, topic: &TopicName) {
        let Some(mut node) = self.find(topic) else { return };
        let Some(message) = self.nodes[node as usize].message.take() else { return };
        self.messages -= 1;
        self.bytes -= message.bytes();
        while node != ROOT {
            let Node { parent, level, children, message } = &mut self.nodes[node as usize];
            if message.is_some() || !children.is_empty() {
                return;
            }
            let (parent, level) = (*parent, std::mem::take(level));
            self.nodes[parent as usize].children.remove(&level);
            self.free.push(node);
            node = parent;
        }
    }

    /// Walks the tree along the filter, with a stack of its own.
    fn collect(&self, filter: &TopicFilter, found: &mut Vec<Arc<Message>>) {
        let levels: Vec<&str> = filter.levels().collect();
        let mut stack = vec![(ROOT, 0)];
        while let Some((node, depth)) = stack.pop() {
            let at = &self.nodes[node as usize];
            let Some(level) = levels.get(depth) else {
                found.extend(at.message.clone());
                continue;
            };
            // A wildcard in the first level does not match names that begin with `$` [MQTT-4.7.2-1].
            let visible = |name: &str| node != ROOT || !name.starts_with('$');
            match *level {
                "#" => {
                    found.extend(at.message.clone());
                    let children = at.children.iter().filter(|(name, _)| visible(name));
                    stack.extend(children.map(|(_, child)| (*child, depth)));
                }
                "+" => {
                    let children = at.children.iter().filter(|(name, _)| visible(name));
                    stack.extend(children.map(|(_, child)| (*child, depth + 1)));
                }
                name => stack.extend(at.children.get(name).map(|child| (*child, depth + 1))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
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
        })
    }

    fn topics(store: &RetainedStore, filter: &str) -> Vec<String> {
        let filter = TopicFilter::try_from(filter).unwrap();
        let found = store.matching(&filter, Time::ZERO);
        let mut topics: Vec<String> = found.iter().map(|message| message.topic.as_str().to_owned()).collect();
        topics.sort();
        topics
    }

    #[test]
    fn filters_find_what_a_plain_comparison_finds() {
        let store = RetainedStore::new(100, 10_000, 1);
        let names = ["a", "a/b", "a/b/c", "a//c", "/a", "b/b", "$SYS/x", "a/b/d"];
        for name in names {
            store.store(&message(name, "x"), Time::ZERO).unwrap();
        }
        for filter in
            ["#", "a/#", "+", "a/+", "+/b", "a/+/c", "+/+", "$SYS/#", "$SYS/+", "/+", "a/b/c", "nothing"]
        {
            let filter_value = TopicFilter::try_from(filter).unwrap();
            let mut expected: Vec<_> = names
                .into_iter()
                .filter(|name| filter_value.matches(&TopicName::try_from(*name).unwrap()))
                .collect();
            expected.sort_unstable();
            assert_eq!(topics(&store, filter), expected, "{filter}");
        }
    }

    #[test]
    fn an_empty_message_removes_the_topic_and_gives_its_place_back() {
        let store = RetainedStore::new(100, 10_000, 1);
        for _ in 0..3 {
            store.store(&message("a/b/c", "x"), Time::ZERO).unwrap();
            store.store(&message("a/b/c", ""), Time::ZERO).unwrap();
        }
        assert_eq!(store.size(), (0, 0));
        assert_eq!(store.read().nodes.len(), 4);
        assert_eq!(topics(&store, "#"), [""; 0]);
    }

    #[test]
    fn a_full_store_takes_new_values_of_topics_that_it_has() {
        let store = RetainedStore::new(1, 10_000, 1);
        store.store(&message("a", "1"), Time::ZERO).unwrap();
        assert_eq!(store.store(&message("b", "1"), Time::ZERO), Err(Full));
        store.store(&message("a", "22"), Time::ZERO).unwrap();
        assert_eq!(store.size(), (1, 3));
    }

    #[test]
    fn expired_messages_make_room_for_new_ones() {
        let store = RetainedStore::new(2, 10_000, 1);
        let expiring = |topic, seconds: u64| {
            let message = Arc::into_inner(message(topic, "x")).unwrap();
            Arc::new(Message { expires_at: Some(Time::from_millis(seconds * 1000)), ..message })
        };
        store.store(&expiring("a/b", 10), Time::ZERO).unwrap();
        store.store(&expiring("a/c", 20), Time::ZERO).unwrap();
        assert_eq!(store.store(&message("d", "x"), Time::from_millis(9_999)), Err(Full));
        store.store(&message("d", "x"), Time::from_millis(10_000)).unwrap();
        assert_eq!(topics(&store, "#"), ["a/c", "d"]);
        assert_eq!(store.size(), (2, 6));
        assert_eq!(store.store(&message("e", "x"), Time::from_millis(10_000)), Err(Full));
    }
}
