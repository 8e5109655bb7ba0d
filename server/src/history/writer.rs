//! The thread that finds the values in what the shards noted down, and writes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::archive::{Archive, Sample};
use super::block::Point;
use super::intake::{Intake, Woken};
use super::recorder;
use super::timestamp;
use super::values::Values;
use crate::store::StoreError;

/// How long values come together before they are written: with the time of a commit, what a crash costs is below a second.
const PAUSE: Duration = Duration::from_millis(750);

/// How long values stay in the journal at most, and the longest time between two looks at what is too old.
const SETTLE_EVERY: Duration = Duration::from_secs(600);

/// The longest time between two moments at which the disk has everything: what the loss of power costs.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// Values that wait for a disk that takes nothing, above which further ones are dropped and counted.
const PENDING_MAX: usize = 262_144;

/// What the history has done, for all to see.
#[derive(Debug, Default)]
pub(super) struct Counters {
    values: AtomicU64,
    dropped: AtomicU64,
    without_series: AtomicU64,
    failures: AtomicU64,
    is_failing: AtomicBool,
    series: AtomicUsize,
    bytes: AtomicU64,
}

/// What the counters say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryCounts {
    /// Values written since the start.
    pub(crate) values: u64,
    /// Messages and values that came faster than they could be written.
    pub(crate) dropped: u64,
    /// Values of topics and fields for which there was no place.
    pub(crate) without_series: u64,
    /// Attempts to write that failed.
    pub(crate) failures: u64,
    /// Whether the last one did.
    pub(crate) is_failing: bool,
    /// Series that there are.
    pub(crate) series: usize,
    /// Bytes of the file in use.
    pub(crate) bytes: u64,
}

impl Counters {
    pub(super) fn read(&self, intake: &Intake) -> HistoryCounts {
        // Counters, by which nothing else is published.
        HistoryCounts {
            values: self.values.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed) + intake.dropped(),
            without_series: self.without_series.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            is_failing: self.is_failing.load(Ordering::Relaxed),
            series: self.series.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Writer {
    intake: Closing,
    thread: JoinHandle<()>,
    /// Its other end goes when the thread does.
    end: oneshot::Receiver<()>,
}

/// Closes the intake when it goes, so that the thread ends even when nobody waits for it.
#[derive(Debug)]
struct Closing(Arc<Intake>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Writer {
    pub(super) fn start(
        archive: Archive,
        values: Values,
        intake: Arc<Intake>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let (alive, end) = oneshot::channel();
        let now = Instant::now();
        let mut work = Work {
            archive,
            values,
            intake: Arc::clone(&intake),
            counters,
            notes: Vec::new(),
            pending: Vec::new(),
            settled_at: now,
            checkpoint_at: now,
            is_dirty: false,
        };
        let thread = std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            let _alive: oneshot::Sender<()> = alive;
            work.run();
        })?;
        Ok(Self { intake: Closing(intake), thread, end })
    }

    /// Writes what is left, once all shards have ended.
    pub(crate) async fn stop(self) {
        drop(self.intake);
        // Nothing is ever sent: this is an error as soon as the thread is about to end.
        let _ended = self.end.await;
        if self.thread.join().is_err() {
            tracing::error!("the thread of the history ended by a panic; see above");
        }
    }
}

struct Work {
    archive: Archive,
    values: Values,
    intake: Arc<Intake>,
    counters: Arc<Counters>,
    notes: Vec<u8>,
    /// What is not written yet.
    pending: Vec<Sample>,
    settled_at: Instant,
    checkpoint_at: Instant,
    /// Whether something was written since the last checkpoint.
    is_dirty: bool,
}

impl Work {
    fn run(&mut self) {
        self.tidy(true);
        loop {
            let patience =
                if self.is_dirty || !self.pending.is_empty() { CHECKPOINT_EVERY } else { SETTLE_EVERY };
            let woken = self.intake.wait(patience, PAUSE);
            self.take_notes();
            self.write();
            self.tidy(false);
            if woken == Woken::End {
                break;
            }
        }
        if !self.pending.is_empty() {
            tracing::error!(
                values = self.pending.len(),
                "not all of the history could be written before the end"
            );
        }
    }

    fn take_notes(&mut self) {
        let Self { archive, values, counters, pending, .. } = self;
        let (mut dropped, mut without_series) = (0, 0);
        for shard in 0..self.intake.shards() {
            self.notes.clear();
            self.intake.take(shard, &mut self.notes);
            for note in recorder::read(&self.notes) {
                for (field, value) in values.of(note.payload) {
                    if pending.len() >= PENDING_MAX {
                        dropped += 1;
                    } else if let Some(series) = archive.series(note.topic, field) {
                        pending.push(Sample { series, point: Point { time: note.time, value } });
                    } else {
                        without_series += 1;
                    }
                }
            }
        }
        if without_series > 0 && counters.without_series.fetch_add(without_series, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "there are as many series as history.series_max allows: the values of further topics and fields are \
                 not kept; choose topics with history.filters, or raise the bound"
            );
        }
        counters.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let committed = self.archive.commit(&self.pending);
        if self.is_done(committed) {
            self.counters.values.fetch_add(self.pending.len() as u64, Ordering::Relaxed);
            self.pending.clear();
            self.is_dirty = true;
        }
        self.counters.series.store(self.archive.series_count(), Ordering::Relaxed);
    }

    /// What has to be done now and then.
    fn tidy(&mut self, is_start: bool) {
        let now = Instant::now();
        let is_due = self.archive.is_full() || now.duration_since(self.settled_at) >= SETTLE_EVERY;
        if self.pending.is_empty() && (is_start || is_due) {
            self.settled_at = now;
            let settled = self.archive.settle(timestamp::now());
            self.is_dirty |= self.is_done(settled);
        }
        let is_time = now.duration_since(self.checkpoint_at) >= CHECKPOINT_EVERY;
        if self.is_dirty && (is_time || self.archive.is_log_long()) {
            self.checkpoint_at = now;
            let done = self.archive.checkpoint();
            self.is_dirty = !self.is_done(done);
        }
        let bytes = self.archive.bytes();
        self.counters.bytes.store(bytes.unwrap_or_default(), Ordering::Relaxed);
        self.counters.series.store(self.archive.series_count(), Ordering::Relaxed);
    }

    /// Tells of a failure, and of its end.
    fn is_done(&self, result: Result<(), StoreError>) -> bool {
        let was_failing = self.counters.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Ok(()) if was_failing => tracing::info!("the history can be written again"),
            Ok(()) => {}
            Err(error) => {
                self.counters.failures.fetch_add(1, Ordering::Relaxed);
                if !was_failing {
                    tracing::error!(
                        %error,
                        "the history cannot be written; messages are served as ever. Look at the free space and the \
                         state of the disk"
                    );
                }
                return false;
            }
        }
        true
    }
}
