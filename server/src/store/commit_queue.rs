//! Batches on their way from the shards to the thread that writes them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hearth_broker::Batch;

/// What the shards have for the disk. While something is being written, changes stay with their shard: what becomes
/// needless meanwhile is never written.
#[derive(Debug)]
pub(crate) struct CommitQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    batches: Vec<(usize, Batch)>,
    is_busy: bool,
    /// Shards that have more and were told to wait.
    waiting: Vec<bool>,
    is_closing: bool,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Write these, each with its shard. Empty: time is over.
    Batches(Vec<(usize, Batch)>),
    /// Nothing comes any more.
    End,
}

impl CommitQueue {
    pub(crate) fn new(shards: usize) -> Self {
        let waiting = vec![false; shards];
        let state = State { batches: Vec::new(), is_busy: false, waiting, is_closing: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A shard has something. Its batch is collected if somebody is ready for it; otherwise the shard is rung when
    /// somebody is.
    pub(crate) fn offer(&self, shard: usize, collect: impl FnOnce() -> Option<Batch>) {
        let mut state = self.state();
        if state.is_busy {
            state.waiting[shard] = true;
            return;
        }
        if let Some(batch) = collect() {
            state.batches.push((shard, batch));
            self.changed.notify_one();
        }
    }

    /// The last batch of a shard.
    pub(crate) fn leave(&self, shard: usize, batch: Batch) {
        self.state().batches.push((shard, batch));
        self.changed.notify_one();
    }

    /// All shards have ended.
    pub(crate) fn close(&self) {
        self.state().is_closing = true;
        self.changed.notify_one();
    }

    /// Waits for batches, at most so long, and keeps further ones away until [`CommitQueue::release`].
    pub(super) fn take(&self, patience: Option<Duration>) -> Work {
        let is_idle = |state: &mut State| state.batches.is_empty() && !state.is_closing;
        let mut state = match patience {
            Some(patience) => {
                let waited = self.changed.wait_timeout_while(self.state(), patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(self.state(), is_idle).unwrap_or_else(PoisonError::into_inner),
        };
        if state.batches.is_empty() && state.is_closing {
            return Work::End;
        }
        state.is_busy = true;
        Work::Batches(std::mem::take(&mut state.batches))
    }

    /// Ready for more; the shards that were told to wait.
    pub(super) fn release(&self) -> Vec<usize> {
        let mut state = self.state();
        state.is_busy = false;
        let waiting = state.waiting.iter_mut().enumerate();
        waiting.filter_map(|(shard, is_waiting)| std::mem::take(is_waiting).then_some(shard)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every change, so that a poisoned lock guards nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64) -> Batch {
        Batch { number, changes: Vec::new() }
    }

    #[test]
    fn while_one_is_written_others_stay_where_they_are_and_are_rung_for() {
        let queue = CommitQueue::new(3);
        queue.offer(0, || Some(batch(1)));
        assert_eq!(queue.take(None), Work::Batches(vec![(0, batch(1))]));
        queue.offer(2, || unreachable!("somebody writes"));
        queue.offer(2, || unreachable!("somebody writes"));
        assert_eq!(queue.release(), [2]);
        queue.offer(2, || Some(batch(1)));
        queue.offer(1, || None);
        assert_eq!(queue.take(None), Work::Batches(vec![(2, batch(1))]));
        assert_eq!(queue.release(), [0; 0]);
        assert_eq!(queue.take(Some(Duration::ZERO)), Work::Batches(vec![]));
    }

    #[test]
    fn what_is_left_at_the_end_is_taken_before_it_ends() {
        let queue = CommitQueue::new(1);
        queue.leave(0, batch(9));
        queue.close();
        assert_eq!(queue.take(None), Work::Batches(vec![(0, batch(9))]));
        queue.release();
        assert_eq!(queue.take(None), Work::End);
    }
}
