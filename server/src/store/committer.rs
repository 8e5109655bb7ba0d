//! The thread that writes what the shards have changed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hearth_broker::{Batch, Change, RowBytes, Shared, Table, Value};
use tokio::sync::oneshot;

use super::commit_queue::{CommitQueue, Work};
use super::database::Database;
use super::error::StoreError;
use crate::faults::{self, Fault};
use crate::histogram::Histogram;
use crate::shard_driver::Inbox;

/// How long it waits between two attempts while the disk takes nothing.
const RETRY: Duration = Duration::from_secs(1);

/// Changes that wait for a disk that takes nothing, above which those are dropped that later ones make needless.
const PENDING_MAX: usize = 16_384;

/// Where changes go.
pub(crate) trait Disk: Send {
    /// Writes changes, all or none.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;
}

impl Disk for Database {
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        Self::commit(self, changes)
    }
}

/// What has been written, for all to see.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    changes: AtomicU64,
    failures: AtomicU64,
    /// Taken by the thread of the store after a commit, and by whoever reads.
    durations: Mutex<Histogram>,
}

/// What [`Counters`] say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreCounts {
    /// Commits that succeeded.
    pub(crate) commits: u64,
    /// Rows written or deleted by them.
    pub(crate) changes: u64,
    /// Attempts that failed.
    pub(crate) failures: u64,
    /// How long each commit that succeeded took.
    pub(crate) durations: Histogram,
}

impl Counters {
    pub(crate) fn read(&self) -> StoreCounts {
        // Counters, by which nothing else is published.
        StoreCounts {
            commits: self.commits.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            durations: *self.durations(),
        }
    }

    fn durations(&self) -> MutexGuard<'_, Histogram> {
        // Whole after every change, so that a poisoned lock guards nothing broken.
        self.durations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
#[derive(Debug)]
pub(crate) struct Committer {
    queue: Arc<CommitQueue>,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
    /// Its other end goes when the thread does.
    end: oneshot::Receiver<()>,
}

impl Committer {
    /// Starts it. `changes` are written first; the lock is held for as long as it runs.
    pub(crate) fn start(
        disk: impl Disk + 'static,
        lock: File,
        changes: Vec<Change>,
        shared: Arc<Shared>,
        inboxes: Arc<[Arc<Inbox>]>,
    ) -> io::Result<Self> {
        let mut writer = Writer::new(disk, changes, shared, inboxes);
        let (queue, counters) = (Arc::clone(&writer.queue), Arc::clone(&writer.counters));
        let (alive, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            let (_alive, _lock): (oneshot::Sender<()>, File) = (alive, lock);
            writer.run();
        })?;
        Ok(Self { queue, counters, thread, end })
    }

    pub(crate) fn queue(&self) -> Arc<CommitQueue> {
        Arc::clone(&self.queue)
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Writes what is left, once all shards have ended.
    pub(crate) async fn stop(self) {
        self.queue.close();
        // Nothing is ever sent: this is an error as soon as the thread is about to end.
        let _ended = self.end.await;
        if self.thread.join().is_err() {
            tracing::error!("the thread of the store ended by a panic; see above");
        }
    }
}

/// What the thread has.
pub(super) struct Writer<D> {
    disk: D,
    queue: Arc<CommitQueue>,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
    inboxes: Arc<[Arc<Inbox>]>,
    /// Changes that could not be written yet.
    pending: Vec<Change>,
    /// By shard, the last batch that is among them.
    unanswered: BTreeMap<usize, u64>,
    is_failing: bool,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(
        disk: D,
        changes: Vec<Change>,
        shared: Arc<Shared>,
        inboxes: Arc<[Arc<Inbox>]>,
    ) -> Self {
        Self {
            disk,
            queue: Arc::new(CommitQueue::new(inboxes.len())),
            counters: Arc::default(),
            shared,
            inboxes,
            pending: changes,
            unanswered: BTreeMap::new(),
            is_failing: false,
        }
    }

    fn run(&mut self) {
        loop {
            let patience =
                (!self.pending.is_empty()).then_some(if self.is_failing { RETRY } else { Duration::ZERO });
            let batches = match self.queue.take(patience) {
                Work::Batches(batches) => batches,
                Work::End => break,
            };
            self.handle_batches(batches);
            for shard in self.queue.release() {
                self.inboxes[shard].ring();
            }
        }
        if !self.pending.is_empty() {
            tracing::error!(changes = self.pending.len(), "not everything could be written before the end");
        }
    }

    /// Writes these, and what could not be written before.
    pub(super) fn handle_batches(&mut self, batches: Vec<(usize, Batch)>) {
        for (shard, batch) in batches {
            self.unanswered.insert(shard, batch.number);
            self.pending.extend(batch.changes);
        }
        // After the batches, which say that there is something.
        self.pending.extend(self.shared.take_retained_changes());
        faults::forget(&mut self.pending);
        self.write();
    }

    fn write(&mut self) {
        if faults::has(Fault::AcknowledgedEarly) {
            self.tell_shards();
        }
        faults::linger();
        // Nothing is left where an earlier commit took a retained message along.
        let began = Instant::now();
        let committed = if self.pending.is_empty() { Ok(()) } else { self.disk.commit(&self.pending) };
        faults::linger();
        match committed {
            Ok(()) => {
                self.counters.durations().add(began.elapsed());
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                self.counters.changes.fetch_add(self.pending.len() as u64, Ordering::Relaxed);
                self.pending.clear();
                if std::mem::take(&mut self.is_failing) {
                    self.shared.set_store_failing(false);
                    tracing::info!("the store can be written again; everything that waited is on disk");
                }
                self.tell_shards();
            }
            Err(error) => self.on_failure(&error),
        }
    }

    /// Tells each shard which of its batches is on disk.
    fn tell_shards(&mut self) {
        for (shard, batch) in std::mem::take(&mut self.unanswered) {
            self.inboxes[shard].committed(batch);
        }
    }

    fn on_failure(&mut self, error: &StoreError) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.is_failing, true) {
            self.shared.set_store_failing(true);
            tracing::error!(
                %error,
                "the store cannot be written: messages that would have to be kept are not acknowledged until it can; \
                 look at the free space and the state of the disk"
            );
            for inbox in self.inboxes.iter() {
                inbox.commit_failed();
            }
        }
        if self.pending.len() > PENDING_MAX {
            self.pending = compacted(std::mem::take(&mut self.pending));
        }
    }
}

/// The changes without those that later ones make needless. Whole sessions go first: nothing of them comes later.
pub(super) fn compacted(changes: Vec<Change>) -> Vec<Change> {
    let mut gone: Vec<(Table, RowBytes)> = Vec::new();
    let mut rows: BTreeMap<(Table, RowBytes), Option<Value>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Put(table, key, value) => drop(rows.insert((table, key), Some(value))),
            Change::Delete(table, key) => drop(rows.insert((table, key), None)),
            Change::DeleteAll(table, prefix) => {
                let is_of_it = |(_, key): &(Table, RowBytes)| key.starts_with(&prefix);
                let begin = (table, prefix.clone());
                let keys: Vec<_> = rows
                    .range(begin..)
                    .map(|(key, _)| key)
                    .take_while(|key| key.0 == table && is_of_it(key))
                    .cloned()
                    .collect();
                for key in keys {
                    rows.remove(&key);
                }
                gone.push((table, prefix));
            }
        }
    }
    gone.sort_unstable();
    gone.dedup();
    let rows = rows.into_iter().map(|((table, key), value)| match value {
        Some(value) => Change::Put(table, key, value),
        None => Change::Delete(table, key),
    });
    gone.into_iter().map(|(table, prefix)| Change::DeleteAll(table, prefix)).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_changes_those_stay_that_count_in_the_end() {
        let put = |key: &[u8], value: &[u8]| Change::Put(Table::Sessions, key.into(), value.to_vec().into());
        let delete = |key: &[u8]| Change::Delete(Table::Sessions, key.into());
        let changes = vec![
            put(b"a", b"1"),
            put(b"a", b"2"),
            delete(b"b"),
            put(b"b", b"3"),
            put(b"c", b"4"),
            delete(b"c"),
            put(b"d1", b"5"),
            Change::DeleteAll(Table::Sessions, b"d"[..].into()),
            Change::DeleteAll(Table::Sessions, b"d"[..].into()),
            Change::Delete(Table::Retained, b"d1"[..].into()),
        ];
        assert_eq!(
            compacted(changes),
            [
                Change::DeleteAll(Table::Sessions, b"d"[..].into()),
                put(b"a", b"2"),
                put(b"b", b"3"),
                delete(b"c"),
                Change::Delete(Table::Retained, b"d1"[..].into()),
            ]
        );
    }
}
