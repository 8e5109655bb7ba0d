//! What a measurement comes to, and what several of them say together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One figure of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Messages delivered a second, or connections.
    PerSecond,
    /// Seconds of the broker's processor time for a million of them, that is microseconds for one.
    CpuPerMillion,
    /// The most memory that the broker had, MiB.
    PeakMib,
    /// The broker's processor time, in hundredths of one core.
    BrokerCores,
    /// The generator's.
    GeneratorCores,
    /// Microseconds from the time that a message was due until it arrived; of a hundred so many came sooner.
    P50,
    /// As P50.
    P99,
    /// As P50.
    P999,
    /// Messages a second that were asked for, deliveries counted.
    Offered,
    /// Deliveries that did not come.
    Lost,
    /// Deliveries that came once more.
    Again,
    /// KiB of resident memory for each connection.
    KibEach,
}

/// The figures of one measurement.
pub(crate) type Figures = BTreeMap<Metric, f64>;

impl Metric {
    /// Digits behind the point in a table.
    pub(crate) const fn digits(self) -> usize {
        match self {
            Self::CpuPerMillion | Self::KibEach => 2,
            Self::PeakMib => 1,
            Self::PerSecond
            | Self::BrokerCores
            | Self::GeneratorCores
            | Self::P50
            | Self::P99
            | Self::P999
            | Self::Offered
            | Self::Lost
            | Self::Again => 0,
        }
    }

    /// Whether more of it is better.
    pub(crate) const fn is_gain(self) -> bool {
        match self {
            Self::PerSecond | Self::Offered => true,
            Self::CpuPerMillion
            | Self::PeakMib
            | Self::BrokerCores
            | Self::GeneratorCores
            | Self::P50
            | Self::P99
            | Self::P999
            | Self::Lost
            | Self::Again
            | Self::KibEach => false,
        }
    }

    /// Whether brokers are held against each other in it.
    pub(crate) const fn is_compared(self) -> bool {
        match self {
            Self::PerSecond
            | Self::CpuPerMillion
            | Self::PeakMib
            | Self::P50
            | Self::P99
            | Self::P999
            | Self::Lost
            | Self::Again
            | Self::KibEach => true,
            Self::BrokerCores | Self::GeneratorCores | Self::Offered => false,
        }
    }

    /// How much better the first figure is than the second: above 1 it is.
    pub(crate) fn advantage(self, ours: f64, theirs: f64) -> f64 {
        if self.is_gain() { ours / theirs } else { theirs / ours }
    }
}

/// The figure in the middle, of two the mean; none of none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        return Some(figures[middle]);
    }
    Some(f64::midpoint(*figures.get(middle.checked_sub(1)?)?, figures[middle]))
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) const fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_leaves_out_what_is_no_number() {
        assert_eq!(median([3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median([4.0, f64::NAN, 2.0]), Some(3.0));
        assert_eq!(median([f64::NAN]), None);
        assert_eq!(median([]), None);
    }

    #[test]
    fn an_advantage_is_more_messages_or_less_time() {
        assert!((Metric::PerSecond.advantage(200.0, 100.0) - 2.0).abs() < 1e-9);
        assert!((Metric::CpuPerMillion.advantage(0.5, 2.0) - 4.0).abs() < 1e-9);
        assert!(Metric::P99.advantage(90.0, 45.0) < 1.0);
    }
}
