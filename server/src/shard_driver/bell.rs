//! Rouses a shard from any thread.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use mio::Waker;

/// The shard looks for work, and has not been rung for since it began to.
const AWAKE: u8 = 0;
/// The shard waits: whoever rings next has to wake it.
const ASLEEP: u8 = 1;
/// There is work, and a turn that sees it is certain to come.
const RUNG: u8 = 2;

/// The way to say that something waits for a shard.
///
/// Only who rings for a shard that sleeps wakes it, which takes a system call; a shard in the middle of a turn looks once
/// more by itself. Ringing before the shard first listens is not lost: its first turn looks at everything.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waker: OnceLock<Waker>,
    state: AtomicU8,
}

impl Bell {
    /// From now on this wakes the shard.
    pub(super) fn attach(&self, waker: Waker) {
        self.waker.get_or_init(|| waker);
    }

    /// Called by the shard at the start of each turn, before it looks for work.
    pub(super) fn listen(&self) {
        // A swap and no store: it sees what was done before the rings that it takes.
        self.state.swap(AWAKE, Ordering::SeqCst);
    }

    /// Called by the shard at the end of a turn that found all its work done: whether it may wait. If not, somebody has
    /// rung meanwhile, and another turn is due.
    pub(super) fn may_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Makes the shard take a turn. What it is to see there must be there before.
    pub(crate) fn ring(&self) {
        if self.state.swap(RUNG, Ordering::SeqCst) == ASLEEP
            && let Some(waker) = self.waker.get()
            && let Err(error) = waker.wake()
        {
            tracing::error!(%error, "a shard could not be woken and goes on when it is for something else");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    fn poll_with(bell: &Bell) -> (Poll, Events) {
        let poll = Poll::new().unwrap();
        bell.attach(Waker::new(poll.registry(), Token(0)).unwrap());
        (poll, Events::with_capacity(4))
    }

    #[test]
    fn a_shard_is_woken_once_and_only_while_it_sleeps() {
        let bell = Bell::default();
        bell.ring();
        let (mut poll, mut events) = poll_with(&bell);
        let mut wakes = || {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().count()
        };
        bell.listen();
        bell.ring();
        bell.ring();
        assert!(!bell.may_sleep(), "it was rung for in its turn");
        assert_eq!(wakes(), 0);
        bell.listen();
        assert!(bell.may_sleep());
        bell.ring();
        bell.ring();
        assert_eq!(wakes(), 1);
        bell.listen();
        assert!(bell.may_sleep());
        assert_eq!(wakes(), 0);
    }

    #[test]
    fn no_ring_is_slept_through() {
        const RINGS: usize = 100_000;
        let (bell, work) = (Bell::default(), AtomicUsize::new(0));
        let (mut poll, mut events) = poll_with(&bell);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..RINGS {
                    work.fetch_add(1, Ordering::SeqCst);
                    bell.ring();
                }
            });
            let mut done = 0;
            while done < RINGS {
                bell.listen();
                done += work.swap(0, Ordering::SeqCst);
                if done < RINGS && bell.may_sleep() {
                    poll.poll(&mut events, None).unwrap();
                }
            }
        });
    }
}
