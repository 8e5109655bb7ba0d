//! What the shards of a broker have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use hearth_protocol::{Time, TopicFilter, TopicName};

use crate::access::{Access, AllowAll, Decision, Subject};
use crate::durable::{Change, Placement};
use crate::held::Account;
use crate::ids::{ShardCount, ShardId};
use crate::interest::Interest;
use crate::limits::Limits;
use crate::message::Message;
use crate::options::Options;
use crate::retained::{Cursor as RetainedCursor, RetainedStore};
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
    /// Subscriptions to the live tree.
    views: AtomicUsize,
    shard_count: ShardCount,
    /// By shard.
    accounts: Box<[Arc<Account>]>,
    hash_key: u64,
    hash_seed: u64,
    store: Option<Store>,
}

/// What the shards have to know of the store that outlives them.
struct Store {
    /// Milliseconds since 1970 at [`Time::ZERO`].
    epoch_millis: u64,
    /// Of rows of messages, the last that was given out.
    message_number: AtomicU64,
    is_failing: AtomicBool,
    /// By shard, sessions that have rows. A message for a shard without any need not be waited for.
    kept_sessions: Box<[AtomicUsize]>,
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
            views: AtomicUsize::new(0),
            shard_count,
            accounts: (0..shard_count.get()).map(|_| Arc::default()).collect(),
            hash_key: hash_key[0],
            hash_seed: hash_key[1],
            store: None,
        }
    }

    /// The same, with choices other than the default.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// The same, with sessions and retained messages that outlive the process: what [`Shard::poll_batch`] gives is
    /// written to a store. `epoch_millis` is the time of day at [`Time::ZERO`], in milliseconds since 1970.
    ///
    /// [`Shard::poll_batch`]: crate::Shard::poll_batch
    #[must_use]
    pub fn with_store(mut self, epoch_millis: u64) -> Self {
        self.retained.begin_journal();
        let kept_sessions = (0..self.shard_count.get()).map(|_| AtomicUsize::new(0)).collect();
        let (message_number, is_failing) = (AtomicU64::new(0), AtomicBool::new(false));
        self.store = Some(Store { epoch_millis, message_number, is_failing, kept_sessions });
        self
    }

    /// The changes of the retained store since the last call, for the next commit: after the batches of the shards
    /// were collected, because those say that there is something.
    pub fn take_retained_changes(&self) -> Vec<Change> {
        let day_time = |at| self.day_time(at);
        self.retained.take_changes(day_time)
    }

    /// Says whether the store takes what it is given. While it does not, see [`Shard::handle_commit_failed`].
    ///
    /// [`Shard::handle_commit_failed`]: crate::Shard::handle_commit_failed
    pub fn set_store_failing(&self, is_failing: bool) {
        if let Some(store) = &self.store {
            store.is_failing.store(is_failing, Ordering::Release);
        }
    }

    /// Whether the store does not take what it is given.
    pub fn is_store_failing(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_failing.load(Ordering::Acquire))
    }

    pub(crate) const fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// A time as rows have it, in milliseconds since 1970.
    pub(crate) fn day_time(&self, at: Time) -> u64 {
        let epoch = self.store.as_ref().map_or(0, |store| store.epoch_millis);
        epoch.saturating_add(at.as_millis())
    }

    /// A time of a row; one before the process began is its beginning.
    pub(crate) fn time_of(&self, day_time: u64) -> Time {
        let epoch = self.store.as_ref().map_or(0, |store| store.epoch_millis);
        Time::from_millis(day_time.saturating_sub(epoch))
    }

    pub(crate) fn next_message_number(&self) -> u64 {
        // A number that nothing else is published by.
        self.store.as_ref().map_or(0, |store| store.message_number.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn set_message_number(&self, last: u64) {
        if let Some(store) = &self.store {
            store.message_number.store(last, Ordering::Relaxed);
        }
    }

    /// A session of a shard has rows from now on, or has none any more.
    pub(crate) fn count_kept(&self, shard: ShardId, is_kept: bool) {
        let Some(store) = &self.store else { return };
        let count = &store.kept_sessions[shard.as_index()];
        // Before the session enters a subscription, by which others find it.
        if is_kept {
            count.fetch_add(1, Ordering::AcqRel)
        } else {
            count.fetch_sub(1, Ordering::AcqRel)
        };
    }

    /// Whether a message may need the disk on a shard.
    pub(crate) fn keeps(&self, shard: ShardId) -> bool {
        let count = |store: &Store| store.kept_sessions[shard.as_index()].load(Ordering::Acquire);
        self.store.as_ref().is_some_and(|store| count(store) > 0)
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

    /// Subscriptions to the live tree now, of all sessions.
    pub(crate) fn views(&self) -> usize {
        self.views.load(Ordering::Relaxed)
    }

    /// So many more of them.
    pub(crate) fn count_views(&self, more: isize) {
        // A count that nothing else is published by.
        self.views.fetch_add(more as usize, Ordering::Relaxed);
    }

    pub(crate) fn count_opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Where a shard enters what it holds.
    pub(crate) const fn account(&self, shard: ShardId) -> &Arc<Account> {
        &self.accounts[shard.as_index()]
    }

    /// Bytes that all shards together hold for clients now, what is retained left out.
    pub fn held_bytes(&self) -> usize {
        let held: usize = self.accounts.iter().map(|account| account.bytes()).sum();
        held.saturating_sub(self.retained.charged())
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

    /// Whether a client may see every topic that the filter matches; see [`Access::see`].
    pub fn may_see(&self, subject: Subject<'_>, filter: &TopicFilter) -> bool {
        self.access.see(subject, filter) == Decision::Allow
    }

    /// When what is retained of a topic expires; `None` where nothing is retained, `Some(None)` where it does not expire.
    pub fn retained_until(&self, topic: &TopicName, now: Time) -> Option<Option<Time>> {
        self.retained.find(topic, now).map(|message| message.expires_at)
    }

    /// Some of the retained messages whose topics do not begin with `$`, and where the next ones begin.
    pub fn retained_page(
        &self,
        from: Option<RetainedCursor>,
        now: Time,
    ) -> (Vec<Arc<Message>>, Option<RetainedCursor>) {
        self.retained.page_of_all(from, now)
    }

    /// The shard that the session of a client lives on.
    pub fn shard_of(&self, client_id: &str) -> ShardId {
        ShardId::new(self.placement().shard_of(client_id))
    }

    /// Which shard each session is on.
    pub(crate) const fn placement(&self) -> Placement {
        Placement { hash_key: self.hash_key, shards: self.shard_count.as_u16() }
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
