//! Where the lines of a chart's grid stand.

/// Steps of a time axis, in seconds.
const TIME_STEPS_S: [u32; 25] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
    432_000, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

/// Round times between `from_ms` and `to_ms`, at most `count_max`, in the order of time; round on a clock that is
/// `offset_ms` ahead of UTC.
pub fn time_ticks(from_ms: f64, to_ms: f64, count_max: usize, offset_ms: f64) -> Vec<f64> {
    let span_s = (to_ms - from_ms) / 1000.0;
    let fits = |step: &&u32| span_s / f64::from(**step) <= count_max.max(1) as f64;
    let last = TIME_STEPS_S[TIME_STEPS_S.len() - 1];
    let step_ms = f64::from(*TIME_STEPS_S.iter().find(fits).unwrap_or(&last)) * 1000.0;
    let mut ticks = Vec::new();
    let mut tick = ((from_ms + offset_ms) / step_ms).ceil() * step_ms - offset_ms;
    while tick <= to_ms && ticks.len() < count_max.max(1) + 1 {
        ticks.push(tick);
        tick += step_ms;
    }
    ticks
}

/// A scale with round ends that holds all values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The lower end, a multiple of the step.
    pub low: f64,
    /// The upper end, a multiple of the step.
    pub high: f64,
    /// Between two lines.
    pub step: f64,
}

impl Scale {
    /// The scale for values from `low` to `high` with about `lines` lines.
    pub fn around(low: f64, high: f64, lines: usize) -> Self {
        let middle = f64::midpoint(low, high);
        // A flat line gets room above and below, in proportion to its value.
        let room = (middle.abs() * 0.02).max(0.5);
        let (low, high) = if high - low < f64::EPSILON * middle.abs().max(1.0) {
            (middle - room, middle + room)
        } else {
            (low, high)
        };
        let raw = (high - low) / lines.max(1) as f64;
        let magnitude = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * magnitude)
            .find(|step| *step >= raw * 0.999)
            .unwrap_or(10.0 * magnitude);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    /// The scale for the same values with exactly so many steps: it shares the lines of another one.
    pub fn with_steps(low: f64, high: f64, steps: usize) -> Self {
        let count = steps.max(1) as f64;
        let mut scale = Self::around(low, high, steps);
        // Each try is 2 to 2.5 times as wide as the one before, so that the second or third one fits.
        for _ in 0..8 {
            let top = scale.low + scale.step * count;
            if top >= scale.high - scale.step * 1e-6 {
                return Self { high: top, ..scale };
            }
            let step = Self::around(0.0, scale.step * 1.5, 1).step;
            scale = Self { low: (low / step).floor() * step, high, step };
        }
        scale
    }

    /// The share of the height at which a value stands.
    pub fn share(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// How many steps there are.
    pub fn steps(self) -> usize {
        ((self.high - self.low) / self.step).round() as usize
    }

    /// The lines, from the lowest up.
    pub fn lines(self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count.min(64)).map(|line| self.low + line as f64 * self.step).collect()
    }

    /// Digits after the decimal point that tell the lines apart.
    pub fn decimals(self) -> usize {
        (0..9)
            .find(|&digits| {
                let scaled = self.step * 10_f64.powi(digits);
                (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
            })
            .and_then(|digits| usize::try_from(digits).ok())
            .unwrap_or(9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_round_on_the_local_clock() {
        // Half past an hour of UTC is a full hour of India.
        let offset_ms = 5.5 * 3_600_000.0;
        let ticks = time_ticks(0.0, 6.0 * 3_600_000.0, 6, offset_ms);
        assert_eq!(ticks[0], 1_800_000.0);
        assert_eq!(ticks[1] - ticks[0], 3_600_000.0);
        assert_eq!(ticks.len(), 6);
    }

    #[test]
    fn a_minute_is_told_by_ten_seconds() {
        assert_eq!(
            time_ticks(5_000.0, 65_000.0, 6, 0.0),
            [10_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0, 60_000.0]
        );
    }

    #[test]
    fn a_scale_has_round_ends_that_hold_the_values() {
        let scale = Scale::around(20.3, 22.9, 5);
        assert_eq!((scale.low, scale.high), (20.0, 23.0));
        assert_eq!(scale.decimals(), 0);
        let scale = Scale::around(0.012, 0.018, 5);
        assert!(scale.low <= 0.012 && scale.high >= 0.018, "{scale:?}");
        assert_eq!(scale.decimals(), 3);
    }

    #[test]
    fn a_second_scale_shares_the_lines_of_the_first() {
        for (low, high) in [(0.0, 1.0), (431.0, 1260.0), (-3.0, 22.5), (1013.2, 1013.3), (5.0, 5.0)] {
            for steps in 3..9 {
                let scale = Scale::with_steps(low, high, steps);
                assert_eq!(scale.steps(), steps, "{low} to {high} in {steps}: {scale:?}");
                assert!(scale.low <= low && scale.high >= high, "{low} to {high} in {steps}: {scale:?}");
            }
        }
        assert_eq!(Scale::around(20.3, 22.9, 5).share(20.0), 0.0);
    }

    #[test]
    fn a_month_is_told_by_weeks() {
        let day_ms = 86_400_000.0;
        let ticks = time_ticks(0.0, 30.0 * day_ms, 5, 0.0);
        assert!((2..=6).contains(&ticks.len()), "{ticks:?}");
        assert!(ticks.last().is_some_and(|last| *last > 20.0 * day_ms), "{ticks:?}");
    }

    #[test]
    fn a_flat_line_has_room_around_it() {
        let scale = Scale::around(21.5, 21.5, 5);
        assert!(scale.low < 21.5 && scale.high > 21.5, "{scale:?}");
        assert!(scale.lines().len() >= 3);
    }
}
