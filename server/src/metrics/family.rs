//! One metric: its name, what it means, and where its values come from.

use crate::figures::{Figures, ShardFigures};
use crate::histogram::Histogram;

/// A metric with all its labels.
pub(super) struct Family {
    /// Without the `_total` of counters.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// What it means, on one line.
    pub(super) help: &'static str,
    /// What to alert on; empty where there is nothing.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the test that keeps the document in step is its reader")
    )]
    pub(super) alert: &'static str,
    /// Its values now; none where that of which it tells does not exist.
    pub(super) read: fn(&Figures) -> Vec<Sample>,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only rises.
    Counter,
    /// What there is now.
    Gauge,
    /// Durations by size.
    Histogram,
}

/// A value with its labels.
#[derive(Debug)]
pub(super) struct Sample {
    /// In the order of their names in the family.
    pub(super) labels: Vec<String>,
    pub(super) value: Value,
}

/// What a sample says.
#[derive(Debug)]
pub(super) enum Value {
    Count(u64),
    Fraction(f64),
    Durations(Box<Histogram>),
}

impl Kind {
    #[cfg(test)]
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[cfg(test)]
impl Family {
    /// The name that a query takes; a histogram has `_bucket`, `_sum` and `_count` behind it.
    pub(super) fn exposed(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Fraction(number)
    }
}

impl From<Histogram> for Value {
    fn from(histogram: Histogram) -> Self {
        Self::Durations(Box::new(histogram))
    }
}

/// A value without labels.
pub(super) fn one(value: impl Into<Value>) -> Vec<Sample> {
    vec![Sample { labels: Vec::new(), value: value.into() }]
}

/// A value of each shard.
pub(super) fn by_shard<V: Into<Value>>(figures: &Figures, value: impl Fn(&ShardFigures) -> V) -> Vec<Sample> {
    let sample =
        |(number, shard)| Sample { labels: vec![usize::to_string(&number)], value: value(shard).into() };
    figures.shards.iter().enumerate().map(sample).collect()
}

/// Several values of each shard, each with one label more.
pub(super) fn by_shard_and<L: ToString, V: Into<Value>>(
    figures: &Figures,
    values: impl Fn(&ShardFigures) -> Vec<(L, V)>,
) -> Vec<Sample> {
    let samples = |(number, shard): (usize, &ShardFigures)| {
        let labelled = |(label, value): (L, V)| Sample {
            labels: vec![number.to_string(), label.to_string()],
            value: value.into(),
        };
        values(shard).into_iter().map(labelled).collect::<Vec<_>>()
    };
    figures.shards.iter().enumerate().flat_map(samples).collect()
}

/// A value of each shard and QoS.
pub(super) fn by_shard_and_qos(figures: &Figures, counts: impl Fn(&ShardFigures) -> [u64; 3]) -> Vec<Sample> {
    by_shard_and(figures, |shard| (0..).zip(counts(shard)).collect::<Vec<(u8, u64)>>())
}
