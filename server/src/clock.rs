//! The one clock of the process, as the sans-IO machines want it.

use std::time::{Duration, Instant};

use hearth_protocol::Time;

/// Tells [`Time`] since its creation; all shards share one, so that their times compare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The present.
    pub(crate) fn now(&self) -> Time {
        Time::ZERO.saturating_add(self.elapsed())
    }

    /// How long ago its zero was, finer than a [`Time`].
    pub(crate) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// When the clock will show `time`.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        // A day from now is as good as never for a sleep that is armed anew after each turn, and never overflows.
        const FAR_MILLIS: u64 = 24 * 60 * 60 * 1000;
        let wait = time.saturating_since(self.now()).as_millis();
        let wait = u64::try_from(wait).unwrap_or(FAR_MILLIS).min(FAR_MILLIS);
        // The clock counts whole milliseconds: one more, so that the time is reached and not almost.
        Instant::now() + Duration::from_millis(if wait == 0 { 0 } else { wait + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_time_is_a_later_instant_and_the_end_of_time_does_not_overflow() {
        let clock = Clock::start();
        let soon = clock.instant(clock.now().saturating_add(Duration::from_secs(1)));
        let far = clock.instant(Time::from_millis(u64::MAX));
        assert!(soon > Instant::now() + Duration::from_millis(900));
        assert!(far > soon);
        assert!(clock.instant(Time::ZERO) <= Instant::now());
    }
}
