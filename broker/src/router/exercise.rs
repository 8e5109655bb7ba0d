//! Subscriptions and topics that a tape describes, beside an oracle that is too simple to be wrong, for fuzzers.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;

use hearth_protocol::generate::Random;
use hearth_protocol::{QoS, TopicFilter, TopicName};

use super::{
    Audience, Availability, Choice, Group, Groups, Place, Room, Route, Router, SubscriptionOptions, Target,
};
use crate::ids::{SessionId, ShardCount, ShardId};
use crate::interest::Interest;

const LEVELS: [&str; 14] = ["a", "b", "+", "#", "", "$a", "$SYS", "$share", "g", "ü", "a+", "#b", "A", "$"];

/// Sessions of each shard.
const SESSIONS: usize = 4;

/// A subscription: its shard, its session and its filter.
type Key = (usize, u32, String);

struct Run {
    random: Random,
    interest: Interest,
    groups: Groups,
    routers: Vec<Router>,
    plain: BTreeMap<Key, (Place, SubscriptionOptions)>,
    shared: BTreeMap<Key, Arc<Group>>,
    routed: usize,
}

/// Subscribes, unsubscribes and routes as the tape says. Whether a text is a filter or a name, whether they match, and who
/// gets a message is what the oracle says; and at the end nothing is left. How many targets were found.
///
/// # Panics
/// When router and oracle differ.
pub fn topics(tape: &[u8]) -> usize {
    let mut random = Random::of_tape(tape);
    let count = 1 + random.below(3) as u16;
    let shard_count = ShardCount::new(NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN));
    let mut run = Run {
        random,
        interest: Interest::new(shard_count, 3),
        groups: Groups::new(3),
        routers: (0..count).map(|number| Router::new(ShardId::new(number), 3, 4)).collect(),
        plain: BTreeMap::new(),
        shared: BTreeMap::new(),
        routed: 0,
    };
    while !run.random.is_over() {
        match run.random.below(8) {
            0..3 => run.subscribe(),
            3 => run.unsubscribe(),
            4.. => run.publish(),
        }
    }
    run.end();
    run.routed
}

impl Run {
    /// Levels of a small alphabet, so that filters and topics meet; at times any text.
    fn text(&mut self) -> String {
        if self.random.one_in(8) {
            return self.random.text().as_str().to_owned();
        }
        let depth = self.random.below(12);
        let levels: Vec<&str> = (0..=depth / 2).map(|_| self.random.pick(&LEVELS)).collect();
        levels.join("/")
    }

    fn subscribe(&mut self) {
        let text = self.text();
        let filter = TopicFilter::try_from(text.as_str());
        assert_eq!(filter.is_ok(), is_filter(&text), "{text}");
        let Ok(filter) = filter else { return };
        let shard = self.random.below(self.routers.len());
        let session = self.random.below(SESSIONS) as u32;
        let options = SubscriptionOptions {
            qos: self.random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]),
            no_local: self.random.one_in(2),
            retain_as_published: self.random.one_in(2),
            id: self.random.below(4) as u32,
        };
        let key = (shard, session, text);
        if filter.shared().is_some() {
            let is_known = self.shared.keys().any(|(_, _, other)| *other == key.2);
            let choice = choice(shard, session, options);
            let room = Arc::new(Availability::new(Room::Ready));
            let (group, is_new) = self.groups.join(&filter, choice, &room);
            assert_eq!(is_new, !is_known);
            if is_new {
                self.interest.renew_routes();
            }
            self.shared.insert(key, group);
            return;
        }
        let router = &mut self.routers[shard];
        let (place, is_new) = router.subscribe(&self.interest, &filter, session, options);
        assert_eq!(router.find(&filter, session), Some(place));
        assert_eq!(self.plain.insert(key, (place, options)).is_none(), is_new);
    }

    fn unsubscribe(&mut self) {
        let which = self.random.below(self.plain.len() + self.shared.len() + 1);
        if let Some(key) = self.plain.keys().nth(which).cloned() {
            self.leave(&key);
        } else if let Some(key) = self.shared.keys().nth(which - self.plain.len()).cloned() {
            self.leave_group(&key);
        }
    }

    fn leave(&mut self, key: &Key) {
        let Some((place, _)) = self.plain.remove(key) else { return };
        let (shard, session, text) = key;
        let router = &mut self.routers[*shard];
        router.unsubscribe(&self.interest, place, *session);
        let Ok(filter) = TopicFilter::try_from(text.as_str()) else { panic!("{text} was a filter") };
        assert_eq!(router.find(&filter, *session), None);
    }

    fn leave_group(&mut self, key: &Key) {
        let Some(group) = self.shared.remove(key) else { return };
        let (shard, session, text) = key;
        let is_gone = self.groups.leave(&group, ShardId::new(*shard as u16), session_id(*session));
        assert_eq!(is_gone, !self.shared.keys().any(|(_, _, other)| other == text));
        if is_gone {
            self.interest.renew_routes();
        }
    }

    fn publish(&mut self) {
        let text = self.text();
        let topic = TopicName::try_from(text.as_str());
        assert_eq!(topic.is_ok(), !text.is_empty() && !text.contains(['+', '#']), "{text}");
        let Ok(topic) = topic else { return };
        for shard in 0..self.routers.len() {
            // The second time it comes from the cache.
            for _ in 0..2 {
                let route = self.routers[shard].route(&self.interest, &self.groups, &topic);
                self.check(shard, &topic, &route);
                self.routed += route.targets.len() + route.groups.len();
            }
        }
    }

    /// Compares what a message of others and one of the session itself finds.
    fn check(&self, shard: usize, topic: &TopicName, route: &Route) {
        let mut expected: BTreeMap<u32, Vec<SubscriptionOptions>> = BTreeMap::new();
        for ((of, session, text), (_, options)) in &self.plain {
            if !is_match_of(text, topic) {
                continue;
            }
            if *of == shard {
                expected.entry(*session).or_default().push(*options);
            } else {
                let is_told = route.shards.iter().any(|told| told.as_index() == *of);
                assert!(is_told, "shard {of} has {text} and does not hear of {topic}");
            }
        }
        for is_own in [false, true] {
            let audience = if is_own { Audience::Others } else { Audience::Own };
            let found: Vec<&Target> =
                route.targets.iter().filter(|target| target.audience != audience).collect();
            for target in &found {
                let options = expected.get(&target.session).into_iter().flatten();
                let options: Vec<_> = options.filter(|options| !(is_own && options.no_local)).collect();
                assert_eq!(Some(target.qos), options.iter().map(|options| options.qos).max());
                let retain = options.iter().any(|options| options.retain_as_published);
                assert_eq!(target.retain_as_published, retain);
                let mut ids: Vec<u32> =
                    options.iter().map(|options| options.id).filter(|id| *id > 0).collect();
                let mut found = route.ids_of(target).to_vec();
                ids.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, ids, "{topic}");
            }
            let is_wanted = |options: &&Vec<SubscriptionOptions>| {
                options.iter().any(|options| !(is_own && options.no_local))
            };
            assert_eq!(found.len(), expected.values().filter(is_wanted).count(), "{topic}");
        }
        let mut groups: Vec<&str> = self
            .shared
            .keys()
            .filter(|(_, _, text)| is_match_of(text, topic))
            .map(|(_, _, text)| &**text)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        let mut found: Vec<&str> = route.groups.iter().map(|group| group.filter().as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, groups, "{topic}");
    }

    fn end(&mut self) {
        for key in self.plain.keys().cloned().collect::<Vec<_>>() {
            self.leave(&key);
        }
        for key in self.shared.keys().cloned().collect::<Vec<_>>() {
            self.leave_group(&key);
        }
        assert!(self.interest.is_empty());
        assert_eq!(self.groups.len(), 0);
        for router in &self.routers {
            assert!(router.len() == 0 && router.trie.is_bare(), "no level of a filter is left");
        }
    }
}

fn session_id(index: u32) -> SessionId {
    SessionId { index, generation: 0 }
}

fn choice(shard: usize, session: u32, options: SubscriptionOptions) -> Choice {
    Choice { shard: ShardId::new(shard as u16), session: session_id(session), options }
}

/// Whether the product and the oracle agree that the filter matches, and whether it does.
fn is_match_of(text: &str, topic: &TopicName) -> bool {
    let pattern = match text.strip_prefix("$share/") {
        Some(rest) => rest.split_once('/').map_or("", |(_, pattern)| pattern),
        None => text,
    };
    let levels: Vec<&str> = pattern.split('/').collect();
    let names: Vec<&str> = topic.as_str().split('/').collect();
    let is_hidden = topic.as_str().starts_with('$') && matches!(levels[0], "+" | "#");
    let is_match = !is_hidden && is_match(&levels, &names);
    let product = TopicFilter::try_from(text).is_ok_and(|filter| filter.matches(topic));
    assert_eq!(product, is_match, "{text} and {topic}");
    is_match
}

/// MQTT 5.0, 4.7.1, as a recursion.
fn is_match(levels: &[&str], names: &[&str]) -> bool {
    match (levels, names) {
        (["#"], _) | ([], []) => true,
        (["+", levels @ ..], [_, names @ ..]) => is_match(levels, names),
        ([level, levels @ ..], [name, names @ ..]) => level == name && is_match(levels, names),
        ([], [..]) | ([..], []) => false,
    }
}

/// MQTT 5.0, 4.7.1 and 4.8.2, level by level.
fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let (levels, is_share) = match levels[..] {
        ["$share", name, ref levels @ ..] => {
            let is_name = !name.is_empty() && !name.contains(['+', '#']);
            (levels, is_name && !matches!(levels, [] | [""]))
        }
        _ => (&levels[..], true),
    };
    let wildcards = levels.iter().enumerate().all(|(place, level)| match *level {
        "#" => place + 1 == levels.len(),
        "+" => true,
        other => !other.contains(['+', '#']),
    });
    !text.is_empty() && is_share && wildcards
}
