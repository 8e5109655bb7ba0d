//! All topics as a tree of their levels, in an arena of bounded size.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::node::{Moment, Node, NodeId, Value};

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) topics_max: usize,
    pub(super) bytes_max: usize,
}

/// What came of a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct News<'a> {
    pub(super) topic: &'a str,
    pub(super) messages: u64,
    pub(super) at: Moment,
    pub(super) payload_len: usize,
    pub(super) preview: &'a [u8],
    /// What is known of a retained message; `None` where nothing has changed.
    pub(super) is_retained: Option<bool>,
}

/// The tree. Topics that nothing came of for the longest time go when there is no room, but for those that are retained.
#[derive(Debug)]
pub(super) struct Index {
    bounds: Bounds,
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    /// Nodes by parent and level.
    by_name: HashTable<NodeId>,
    hasher: DefaultHashBuilder,
    /// Bytes of names and values.
    heap_bytes: usize,
    /// Topics that are not retained, the last one heard of first: ends of a list through their values.
    newest: NodeId,
    oldest: NodeId,
    /// Messages of topics for which there was no room.
    left_out: u64,
    /// Topics that went for others.
    evicted: u64,
    /// Nodes that went, so that whoever remembers one knows to look anew.
    removals: u64,
    /// Of all, what begins with `$` included.
    topics: usize,
}

impl Index {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            nodes: vec![Node::new(NodeId::NONE, Box::default())],
            free: Vec::new(),
            by_name: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            heap_bytes: 0,
            newest: NodeId::NONE,
            oldest: NodeId::NONE,
            left_out: 0,
            evicted: 0,
            removals: 0,
            topics: 0,
        }
    }

    /// Takes in what came of a topic.
    pub(super) fn take(&mut self, news: News<'_>) {
        if news.is_retained == Some(false) && news.payload_len == 0 {
            // An empty message with the retain flag is how a topic is given up.
            if let Some(node) = self.find(news.topic) {
                self.bump(node, news.messages, news.at);
                self.remove_topic(node);
            }
            return;
        }
        let node = match self.find(news.topic).filter(|node| self[*node].value.is_some()) {
            Some(node) => node,
            None if self.make_room(news.topic) => self.insert(news.topic),
            None => {
                self.left_out += news.messages;
                return;
            }
        };
        self.unlink(node);
        self.bump(node, news.messages, news.at);
        self.set_value(node, news);
        self.link(node);
    }

    /// Takes in a topic of which a message is retained since before the start; nothing is changed where it is known.
    pub(super) fn take_retained(&mut self, topic: &str, payload_len: usize, preview: &[u8]) {
        let known = self.find(topic).filter(|node| self[*node].value.is_some());
        match known {
            Some(node) => self.set_retained(node, true),
            None => {
                let is_retained = Some(true);
                self.take(News { topic, messages: 0, at: Moment::NEVER, payload_len, preview, is_retained });
            }
        }
    }

    /// What was retained of a topic is not any more: its time was over.
    pub(super) fn expire(&mut self, topic: &str) {
        if let Some(node) = self.find(topic) {
            self.set_retained(node, false);
        }
    }

    /// Knows of no topic any more that it is retained, until it is told anew.
    pub(super) fn forget_retained(&mut self) {
        for place in 0..self.nodes.len() {
            let value = self.nodes[place].value.as_ref();
            if value.is_some_and(|value| value.is_retained) {
                self.set_retained(NodeId::of_index(place), false);
            }
        }
    }

    fn set_retained(&mut self, node: NodeId, is_retained: bool) {
        self.unlink(node);
        if let Some(value) = &mut self.nodes[node.index()].value {
            value.is_retained = is_retained;
        }
        self.link(node);
    }

    fn set_value(&mut self, node: NodeId, news: News<'_>) {
        let at = &mut self.nodes[node.index()];
        let Some(value) = &mut at.value else { return };
        value.traffic.count(news.messages, news.at);
        value.payload_len = u32::try_from(news.payload_len).unwrap_or(u32::MAX);
        value.is_retained = news.is_retained.unwrap_or(value.is_retained);
        if value.preview.len() == news.preview.len() {
            value.preview.copy_from_slice(news.preview);
        } else {
            self.heap_bytes = self.heap_bytes - value.preview.len() + news.preview.len();
            value.preview = news.preview.into();
        }
    }

    /// Whether a new topic may come, after others went for it if need be.
    fn make_room(&mut self, topic: &str) -> bool {
        // What it takes when nothing of it is there yet.
        let levels = topic.split('/').count();
        let bytes = topic.len() + levels * Node::BYTES + Value::BYTES;
        while self.topics() >= self.bounds.topics_max || self.bytes() + bytes > self.bounds.bytes_max {
            if self.oldest == NodeId::NONE {
                return false;
            }
            self.evicted += 1;
            self.remove_topic(self.oldest);
        }
        true
    }

    fn insert(&mut self, topic: &str) -> NodeId {
        let node = topic.split('/').fold(NodeId::ROOT, |parent, level| match self.child(parent, level) {
            Some(child) => child,
            None => self.add_child(parent, level),
        });
        self.nodes[node.index()].value = Some(Box::default());
        self.heap_bytes += Value::BYTES;
        self.topics += 1;
        self.each_up(node, |at| at.topics += 1);
        node
    }

    /// A topic goes, and every branch that is empty without it. What came of it stays counted in the branches above.
    fn remove_topic(&mut self, node: NodeId) {
        self.unlink(node);
        let Some(value) = self.nodes[node.index()].value.take() else { return };
        self.heap_bytes -= Value::BYTES + value.preview.len();
        self.topics -= 1;
        self.removals += 1;
        self.each_up(node, |at| at.topics -= 1);
        let mut at = node;
        while at != NodeId::ROOT && self[at].first_child == NodeId::NONE && self[at].value.is_none() {
            let parent = self[at].parent;
            self.remove_leaf(at);
            at = parent;
        }
    }

    fn remove_leaf(&mut self, leaf: NodeId) {
        let hash = self.hasher.hash_one((self[leaf].parent, &*self[leaf].level));
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == leaf) {
            entry.remove();
        }
        let node = std::mem::replace(&mut self.nodes[leaf.index()], Node::new(NodeId::NONE, Box::default()));
        self.heap_bytes -= node.level.len();
        self.free.push(leaf);
        match node.previous.some() {
            Some(previous) => self.nodes[previous.index()].next = node.next,
            None => self.nodes[node.parent.index()].first_child = node.next,
        }
        if let Some(next) = node.next.some() {
            self.nodes[next.index()].previous = node.previous;
        }
        let parent = &mut self.nodes[node.parent.index()];
        parent.children -= 1;
        parent.shape = parent.shape.wrapping_add(1);
    }

    fn bump(&mut self, node: NodeId, messages: u64, at: Moment) {
        self.each_up(node, |node| node.traffic.count(messages, at));
    }

    /// Changes a node and all above it; not the whole tree for what begins with `$`, which `#` does not match either.
    fn each_up(&mut self, node: NodeId, change: impl Fn(&mut Node)) {
        let mut at = node;
        while at != NodeId::ROOT {
            let node = &mut self.nodes[at.index()];
            change(node);
            if node.parent == NodeId::ROOT && node.level.starts_with('$') {
                return;
            }
            at = node.parent;
        }
        change(&mut self.nodes[at.index()]);
    }

    /// Takes a topic out of the list of those that may go.
    fn unlink(&mut self, node: NodeId) {
        let Some(value) = &mut self.nodes[node.index()].value else { return };
        let (newer, older) = (value.newer, value.older);
        (value.newer, value.older) = (NodeId::NONE, NodeId::NONE);
        if newer == NodeId::NONE && self.newest != node {
            return;
        }
        match newer.some().and_then(|newer| self.nodes[newer.index()].value.as_mut()) {
            Some(value) => value.older = older,
            None => self.newest = older,
        }
        match older.some().and_then(|older| self.nodes[older.index()].value.as_mut()) {
            Some(value) => value.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Puts a topic that is not in it at the head of the list of those that may go, unless it is retained.
    fn link(&mut self, node: NodeId) {
        let newest = self.newest;
        let Some(value) = self.nodes[node.index()].value.as_mut().filter(|value| !value.is_retained) else {
            return;
        };
        value.older = newest;
        match newest.some().and_then(|newest| self.nodes[newest.index()].value.as_mut()) {
            Some(value) => value.newer = node,
            None => self.oldest = node,
        }
        self.newest = node;
    }

    fn add_child(&mut self, parent: NodeId, level: &str) -> NodeId {
        let mut node = Node::new(parent, level.into());
        let first = self[parent].first_child;
        node.next = first;
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id.index()] = node;
                id
            }
            None => {
                self.nodes.push(node);
                NodeId::of_index(self.nodes.len() - 1)
            }
        };
        if first != NodeId::NONE {
            self.nodes[first.index()].previous = id;
        }
        let at = &mut self.nodes[parent.index()];
        at.first_child = id;
        at.children += 1;
        at.shape = at.shape.wrapping_add(1);
        self.heap_bytes += level.len();
        let hash = self.hasher.hash_one((parent, level));
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.by_name.insert_unique(hash, id, |other| {
            let other = &nodes[other.index()];
            hasher.hash_one((other.parent, &*other.level))
        });
        id
    }

    /// The branch or topic of this name.
    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        name.split('/').try_fold(NodeId::ROOT, |parent, level| self.child(parent, level))
    }

    /// The name of a branch or topic.
    pub(super) fn name(&self, node: NodeId) -> String {
        let levels = std::iter::successors(Some(node), |at| Some(self[*at].parent));
        let levels: Vec<&str> =
            levels.take_while(|at| *at != NodeId::ROOT).map(|at| &*self[at].level).collect();
        levels.into_iter().rev().collect::<Vec<_>>().join("/")
    }

    /// What is directly below a node, by its level.
    pub(super) fn child(&self, parent: NodeId, level: &str) -> Option<NodeId> {
        let hash = self.hasher.hash_one((parent, level));
        let is_it = |id: &NodeId| self[*id].parent == parent && *self[*id].level == *level;
        self.by_name.find(hash, is_it).copied()
    }

    /// What is directly below a node, in no order.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self[node].first_child.some(), |child| self[*child].next.some())
    }

    /// Topics that there are.
    pub(super) const fn topics(&self) -> usize {
        self.topics
    }

    /// What they take.
    pub(super) const fn bytes(&self) -> usize {
        (self.nodes.len() - self.free.len()) * Node::BYTES + self.heap_bytes
    }

    /// Messages of topics for which there was no room.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Topics that went for others.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Changes when a topic goes: what was remembered of places may be another's.
    pub(super) const fn removals(&self) -> u64 {
        self.removals
    }
}

impl std::ops::Index<NodeId> for Index {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::Time;

    use super::*;

    const ROOMY: Bounds = Bounds { topics_max: 1000, bytes_max: 1 << 20 };

    fn hear(index: &mut Index, topic: &str, payload: &str, seconds: u64) {
        index.take(News {
            topic,
            messages: 1,
            at: Moment::of(Time::from_millis(seconds * 1000)),
            payload_len: payload.len(),
            preview: payload.as_bytes(),
            is_retained: None,
        });
    }

    fn retain(index: &mut Index, topic: &str, payload: &str) {
        index.take(News {
            topic,
            messages: 1,
            at: Moment::of(Time::ZERO),
            payload_len: payload.len(),
            preview: payload.as_bytes(),
            is_retained: Some(!payload.is_empty()),
        });
    }

    /// Children by name with topics and messages.
    fn children(index: &Index, branch: &str) -> Vec<String> {
        let node = if branch.is_empty() { NodeId::ROOT } else { index.find(branch).expect("it is there") };
        let line =
            |id: NodeId| format!("{} {} {}", index[id].level, index[id].topics, index[id].traffic.messages);
        let mut lines: Vec<String> = index.children(node).map(line).collect();
        assert_eq!(lines.len(), index[node].children as usize);
        lines.sort();
        lines
    }

    /// Every count is the sum of what it counts, and every list is whole.
    fn check(index: &Index) {
        let mut live = 0;
        let mut topics = 0;
        for (place, node) in index.nodes.iter().enumerate() {
            let id = NodeId::of_index(place);
            if index.free.contains(&id) {
                continue;
            }
            live += 1;
            topics += usize::from(node.value.is_some());
            let below: u32 = index
                .children(id)
                .filter(|it| id != NodeId::ROOT || !index[*it].level.starts_with('$'))
                .map(|child| index[child].topics)
                .sum();
            assert_eq!(node.topics, below + u32::from(node.value.is_some()), "{}", node.level);
            if id != NodeId::ROOT {
                assert_eq!(index.child(node.parent, &node.level), Some(id));
                assert!(node.value.is_some() || node.first_child != NodeId::NONE, "{} is empty", node.level);
            }
        }
        assert_eq!((index.topics, index.by_name.len() + 1), (topics, live));
        let list =
            std::iter::successors(index.newest.some(), |id| index[*id].value.as_ref().unwrap().older.some());
        let list: Vec<NodeId> = list.collect();
        assert_eq!(list.last().copied().unwrap_or(NodeId::NONE), index.oldest);
        let may_go =
            index.nodes.iter().filter(|node| node.value.as_ref().is_some_and(|value| !value.is_retained));
        assert_eq!(list.len(), may_go.count());
        let names: usize = index.nodes.iter().map(|node| node.level.len()).sum();
        let previews: usize =
            index.nodes.iter().filter_map(|node| node.value.as_ref()).map(|value| value.preview.len()).sum();
        assert_eq!(index.heap_bytes, names + previews + topics * Value::BYTES);
    }

    #[test]
    fn a_branch_counts_what_is_below_it_and_may_be_a_topic_itself() {
        let mut index = Index::new(ROOMY);
        for topic in
            ["home/kitchen/lamp", "home/kitchen", "home/bath/lamp", "car/speed", "/odd//name", "home/kitchen"]
        {
            hear(&mut index, topic, "1", 1);
        }
        assert_eq!(children(&index, ""), [" 1 1", "car 1 1", "home 3 4"]);
        assert_eq!(children(&index, "home"), ["bath 1 1", "kitchen 2 3"]);
        assert_eq!(children(&index, "/odd"), [" 1 1"]);
        assert_eq!(index[NodeId::ROOT].topics, 5);
        let kitchen = index.find("home/kitchen").unwrap();
        assert_eq!(index[kitchen].value.as_ref().unwrap().traffic.messages, 2);
        assert!(index[index.find("home").unwrap()].value.is_none());
        check(&index);
    }

    #[test]
    fn the_brokers_own_figures_are_there_and_not_in_the_sums() {
        let mut index = Index::new(ROOMY);
        hear(&mut index, "a", "1", 1);
        hear(&mut index, "$SYS/uptime", "1", 1);
        assert_eq!(children(&index, ""), ["$SYS 1 1", "a 1 1"]);
        assert_eq!((index[NodeId::ROOT].topics, index[NodeId::ROOT].traffic.messages), (1, 1));
        assert_eq!(index.topics(), 2);
        check(&index);
    }

    #[test]
    fn a_topic_whose_retained_message_is_given_up_goes_with_the_branches_that_had_only_it() {
        let mut index = Index::new(ROOMY);
        retain(&mut index, "home/kitchen/lamp", "on");
        retain(&mut index, "home/bath", "off");
        retain(&mut index, "home/kitchen/lamp", "");
        retain(&mut index, "never/there", "");
        assert_eq!(children(&index, ""), ["home 1 3"]);
        assert_eq!(children(&index, "home"), ["bath 1 1"]);
        check(&index);
        hear(&mut index, "home/bath", "", 1);
        assert_eq!(children(&index, "home"), ["bath 1 2"], "an empty payload alone is a value like others");
        retain(&mut index, "home/bath", "");
        assert_eq!(children(&index, ""), [""; 0]);
        assert_eq!(index.removals(), 2);
        check(&index);
    }

    #[test]
    fn without_room_the_topic_goes_that_was_silent_longest_and_is_not_retained() {
        let mut index = Index::new(Bounds { topics_max: 3, ..ROOMY });
        retain(&mut index, "retained", "x");
        hear(&mut index, "a/1", "x", 1);
        hear(&mut index, "a/2", "x", 2);
        hear(&mut index, "a/1", "y", 3);
        hear(&mut index, "b", "x", 4);
        assert_eq!(children(&index, ""), ["a 1 3", "b 1 1", "retained 1 1"]);
        assert_eq!(children(&index, "a"), ["1 1 2"]);
        assert_eq!((index.evicted(), index.left_out()), (1, 0));
        check(&index);
        retain(&mut index, "b", "x");
        retain(&mut index, "a/1", "x");
        hear(&mut index, "c", "x", 5);
        assert_eq!((index.topics(), index.evicted(), index.left_out()), (3, 1, 1));
        index.expire("b");
        hear(&mut index, "c", "x", 6);
        assert_eq!(children(&index, ""), ["a 1 4", "c 1 1", "retained 1 1"]);
        check(&index);
    }

    #[test]
    fn names_and_previews_count_against_the_bytes() {
        let mut index = Index::new(Bounds { bytes_max: 20_000, topics_max: 1000 });
        for number in 0..500 {
            hear(&mut index, &format!("some/branch/{number}"), &"x".repeat(number % 90), number as u64);
            assert!(index.bytes() <= 20_000 + 90, "{} with {number}", index.bytes());
        }
        assert!(index.topics() > 50 && index.evicted() > 300, "{} topics", index.topics());
        check(&index);
    }

    #[test]
    fn what_is_retained_since_before_the_start_was_never_heard_of() {
        let mut index = Index::new(ROOMY);
        hear(&mut index, "known", "newer", 1);
        index.take_retained("known", 5, b"older");
        index.take_retained("other", 1000, b"begin");
        let known = index[index.find("known").unwrap()].value.as_ref().unwrap();
        assert_eq!((&*known.preview, known.is_retained), (&b"newer"[..], true));
        index.forget_retained();
        assert!(!index[index.find("other").unwrap()].value.as_ref().unwrap().is_retained);
        check(&index);
        index.take_retained("other", 1000, b"begin");
        let other = &index[index.find("other").unwrap()];
        assert_eq!((other.traffic.messages, other.traffic.at), (0, Moment::NEVER));
        assert_eq!(other.value.as_ref().unwrap().payload_len, 1000);
        check(&index);
    }

    #[test]
    fn a_long_life_leaves_everything_whole() {
        let mut index = Index::new(Bounds { topics_max: 40, ..ROOMY });
        let mut number: u32 = 7;
        let mut below = |bound: u32| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 8) % bound
        };
        for second in 0..5000 {
            let levels: Vec<String> = (0..=below(3)).map(|_| below(5).to_string()).collect();
            let topic = levels.join("/");
            match below(4) {
                0 => retain(&mut index, &topic, if below(2) == 0 { "" } else { "v" }),
                1 => index.expire(&topic),
                _ => hear(&mut index, &topic, "value", second),
            }
            if second % 100 == 0 {
                check(&index);
            }
        }
        check(&index);
        assert!(index.evicted() > 0);
    }
}
