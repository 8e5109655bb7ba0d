//! Which sockets of a shard have something to do, and the wakers that say so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::bell::Bell;

/// The slots of the connections that are to be looked at in the next turn, each once.
#[derive(Debug)]
pub(super) struct ReadyList {
    slots: Mutex<Vec<usize>>,
    bell: Arc<Bell>,
}

impl ReadyList {
    pub(super) fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { slots: Mutex::default(), bell })
    }

    /// Moves all ready slots to the end of `into`.
    pub(super) fn take(&self, into: &mut Vec<usize>) {
        // The lock guards a vector that is whole after every push: a panic elsewhere cannot have broken it.
        into.append(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn push(&self, slot: usize) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        self.bell.ring();
    }
}

/// What the I/O driver calls when a socket can be read or written.
#[derive(Debug)]
pub(super) struct ConnectionWaker {
    slot: usize,
    queued: AtomicBool,
    ready: Arc<ReadyList>,
}

impl ConnectionWaker {
    pub(super) fn new(slot: usize, ready: Arc<ReadyList>) -> Arc<Self> {
        Arc::new(Self { slot, queued: AtomicBool::new(false), ready })
    }

    /// To be called when the slot was taken off the list, before its socket is tried: an event that comes
    /// after that queues it again.
    pub(super) fn unqueue(&self) {
        self.queued.store(false, Ordering::SeqCst);
    }

    /// Puts the connection on the list of the next turn.
    pub(super) fn queue(&self) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            self.ready.push(self.slot);
        }
    }
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.queue();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.queue();
    }
}

/// The waker in the form that a `Context` wants.
pub(super) fn waker(connection: &Arc<ConnectionWaker>) -> Waker {
    Waker::from(Arc::clone(connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_woken_twice_is_listed_once_until_it_is_looked_at() {
        let ready = ReadyList::new(Arc::default());
        let connection = ConnectionWaker::new(7, Arc::clone(&ready));
        let waker = waker(&connection);
        waker.wake_by_ref();
        waker.wake_by_ref();
        let mut slots = Vec::new();
        ready.take(&mut slots);
        assert_eq!(slots, [7]);

        waker.wake_by_ref();
        ready.take(&mut slots);
        assert_eq!(slots, [7], "still marked as queued");

        connection.unqueue();
        waker.wake();
        ready.take(&mut slots);
        assert_eq!(slots, [7, 7]);
    }
}
