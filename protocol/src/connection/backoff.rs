//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential back-off with full jitter: a random part of a span that doubles with each failure, so that many
/// clients of one broker do not come back at the same moment.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The first span.
    pub const SPAN_MIN: Duration = Duration::from_secs(1);

    /// The longest span.
    pub const SPAN_MAX: Duration = Duration::from_secs(60);

    /// No failure yet.
    pub const fn new() -> Self {
        Self { failures: 0 }
    }

    /// Counts a failure and says how long to wait; `jitter` is random, from 0 up to but not with 1.
    pub fn next(&mut self, jitter: f64) -> Duration {
        let span = Self::SPAN_MIN.saturating_mul(1 << self.failures.min(16)).min(Self::SPAN_MAX);
        self.failures = self.failures.saturating_add(1);
        span.mul_f64(jitter.clamp(0.0, 1.0))
    }

    /// The connection stands: the next failure counts as the first.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut backoff = Backoff::new();
        let spans: Vec<u64> = (0..8).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(spans, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.next(0.5), Duration::from_millis(500));
    }
}
