//! What outlives the broker of a simulation: a disk that takes its time and fails for a while, and the end of the process.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;

use hearth_protocol::Time;
use hearth_protocol::generate::Random;

use super::invariants::Invariant;
use super::world::{World, is_of_groups};
use crate::shard::Shard;
use crate::shard::tests::disk::Disk;
use crate::{Change, ShardCount, ShardId, Shared, Table};

/// Of so many chances to end the process where something moves from one member of a group to another it takes one.
const HUNTS: usize = 3;

/// The disk and who writes to it.
pub(super) struct Store {
    random: Random,
    disk: Disk,
    crashes: bool,
    fails: bool,
    /// Whether the process likes to end where a member of groups has lost its connection: what that leaves to others moves then.
    hunts: bool,
    /// The shard where that was last.
    hunted: Option<usize>,
    /// Collected and not written; it is being written while `is_writing`.
    pending: Vec<Change>,
    /// The last batch of each shard among them.
    batches: BTreeMap<usize, u64>,
    is_writing: bool,
    is_failing: bool,
    /// What shards have yet to be told of.
    notices: Vec<VecDeque<Notice>>,
}

/// What a shard is told of the disk.
#[derive(Clone, Copy, Debug)]
enum Notice {
    Committed(u64),
    Failed,
}

impl Store {
    /// Whether publishers may be told that messages cannot be kept.
    pub(super) const fn may_fail(&self) -> bool {
        self.fails
    }

    /// Half of the seeds have one, half of those with crashes.
    pub(super) fn of_seed(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed ^ 0xD15C);
        let fails = random.one_in(3);
        (seed % 2 == 1).then(|| Self {
            random,
            disk: Disk::default(),
            crashes: seed % 4 == 1,
            fails,
            hunts: is_of_groups(seed),
            hunted: None,
            pending: Vec::new(),
            batches: BTreeMap::new(),
            is_writing: false,
            is_failing: false,
            notices: vec![VecDeque::new(); super::world::SHARDS],
        })
    }
}

impl World {
    /// The disk goes on by a bit, or everything ends.
    pub(super) fn move_store(&mut self) {
        let Some(store) = &mut self.store else { return };
        store.random = Random::new(self.random.bits());
        if let Some(shard) = store.hunted.take()
            && store.random.one_in(HUNTS)
        {
            // What that shard has changed is on disk alone, or with what others have.
            self.end_commit(true);
            self.begin_commit(|_, other| other == shard);
            self.end_commit(true);
            return self.crash();
        }
        let Some(store) = &mut self.store else { return };
        let acts = store.random.below(4);
        for _ in 0..acts {
            let Some(store) = &mut self.store else { return };
            match store.random.below(4) {
                0 => drop(self.begin_commit(|random, _| random.one_in(2))),
                1 => drop(self.end_commit(false)),
                _ => drop(self.tell_of_store()),
            }
        }
        if let Some(store) = &mut self.store
            && store.crashes
            && store.random.one_in(40)
        {
            self.crash();
        }
    }

    /// The disk does all that it has to; whether that was anything.
    pub(super) fn settle_store(&mut self) -> bool {
        self.store.is_some()
            && (self.end_commit(true) | self.tell_of_store() | self.begin_commit(|_, _| true))
    }

    /// A transport to this shard has ended, of a member of groups.
    pub(super) fn on_member_gone(&mut self, shard: usize) {
        if let Some(store) = self.store.as_mut().filter(|store| store.crashes && store.hunts) {
            store.hunted = Some(shard);
        }
    }

    /// Collects what these shards have for the disk.
    fn begin_commit(&mut self, is_of: impl Fn(&mut Random, usize) -> bool) -> bool {
        let Some(store) = &mut self.store else { return false };
        if store.is_writing {
            return false;
        }
        for shard in 0..self.shards.len() {
            if is_of(&mut store.random, shard)
                && let Some(batch) = self.shards[shard].poll_batch()
            {
                store.batches.insert(shard, batch.number);
                store.pending.extend(batch.changes);
                self.model.on_collected(shard);
            }
        }
        if store.pending.is_empty() && store.batches.is_empty() {
            return false;
        }
        store.pending.extend(self.shared.take_retained_changes());
        self.model.on_retained_collected();
        store.is_writing = true;
        let (changes, batches) = (store.pending.len(), store.batches.clone());
        self.note(|| format!("the disk begins to write {changes} changes, batches {batches:?}"));
        true
    }

    /// What was begun is on disk, or could not be written.
    fn end_commit(&mut self, is_whole: bool) -> bool {
        let Some(store) = &mut self.store else { return false };
        if !std::mem::take(&mut store.is_writing) {
            return false;
        }
        let fails = store.fails && !is_whole && store.random.one_in(if store.is_failing { 2 } else { 12 });
        if fails {
            if !std::mem::replace(&mut store.is_failing, true) {
                store.notices.iter_mut().for_each(|notices| notices.push_back(Notice::Failed));
                self.shared.set_store_failing(true);
                self.model.on_store_failing(true);
            }
            self.note(|| "the disk takes nothing".to_owned());
            return true;
        }
        std::mem::take(&mut store.pending).into_iter().for_each(|change| store.disk.apply(change));
        if std::mem::take(&mut store.is_failing) {
            self.shared.set_store_failing(false);
            self.model.on_store_failing(false);
        }
        for (shard, batch) in std::mem::take(&mut store.batches) {
            store.notices[shard].push_back(Notice::Committed(batch));
        }
        self.model.on_written();
        self.note(|| "it is on disk".to_owned());
        true
    }

    /// A shard hears of the disk.
    fn tell_of_store(&mut self) -> bool {
        let now = self.time();
        let Some(store) = &mut self.store else { return false };
        let waiting: Vec<usize> =
            (0..self.shards.len()).filter(|shard| !store.notices[*shard].is_empty()).collect();
        if waiting.is_empty() {
            return false;
        }
        let shard = store.random.pick(&waiting);
        let Some(notice) = store.notices[shard].pop_front() else { return false };
        self.note(|| format!("shard {shard} hears {notice:?}"));
        match notice {
            Notice::Committed(batch) => self.shards[shard].handle_committed(now, batch),
            Notice::Failed => {
                self.model.on_failure_heard(true);
                self.shards[shard].handle_commit_failed(now);
            }
        }
        self.collect(shard);
        self.model.on_failure_heard(false);
        self.model.end_call();
        true
    }

    /// The process ends, and another one begins with what is on the disk.
    fn crash(&mut self) {
        for link in self.alive.clone() {
            let at = &mut self.links[link];
            if at.server_is_open {
                let kept = self.random.below(at.down.len() + 1);
                at.down.truncate(kept);
                at.close_server();
            }
        }
        let Some(store) = &mut self.store else { return };
        if !store.pending.is_empty() && store.random.one_in(2) {
            // It was written, though nobody was told so, or that it was not.
            std::mem::take(&mut store.pending).into_iter().for_each(|change| store.disk.apply(change));
            self.model.on_written();
            self.note(|| "what was to be written is on disk".to_owned());
        }
        let Some(store) = &mut self.store else { return };
        let down = store.random.pick(&[0, 0, 1, 7, 30]);
        let count = store.random.pick(&[1, 2, 3, 3, 4]);
        store.hash(&mut self.hash_key);
        self.now = Time::from_millis(self.now.as_millis() + down * 1000);
        self.begun = self.now;
        let limits = self.shared.limits.clone();
        let shards = ShardCount::new(NonZeroU16::new(count).unwrap());
        let shared = Shared::new(shards, limits, self.hash_key).with_store(self.begun.as_millis());
        self.shared = Arc::new(shared);
        let (images, orphans) = store.disk.image().restore(&self.shared);
        store.pending = orphans;
        store.batches.clear();
        (store.is_writing, store.is_failing) = (false, false);
        store.notices = vec![VecDeque::new(); usize::from(count)];
        self.shards = (0..count).map(|id| Shard::new(Arc::clone(&self.shared), ShardId::new(id))).collect();
        let now = self.time();
        for (shard, image) in self.shards.iter_mut().zip(images) {
            shard.restore(now, image);
        }
        let rings = usize::from(count) * usize::from(count);
        self.rings = (0..rings).map(|_| VecDeque::new()).collect();
        self.link_by_id.clear();
        let home = |at: &super::clients::SimClient| self.shared.shard_of(&at.profile.id).as_index();
        let homes = self.clients.iter().map(home).collect();
        self.model.on_crash(self.now, homes);
        self.note(|| format!("the process ends; one of {count} shards begins {down} s later"));
        for shard in 0..self.shards.len() {
            self.collect(shard);
        }
        self.model.end_call();
    }

    /// Of what was on the disk nothing is left but what is retained.
    pub(super) fn check_rows(&mut self) {
        let retained = self.shared.retained_size(self.time()).0;
        let Some(store) = &mut self.store else { return };
        self.shared.take_retained_changes().into_iter().for_each(|change| store.disk.apply(change));
        for table in Table::ALL {
            let expected = if table == Table::Retained { retained } else { 0 };
            let count = store.disk.count(table);
            if count != expected {
                let detail = format!("{count} rows of {table:?} are left, not {expected}");
                return self.model.fail(Invariant::NothingLeaks, detail);
            }
        }
    }
}

impl Store {
    /// Other shards for the same clients.
    fn hash(&mut self, key: &mut [u64; 2]) {
        *key = [self.random.bits(), self.random.bits()];
    }
}
