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
        Instant::now() + self.until(time)
    }

    /// How long until the clock shows `time`; zero when it does already.
    pub(crate) fn until(&self, time: Time) -> Duration {
        // A day from now is as good as never for a wait that is reckoned anew after each turn, and never overflows.
        const FAR: Duration = Duration::from_secs(24 * 60 * 60);
        let wait = time.saturating_since(self.now()).min(FAR);
        // The clock counts whole milliseconds: one more, so that the time is reached and not almost.
        if wait.is_zero() { wait } else { wait + Duration::from_millis(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_long_until_a_late_time_and_the_end_of_time_does_not_overflow() {
        let clock = Clock::start();
        let soon = clock.until(clock.now().saturating_add(Duration::from_secs(1)));
        assert!(soon > Duration::from_millis(900) && soon < Duration::from_millis(1100));
        assert!(clock.until(Time::from_millis(u64::MAX)) > soon);
        assert_eq!(clock.until(Time::ZERO), Duration::ZERO);
        assert!(clock.instant(Time::ZERO) <= Instant::now());
    }
}
