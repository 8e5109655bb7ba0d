//! The table as data for `cargo xtask interop`, which knows what became of each test and writes the document.

use std::fs;
use std::path::Path;

use super::ROWS;
use super::row::Row;
use super::scenario::Scenario;

/// What is not tried: client, version, transport, broker, and why.
const NOT_OFFERED: &[[&str; 5]] = &[
    [
        "Mosquitto's tools",
        "all",
        "WebSocket",
        "Hearth",
        "mosquitto_pub, mosquitto_sub and mosquitto_rr of this version speak TCP only.",
    ],
    ["rumqttc", "3.1", "all", "Hearth", "rumqttc speaks 3.1.1 and 5.0."],
];

/// The document, from the root of the checkout.
const DOCUMENT: &str = "docs/interoperability.md";

#[test]
fn the_document_has_every_row_and_column_and_no_failure() {
    if let Some(path) = std::env::var_os("HEARTH_INTEROP_TABLE") {
        // The document is about to be written anew.
        return fs::write(path, table()).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(DOCUMENT);
    let document = fs::read_to_string(&path).unwrap_or_default();
    let has = |line: &str| document.lines().any(|found| found.starts_with(line));
    let titles: Vec<&str> = Scenario::ALL.iter().map(|scenario| scenario.title()).collect();
    let heading = format!("| client | version | transport | broker | {} |", titles.join(" | "));
    let starts = ROWS.iter().map(|(_, row, _)| format!("| {} | ✓", labels(*row).join(" | ")));
    let others = NOT_OFFERED.iter().map(|labels| format!("| {} | –", labels[..4].join(" | ")));
    for line in starts.chain(others).chain([heading]) {
        assert!(has(&line), "{DOCUMENT} has no line `{line}`; `cargo xtask interop` writes it anew");
    }
    let rows = document.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, ROWS.len() + NOT_OFFERED.len() + 1, "lines of the table of {DOCUMENT}");
    assert!(
        !document.lines().any(|line| line.starts_with("| ") && line.contains("✗")),
        "{DOCUMENT} has a failure"
    );
}

#[test]
fn every_scenario_is_a_test_of_every_row() {
    for (index, (name, row, tests)) in ROWS.iter().enumerate() {
        let scenarios: Vec<Scenario> = tests.iter().map(|(_, scenario)| *scenario).collect();
        assert_eq!(scenarios, Scenario::ALL, "the scenarios of {name}");
        assert!(ROWS[..index].iter().all(|(_, other, _)| other != row), "{row:?} is there twice");
    }
}

/// Lines with tabs: `column`, `row` with its labels, `cell` with the path of its test and a note, `not-offered`.
fn table() -> String {
    let mut lines: Vec<String> =
        Scenario::ALL.iter().map(|scenario| format!("column\t{}", scenario.title())).collect();
    for (name, row, tests) in ROWS {
        lines.push(format!("row\t{}", labels(*row).join("\t")));
        for (test, scenario) in *tests {
            let note = row.note(*scenario).unwrap_or_default();
            lines.push(format!("cell\tinterop::{name}::{test}\t{note}"));
        }
    }
    lines.extend(NOT_OFFERED.iter().map(|parts| format!("not-offered\t{}", parts.join("\t"))));
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn labels(row: Row) -> [String; 4] {
    let Row { program, version, transport, broker } = row;
    [program.to_string(), version.to_string(), transport.to_string(), broker.to_string()]
}
