//! Subscriptions in a tree of filter levels.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use hearth_protocol::{TopicFilter, TopicName};

use super::subscribers::{Subscriber, Subscribers};
use super::{Audience, Place, Route, SubscriptionOptions, Target};

/// Filters by level. Walks keep a stack of their own, so that no depth of a topic can exhaust the thread's.
pub(super) struct Trie {
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// The children of all nodes by parent and level, but for the wildcards: one table is smaller than one a node.
    children: HashTable<u32>,
    subscriptions: usize,
    hash: FixedState,
}

/// Memory of a walk, kept for the next one.
#[derive(Default)]
pub(super) struct Walk {
    stack: Vec<(u32, usize)>,
    found: Vec<Subscriber>,
}

struct Node {
    parent: u32,
    /// How many children have this node as their parent, wildcards included.
    children: u32,
    /// The child `+`, or [`ROOT`] for none; every walk asks for it.
    plus: u32,
    /// The child `#`, or [`ROOT`] for none.
    rest: u32,
    level: Box<str>,
    /// Who subscribes to the filter that ends here.
    subscribers: Subscribers,
}

/// No child is the root.
const ROOT: u32 = 0;

impl Trie {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            nodes: vec![Node::new(ROOT, "")],
            free: Vec::new(),
            children: HashTable::new(),
            subscriptions: 0,
            hash: FixedState::with_seed(seed),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.subscriptions
    }

    /// Whether there is nothing but the root.
    #[cfg(any(test, feature = "generate"))]
    pub(super) fn is_bare(&self) -> bool {
        self.children.is_empty() && self.nodes.len() == self.free.len() + 1
    }

    /// Where the subscription is, and whether the session had none with this filter.
    pub(super) fn insert(
        &mut self,
        filter: &TopicFilter,
        session: u32,
        options: SubscriptionOptions,
    ) -> (Place, bool) {
        let node = self.find_or_add(filter);
        let subscribers = &mut self.nodes[node as usize].subscribers;
        let is_new = subscribers.insert(Subscriber { session, options }, &self.hash);
        self.subscriptions += usize::from(is_new);
        (Place(node), is_new)
    }

    /// Where the session has a subscription with this filter.
    pub(super) fn find(&self, filter: &TopicFilter, session: u32) -> Option<Place> {
        let node = filter.levels().try_fold(ROOT, |node, level| self.child(node, level))?;
        self.nodes[node as usize].subscribers.contains(session).then_some(Place(node))
    }

    /// The pattern of the filter whose subscriptions are here.
    pub(super) fn pattern(&self, Place(mut node): Place) -> String {
        let mut levels = Vec::new();
        while node != ROOT {
            let at = &self.nodes[node as usize];
            levels.push(&*at.level);
            node = at.parent;
        }
        levels.reverse();
        levels.join("/")
    }

    /// Whether the session had a subscription here.
    pub(super) fn remove(&mut self, Place(node): Place, session: u32) -> bool {
        if !self.nodes[node as usize].subscribers.remove(session) {
            return false;
        }
        self.subscriptions -= 1;
        self.prune(node);
        true
    }

    /// Puts the sessions whose filters match into the route, each once.
    pub(super) fn matches(&self, topic: &TopicName, walk: &mut Walk, route: &mut Route) {
        let levels: Vec<&str> = topic.levels().collect();
        // Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
        let is_reserved = topic.as_str().starts_with('$');
        walk.stack.push((ROOT, 0));
        while let Some((index, depth)) = walk.stack.pop() {
            let node = &self.nodes[index as usize];
            let has_wildcards = !(is_reserved && index == ROOT);
            if has_wildcards && node.rest != ROOT {
                walk.found.extend_from_slice(self.nodes[node.rest as usize].subscribers.as_slice());
            }
            let Some(level) = levels.get(depth) else {
                walk.found.extend_from_slice(node.subscribers.as_slice());
                continue;
            };
            if has_wildcards && node.plus != ROOT {
                walk.stack.push((node.plus, depth + 1));
            }
            if let Some(child) = self.literal_child(index, level) {
                walk.stack.push((child, depth + 1));
            }
        }
        merge(&mut walk.found, route);
        walk.found.clear();
    }

    fn child(&self, parent: u32, level: &str) -> Option<u32> {
        let node = &self.nodes[parent as usize];
        match level {
            "+" => (node.plus != ROOT).then_some(node.plus),
            "#" => (node.rest != ROOT).then_some(node.rest),
            name => self.literal_child(parent, name),
        }
    }

    fn literal_child(&self, parent: u32, level: &str) -> Option<u32> {
        let node = &self.nodes[parent as usize];
        let wildcards = u32::from(node.plus != ROOT) + u32::from(node.rest != ROOT);
        if node.children == wildcards {
            return None;
        }
        let is_it = |child: &u32| {
            let child = &self.nodes[*child as usize];
            child.parent == parent && *child.level == *level
        };
        self.children.find(edge_hash(&self.hash, parent, level), is_it).copied()
    }

    fn find_or_add(&mut self, filter: &TopicFilter) -> u32 {
        filter
            .levels()
            .fold(ROOT, |node, level| self.child(node, level).unwrap_or_else(|| self.add_child(node, level)))
    }

    fn add_child(&mut self, parent: u32, level: &str) -> u32 {
        let child = Node::new(parent, level);
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index as usize] = child;
                index
            }
            None => {
                self.nodes.push(child);
                // Memory ends long before the numbers do.
                (self.nodes.len() - 1) as u32
            }
        };
        let above = &mut self.nodes[parent as usize];
        above.children += 1;
        match level {
            "+" => above.plus = index,
            "#" => above.rest = index,
            name => {
                let rehash = |child: &u32| {
                    let child = &self.nodes[*child as usize];
                    edge_hash(&self.hash, child.parent, &child.level)
                };
                self.children.insert_unique(edge_hash(&self.hash, parent, name), index, rehash);
            }
        }
        index
    }

    /// Gives back the nodes from `node` up that hold nothing any more.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node as usize].is_empty() {
            let parent = self.nodes[node as usize].parent;
            let level = std::mem::take(&mut self.nodes[node as usize].level);
            let above = &mut self.nodes[parent as usize];
            above.children -= 1;
            match &*level {
                "+" => above.plus = ROOT,
                "#" => above.rest = ROOT,
                name => {
                    let hash = edge_hash(&self.hash, parent, name);
                    if let Ok(entry) = self.children.find_entry(hash, |child| *child == node) {
                        entry.remove();
                    }
                }
            }
            self.free.push(node);
            node = parent;
        }
    }
}

impl Node {
    fn new(parent: u32, level: &str) -> Self {
        let subscribers = Subscribers::default();
        Self { parent, children: 0, plus: ROOT, rest: ROOT, level: level.into(), subscribers }
    }

    const fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.children == 0
    }
}

fn edge_hash(hash: &FixedState, parent: u32, level: &str) -> u64 {
    let mut hasher = hash.build_hasher();
    hasher.write_u32(parent);
    hasher.write(level.as_bytes());
    hasher.finish()
}

/// Makes one target of all subscriptions of a session, or two where some have no local set.
fn merge(found: &mut [Subscriber], route: &mut Route) {
    found.sort_unstable_by_key(|subscriber| (subscriber.session, subscriber.options.id));
    for of_session in found.chunk_by(|one, next| one.session == next.session) {
        let has_no_local = of_session.iter().any(|subscriber| subscriber.options.no_local);
        add_target(of_session, if has_no_local { Audience::Others } else { Audience::All }, route);
        if has_no_local {
            add_target(of_session, Audience::Own, route);
        }
    }
}

fn add_target(of_session: &[Subscriber], audience: Audience, route: &mut Route) {
    let ids_start = route.ids.len() as u32;
    let mut target: Option<Target> = None;
    for Subscriber { session, options } in of_session {
        if audience == Audience::Own && options.no_local {
            continue;
        }
        let target = target.get_or_insert(Target {
            session: *session,
            qos: options.qos,
            audience,
            retain_as_published: false,
            ids_start,
            ids_len: 0,
        });
        target.qos = target.qos.max(options.qos);
        target.retain_as_published |= options.retain_as_published;
        if options.id != 0 {
            target.ids_len += 1;
            route.ids.push(options.id);
        }
    }
    route.targets.extend(target);
}

#[cfg(test)]
mod tests {
    use hearth_protocol::QoS;

    use super::*;

    /// A xorshift generator: the same seed, the same sequence.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }

        fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
            choices[self.below(choices.len() as u64) as usize]
        }

        fn topic(&mut self) -> TopicName {
            let levels: Vec<&str> = (0..=self.below(4)).map(|_| self.pick(&["a", "b", "", "$x"])).collect();
            TopicName::try_from(levels.join("/").as_str()).unwrap_or(TopicName::try_from("a").unwrap())
        }

        fn filter(&mut self) -> TopicFilter {
            let mut levels: Vec<&str> =
                (0..=self.below(4)).map(|_| self.pick(&["a", "b", "", "+", "$x"])).collect();
            if self.below(3) == 0 {
                levels.push("#");
            }
            TopicFilter::try_from(levels.join("/").as_str()).unwrap_or(TopicFilter::try_from("#").unwrap())
        }
    }

    fn options(qos: QoS) -> SubscriptionOptions {
        SubscriptionOptions { qos, no_local: false, retain_as_published: false, id: 0 }
    }

    #[test]
    fn the_tree_finds_what_comparing_every_filter_finds() {
        for seed in 1..200 {
            let mut random = Random(seed);
            let mut trie = Trie::new(seed);
            let mut naive: Vec<(TopicFilter, u32)> = Vec::new();
            for _ in 0..150 {
                let (filter, session) = (random.filter(), random.below(6) as u32);
                let entry = (filter, session);
                let known = naive.iter().position(|other| *other == entry);
                if random.below(3) == 0 {
                    let place = trie.find(&entry.0, session);
                    assert_eq!(place.is_some(), known.is_some(), "seed {seed} {entry:?}");
                    if let Some(place) = place {
                        assert_eq!(trie.pattern(place), entry.0.as_str());
                        assert!(trie.remove(place, session));
                        assert_eq!(trie.find(&entry.0, session), None);
                    }
                    known.map(|place| naive.swap_remove(place));
                } else {
                    assert_eq!(trie.insert(&entry.0, session, options(QoS::AtMostOnce)).1, known.is_none());
                    if known.is_none() {
                        naive.push(entry);
                    }
                }
                let topic = random.topic();
                let mut route = Route::default();
                trie.matches(&topic, &mut Walk::default(), &mut route);
                let targets: Vec<u32> = route.targets.iter().map(|target| target.session).collect();
                let mut expected: Vec<u32> = naive
                    .iter()
                    .filter(|(filter, _)| filter.matches(&topic))
                    .map(|(_, session)| *session)
                    .collect();
                expected.sort_unstable();
                expected.dedup();
                assert_eq!(targets, expected, "seed {seed}, topic {topic}, filters {naive:?}");
            }
            assert_eq!(trie.len(), naive.len());
            for (filter, session) in naive {
                let place = trie.find(&filter, session).unwrap();
                assert!(trie.remove(place, session));
            }
            assert_eq!(trie.nodes.len() - trie.free.len(), 1, "seed {seed}: only the root is left");
            assert!(trie.children.is_empty());
        }
    }

    #[test]
    fn overlapping_subscriptions_make_one_target_with_the_highest_qos_and_all_identifiers() {
        let mut trie = Trie::new(1);
        for (filter, qos, id) in
            [("a/#", QoS::AtMostOnce, 3), ("a/b", QoS::ExactlyOnce, 1), ("+/b", QoS::AtLeastOnce, 0)]
        {
            let options = SubscriptionOptions { id, ..options(qos) };
            trie.insert(&TopicFilter::try_from(filter).unwrap(), 7, options);
        }
        let mut route = Route::default();
        trie.matches(&TopicName::try_from("a/b").unwrap(), &mut Walk::default(), &mut route);
        assert_eq!(route.targets.len(), 1);
        assert_eq!(route.targets[0].qos, QoS::ExactlyOnce);
        assert_eq!(route.ids_of(&route.targets[0]), [1, 3]);
    }
}
