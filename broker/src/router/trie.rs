//! Subscriptions in a tree of filter levels.

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hearth_protocol::{TopicFilter, TopicName};

use super::subscribers::{Subscriber, Subscribers};
use super::{Route, SubscriptionOptions, Target};

/// Filters by level. Walks keep a stack of their own, so that no depth of a topic can exhaust the thread's.
pub(super) struct Trie {
    nodes: Vec<Node>,
    free: Vec<u32>,
    subscriptions: usize,
    hash: FixedState,
    /// Memory of the walk, kept between calls.
    stack: Vec<(u32, usize)>,
    found: Vec<Subscriber>,
}

struct Node {
    parent: u32,
    level: Box<str>,
    children: HashMap<Box<str>, u32, FixedState>,
    /// The child `+`; kept beside the map because every walk asks for it.
    plus: Option<u32>,
    /// Filters that end here.
    here: Subscribers,
    /// Filters that end with `#` behind this level.
    below: Subscribers,
}

const ROOT: u32 = 0;

impl Trie {
    pub(super) fn new(seed: u64) -> Self {
        let hash = FixedState::with_seed(seed);
        let nodes = vec![Node::new(ROOT, "", hash.clone())];
        Self { nodes, free: Vec::new(), subscriptions: 0, hash, stack: Vec::new(), found: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.subscriptions
    }

    /// Whether the session had no subscription with this filter.
    pub(super) fn insert(
        &mut self,
        filter: &TopicFilter,
        session: u32,
        options: SubscriptionOptions,
    ) -> bool {
        let (node, is_below) = self.find_or_add(filter);
        let subscribers = self.nodes[node as usize].list(is_below);
        let is_new = subscribers.insert(Subscriber { session, options }, &self.hash);
        self.subscriptions += usize::from(is_new);
        is_new
    }

    /// Whether the session had a subscription with this filter.
    pub(super) fn remove(&mut self, filter: &TopicFilter, session: u32) -> bool {
        let Some((node, is_below)) = self.find(filter) else { return false };
        let subscribers = self.nodes[node as usize].list(is_below);
        if !subscribers.remove(session) {
            return false;
        }
        self.subscriptions -= 1;
        self.prune(node);
        true
    }

    /// Puts the sessions whose filters match into the route, each once.
    pub(super) fn matches(&mut self, topic: &TopicName, route: &mut Route) {
        let levels: Vec<&str> = topic.levels().collect();
        // Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
        let is_reserved = topic.as_str().starts_with('$');
        self.stack.push((ROOT, 0));
        while let Some((index, depth)) = self.stack.pop() {
            let node = &self.nodes[index as usize];
            let wildcards = !(is_reserved && index == ROOT);
            if wildcards {
                self.found.extend_from_slice(node.below.as_slice());
            }
            let Some(level) = levels.get(depth) else {
                self.found.extend_from_slice(node.here.as_slice());
                continue;
            };
            self.stack.extend(node.children.get(*level).map(|child| (*child, depth + 1)));
            if wildcards {
                self.stack.extend(node.plus.map(|child| (child, depth + 1)));
            }
        }
        merge(&mut self.found, route);
        self.found.clear();
    }

    fn find(&self, filter: &TopicFilter) -> Option<(u32, bool)> {
        let mut node = ROOT;
        for level in filter.levels() {
            let at = &self.nodes[node as usize];
            node = match level {
                "#" => return Some((node, true)),
                "+" => at.plus?,
                name => *at.children.get(name)?,
            };
        }
        Some((node, false))
    }

    fn find_or_add(&mut self, filter: &TopicFilter) -> (u32, bool) {
        let mut node = ROOT;
        for level in filter.levels() {
            let at = &self.nodes[node as usize];
            let child = match level {
                "#" => return (node, true),
                "+" => at.plus,
                name => at.children.get(name).copied(),
            };
            node = child.unwrap_or_else(|| self.add_child(node, level));
        }
        (node, false)
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
        let parent = &mut self.nodes[parent as usize];
        if level == "+" {
            parent.plus = Some(index);
        } else {
            parent.children.insert(level.into(), index);
        }
        index
    }

    /// Gives back the nodes from `node` up that hold nothing any more.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node as usize].is_empty() {
            let parent = self.nodes[node as usize].parent;
            let level = std::mem::take(&mut self.nodes[node as usize].level);
            let above = &mut self.nodes[parent as usize];
            if above.plus == Some(node) {
                above.plus = None;
            } else {
                above.children.remove(&level);
            }
            self.free.push(node);
            node = parent;
        }
    }
}

impl Node {
    fn new(parent: u32, level: &str, hash: FixedState) -> Self {
        let children = HashMap::with_hasher(hash);
        Self {
            parent,
            level: level.into(),
            children,
            plus: None,
            here: Subscribers::default(),
            below: Subscribers::default(),
        }
    }

    const fn list(&mut self, is_below: bool) -> &mut Subscribers {
        if is_below { &mut self.below } else { &mut self.here }
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.below.is_empty() && self.plus.is_none() && self.children.is_empty()
    }
}

/// Makes one target of all subscriptions of a session.
fn merge(found: &mut [Subscriber], route: &mut Route) {
    found.sort_unstable_by_key(|subscriber| (subscriber.session, subscriber.options.id));
    for Subscriber { session, options } in found.iter().copied() {
        let has_id = options.id != 0;
        match route.targets.last_mut() {
            Some(target) if target.session == session => {
                target.qos = target.qos.max(options.qos);
                target.no_local &= options.no_local;
                target.retain_as_published |= options.retain_as_published;
                target.ids_len += u32::from(has_id);
            }
            Some(_) | None => route.targets.push(Target {
                session,
                qos: options.qos,
                no_local: options.no_local,
                retain_as_published: options.retain_as_published,
                ids_start: route.ids.len() as u32,
                ids_len: u32::from(has_id),
            }),
        }
        if has_id {
            route.ids.push(options.id);
        }
    }
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
                    assert_eq!(trie.remove(&entry.0, session), known.is_some(), "seed {seed} {entry:?}");
                    known.map(|place| naive.swap_remove(place));
                } else {
                    assert_eq!(trie.insert(&entry.0, session, options(QoS::AtMostOnce)), known.is_none());
                    if known.is_none() {
                        naive.push(entry);
                    }
                }
                let topic = random.topic();
                let mut route = Route::default();
                trie.matches(&topic, &mut route);
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
                assert!(trie.remove(&filter, session));
            }
            assert_eq!(trie.nodes.len() - trie.free.len(), 1, "seed {seed}: only the root is left");
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
        trie.matches(&TopicName::try_from("a/b").unwrap(), &mut route);
        assert_eq!(route.targets.len(), 1);
        assert_eq!(route.targets[0].qos, QoS::ExactlyOnce);
        assert_eq!(route.ids_of(&route.targets[0]), [1, 3]);
    }
}
