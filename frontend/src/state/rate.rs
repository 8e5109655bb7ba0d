//! How often something happens, as an average that forgets.

/// Seconds after which an event has lost all but 1/e of its weight: long enough to be calm, short enough to
/// notice a change.
const MEMORY_S: f64 = 10.0;

/// Events a second, averaged with exponentially fading weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    per_second: f64,
    at_ms: f64,
}

impl Rate {
    /// One more event; `now_ms` never goes backwards.
    pub fn count(&mut self, now_ms: f64) {
        self.per_second = self.faded(now_ms) + 1.0 / MEMORY_S;
        self.at_ms = now_ms;
    }

    /// Events a second as of `now_ms`.
    pub fn per_second(&self, now_ms: f64) -> f64 {
        self.faded(now_ms)
    }

    fn faded(&self, now_ms: f64) -> f64 {
        let elapsed_s = (now_ms - self.at_ms).max(0.0) / 1000.0;
        self.per_second * (-elapsed_s / MEMORY_S).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_settles_at_its_rate() {
        let mut rate = Rate::default();
        for message in 0..1200 {
            rate.count(f64::from(message) * 50.0);
        }
        let per_second = rate.per_second(1200.0 * 50.0);
        assert!((per_second - 20.0).abs() < 0.5, "{per_second}");
    }

    #[test]
    fn a_stream_that_stops_fades_to_nothing() {
        let mut rate = Rate::default();
        rate.count(0.0);
        assert!(rate.per_second(60_000.0) < 0.001);
    }
}
