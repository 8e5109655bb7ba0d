//! The way from one shard to another: a bounded ring for each ordered pair, with what does not fit kept in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use hearth_broker::Forward;
use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::bell::Bell;

/// Entries that a ring holds. One entry is one message for all subscribers of a shard; a turn of a busy shard
/// produces some thousands, so that this is about one turn of slack, and 64 KiB a pair at most.
const RING_ENTRIES: usize = 4096;

/// Bytes of the messages in a ring above which the next one waits: what a shard takes in some turns, and little
/// enough that the rings of many shards together stay small.
const RING_BYTES: u64 = 4 << 20;

/// Something that can be weighed against a bound of bytes.
pub(super) trait Weigh {
    /// Its bytes.
    fn bytes(&self) -> usize;
}

impl Weigh for Forward {
    fn bytes(&self) -> usize {
        Self::bytes(self)
    }
}

/// What the two ends tell each other beside the entries.
#[derive(Debug, Default)]
struct Link {
    /// Set while the producer has entries that found no room.
    is_congested: AtomicBool,
    /// Bytes of all entries that the consumer has taken since the beginning.
    taken_bytes: AtomicU64,
}

/// The sending end.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    ring: Producer<T>,
    overflow: VecDeque<T>,
    link: Arc<Link>,
    /// Bytes of all entries that were pushed since the beginning.
    pushed_bytes: u64,
    /// The last known value of `taken_bytes`, so that the shared one is read only when it matters.
    taken_bytes: u64,
    target: Arc<Bell>,
    rings_bell: bool,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    ring: Consumer<T>,
    /// Entries that were there at the last look.
    seen: usize,
    /// Bytes of all entries that were taken since the beginning.
    taken_total: u64,
    link: Arc<Link>,
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
    let link = Arc::new(Link::default());
    let outbox = Outbox {
        ring: producer,
        overflow: VecDeque::new(),
        link: Arc::clone(&link),
        pushed_bytes: 0,
        taken_bytes: 0,
        target: Arc::clone(target),
        rings_bell: false,
    };
    (outbox, Inbox { ring: consumer, seen: 0, taken_total: 0, link, source: Arc::clone(source) })
}

impl<T: Weigh> Outbox<T> {
    /// Sends one entry, behind all before it. The target hears of it at [`Outbox::end_turn`].
    pub(super) fn push(&mut self, entry: T) {
        if !self.overflow.is_empty() {
            self.overflow.push_back(entry);
        } else if let Err(entry) = self.try_push(entry) {
            self.overflow.push_back(entry);
        }
    }

    fn try_push(&mut self, entry: T) -> Result<(), T> {
        if self.pushed_bytes - self.taken_bytes > RING_BYTES {
            self.taken_bytes = self.link.taken_bytes.load(Ordering::Acquire);
            if self.pushed_bytes - self.taken_bytes > RING_BYTES {
                return Err(entry);
            }
        }
        let bytes = entry.bytes() as u64;
        match self.ring.push(entry) {
            Ok(()) => {
                self.pushed_bytes += bytes;
                self.rings_bell = true;
                Ok(())
            }
            Err(PushError::Full(entry)) => Err(entry),
        }
    }

    /// Moves what waits into the ring, as far as there is room. True when nothing waits any more.
    pub(super) fn relieve(&mut self) -> bool {
        if self.overflow.is_empty() {
            return true;
        }
        // Either the reader sees the mark after it made room, or this sees the room that it made before:
        // the two fences leave no third way, so that no relief is slept through.
        self.link.is_congested.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while let Some(entry) = self.overflow.pop_front() {
            if let Err(entry) = self.try_push(entry) {
                self.overflow.push_front(entry);
                return false;
            }
        }
        self.overflow = VecDeque::new();
        self.link.is_congested.store(false, Ordering::Relaxed);
        true
    }
}

impl<T> Outbox<T> {
    /// Whether entries wait for room: the shard then reads no sockets.
    pub(super) fn is_congested(&self) -> bool {
        !self.overflow.is_empty()
    }

    /// How many entries wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.overflow.len()
    }

    /// Wakes the target, once for all entries of the turn.
    pub(super) fn end_turn(&mut self) {
        if std::mem::take(&mut self.rings_bell) {
            self.target.ring();
        }
    }
}

impl<T: Weigh> Inbox<T> {
    /// Takes note of what is there now: that is what a turn may take. Of what comes later the sender's time may be ahead of
    /// the turn's, and would make messages live longer than they were to.
    pub(super) fn look(&mut self) {
        self.seen = self.ring.slots();
    }

    /// Takes what was there at the last look, in its order, until more than `bytes_max` bytes were taken.
    pub(super) fn drain(&mut self, bytes_max: usize, mut handle: impl FnMut(T)) {
        let mut taken = 0;
        while taken <= bytes_max
            && self.seen > 0
            && let Ok(entry) = self.ring.pop()
        {
            self.seen -= 1;
            // An entry without bytes takes time as well.
            taken += entry.bytes().max(1);
            self.taken_total += entry.bytes() as u64;
            handle(entry);
        }
        if taken == 0 {
            return;
        }
        self.link.taken_bytes.store(self.taken_total, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.link.is_congested.load(Ordering::Relaxed) {
            self.link.is_congested.store(false, Ordering::Relaxed);
            self.source.ring();
        }
    }

    /// Whether nothing waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of the tests weigh a megabyte when they are marked so, and nearly nothing otherwise.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Entry {
        Light(u32),
        Heavy(u32),
    }

    use Entry::{Heavy, Light};

    impl Weigh for Entry {
        fn bytes(&self) -> usize {
            match self {
                Light(_) => 1,
                Heavy(_) => 1 << 20,
            }
        }
    }

    fn drained(inbox: &mut Inbox<Entry>, bytes_max: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        inbox.look();
        inbox.drain(bytes_max, |entry| entries.push(entry));
        entries
    }

    #[test]
    fn what_does_not_fit_comes_later_in_its_order() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(2, &bell, &bell);
        for entry in 0..5 {
            outbox.push(Light(entry));
        }
        assert!(outbox.is_congested());
        assert!(!outbox.relieve());
        assert_eq!(drained(&mut inbox, 100), [Light(0), Light(1)]);
        assert!(!outbox.relieve());
        outbox.push(Light(5));
        assert_eq!(drained(&mut inbox, 100), [Light(2), Light(3)]);
        assert!(outbox.relieve());
        assert_eq!(drained(&mut inbox, 100), [Light(4), Light(5)]);
        assert!(!outbox.is_congested());
    }

    #[test]
    fn large_messages_fill_a_ring_by_their_bytes() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(100, &bell, &bell);
        for entry in 0..10 {
            outbox.push(Heavy(entry));
        }
        assert!(outbox.is_congested());
        let first = drained(&mut inbox, usize::MAX);
        assert_eq!(first, [Heavy(0), Heavy(1), Heavy(2), Heavy(3), Heavy(4)]);
        assert!(outbox.relieve());
        assert_eq!(drained(&mut inbox, usize::MAX).len(), 5);
    }

    #[test]
    fn what_comes_after_the_look_is_for_the_next_turn() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(100, &bell, &bell);
        outbox.push(Light(0));
        inbox.look();
        outbox.push(Light(1));
        let mut entries = Vec::new();
        inbox.drain(100, |entry| entries.push(entry));
        assert_eq!(entries, [Light(0)]);
        assert!(!inbox.is_empty());
        assert_eq!(drained(&mut inbox, 100), [Light(1)]);
    }

    #[test]
    fn a_drain_ends_when_its_bytes_are_used_up() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(100, &bell, &bell);
        for entry in [Light(0), Heavy(1), Light(2)] {
            outbox.push(entry);
        }
        assert_eq!(drained(&mut inbox, 1000), [Light(0), Heavy(1)]);
        assert!(!inbox.is_empty());
        assert_eq!(drained(&mut inbox, 1000), [Light(2)]);
        assert!(inbox.is_empty());
    }

    #[test]
    fn two_threads_lose_nothing_over_a_tiny_ring() {
        let bell = Arc::new(Bell::default());
        let (mut outbox, mut inbox) = pair(3, &bell, &bell);
        let sender = std::thread::spawn(move || {
            for entry in 0..100_000_u32 {
                outbox.push(if entry % 7 == 0 { Heavy(entry) } else { Light(entry) });
                while !outbox.relieve() {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < 100_000 {
            inbox.look();
            inbox.drain(1000, |entry| {
                let (Light(number) | Heavy(number)) = entry;
                assert_eq!(number, next);
                next += 1;
            });
        }
        sender.join().unwrap();
        assert!(inbox.is_empty());
    }

    #[test]
    fn each_shard_reaches_each_other_one_and_not_itself() {
        let bells: Vec<Arc<Bell>> = (0..3).map(|_| Arc::default()).collect();
        let mut rings = connect::<Entry>(&bells);
        for (from, ends) in rings.iter_mut().enumerate() {
            assert!(ends.outboxes[from].is_none());
            for (to, outbox) in ends.outboxes.iter_mut().enumerate() {
                if let Some(outbox) = outbox {
                    outbox.push(Light((10 * from + to) as u32));
                }
            }
        }
        let got: Vec<Vec<Entry>> = rings
            .iter_mut()
            .map(|ends| ends.inboxes.iter_mut().flat_map(|inbox| drained(inbox, 100)).collect())
            .collect();
        assert_eq!(got, [[Light(10), Light(20)], [Light(1), Light(21)], [Light(2), Light(12)]]);
    }
}
