//! The way from one shard to another: a bounded ring for each ordered pair, with what does not fit kept in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::bell::Bell;

/// Entries a ring holds. One entry is one message for all subscribers of a shard; a turn of a busy shard
/// produces some thousands, so that this is about one turn of slack, and 128 KiB a pair at most.
const RING_ENTRIES: usize = 4096;

/// Set while the producer has entries that found no room.
#[derive(Debug, Default)]
struct Congestion(AtomicBool);

/// The sending end.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    ring: Producer<T>,
    overflow: VecDeque<T>,
    congestion: Arc<Congestion>,
    target: Arc<Bell>,
    rings_bell: bool,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    ring: Consumer<T>,
    congestion: Arc<Congestion>,
    source: Arc<Bell>,
}

/// The ends that one shard holds; no ring leads to itself.
#[derive(Debug)]
pub(super) struct Rings<T> {
    /// By target shard.
    pub(super) outboxes: Vec<Option<Outbox<T>>>,
    /// In the order of their source shards.
    pub(super) inboxes: Vec<Inbox<T>>,
}

/// Connects each shard, named by its bell, with each other.
pub(super) fn connect<T>(bells: &[Arc<Bell>]) -> Vec<Rings<T>> {
    let mut rings: Vec<Rings<T>> =
        bells.iter().map(|_| Rings { outboxes: Vec::new(), inboxes: Vec::new() }).collect();
    for (from, source) in bells.iter().enumerate() {
        for (to, target) in bells.iter().enumerate() {
            let outbox = (from != to).then(|| {
                let (outbox, inbox) = pair(RING_ENTRIES, source, target);
                rings[to].inboxes.push(inbox);
                outbox
            });
            rings[from].outboxes.push(outbox);
        }
    }
    rings
}

fn pair<T>(entries: usize, source: &Arc<Bell>, target: &Arc<Bell>) -> (Outbox<T>, Inbox<T>) {
    let (producer, consumer) = RingBuffer::new(entries);
    let congestion = Arc::new(Congestion::default());
    let outbox = Outbox {
        ring: producer,
        overflow: VecDeque::new(),
        congestion: Arc::clone(&congestion),
        target: Arc::clone(target),
        rings_bell: false,
    };
    (outbox, Inbox { ring: consumer, congestion, source: Arc::clone(source) })
}

impl<T> Outbox<T> {
    /// Sends one entry, behind all before it. The target hears of it at [`Outbox::end_turn`].
    pub(super) fn push(&mut self, entry: T) {
        self.rings_bell = true;
        if !self.overflow.is_empty() {
            self.overflow.push_back(entry);
            return;
        }
        if let Err(PushError::Full(entry)) = self.ring.push(entry) {
            self.overflow.push_back(entry);
        }
    }

    /// Moves what waits into the ring, as far as there is room. True when nothing waits any more.
    pub(super) fn relieve(&mut self) -> bool {
        if self.overflow.is_empty() {
            return true;
        }
        // Either the reader sees the mark after it made room, or this sees the room that it made before:
        // the two fences leave no third way, so that no relief is slept through.
        self.congestion.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while let Some(entry) = self.overflow.pop_front() {
            if let Err(PushError::Full(entry)) = self.ring.push(entry) {
                self.overflow.push_front(entry);
                return false;
            }
            self.rings_bell = true;
        }
        self.overflow.shrink_to(0);
        self.congestion.0.store(false, Ordering::Relaxed);
        true
    }

    /// Whether entries wait for room: the shard then reads no sockets.
    pub(super) fn is_congested(&self) -> bool {
        !self.overflow.is_empty()
    }

    /// Wakes the target, once for all entries of the turn.
    pub(super) fn end_turn(&mut self) {
        if std::mem::take(&mut self.rings_bell) {
            self.target.ring();
        }
    }
}

impl<T> Inbox<T> {
    /// Takes what is there now, at most one ring full, in order.
    pub(super) fn drain(&mut self, mut handle: impl FnMut(T)) {
        for _ in 0..RING_ENTRIES {
            match self.ring.pop() {
                Ok(entry) => handle(entry),
                Err(rtrb::PopError::Empty) => break,
            }
        }
        fence(Ordering::SeqCst);
        if self.congestion.0.load(Ordering::Relaxed) && self.congestion.0.swap(false, Ordering::Relaxed) {
            self.source.ring();
        }
    }

    /// Whether something waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_comes_later_in_its_order() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(2, &bell, &bell);
        for entry in 0..5 {
            outbox.push(entry);
        }
        assert!(outbox.is_congested());
        assert!(!outbox.relieve());
        let mut got = Vec::new();
        inbox.drain(|entry| got.push(entry));
        assert_eq!(got, [0, 1]);
        assert!(!outbox.relieve());
        outbox.push(5);
        inbox.drain(|entry| got.push(entry));
        assert!(outbox.relieve());
        inbox.drain(|entry| got.push(entry));
        assert_eq!(got, [0, 1, 2, 3, 4, 5]);
        assert!(!outbox.is_congested());
    }

    #[test]
    fn two_threads_lose_nothing_over_a_tiny_ring() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(3, &bell, &bell);
        let sender = std::thread::spawn(move || {
            for entry in 0..100_000_u32 {
                outbox.push(entry);
                while !outbox.relieve() {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < 100_000 {
            inbox.drain(|entry| {
                assert_eq!(entry, next);
                next += 1;
            });
        }
        sender.join().unwrap();
        assert!(inbox.is_empty());
    }

    #[test]
    fn each_shard_reaches_each_other_one_and_not_itself() {
        let bells: Vec<Arc<Bell>> = (0..3).map(|_| Arc::default()).collect();
        let mut rings = connect::<(usize, usize)>(&bells);
        for (from, ends) in rings.iter_mut().enumerate() {
            assert!(ends.outboxes[from].is_none());
            for (to, outbox) in ends.outboxes.iter_mut().enumerate() {
                if let Some(outbox) = outbox {
                    outbox.push((from, to));
                }
            }
        }
        for (shard, ends) in rings.iter_mut().enumerate() {
            let mut sources = Vec::new();
            for inbox in &mut ends.inboxes {
                inbox.drain(|(from, to)| {
                    assert_eq!(to, shard);
                    sources.push(from);
                });
            }
            let others: Vec<usize> = (0..3).filter(|from| *from != shard).collect();
            assert_eq!(sources, others);
        }
    }
}
