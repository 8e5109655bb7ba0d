//! Which shards may have a subscriber for a topic: read without a lock.

use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use foldhash::quality::FixedState;
use hearth_protocol::TopicName;

use crate::ids::{ShardCount, ShardId};

/// Rows of the table. More filters than this only make needless entries in a ring likelier.
const ROWS: usize = 8192;

/// Levels of a filter's literal prefix that count; a topic is looked up once for each.
const PREFIX_LEVELS_MAX: usize = 8;

/// For each hash of a filter, how many subscriptions each shard has under it.
///
/// A filter without wildcard is entered by the whole of it, one with a wildcard by the levels before the
/// first. Two filters in one row make a shard hear of a message that it has no use for; never the reverse.
/// SUBSCRIBE enters before it reads the retained store, a publisher stores before it looks up: with
/// sequentially consistent order one of the two sees the other.
pub(crate) struct Interest {
    shards: usize,
    counts: Box<[AtomicU32]>,
    generation: AtomicU64,
    hash: FixedState,
}

/// A set of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardSet(u64);

impl ShardSet {
    pub(crate) fn iter(self) -> impl Iterator<Item = ShardId> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = NonZeroU64::new(left)?.trailing_zeros();
            left &= left - 1;
            // Below 64.
            Some(ShardId::new(lowest as u16))
        })
    }
}

impl Interest {
    pub(crate) fn new(shards: ShardCount, seed: u64) -> Self {
        let shards = shards.get();
        // One shard has nobody to tell.
        let rows = if shards == 1 { 0 } else { ROWS };
        Self {
            shards,
            counts: (0..rows * shards).map(|_| AtomicU32::new(0)).collect(),
            generation: AtomicU64::new(0),
            hash: FixedState::with_seed(seed),
        }
    }

    /// Changes whenever an answer of [`Interest::shards_for`] may.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Makes every shard work its routes out anew: what they depend on beside this table has changed.
    pub(crate) fn renew_routes(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// A subscription with this pattern has come.
    pub(crate) fn add(&self, shard: ShardId, pattern: &str) {
        if let Some(count) = self.count(shard, pattern)
            && count.fetch_add(1, Ordering::SeqCst) == 0
        {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// One has gone.
    pub(crate) fn remove(&self, shard: ShardId, pattern: &str) {
        if let Some(count) = self.count(shard, pattern)
            && count.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[cfg(any(test, feature = "generate"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::SeqCst) == 0)
    }

    /// The shards other than `own` that may have a subscriber.
    pub(crate) fn shards_for(&self, topic: &TopicName, own: ShardId) -> ShardSet {
        if self.counts.is_empty() {
            return ShardSet::default();
        }
        let topic = topic.as_str();
        let mut set = self.row(self.exact_row(topic)) | self.row(self.prefix_row(""));
        let ends = topic.match_indices('/').map(|(end, _)| end).chain([topic.len()]);
        for end in ends.take(PREFIX_LEVELS_MAX) {
            set |= self.row(self.prefix_row(&topic[..end]));
        }
        ShardSet(set & !(1 << own.as_index()))
    }

    fn count(&self, shard: ShardId, pattern: &str) -> Option<&AtomicU32> {
        if self.counts.is_empty() {
            return None;
        }
        let row = match pattern.find(['+', '#']) {
            None => self.exact_row(pattern),
            Some(wildcard) => self.prefix_row(literal_prefix(&pattern[..wildcard])),
        };
        self.counts.get(row * self.shards + shard.as_index())
    }

    fn row(&self, row: usize) -> u64 {
        let counts = &self.counts[row * self.shards..][..self.shards];
        counts
            .iter()
            .enumerate()
            .fold(0, |set, (shard, count)| set | u64::from(count.load(Ordering::SeqCst) > 0) << shard)
    }

    fn exact_row(&self, text: &str) -> usize {
        self.hash_row(0, text)
    }

    fn prefix_row(&self, text: &str) -> usize {
        self.hash_row(1, text)
    }

    fn hash_row(&self, kind: u8, text: &str) -> usize {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u8(kind);
        hasher.write(text.as_bytes());
        // ROWS is a power of two.
        hasher.finish() as usize & (ROWS - 1)
    }
}

/// The whole levels before the wildcard, as many as count: of `a/b/` it is `a/b`, of nothing it is nothing.
fn literal_prefix(before: &str) -> &str {
    let levels = before.strip_suffix('/').unwrap_or("");
    levels.match_indices('/').nth(PREFIX_LEVELS_MAX - 1).map_or(levels, |(end, _)| &levels[..end])
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use hearth_protocol::TopicFilter;

    use super::*;

    fn set(filter: &str, topic: &str) -> Vec<ShardId> {
        let interest = Interest::new(ShardCount::new(NonZeroU16::new(3).unwrap()), 7);
        interest.add(ShardId::new(2), TopicFilter::try_from(filter).unwrap().pattern());
        interest.shards_for(&TopicName::try_from(topic).unwrap(), ShardId::new(0)).iter().collect()
    }

    #[test]
    fn every_topic_that_a_filter_matches_leads_to_its_shard() {
        let table = [
            ("a/b", "a/b"),
            ("#", "a"),
            ("+/b", "a/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("a/+/c", "a/b/c"),
            ("/+", "/x"),
            ("1/2/3/4/5/6/7/8/9/10/#", "1/2/3/4/5/6/7/8/9/10/11"),
            ("$share/group/a/+", "a/b"),
        ];
        for (filter, topic) in table {
            assert_eq!(set(filter, topic), [ShardId::new(2)], "{filter} {topic}");
        }
    }

    #[test]
    fn a_filter_of_another_prefix_leads_nowhere() {
        assert_eq!(set("a/+", "b/c"), []);
        assert_eq!(set("a/b", "a/c"), []);
    }

    #[test]
    fn the_publishers_own_shard_is_not_told() {
        let interest = Interest::new(ShardCount::new(NonZeroU16::new(2).unwrap()), 7);
        interest.add(ShardId::new(0), "#");
        let topic = TopicName::try_from("a").unwrap();
        assert_eq!(interest.shards_for(&topic, ShardId::new(0)), ShardSet::default());
        assert_ne!(interest.shards_for(&topic, ShardId::new(1)), ShardSet::default());
        interest.remove(ShardId::new(0), "#");
        assert_eq!(interest.shards_for(&topic, ShardId::new(1)), ShardSet::default());
    }
}
