//! Where the lines of a chart's grid stand.

/// Steps of a time axis, in seconds.
const TIME_STEPS_S: [u32; 25] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
    432_000, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

/// More times than these are no axis, and are not looked at.
const TICKS_MAX: f64 = 32.0;

/// A minute, in milliseconds.
pub const MINUTE_MS: f64 = 60_000.0;

/// A day.
pub const DAY_MS: f64 = 86_400_000.0;

/// Times of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeTicks {
    /// How far they are apart, in milliseconds.
    pub step_ms: f64,
    /// The times, in their order, in milliseconds since 1970.
    pub at_ms: Vec<f64>,
}

impl TimeTicks {
    /// The round times so far apart.
    pub fn every(step_ms: f64, from_ms: f64, to_ms: f64, offset_ms: f64) -> Self {
        let first_ms = ((from_ms + offset_ms) / step_ms).ceil() * step_ms - offset_ms;
        let count = ((to_ms - first_ms) / step_ms).floor().clamp(-1.0, TICKS_MAX) + 1.0;
        Self { step_ms, at_ms: (0..count as usize).map(|tick| first_ms + tick as f64 * step_ms).collect() }
    }
}

/// Round times between `from_ms` and `to_ms`, as close together as `fits` lets them be; round on a clock that is
/// `offset_ms` ahead of UTC. Where none fit, those farthest apart.
pub fn time_ticks(from_ms: f64, to_ms: f64, offset_ms: f64, fits: impl Fn(&TimeTicks) -> bool) -> TimeTicks {
    let steps = TIME_STEPS_S.map(|step_s| f64::from(step_s) * 1000.0);
    let [.., last_ms] = steps;
    steps
        .into_iter()
        .filter(|step_ms| (to_ms - from_ms) / step_ms <= TICKS_MAX)
        .map(|step_ms| TimeTicks::every(step_ms, from_ms, to_ms, offset_ms))
        .find(fits)
        .unwrap_or_else(|| TimeTicks::every(last_ms, from_ms, to_ms, offset_ms))
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

    /// Times of which `px` pixels are to hold labels of 60.
    fn ticks(from_ms: f64, to_ms: f64, offset_ms: f64, px: f64) -> TimeTicks {
        time_ticks(from_ms, to_ms, offset_ms, |ticks| ticks.step_ms / (to_ms - from_ms) * px >= 60.0)
    }

    #[test]
    fn times_are_round_on_the_local_clock() {
        // Half past an hour of UTC is a full hour of India.
        let offset_ms = 5.5 * 3_600_000.0;
        let TimeTicks { step_ms, at_ms } = ticks(0.0, 6.0 * 3_600_000.0, offset_ms, 360.0);
        assert_eq!((step_ms, at_ms[0], at_ms.len()), (3_600_000.0, 1_800_000.0, 6));
    }

    #[test]
    fn a_minute_is_told_by_ten_seconds_where_there_is_room() {
        let wide = ticks(5_000.0, 65_000.0, 0.0, 360.0);
        assert_eq!(wide.at_ms, [10_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0, 60_000.0]);
        assert_eq!(ticks(5_000.0, 65_000.0, 0.0, 359.0).step_ms, 15_000.0);
        assert_eq!(ticks(5_000.0, 65_000.0, 0.0, 100.0).at_ms, [60_000.0]);
    }

    #[test]
    fn neighbours_stay_apart_in_every_range_and_width() {
        for span_s in [1.0, 20.0, 300.0, 3_600.0, 5_000.0, 86_400.0, 604_800.0, 2_592_000.0, 315_576_000.0] {
            for px in [150.0, 290.0, 700.0, 1_100.0] {
                let (from_ms, to_ms) = (1.7e12, 1.7e12 + span_s * 1000.0);
                let TimeTicks { step_ms, at_ms } = ticks(from_ms, to_ms, 0.0, px);
                assert!(step_ms / (to_ms - from_ms) * px >= 60.0 || px < 600.0, "{span_s} s on {px}");
                assert!(at_ms.iter().all(|at_ms| (from_ms..=to_ms).contains(at_ms)), "{at_ms:?}");
                assert!(at_ms.windows(2).all(|pair| pair[1] - pair[0] == step_ms), "{at_ms:?}");
            }
        }
    }

    #[test]
    fn what_never_fits_is_told_by_the_longest_step() {
        let none = time_ticks(0.0, 3_600_000.0, 0.0, |_| false);
        assert_eq!((none.step_ms, none.at_ms), (31_536_000_000.0, vec![0.0]));
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
        let ticks = ticks(0.0, 30.0 * DAY_MS, 0.0, 300.0);
        assert_eq!((ticks.step_ms, ticks.at_ms.len()), (7.0 * DAY_MS, 5));
    }

    #[test]
    fn a_flat_line_has_room_around_it() {
        let scale = Scale::around(21.5, 21.5, 5);
        assert!(scale.low < 21.5 && scale.high > 21.5, "{scale:?}");
        assert!(scale.lines().len() >= 3);
    }
}
