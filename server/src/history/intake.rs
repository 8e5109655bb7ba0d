//! Notes on their way from the shards to the thread of the history.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of notes that one shard may have waiting, above which further ones are dropped and counted: seconds of tens of thousands
/// of messages, more than the disk takes at its worst.
const SHARD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Above this the thread begins before its time.
const URGENT_BYTES: usize = SHARD_BYTES_MAX / 4;

/// A box for each shard, and a bell.
#[derive(Debug)]
pub(crate) struct Intake {
    boxes: Box<[Mutex<Vec<u8>>]>,
    state: Mutex<State>,
    bell: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    has_some: bool,
    is_urgent: bool,
    is_closing: bool,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// There are notes.
    Notes,
    /// Time is over.
    Time,
    /// Nothing comes any more but what is there.
    End,
}

impl Intake {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            boxes: (0..shards).map(|_| Mutex::default()).collect(),
            state: Mutex::default(),
            bell: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// The notes of a shard's turn, `count` messages; they are empty afterwards. Memory goes back and forth, so that none
    /// is taken anew.
    pub(super) fn hand_over(&self, shard: usize, notes: &mut Vec<u8>, count: u64) {
        let mut waiting = lock(&self.boxes[shard]);
        let was_empty = waiting.is_empty();
        if was_empty {
            std::mem::swap(&mut *waiting, notes);
        } else if waiting.len() + notes.len() <= SHARD_BYTES_MAX {
            waiting.extend_from_slice(notes);
        } else {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
        notes.clear();
        let is_urgent = waiting.len() > URGENT_BYTES;
        drop(waiting);
        // Once for each time that the box is emptied, or while it fills too fast.
        if was_empty || is_urgent {
            let mut state = lock(&self.state);
            let is_new = !state.has_some || (is_urgent && !state.is_urgent);
            state.has_some = true;
            state.is_urgent |= is_urgent;
            drop(state);
            if is_new {
                self.bell.notify_one();
            }
        }
    }

    /// Waits for the first notes, at most for `patience`, and then lets others come for `pause`, unless they are many.
    pub(super) fn wait(&self, patience: Duration, pause: Duration) -> Woken {
        let state = lock(&self.state);
        let waited = self.bell.wait_timeout_while(state, patience, |it| !it.has_some && !it.is_closing);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !state.has_some && !state.is_closing {
            return Woken::Time;
        }
        let waited = self.bell.wait_timeout_while(state, pause, |it| !it.is_urgent && !it.is_closing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        (state.has_some, state.is_urgent) = (false, false);
        if state.is_closing { Woken::End } else { Woken::Notes }
    }

    /// The notes of a shard, for memory that is empty.
    pub(super) fn take(&self, shard: usize, notes: &mut Vec<u8>) {
        std::mem::swap(&mut *lock(&self.boxes[shard]), notes);
    }

    /// How many shards there are.
    pub(super) const fn shards(&self) -> usize {
        self.boxes.len()
    }

    /// All shards have ended.
    pub(super) fn close(&self) {
        lock(&self.state).is_closing = true;
        self.bell.notify_one();
    }

    /// Messages that came too fast, since the start.
    pub(super) fn dropped(&self) -> u64 {
        // A counter, by which nothing else is published.
        self.dropped.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after every change, so that a poisoned lock guards nothing broken.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_several_turns_are_taken_together_and_memory_goes_back() {
        let intake = Intake::new(2);
        assert_eq!(intake.wait(Duration::ZERO, Duration::ZERO), Woken::Time);
        for turn in [b"one", b"two"] {
            let mut notes = turn.to_vec();
            intake.hand_over(1, &mut notes, 1);
            assert!(notes.is_empty());
        }
        assert_eq!(intake.wait(Duration::MAX, Duration::ZERO), Woken::Notes);
        let mut taken = Vec::with_capacity(1000);
        intake.take(0, &mut taken);
        assert!(taken.is_empty());
        let mut taken = Vec::with_capacity(1000);
        intake.take(1, &mut taken);
        assert_eq!(taken, b"onetwo");
        assert_eq!(intake.wait(Duration::ZERO, Duration::ZERO), Woken::Time);
        let mut notes = b"three".to_vec();
        intake.hand_over(1, &mut notes, 1);
        assert!(notes.capacity() >= 1000, "what the thread gave");
        intake.close();
        assert_eq!(intake.wait(Duration::MAX, Duration::MAX), Woken::End);
    }

    #[test]
    fn what_waits_is_bounded_and_what_has_no_room_is_counted() {
        let intake = Intake::new(1);
        let turn = vec![1; SHARD_BYTES_MAX / 8];
        for _ in 0..10 {
            intake.hand_over(0, &mut turn.clone(), 3);
        }
        assert_eq!(intake.dropped(), 6);
        // Many notes are taken at once.
        assert_eq!(intake.wait(Duration::MAX, Duration::MAX), Woken::Notes);
        let mut taken = Vec::new();
        intake.take(0, &mut taken);
        assert_eq!(taken.len(), SHARD_BYTES_MAX);
    }
}
