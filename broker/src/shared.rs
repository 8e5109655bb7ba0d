//! What the shards of a broker have in common.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::quality::FixedState;
use hearth_protocol::Time;

use crate::access::{Access, AllowAll};
use crate::ids::{ShardCount, ShardId};
use crate::interest::Interest;
use crate::limits::Limits;
use crate::options::Options;
use crate::retained::RetainedStore;
use crate::router::Groups;

/// Shared by the shards of one broker.
pub struct Shared {
    pub(crate) limits: Limits,
    pub(crate) options: Options,
    pub(crate) interest: Interest,
    pub(crate) groups: Groups,
    pub(crate) retained: RetainedStore,
    pub(crate) access: Box<dyn Access>,
    /// Of all shards; changes when one comes or goes, never with a message.
    connections: AtomicUsize,
    shard_count: ShardCount,
    hash: FixedState,
    hash_seed: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("shard_count", &self.shard_count).finish_non_exhaustive()
    }
}

impl Shared {
    /// For `shard_count` shards. `hash_key` is random, so that nobody can choose topics or ids that collide.
    pub fn new(shard_count: ShardCount, limits: Limits, hash_key: [u64; 2]) -> Self {
        Self::with_access(shard_count, limits, hash_key, Box::new(AllowAll))
    }

    /// The same, with somebody to ask who may do what.
    pub fn with_access(
        shard_count: ShardCount,
        limits: Limits,
        hash_key: [u64; 2],
        access: Box<dyn Access>,
    ) -> Self {
        Self {
            interest: Interest::new(shard_count, hash_key[1]),
            groups: Groups::new(hash_key[1]),
            retained: RetainedStore::new(limits.retained_messages_max, limits.retained_bytes_max),
            access,
            limits,
            options: Options::default(),
            connections: AtomicUsize::new(0),
            shard_count,
            hash: FixedState::with_seed(hash_key[0]),
            hash_seed: hash_key[1],
        }
    }

    /// The same, with choices other than the default.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// The bounds.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// For the tables of a shard.
    pub(crate) const fn hash_seed(&self) -> u64 {
        self.hash_seed
    }

    /// Connections of all shards now.
    pub fn connections(&self) -> usize {
        // A count that nothing else is published by.
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn count_opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many shards there are.
    pub const fn shard_count(&self) -> ShardCount {
        self.shard_count
    }

    /// Retained messages and their bytes now, without those that have expired. It looks at each where there are such:
    /// for a call every few seconds.
    pub fn retained_size(&self, now: Time) -> (usize, usize) {
        self.retained.remove_expired(now);
        self.retained.size()
    }

    /// The shard that the session of a client lives on.
    pub fn shard_of(&self, client_id: &str) -> ShardId {
        let mut hasher = self.hash.build_hasher();
        hasher.write(client_id.as_bytes());
        let shard = hasher.finish() % self.shard_count.get() as u64;
        // Below the count, which fits.
        ShardId::new(shard as u16)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    #[test]
    fn clients_who_chose_ids_for_one_shard_are_spread_under_another_key() {
        let shards = ShardCount::new(NonZeroU16::new(16).unwrap());
        let shared = |key| Shared::new(shards, Limits::default(), [key, 0]);
        let (known, other) = (shared(1), shared(2));
        let on_one: Vec<String> = (0..32_000)
            .map(|number| format!("client-{number}"))
            .filter(|client_id| known.shard_of(client_id) == ShardId::new(0))
            .collect();
        assert!((1_500..2_500).contains(&on_one.len()), "{} of 32,000 on one of 16", on_one.len());
        let mut counts = [0; 16];
        for client_id in &on_one {
            counts[other.shard_of(client_id).as_index()] += 1;
        }
        let most = counts.iter().max().unwrap();
        assert!(most * 16 < on_one.len() * 2, "{counts:?} on the shards of another broker");
    }
}
