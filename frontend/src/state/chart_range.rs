//! The ranges that a chart offers, and the one that it begins with.

/// The ranges: the word in the page, and milliseconds.
pub const RANGES: [(&str, f64); 5] =
    [("5m", 300e3), ("1h", 3_600e3), ("24h", 86_400e3), ("7d", 604_800e3), ("30d", 2_592_000e3)];

/// A past that is longer than this is worth a day, in milliseconds.
const DAY_FROM_MS: f64 = 3_600e3;

/// The range that a chart begins with, one of [`RANGES`], where the broker has so many milliseconds of the past.
pub fn range_of_past(past_ms: f64) -> &'static str {
    match past_ms {
        past_ms if past_ms > DAY_FROM_MS => "24h",
        past_ms if past_ms > RANGES[0].1 => "1h",
        _ => RANGES[0].0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_begins_with_a_range_that_its_past_fills() {
        for (past_ms, range) in
            [(0.0, "5m"), (300e3, "5m"), (301e3, "1h"), (3_600e3, "1h"), (3_601e3, "24h"), (9e10, "24h")]
        {
            assert_eq!(range_of_past(past_ms), range, "{past_ms}");
            assert!(RANGES.iter().any(|(word, _)| *word == range), "{range}");
        }
    }
}
