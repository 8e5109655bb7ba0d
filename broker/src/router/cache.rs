//! Routes of topics that were published lately.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hearth_protocol::TopicName;

use super::{Group, Target};
use crate::interest::ShardSet;

/// The targets of a topic.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// The topic, in memory that all messages of it share; `None` in a route that came from no topic.
    pub(crate) topic: Option<TopicName>,
    pub(crate) targets: Vec<Target>,
    /// Subscription identifiers of all targets, in the targets' order.
    pub(crate) ids: Vec<u32>,
    /// Groups of the whole broker of which one member each gets the message.
    pub(crate) groups: Vec<Arc<Group>>,
    /// Other shards that may have targets.
    pub(crate) shards: ShardSet,
    /// Where the topic stands in the tally of the live tree, in which round.
    pub(crate) sight: Cell<(u32, u32)>,
}

impl Route {
    /// The subscription identifiers of a target.
    pub(crate) fn ids_of(&self, target: &Target) -> &[u32] {
        &self.ids[target.ids_start as usize..][..target.ids_len as usize]
    }

    /// What it counts in the cache, in topics of ordinary size: a target takes a tenth of what a topic does.
    fn weight(&self) -> usize {
        1 + (self.targets.len() + self.groups.len()) / 10
    }
}

/// Of the topics that are not known when the cache is full, one in so many is taken.
///
/// Where far more topics come than there is room for, each would push out another one before that comes again, and its memory would
/// go through the allocator: nearly all of the cost, and nothing is found. So most of what is there stays, and is found. A topic
/// that keeps coming gets in within so many messages.
const TAKEN_WHEN_FULL: u32 = 64;

/// Keeps the routes of the topics that came last. An entry of another generation counts as absent.
///
/// Bounded by weight, since a route can have a hundred thousand targets. Two halves: when the young one is full it becomes the old
/// one, and the old one is dropped. What is still in use moves to the young half, so a topic that keeps coming stays; each step is
/// O(1).
pub(super) struct Cache {
    half_max: usize,
    /// Topics that came when the cache was full.
    strangers: u32,
    /// Weight of `young`.
    weight: usize,
    young: HashMap<TopicName, Entry, FixedState>,
    old: HashMap<TopicName, Entry, FixedState>,
}

struct Entry {
    generations: (u64, u64),
    route: Rc<Route>,
}

impl Cache {
    pub(super) fn new(topics_max: usize, seed: u64) -> Self {
        let hash = FixedState::with_seed(seed);
        let (young, old) = (HashMap::with_hasher(hash.clone()), HashMap::with_hasher(hash));
        Self { half_max: topics_max.div_ceil(2), strangers: 0, weight: 0, young, old }
    }

    pub(super) fn find(&mut self, topic: &TopicName, generations: (u64, u64)) -> Option<Rc<Route>> {
        let entry = match self.young.get(topic) {
            Some(entry) => entry,
            None => {
                let (topic, entry) = self.old.remove_entry(topic)?;
                self.make_room(entry.route.weight());
                self.young.entry(topic).or_insert(entry)
            }
        };
        (entry.generations == generations).then(|| Rc::clone(&entry.route))
    }

    pub(super) fn insert(&mut self, topic: TopicName, generations: (u64, u64), route: Rc<Route>) {
        let entry = Entry { generations, route };
        if self.half_max == 0 {
            return;
        }
        if let Some(outdated) = self.young.remove(&topic) {
            self.weight -= outdated.route.weight();
        } else if !self.old.is_empty() && !self.is_taken() {
            return;
        }
        self.make_room(entry.route.weight());
        self.young.insert(topic, entry);
    }

    /// Whether the next topic that is not known gets in though the cache is full.
    fn is_taken(&mut self) -> bool {
        self.strangers = (self.strangers + 1) % TAKEN_WHEN_FULL;
        self.strangers == 0
    }

    fn make_room(&mut self, weight: usize) {
        if self.weight + weight > self.half_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.weight = 0;
        }
        self.weight += weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: usize) -> TopicName {
        TopicName::try_from(number.to_string().as_str()).unwrap()
    }

    #[test]
    fn a_topic_that_keeps_coming_stays_and_the_number_is_bounded() {
        let mut cache = Cache::new(8, 1);
        cache.insert(topic(0), (1, 1), Rc::default());
        for number in 1..100 {
            cache.insert(topic(number), (1, 1), Rc::default());
            assert!(cache.find(&topic(0), (1, 1)).is_some(), "after {number} others");
            assert!(cache.young.len() + cache.old.len() <= 8);
        }
    }

    #[test]
    fn a_round_of_more_topics_than_there_is_room_for_finds_what_was_there() {
        let (mut cache, mut found) = (Cache::new(1000, 1), 0);
        for number in (0..10_000).cycle().take(100_000) {
            if cache.find(&topic(number), (1, 1)).is_some() {
                found += 1;
            } else {
                cache.insert(topic(number), (1, 1), Rc::default());
            }
        }
        // A tenth of them has room, and who comes new takes some of it from round to round.
        assert!((3_000..=10_000).contains(&found), "{found}");
    }

    #[test]
    fn a_topic_that_is_new_gets_in_though_all_room_is_taken() {
        let mut cache = Cache::new(100, 1);
        for number in 0..1000 {
            cache.insert(topic(number), (1, 1), Rc::default());
        }
        let comes = |cache: &mut Cache| {
            cache.find(&topic(7777), (1, 1)).is_some() || {
                cache.insert(topic(7777), (1, 1), Rc::default());
                false
            }
        };
        assert!((0..=TAKEN_WHEN_FULL).any(|_| comes(&mut cache)));
    }

    #[test]
    fn routes_with_many_targets_count_for_more() {
        let target = Target {
            session: 0,
            qos: hearth_protocol::QoS::AtMostOnce,
            audience: super::super::Audience::All,
            retain_as_published: false,
            ids_start: 0,
            ids_len: 0,
        };
        let large = Rc::new(Route { targets: vec![target; 100], ..Route::default() });
        let mut cache = Cache::new(100, 1);
        for number in 0..100 {
            let insert = |cache: &mut Cache, generation| {
                for _ in 0..TAKEN_WHEN_FULL {
                    cache.insert(topic(number), (generation, 1), Rc::clone(&large));
                }
            };
            insert(&mut cache, 1);
            insert(&mut cache, 2);
            assert!(cache.find(&topic(number), (2, 1)).is_some());
            assert!(cache.young.len() + cache.old.len() <= 10, "{}", cache.young.len());
        }
        let giant = Rc::new(Route { targets: vec![target; 10_000], ..Route::default() });
        for _ in 0..TAKEN_WHEN_FULL {
            cache.insert(topic(0), (1, 1), Rc::clone(&giant));
        }
        assert!(
            cache.find(&topic(0), (1, 1)).is_some(),
            "one that is larger than the cache has it to itself"
        );
        assert_eq!(cache.young.len(), 1);
    }

    #[test]
    fn an_entry_of_another_generation_is_not_found() {
        let mut cache = Cache::new(8, 1);
        cache.insert(topic(0), (1, 1), Rc::default());
        assert!(cache.find(&topic(0), (2, 1)).is_none());
        assert!(cache.find(&topic(0), (1, 2)).is_none());
        assert!(cache.find(&topic(0), (1, 1)).is_some());
    }
}
