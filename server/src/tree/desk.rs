//! Where the shards leave word for the thread of the live tree.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hearth_broker::ViewChange;

/// What has come, and a bell.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    bell: Condvar,
    counters: Counters,
}

#[derive(Debug, Default)]
struct State {
    /// By the number of the shard.
    changes: Vec<(usize, ViewChange)>,
    has_news: bool,
    is_urgent: bool,
    has_other_rules: bool,
    is_closing: bool,
}

/// What was there after a wait.
#[derive(Debug)]
pub(super) struct Word {
    /// Of shards, who looks at the tree.
    pub(super) changes: Vec<(usize, ViewChange)>,
    /// Messages have come since they were taken last.
    pub(super) has_news: bool,
    /// Of so many topics that they should be taken at once.
    pub(super) is_urgent: bool,
    /// The rules of access have changed.
    pub(super) has_other_rules: bool,
    /// Nothing comes any more.
    pub(super) is_closing: bool,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// At most for so long; `None`: for as long as it takes.
    pub(super) at_most: Option<Duration>,
    /// Whether the first message is worth coming for.
    pub(super) is_idle: bool,
}

#[derive(Debug, Default)]
struct Counters {
    topics: AtomicUsize,
    bytes: AtomicUsize,
    views: AtomicUsize,
    evicted: AtomicU64,
    left_out: AtomicU64,
}

/// What the tree has at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeCounts {
    /// Topics in the index.
    pub(crate) topics: usize,
    /// What they take.
    pub(crate) bytes: usize,
    /// Subscriptions of connected clients.
    pub(crate) views: usize,
    /// Topics that went for others, since the start.
    pub(crate) evicted: u64,
    /// Messages of topics for which there was no room, since the start.
    pub(crate) left_out: u64,
}

impl Desk {
    /// A client begins to look at the tree, or ends it.
    pub(crate) fn change(&self, shard: usize, change: ViewChange) {
        self.lock().changes.push((shard, change));
        self.bell.notify_one();
    }

    /// A shard has had messages; `is_urgent`: of many topics.
    pub(super) fn call(&self, is_urgent: bool) {
        let mut state = self.lock();
        let is_new = !state.has_news || (is_urgent && !state.is_urgent);
        state.has_news = true;
        state.is_urgent |= is_urgent;
        drop(state);
        if is_new {
            self.bell.notify_one();
        }
    }

    /// The rules of access have changed: everybody is shown what he may see now.
    pub(crate) fn access_changed(&self) {
        self.lock().has_other_rules = true;
        self.bell.notify_one();
    }

    /// All shards have ended.
    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.bell.notify_one();
    }

    /// Waits until there is something to do.
    pub(super) fn wait(&self, patience: Patience) -> Word {
        let has_nothing = |state: &mut State| {
            let is_asked = state.has_other_rules || !state.changes.is_empty();
            let is_due = state.is_closing || state.is_urgent || is_asked;
            !(is_due || patience.is_idle && state.has_news)
        };
        let mut state = match patience.at_most {
            Some(at_most) => {
                let waited = self.bell.wait_timeout_while(self.lock(), at_most, has_nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.bell.wait_while(self.lock(), has_nothing).unwrap_or_else(PoisonError::into_inner),
        };
        Word {
            changes: std::mem::take(&mut state.changes),
            has_news: std::mem::take(&mut state.has_news),
            is_urgent: std::mem::take(&mut state.is_urgent),
            has_other_rules: std::mem::take(&mut state.has_other_rules),
            is_closing: state.is_closing,
        }
    }

    pub(super) fn tell(&self, counts: TreeCounts) {
        let TreeCounts { topics, bytes, views, evicted, left_out } = counts;
        let counters = &self.counters;
        // Counters, by which nothing else is published.
        counters.topics.store(topics, Ordering::Relaxed);
        counters.bytes.store(bytes, Ordering::Relaxed);
        counters.views.store(views, Ordering::Relaxed);
        counters.evicted.store(evicted, Ordering::Relaxed);
        counters.left_out.store(left_out, Ordering::Relaxed);
    }

    /// What the tree has.
    pub(crate) fn counts(&self) -> TreeCounts {
        let counters = &self.counters;
        TreeCounts {
            topics: counters.topics.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            views: counters.views.load(Ordering::Relaxed),
            evicted: counters.evicted.load(Ordering::Relaxed),
            left_out: counters.left_out.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after every change, so that a poisoned lock guards nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
