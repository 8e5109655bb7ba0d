//! Moving averages of a counter, as of a Unix system's load.

use std::time::Duration;

/// The times over which is averaged, with the names of their topics.
pub(super) const WINDOWS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// Events a minute, averaged with exponentially falling weight over each of [`WINDOWS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    count: u64,
    per_minute: [f64; WINDOWS.len()],
}

impl Load {
    /// The counter stands at `count`, `elapsed` after the last time.
    pub(super) fn update(&mut self, count: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let now = count.saturating_sub(self.count) as f64 * 60.0 / seconds;
        self.count = count;
        for ((_, window), average) in WINDOWS.iter().zip(&mut self.per_minute) {
            // What is left of the past after `seconds`: e^(-t/T).
            *average = now + (*average - now) * (-seconds / window).exp();
        }
    }

    /// The averages, in the order of [`WINDOWS`].
    pub(super) const fn per_minute(&self) -> [f64; WINDOWS.len()] {
        self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_becomes_the_average_sooner_over_the_shorter_time() {
        let mut load = Load::default();
        for step in 1..=6 {
            load.update(step * 20, Duration::from_secs(10));
        }
        let [one, five, fifteen] = load.per_minute();
        // After as long as the window, 1 - 1/e of the way: 120 a minute is the rate.
        assert!((one - 120.0 * (1.0 - (-1.0_f64).exp())).abs() < 0.01, "{one}");
        assert!(one > five && five > fifteen && fifteen > 0.0, "{one} {five} {fifteen}");
        for step in 7..10_000 {
            load.update(step * 20, Duration::from_secs(10));
        }
        assert!(load.per_minute().iter().all(|average| (average - 120.0).abs() < 0.01));
    }

    #[test]
    fn no_time_is_no_rate() {
        let mut load = Load::default();
        load.update(5, Duration::ZERO);
        assert_eq!(load.per_minute(), [0.0; 3]);
        load.update(5, Duration::from_secs(60));
        assert!(load.per_minute()[0] > 3.0, "what was not counted yet is counted then");
    }
}
