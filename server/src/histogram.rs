//! How long something took, each time, in few numbers.

use std::time::Duration;

/// The upper bound of the first bucket: 16 µs. Each next one is twice as high.
const FIRST_BITS: u32 = 4;

/// Buckets with a bound: up to 2.1 s. What takes longer is in the last one.
const BOUNDED: usize = 18;

/// Counts durations by size. Noting one down is a few instructions; nothing in it is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    counts: [u64; BOUNDED + 1],
    sum_micros: u64,
}

impl Histogram {
    /// Notes one down.
    pub(crate) fn add(&mut self, duration: Duration) {
        // 584,000 years.
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bits = u64::BITS - micros.saturating_sub(1).leading_zeros();
        let bucket = bits.saturating_sub(FIRST_BITS) as usize;
        self.counts[bucket.min(BOUNDED)] += 1;
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in seconds.
    pub(crate) fn sum_seconds(&self) -> f64 {
        self.sum_micros as f64 / 1e6
    }

    /// For each bucket its upper bound in seconds, `f64::INFINITY` in the last one, and how many are in it alone.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = (FIRST_BITS..).map(|bits| (1_u64 << bits) as f64 / 1e6).take(BOUNDED);
        bounds.chain([f64::INFINITY]).zip(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        for (micros, bound) in [
            (0, 16e-6),
            (1, 16e-6),
            (16, 16e-6),
            (17, 32e-6),
            (32, 32e-6),
            (1_000, 1_024e-6),
            (2_097_152, 2.097_152),
            (2_097_153, f64::INFINITY),
            (u64::MAX, f64::INFINITY),
        ] {
            let mut histogram = Histogram::default();
            histogram.add(Duration::from_micros(micros));
            let filled: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
            assert_eq!(filled, [(bound, 1)], "{micros} µs");
        }
    }

    #[test]
    fn count_and_sum_are_those_of_all() {
        let mut histogram = Histogram::default();
        for millis in [1, 20, 300] {
            histogram.add(Duration::from_millis(millis));
        }
        assert_eq!(histogram.count(), 3);
        assert!((histogram.sum_seconds() - 0.321).abs() < 1e-9);
    }
}
