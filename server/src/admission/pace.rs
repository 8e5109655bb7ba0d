//! A rate as a token bucket, in the form that needs one number for each thing that is paced.

/// Nanoseconds in which a whole burst may come.
const BURST: u64 = 1_000_000_000;

/// So many a second, and as many at once after a quiet second.
///
/// What is kept of a bucket is the time when it is full again: each arrival moves it on by the interval, and one that
/// would move it farther than a second into the future finds the bucket empty (the virtual scheduling of ITU-T I.371).
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: u64,
}

impl Pace {
    /// `rate` is at least one.
    pub(super) fn per_second(rate: u64) -> Self {
        Self { interval: BURST / rate.max(1) }
    }

    /// The bucket after an arrival at `now`; `None` when it was empty. All in nanoseconds since one start.
    pub(super) fn next(self, full_at: u64, now: u64) -> Option<u64> {
        let next = full_at.max(now).saturating_add(self.interval);
        (next - now <= BURST).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of arrivals at `times` pass.
    fn passed(rate: u64, times: impl IntoIterator<Item = u64>) -> usize {
        let (pace, mut full_at) = (Pace::per_second(rate), 0);
        let mut passed = 0;
        for now in times {
            if let Some(next) = pace.next(full_at, now) {
                full_at = next;
                passed += 1;
            }
        }
        passed
    }

    #[test]
    fn a_second_of_them_may_come_at_once_and_no_more() {
        for rate in [1, 2, 10, 1000] {
            assert_eq!(passed(rate, std::iter::repeat_n(0, 5000)), rate as usize, "{rate}");
        }
    }

    #[test]
    fn over_time_the_rate_holds_however_they_come() {
        let millisecond = 1_000_000;
        // Ten seconds after the first burst, a hundred times too fast.
        let times = (0..10_000).map(|step| step * millisecond);
        assert_eq!(passed(10, times), 10 + 10 * 10 - 1);
        let in_time = (0..100).map(|step| step * 100 * millisecond);
        assert_eq!(passed(10, in_time), 100);
    }

    #[test]
    fn a_quiet_hour_saves_up_no_more_than_one_burst() {
        let hour = 3_600 * BURST;
        assert_eq!(passed(5, std::iter::repeat_n(0, 5).chain(std::iter::repeat_n(hour, 100))), 10);
    }
}
