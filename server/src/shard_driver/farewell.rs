//! How the shards of a broker that stops find out that nothing is on the way between them any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bell::Bell;

/// What the shards that are ready to stop tell each other.
#[derive(Debug)]
pub(super) struct Farewell {
    /// By shard.
    tallies: Vec<Tally>,
    bells: Vec<Arc<Bell>>,
    /// Set once by whoever finds that nothing is on the way.
    is_over: AtomicBool,
}

/// What a shard has told last.
#[derive(Debug, Default)]
struct Tally {
    is_ready: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Farewell {
    /// For the shards of these bells.
    pub(super) fn new(bells: Vec<Arc<Bell>>) -> Self {
        let tallies = bells.iter().map(|_| Tally::default()).collect();
        Self { tallies, bells, is_over: AtomicBool::new(false) }
    }

    /// A shard that begins nothing by itself any more has sent and received so many entries up to the end of a turn.
    /// Whether all are at that point and nothing is on the way; once that is so, it stays so.
    pub(super) fn tell(&self, shard: usize, sent: u64, received: u64) -> bool {
        // What a shard has sent because of something is told before that it has received that, and read after it.
        // So if the sums are the same, each entry that was told to be sent was received, and whatever it caused is
        // among those that were told: nothing is left that could cause more.
        let own = &self.tallies[shard];
        own.sent.store(sent, Ordering::SeqCst);
        own.received.store(received, Ordering::SeqCst);
        own.is_ready.store(true, Ordering::SeqCst);
        if self.is_over.load(Ordering::SeqCst) {
            return true;
        }
        if !self.tallies.iter().all(|tally| tally.is_ready.load(Ordering::SeqCst)) {
            return false;
        }
        let sum = |count: fn(&Tally) -> &AtomicU64| -> u64 {
            self.tallies.iter().map(|tally| count(tally).load(Ordering::SeqCst)).sum()
        };
        let received = sum(|tally| &tally.received);
        if received != sum(|tally| &tally.sent) {
            return false;
        }
        self.is_over.store(true, Ordering::SeqCst);
        for bell in &self.bells {
            bell.ring();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farewell(shards: usize) -> Farewell {
        Farewell::new((0..shards).map(|_| Arc::default()).collect())
    }

    #[test]
    fn it_is_over_when_all_are_ready_and_everything_has_arrived() {
        let farewell = farewell(3);
        assert!(!farewell.tell(0, 2, 0));
        assert!(!farewell.tell(1, 0, 1));
        assert!(!farewell.tell(2, 0, 0), "one is on the way");
        assert!(!farewell.tell(2, 1, 1), "it has caused another one");
        assert!(farewell.tell(0, 2, 1));
        assert!(farewell.tell(1, 0, 1));
        assert!(farewell.tell(2, 2, 1), "what is sent from then on is nobody's");
    }

    #[test]
    fn a_shard_that_is_alone_waits_for_nobody() {
        assert!(farewell(1).tell(0, 0, 0));
    }
}
