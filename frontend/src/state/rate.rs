//! How often something happens, as an average that forgets.

/// Seconds after which an event has lost all but 1/e of its weight: long enough to be calm, short enough to
/// notice a change.
const MEMORY_S: f64 = 10.0;

/// Shorter times are no base for a rate: a burst of two messages is not a stream.
const BASE_MIN_S: f64 = 0.5;

/// Events a second, averaged with exponentially fading weight. The first event only starts the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    weight: f64,
    first_ms: Option<f64>,
    last_ms: f64,
}

impl Rate {
    /// One more event; `now_ms` never goes backwards.
    pub fn count(&mut self, now_ms: f64) {
        match self.first_ms {
            Some(_) => self.weight = self.faded(now_ms) + 1.0,
            None => self.first_ms = Some(now_ms),
        }
        self.last_ms = now_ms;
    }

    /// Events a second as of `now_ms`.
    pub fn per_second(&self, now_ms: f64) -> f64 {
        let Some(first_ms) = self.first_ms else { return 0.0 };
        // A rate that has been watched for a shorter time than it remembers rests on that shorter time.
        let watched_s = ((now_ms - first_ms) / 1000.0).max(BASE_MIN_S);
        self.faded(now_ms) / (MEMORY_S * (1.0 - (-watched_s / MEMORY_S).exp()))
    }

    fn faded(&self, now_ms: f64) -> f64 {
        let elapsed_s = (now_ms - self.last_ms).max(0.0) / 1000.0;
        self.weight * (-elapsed_s / MEMORY_S).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(count: u32, every_ms: f64) -> f64 {
        let mut rate = Rate::default();
        for message in 0..count {
            rate.count(f64::from(message) * every_ms);
        }
        rate.per_second(f64::from(count - 1) * every_ms)
    }

    #[test]
    fn a_steady_stream_is_at_its_rate_from_its_third_second_to_its_last() {
        for (count, every_ms, expected) in
            [(1200, 50.0, 20.0), (60, 50.0, 20.0), (4, 1000.0, 1.0), (30, 2000.0, 0.5)]
        {
            let per_second = after(count, every_ms);
            assert!(
                (per_second - expected).abs() < expected * 0.12,
                "{count} every {every_ms} ms: {per_second}"
            );
        }
    }

    #[test]
    fn one_message_is_no_rate() {
        assert_eq!(after(1, 1.0), 0.0);
        assert_eq!(Rate::default().per_second(5.0), 0.0);
    }

    #[test]
    fn a_stream_that_stops_fades_to_nothing() {
        let mut rate = Rate::default();
        rate.count(0.0);
        rate.count(1000.0);
        assert!(rate.per_second(90_000.0) < 0.001);
    }
}
