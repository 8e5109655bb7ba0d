//! Results as lines and tables for a terminal.

use std::fmt::Write as _;

use super::figures::{Figures, Metric};
use super::results::{Cell, Outcome, Results, RowResults};
use super::row::Group;
use super::{HEARTH, ONE_SHARD, is_own, shards};
use crate::table::shown;

/// One measurement, for the person who waits.
pub(super) fn line(row: &str, rounds: usize, cell: &Cell) -> String {
    let Cell { broker, round, outcome } = cell;
    let told = match outcome {
        Outcome::Figures(figures) => summary(figures),
        Outcome::Failure(why) => format!("failed: {why}"),
    };
    format!("[{round}/{rounds}] {row} · {broker}: {told}")
}

fn summary(figures: &Figures) -> String {
    let parts = figures.iter().filter(|(metric, figure)| {
        // What nobody looks for when it is nothing.
        !matches!(metric, Metric::Lost | Metric::Again) || **figure > 0.0
    });
    let parts =
        parts.map(|(metric, figure)| format!("{} {}", shown(*figure, metric.digits()), metric.unit()));
    parts.collect::<Vec<_>>().join(", ")
}

/// A table of medians: a row for each of the group's rows, a column for each broker, and how far Hearth is ahead of the best other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    pub(super) title: &'static str,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The figures that a group is told in.
pub(super) const fn metrics(group: Group) -> &'static [(Metric, &'static str)] {
    match group {
        Group::Limit => &[
            (Metric::PerSecond, "Messages delivered a second, as many as go through"),
            (Metric::CpuPerMillion, "Processor seconds of the broker for a million deliveries, at its limit"),
            (Metric::PeakMib, "Peak memory, MiB"),
            (Metric::GeneratorCores, "The generator's own processor time, % of a core"),
        ],
        Group::Rate => &[
            (
                Metric::CpuPerMillion,
                "Processor seconds of the broker for a million deliveries, at a fixed rate",
            ),
            (Metric::P50, "Latency at a fixed rate, µs: p50"),
            (Metric::P99, "Latency at a fixed rate, µs: p99"),
            (Metric::P999, "Latency at a fixed rate, µs: p99.9"),
        ],
        Group::Half => &[],
        Group::Shards => &[
            (Metric::PerSecond, "Two shards against one: messages delivered a second"),
            (Metric::CpuPerMillion, "Two shards against one: processor seconds for a million deliveries"),
            (Metric::BrokerCores, "Two shards against one: the broker's processor time, % of a core"),
            (Metric::GeneratorCores, "Two shards against one: the generator's processor time, % of a core"),
        ],
        Group::Storm => &[
            (Metric::PerSecond, "Connections a second: connect, CONNACK, leave"),
            (Metric::CpuPerMillion, "Processor seconds of the broker for a million connections"),
        ],
        Group::Idle => &[(Metric::KibEach, "Resident memory of an idle connection, KiB")],
        Group::Retained => &[
            (Metric::PerSecond, "Retained messages a second for a new subscriber"),
            (Metric::CpuPerMillion, "Processor seconds of the broker for a million retained messages"),
        ],
    }
}

impl Matrix {
    /// The medians of one figure.
    pub(super) fn new(results: &Results, group: Group, metric: Metric, title: &'static str) -> Option<Self> {
        let rows: Vec<&RowResults> = results.group(group).collect();
        let names = results.brokers.iter().map(|broker| broker.name.as_str());
        let takes_part =
            |name: &&str| rows.iter().any(|row| row.cells.iter().any(|cell| cell.broker == *name));
        let names: Vec<&str> = names.filter(takes_part).collect();
        let has_others = metric.is_compared() && names.iter().any(|name| !is_own(name));
        let mut head = vec![String::new()];
        head.extend(names.iter().map(|name| (*name).to_owned()));
        head.extend(has_others.then(|| "ahead of the best".to_owned()));
        let is_of_shards = metric.is_compared() && group == Group::Shards;
        head.extend(is_of_shards.then(|| "two against one".to_owned()));
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let mut cells = vec![row.id.clone()];
                cells.extend(names.iter().map(|name| cell(row, name, metric)));
                if has_others {
                    cells.push(
                        advantage(row, results, metric)
                            .map_or("–".to_owned(), |(_, ahead)| shown(ahead, 1) + "×"),
                    );
                }
                if is_of_shards {
                    let figures = row.median(HEARTH, metric).zip(row.median(ONE_SHARD, metric));
                    let gain = figures.map(|(two, one)| metric.advantage(two, one));
                    cells.push(gain.map_or("–".to_owned(), |gain| shown(gain, 2) + "×"));
                }
                cells
            })
            .collect();
        (!rows.is_empty()).then_some(Self { title, head, rows })
    }

    /// For a terminal.
    fn plain(&self) -> String {
        let lines: Vec<&Vec<String>> = std::iter::once(&self.head).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = format!("{}\n", self.title);
        for line in lines {
            for (place, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Writing to a string does not fail.
                let _written = if place == 0 {
                    write!(text, "  {cell:<width$}")
                } else {
                    write!(text, "  {cell:>width$}")
                };
            }
            text.push('\n');
        }
        text
    }

    /// For a page.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("**{}**\n\n| {} |\n|---|", self.title, self.head.join(" | "));
        text += &"---:|".repeat(self.head.len() - 1);
        text.push('\n');
        for row in &self.rows {
            text += &format!("| {} |\n", row.join(" | "));
        }
        text
    }
}

/// The best broker that is not ours, and by how much Hearth is ahead of it.
pub(super) fn advantage<'a>(
    row: &RowResults,
    results: &'a Results,
    metric: Metric,
) -> Option<(&'a str, f64)> {
    let others = results.brokers.iter().map(|broker| broker.name.as_str()).filter(|name| !is_own(name));
    let (name, best) = row.best(others, metric)?;
    Some((name, metric.advantage(row.median(HEARTH, metric)?, best)))
}

/// All tables for a terminal.
pub(super) fn terminal(results: &Results) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        for (metric, title) in metrics(group) {
            if let Some(matrix) = Matrix::new(results, group, *metric, title) {
                text += &matrix.plain();
                text.push('\n');
            }
        }
    }
    for matrix in [half_table(results), shards::table(results)].into_iter().flatten() {
        text += &matrix.plain();
        text.push('\n');
    }
    text
}

/// Latency of each broker at half of its limit, and of Hearth at the same rate.
pub(super) fn half_table(results: &Results) -> Option<Matrix> {
    let mut head = vec![String::new(), "deliveries/s".to_owned()];
    for quantile in ["p50", "p99", "p99.9"] {
        head.extend([format!("its {quantile}"), format!("Hearth's {quantile}")]);
    }
    let mut rows = Vec::new();
    for row in results.group(Group::Half) {
        let other = row.cells.iter().map(|cell| cell.broker.as_str()).find(|name| *name != HEARTH)?;
        let mut cells = vec![row.id.clone(), cell(row, other, Metric::Offered)];
        for metric in [Metric::P50, Metric::P99, Metric::P999] {
            cells.extend([cell(row, other, metric), cell(row, HEARTH, metric)]);
        }
        rows.push(cells);
    }
    let title = "Latency at half of each broker's limit, µs";
    (!rows.is_empty()).then_some(Matrix { title, head, rows })
}

fn cell(row: &RowResults, broker: &str, metric: Metric) -> String {
    match row.median(broker, metric) {
        Some(figure) => {
            let mark = if falls_behind(row, broker) { " (behind)" } else { "" };
            shown(figure, metric.digits()) + mark
        }
        None if row.failure(broker).is_some() => "failed".to_owned(),
        None => "–".to_owned(),
    }
}

/// Whether a broker did not carry what it was offered.
pub(super) fn falls_behind(row: &RowResults, broker: &str) -> bool {
    let carried = row.median(broker, Metric::PerSecond).zip(row.median(broker, Metric::Offered));
    carried.is_some_and(|(carried, offered)| carried < 0.95 * offered)
}

impl Metric {
    /// Behind a figure.
    const fn unit(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::CpuPerMillion => "CPU s/million",
            Self::PeakMib => "MiB",
            Self::BrokerCores => "% of a core",
            Self::GeneratorCores => "% generator",
            Self::P50 => "µs p50",
            Self::P99 => "µs p99",
            Self::P999 => "µs p99.9",
            Self::Offered => "/s offered",
            Self::Lost => "lost",
            Self::Again => "doubled",
            Self::KibEach => "KiB each",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FLOOR;
    use super::super::results::Broker;
    use super::super::results::tests::row;
    use super::*;

    fn results(rows: Vec<RowResults>) -> Results {
        let brokers = [HEARTH, "Mosquitto", "aedes", FLOOR];
        let brokers = brokers.map(|name| Broker { name: name.to_owned(), version: None });
        Results { rows, brokers: brokers.into(), ..Results::default() }
    }

    #[test]
    fn a_matrix_says_how_far_hearth_is_ahead_of_the_best_other() {
        let figures = [(HEARTH, 2000.0), ("Mosquitto", 1000.0), ("aedes", 500.0), (FLOOR, 9000.0)];
        let results = results(vec![row("pairs", Group::Limit, Metric::PerSecond, &figures)]);
        let matrix = Matrix::new(&results, Group::Limit, Metric::PerSecond, "Title").unwrap();
        assert_eq!(
            matrix.markdown(),
            "**Title**\n\n|  | Hearth | Mosquitto | aedes | floor | ahead of the best |\n|---|---:|---:|---:|---:|---:|\n\
             | pairs | 2,000 | 1,000 | 500 | 9,000 | 2.0× |\n"
        );
        assert!(matrix.plain().contains("  pairs   2,000"), "{}", matrix.plain());
        assert_eq!(Matrix::new(&results, Group::Idle, Metric::KibEach, "Title"), None);
    }

    #[test]
    fn two_shards_are_held_against_one() {
        let mut results = results(vec![row(
            "shards: pairs",
            Group::Shards,
            Metric::CpuPerMillion,
            &[(HEARTH, 2.0), (ONE_SHARD, 1.5)],
        )]);
        results.brokers.push(Broker { name: ONE_SHARD.to_owned(), version: None });
        let matrix = Matrix::new(&results, Group::Shards, Metric::CpuPerMillion, "Title").unwrap();
        assert_eq!(matrix.rows, [["shards: pairs", "2.00", "1.50", "0.75×"]]);
    }

    #[test]
    fn a_broker_that_does_not_carry_what_it_is_offered_is_marked() {
        let mut slow = row("x", Group::Rate, Metric::PerSecond, &[("aedes", 90.0)]);
        assert!(!falls_behind(&slow, "aedes"));
        slow.cells.extend(row("x", Group::Rate, Metric::Offered, &[("aedes", 100.0)]).cells);
        assert!(falls_behind(&slow, "aedes"));
    }

    #[test]
    fn the_duels_stand_side_by_side() {
        let duel = row("half of aedes: pairs", Group::Half, Metric::P99, &[("aedes", 900.0), (HEARTH, 90.0)]);
        let matrix = half_table(&results(vec![duel])).unwrap();
        assert_eq!(matrix.rows[0], ["half of aedes: pairs", "–", "–", "–", "900", "90", "–", "–"]);
    }
}
