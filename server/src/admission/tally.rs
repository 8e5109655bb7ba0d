//! How often each barrier turned somebody away, and log lines that a flood cannot flood.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::barrier::Barrier;

/// After a line about a barrier, the next one about it comes no sooner.
const QUIET: Duration = Duration::from_secs(10);

/// One tally a barrier.
#[derive(Debug, Default)]
pub(super) struct Tallies([Tally; Barrier::ALL.len()]);

#[derive(Debug, Default)]
struct Tally {
    count: AtomicU64,
    /// Of the count, how many the log knows of.
    told: AtomicU64,
    /// Milliseconds from the start at which the next line may come.
    quiet_until: AtomicU64,
}

impl Tallies {
    /// Counts one at `now` since the start, and writes a line if there was none for a while.
    pub(super) fn add(
        &self,
        barrier: Barrier,
        now: Duration,
        address: Option<SocketAddr>,
        client_id: Option<&str>,
    ) {
        let tally = &self.0[barrier.as_index()];
        tally.count.fetch_add(1, Ordering::Relaxed);
        let Some(since_last) = tally.untold(now) else { return };
        let (limit, outcome) = (barrier.setting(), barrier.outcome());
        tracing::warn!(limit, ?address, client_id, since_last, "{outcome}");
    }

    pub(super) fn count(&self, barrier: Barrier) -> u64 {
        self.0[barrier.as_index()].count.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// How many there were since the last line, if it is time for one.
    fn untold(&self, now: Duration) -> Option<u64> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let quiet_until = self.quiet_until.load(Ordering::Relaxed);
        if millis(now) < quiet_until {
            return None;
        }
        let next = millis(now.saturating_add(QUIET));
        // Of several threads, one writes the line.
        self.quiet_until.compare_exchange(quiet_until, next, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        let count = self.count.load(Ordering::Relaxed);
        Some(count.saturating_sub(self.told.swap(count, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_once_in_a_while_with_how_many_there_were() {
        let tally = Tally::default();
        let mut told = Vec::new();
        for second in 0..25 {
            tally.count.fetch_add(100, Ordering::Relaxed);
            told.extend(tally.untold(Duration::from_secs(second)));
        }
        assert_eq!(told, [100, 1000, 1000]);
    }
}
