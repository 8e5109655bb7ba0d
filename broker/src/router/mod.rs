//! Who gets a message: the shard's subscriptions and the other shards'.

mod cache;
#[cfg(feature = "generate")]
pub(crate) mod exercise;
mod group;
mod subscribers;
mod trie;

use std::rc::Rc;

use hearth_protocol::{QoS, TopicFilter, TopicName};

pub(crate) use cache::Route;
pub(crate) use group::{Availability, Choice, Group, Groups, Room};

use crate::faults::{self, Fault};
use crate::ids::ShardId;
use crate::interest::Interest;
use crate::view::is_below_root;
use cache::Cache;
use trie::{Trie, Walk};

/// What a subscription asks for, beside its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionOptions {
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    /// Subscription identifier; 0 for none.
    pub(crate) id: u32,
}

/// One session of this shard that gets the message, once, however many of its subscriptions match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Index of the session.
    pub(crate) session: u32,
    /// The highest of the matching subscriptions [MQTT-3.3.4-2].
    pub(crate) qos: QoS,
    pub(crate) audience: Audience,
    /// Set when one of the matching subscriptions has it.
    pub(crate) retain_as_published: bool,
    /// Where its subscription identifiers stand in the route [MQTT-3.3.4-3], [MQTT-3.3.4-5].
    pub(crate) ids_start: u32,
    pub(crate) ids_len: u32,
}

/// Whose messages a target is for. A session with and without no-local subscriptions to a topic is two targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anybody's.
    All,
    /// All but the session's own: a matching subscription has no local set [MQTT-3.8.3-3].
    Others,
    /// The session's own, by the subscriptions without no local.
    Own,
}

/// Where the subscriptions with one filter are, for as long as there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// The places of one session's subscriptions, in no order. One, as most sessions have it, takes no memory of its
/// own.
#[derive(Debug, Default)]
pub(crate) enum Places {
    #[default]
    None,
    One(Place),
    Several(Vec<Place>),
}

impl Places {
    pub(crate) fn as_slice(&self) -> &[Place] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(several) => several,
        }
    }

    /// Adds one that is not among them.
    pub(crate) fn push(&mut self, place: Place) {
        match self {
            Self::None => *self = Self::One(place),
            Self::One(first) => *self = Self::Several(vec![*first, place]),
            Self::Several(several) => several.push(place),
        }
    }

    pub(crate) fn remove(&mut self, place: Place) {
        match self {
            Self::One(only) if *only == place => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Several(several) => {
                if let Some(at) = several.iter().position(|other| *other == place) {
                    several.swap_remove(at);
                }
            }
        }
    }
}

/// Subscriptions of one shard.
pub(crate) struct Router {
    shard: ShardId,
    trie: Trie,
    walk: Walk,
    cache: Cache,
    /// Changes whenever a subscription does.
    generation: u64,
}

impl Router {
    pub(crate) fn new(shard: ShardId, seed: u64, cache_max: usize) -> Self {
        let (trie, cache) = (Trie::new(seed), Cache::new(cache_max, seed));
        Self { shard, trie, walk: Walk::default(), cache, generation: 0 }
    }

    /// Subscriptions now.
    pub(crate) const fn len(&self) -> usize {
        self.trie.len()
    }

    /// Enters a subscription, in place of an earlier one of the same session and filter: where it is, and whether
    /// it is new.
    pub(crate) fn subscribe(
        &mut self,
        interest: &Interest,
        filter: &TopicFilter,
        session: u32,
        options: SubscriptionOptions,
    ) -> (Place, bool) {
        let (place, is_new) = self.trie.insert(filter, session, options);
        if is_below_root(filter.pattern()) {
            // No message is routed there: no route changes, and pages subscribe and unsubscribe as they scroll.
            return (place, is_new);
        }
        self.generation += 1;
        if is_new {
            interest.add(self.shard, filter.pattern());
        }
        (place, is_new)
    }

    /// Where a session has its subscription with this filter.
    pub(crate) fn find(&self, filter: &TopicFilter, session: u32) -> Option<Place> {
        self.trie.find(filter, session)
    }

    /// Removes a subscription.
    pub(crate) fn unsubscribe(&mut self, interest: &Interest, place: Place, session: u32) {
        let pattern = self.trie.pattern(place);
        let is_removed = self.trie.remove(place, session);
        if is_below_root(&pattern) {
            return;
        }
        self.generation += 1;
        if is_removed && !faults::has(Fault::InterestKept) {
            interest.remove(self.shard, &pattern);
        }
    }

    /// Who gets a message of this topic.
    pub(crate) fn route(&mut self, interest: &Interest, groups: &Groups, topic: &TopicName) -> Rc<Route> {
        let generations = (self.generation, interest.generation());
        if let Some(route) = self.cache.find(topic, generations) {
            return route;
        }
        let topic = topic.detached();
        let shards = interest.shards_for(&topic, self.shard);
        let groups = groups.matches(&topic, &mut self.walk);
        let mut route = Route { topic: Some(topic.clone()), groups, shards, ..Route::default() };
        self.trie.matches(&topic, &mut self.walk, &mut route);
        let route = Rc::new(route);
        self.cache.insert(topic, generations, Rc::clone(&route));
        route
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::ids::ShardCount;

    #[test]
    fn who_scrolls_through_the_live_tree_changes_no_route() {
        let shards = ShardCount::new(NonZeroU16::new(2).unwrap());
        let (interest, groups) = (Interest::new(shards, 1), Groups::new(1));
        let mut router = Router::new(ShardId::new(0), 1, 100);
        let options =
            SubscriptionOptions { qos: QoS::AtMostOnce, no_local: false, retain_as_published: false, id: 0 };
        let filter = |text| TopicFilter::try_from(text).unwrap();
        let topic = TopicName::try_from("home/lamp").unwrap();
        router.subscribe(&interest, &filter("home/#"), 1, options);
        let before = router.route(&interest, &groups, &topic);
        let (place, is_new) = router.subscribe(&interest, &filter("$hearth/window/name/0/50"), 2, options);
        assert!(is_new && Rc::ptr_eq(&before, &router.route(&interest, &groups, &topic)));
        router.unsubscribe(&interest, place, 2);
        assert!(Rc::ptr_eq(&before, &router.route(&interest, &groups, &topic)));
        let (place, _) = router.subscribe(&interest, &filter("home/lamp"), 2, options);
        assert_eq!(router.route(&interest, &groups, &topic).targets.len(), 2);
        router.unsubscribe(&interest, place, 2);
        assert_eq!(router.route(&interest, &groups, &topic).targets.len(), 1);
    }
}
