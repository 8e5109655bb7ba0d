//! The results as docs/performance.md with its pictures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::chart::Chart;
use super::figures::Metric;
use super::results::{Machine, Results, RowResults};
use super::row::Group;
use super::tables::{Matrix, advantage, falls_behind, half_table, metrics};
use super::{FLOOR, HEARTH, ONE_SHARD, shards};
use crate::table::shown;

/// Why a row is not what it should be, by the row's name; written by people who looked.
const REASONS: &str = include_str!("reasons.toml");
/// The words around the tables.
const WORDS: &str = include_str!("words.md");
/// A broker may take half of the processor time of the best other one.
const CPU_AIM: f64 = 2.0;

/// A picture: the file, what it shows, and the rows of the group whose names begin so.
struct Picture {
    file: &'static str,
    title: &'static str,
    group: Group,
    metric: Metric,
    rows: &'static [&'static str],
}

const LIMITS: &[&str] = &[
    "fan-out 1 to 100, QoS 0",
    "fan-out 1 to 1000, QoS 0",
    "fan-in 50 to 1, QoS 0",
    "50 pairs, QoS 0",
    "fan-out 1 to 100, QoS 1",
    "fan-in 50 to 1, QoS 1",
    "50 pairs, QoS 1",
    "50 pairs, QoS 2",
];

const PICTURES: [Picture; 4] = [
    Picture {
        file: "performance-cpu.svg",
        title: "Processor seconds of the broker for a million deliveries (less is better)",
        group: Group::Limit,
        metric: Metric::CpuPerMillion,
        rows: LIMITS,
    },
    Picture {
        file: "performance-messages.svg",
        title: "Messages delivered a second (more is better)",
        group: Group::Limit,
        metric: Metric::PerSecond,
        rows: LIMITS,
    },
    Picture {
        file: "performance-latency.svg",
        title: "Latency at a fixed rate, p99 in µs (less is better)",
        group: Group::Rate,
        metric: Metric::P99,
        rows: &[],
    },
    Picture {
        file: "performance-idle.svg",
        title: "Resident memory of an idle connection, KiB (less is better)",
        group: Group::Idle,
        metric: Metric::KibEach,
        rows: &[],
    },
];

/// Writes the page and its pictures into this folder.
pub(crate) fn write(results: &Results, folder: &Path) -> Result<()> {
    let put = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    for picture in &PICTURES {
        put(picture.file, &picture.chart(results).svg()?)?;
    }
    let reasons: BTreeMap<String, String> = toml::from_str(REASONS).context("the reasons cannot be read")?;
    put("performance.md", &page(results, &reasons))
}

fn page(results: &Results, reasons: &BTreeMap<String, String>) -> String {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    sections.insert("machine", machine(results));
    sections.insert("brokers", brokers(results));
    sections.insert("summary", summary(results));
    sections.insert("behind", behind(results, reasons));
    sections.insert("failures", failures(results));
    sections.insert("half", half_table(results).map_or(String::new(), |matrix| matrix.markdown()));
    for (name, group) in [
        ("limit", Group::Limit),
        ("rate", Group::Rate),
        ("shards", Group::Shards),
        ("storm", Group::Storm),
        ("idle", Group::Idle),
        ("retained", Group::Retained),
    ] {
        sections.insert(name, tables(results, group));
    }
    let second = shards::table(results).map_or(String::new(), |matrix| matrix.markdown());
    sections.insert("second-shard", second);
    let mut text = WORDS.to_owned();
    for (name, section) in sections {
        text = text.replace(&format!("<!-- {name} -->"), section.trim_end());
    }
    text
}

fn tables(results: &Results, group: Group) -> String {
    let tables =
        metrics(group).iter().filter_map(|(metric, title)| Matrix::new(results, group, *metric, title));
    tables.map(|matrix| matrix.markdown()).collect::<Vec<_>>().join("\n")
}

fn machine(results: &Results) -> String {
    let Machine { cores, processor, kernel, memory_gib, load } = &results.machine;
    let Results { rounds, seconds, .. } = results;
    format!(
        "{cores} cores ({processor}), {memory_gib:.0} GiB of memory, Linux {kernel}; load {load:.2} before the run. \
         {}, each measurement {seconds} s, after 0.2 s or more to warm up.",
        if *rounds == 1 { "One round".to_owned() } else { format!("{rounds} rounds") }
    )
}

fn brokers(results: &Results) -> String {
    let with_version = |name: &str, version: &Option<String>| match version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    };
    let present = results.brokers.iter().filter(|broker| broker.name != ONE_SHARD && broker.name != FLOOR);
    let present: Vec<_> = present.map(|broker| with_version(&broker.name, &broker.version)).collect();
    let mut text = present.join(", ");
    if !results.absent.is_empty() {
        text += &format!("; not installed here: {}", results.absent.join(", "));
    }
    text + "."
}

/// How many rows Hearth leads, and by how much in the middle.
fn summary(results: &Results) -> String {
    let mut text = String::from(
        "| | rows | Hearth ahead in | median lead over the best other | smallest |\n|---|---:|---:|---:|---:|\n",
    );
    for (what, group, metric) in [
        ("messages a second", Group::Limit, Metric::PerSecond),
        ("processor time for a delivery, at the limit", Group::Limit, Metric::CpuPerMillion),
        ("processor time for a delivery, at a fixed rate", Group::Rate, Metric::CpuPerMillion),
        ("p99 at a fixed rate", Group::Rate, Metric::P99),
        ("connections a second", Group::Storm, Metric::PerSecond),
        ("memory of an idle connection", Group::Idle, Metric::KibEach),
        ("retained messages a second", Group::Retained, Metric::PerSecond),
    ] {
        let leads: Vec<f64> = results
            .group(group)
            .filter_map(|row| advantage(row, results, metric))
            .map(|(_, lead)| lead)
            .collect();
        let ahead = leads.iter().filter(|lead| **lead > 1.0).count();
        let smallest = leads.iter().copied().reduce(f64::min);
        if let (Some(middle), Some(smallest)) = (super::figures::median(leads.iter().copied()), smallest) {
            text += &format!("| {what} | {} | {ahead} | {middle:.1}× | {smallest:.1}× |\n", leads.len());
        }
    }
    text
}

/// The rows that miss an aim, each with its reason.
fn behind(results: &Results, reasons: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut tell = |row: &RowResults, what: String| {
        let why = reasons.get(&row.id).map_or("Not explained yet.", String::as_str);
        text += &format!("- {}: {what}. {why}\n", row.id);
    };
    for row in &results.rows {
        let mut misses = Vec::new();
        let (speed, cpu) = (Metric::PerSecond, Metric::CpuPerMillion);
        match row.group {
            Group::Limit => {
                misses.extend(miss(row, results, speed, 1.0));
                misses.extend(miss(row, results, cpu, CPU_AIM));
            }
            Group::Rate => {
                misses.extend(miss(row, results, cpu, CPU_AIM));
                misses.extend(miss(row, results, Metric::P99, 1.0));
            }
            Group::Half => misses.extend(duel(row)),
            Group::Storm | Group::Retained => misses.extend(miss(row, results, speed, 1.0)),
            Group::Idle => misses.extend(miss(row, results, Metric::KibEach, 1.0)),
            Group::Shards => {}
        }
        if !misses.is_empty() {
            tell(row, misses.join("; "));
        }
    }
    if text.is_empty() { "None.".to_owned() } else { text }
}

/// How far a figure is from its aim, which is to be so many times better than the best other broker.
fn miss(row: &RowResults, results: &Results, metric: Metric, aim: f64) -> Option<String> {
    let (name, lead) = advantage(row, results, metric).filter(|(_, lead)| *lead < aim)?;
    let shown_of = |broker: &str| {
        row.median(broker, metric).map_or(String::new(), |figure| shown(figure, metric.digits()))
    };
    let (ours, theirs) = (shown_of(HEARTH), shown_of(name));
    Some(match metric {
        Metric::PerSecond => format!("{ours} a second against {theirs} of {name}"),
        Metric::CpuPerMillion => {
            let floor = row
                .median(FLOOR, metric)
                .map_or(String::new(), |floor| format!(", and the floor {}", shown(floor, 2)));
            format!("{ours} s of processor time for a million, {name} {theirs} ({lead:.1}×){floor}")
        }
        Metric::P99 => format!("p99 {ours} µs against {theirs} of {name}"),
        Metric::KibEach => format!("{ours} KiB against {theirs} of {name}"),
        Metric::PeakMib
        | Metric::BrokerCores
        | Metric::GeneratorCores
        | Metric::P50
        | Metric::P999
        | Metric::Offered
        | Metric::Lost
        | Metric::Again => format!("{ours} against {theirs} of {name}"),
    })
}

/// A duel that Hearth lost.
fn duel(row: &RowResults) -> Option<String> {
    let other = row.cells.iter().map(|cell| cell.broker.as_str()).find(|name| *name != HEARTH)?;
    let (ours, theirs) = (row.median(HEARTH, Metric::P99)?, row.median(other, Metric::P99)?);
    (ours > theirs).then(|| format!("p99 {} µs against {}", shown(ours, 0), shown(theirs, 0)))
}

/// What went wrong with the others, so that an empty cell is not a riddle.
fn failures(results: &Results) -> String {
    let mut text = String::new();
    for row in &results.rows {
        for broker in &results.brokers {
            if let Some(why) = row.failure(&broker.name) {
                let line = why.split_whitespace().collect::<Vec<_>>().join(" ");
                let line: String = line.chars().take(200).collect();
                text += &format!("- {}, {}: {line}\n", broker.name, row.id);
            } else if falls_behind(row, &broker.name) {
                text += &format!("- {}, {}: carries less than it is offered\n", broker.name, row.id);
            } else if let Some(lost) = row.median(&broker.name, Metric::Lost).filter(|lost| *lost > 0.0) {
                text +=
                    &format!("- {}, {}: {} deliveries did not come\n", broker.name, row.id, shown(lost, 0));
            } else if let Some(again) = row.median(&broker.name, Metric::Again).filter(|again| *again > 0.0) {
                text +=
                    &format!("- {}, {}: {} deliveries came twice\n", broker.name, row.id, shown(again, 0));
            }
        }
    }
    if text.is_empty() { "None.".to_owned() } else { text }
}

impl Picture {
    fn chart(&self, results: &Results) -> Chart {
        let rows: Vec<&RowResults> = if self.rows.is_empty() {
            results.group(self.group).collect()
        } else {
            self.rows.iter().filter_map(|id| results.row(id)).collect()
        };
        let names = results.brokers.iter().map(|broker| broker.name.as_str());
        let has_figure = |name: &&str| rows.iter().any(|row| row.median(name, self.metric).is_some());
        let series: Vec<&str> = names.filter(|name| *name != ONE_SHARD).filter(has_figure).collect();
        let figures = |row: &RowResults| series.iter().map(|name| row.median(name, self.metric)).collect();
        Chart {
            title: self.title.to_owned(),
            groups: rows.iter().map(|row| (row.id.clone(), figures(row))).collect(),
            series: series.iter().map(|name| (*name).to_owned()).collect(),
            digits: self.metric.digits(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_own;
    use super::super::results::tests::row;
    use super::super::results::{Broker, Cell, Outcome};
    use super::*;

    fn results(rows: Vec<RowResults>) -> Results {
        let brokers =
            [HEARTH, "Mosquitto", FLOOR].map(|name| Broker { name: name.to_owned(), version: None });
        Results { rows, brokers: brokers.into(), ..Results::default() }
    }

    #[test]
    fn a_row_that_misses_an_aim_is_named_with_its_reason() {
        let cpu = [(HEARTH, 2.0), ("Mosquitto", 3.0), (FLOOR, 1.5)];
        let rows = vec![
            row("slow", Group::Limit, Metric::CpuPerMillion, &cpu),
            row("fast", Group::Limit, Metric::CpuPerMillion, &[(HEARTH, 1.0), ("Mosquitto", 3.0)]),
            row("late", Group::Half, Metric::P99, &[("Mosquitto", 10.0), (HEARTH, 11.0)]),
        ];
        let reasons = BTreeMap::from([("slow".to_owned(), "The kernel.".to_owned())]);
        let text = behind(&results(rows), &reasons);
        let expected = "- slow: 2.00 s of processor time for a million, Mosquitto 3.00 (1.5×), and the floor 1.50. The kernel.\n\
                        - late: p99 11 µs against 10. Not explained yet.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_section_of_the_page_is_filled() {
        let mut limit = row("x", Group::Limit, Metric::PerSecond, &[(HEARTH, 2.0), ("Mosquitto", 1.0)]);
        let outcome = Outcome::Failure("it\nfell".to_owned());
        limit.cells.push(Cell { broker: FLOOR.to_owned(), round: 1, outcome });
        let text = page(&results(vec![limit]), &BTreeMap::new());
        assert!(!text.contains("<!--"), "{text}");
        assert!(text.contains("| messages a second | 1 | 1 | 2.0× | 2.0× |"), "{text}");
        assert!(text.contains("- floor, x: it fell"), "{text}");
    }

    #[test]
    fn the_reasons_can_be_read() {
        let reasons: BTreeMap<String, String> = toml::from_str(REASONS).unwrap();
        assert!(reasons.values().all(|reason| reason.ends_with('.')));
    }

    #[test]
    fn the_pictures_have_bars() {
        let rows = vec![row("50 pairs, QoS 0", Group::Limit, Metric::CpuPerMillion, &[(HEARTH, 2.0)])];
        let chart = PICTURES[0].chart(&results(rows));
        assert_eq!((chart.series.len(), chart.groups.len()), (1, 1));
        assert!(chart.svg().unwrap().contains("50 pairs, QoS 0"));
    }

    #[test]
    fn no_broker_of_ours_is_held_against_hearth() {
        assert!(is_own(ONE_SHARD) && is_own(FLOOR) && is_own(HEARTH) && !is_own("Mosquitto"));
    }
}
