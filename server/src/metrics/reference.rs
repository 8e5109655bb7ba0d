//! The reference of metrics, made from the table.

use std::fmt::Write as _;
use std::time::Duration;

use hearth_api::StoreState;
use hearth_broker::{DropReason, ReasonCounts, Stats};
use hearth_protocol::ReasonCode;

use super::table::FAMILIES;
use crate::figures::{Figures, ShardFigures, TurnFigures};
use crate::histogram::Histogram;
use crate::history::HistoryCounts;
use crate::own_process::OwnProcess;
use crate::store::StoreCounts;
use crate::tree::TreeCounts;

/// Where the table of the document begins; what stands before is written by hand.
const HEAD: &str = "| metric | type | labels | what it says | what to alert on |\n|---|---|---|---|---|\n";

/// Two shards, a store and a history that have seen something of each kind.
pub(super) fn sample_figures() -> Figures {
    let mut reasons = ReasonCounts::default();
    reasons.add(ReasonCode::NotAuthorized);
    let mut dropped = [0; DropReason::COUNT];
    dropped[DropReason::Expired.as_index()] = 4;
    let mut durations = Histogram::default();
    durations.add(Duration::from_millis(1));
    durations.add(Duration::from_secs(3));
    let turns = TurnFigures { durations, ..TurnFigures::default() };
    let stats = Stats { refused: reasons.clone(), protocol_errors: reasons, dropped, ..Stats::default() };
    Figures {
        uptime: Duration::from_secs(60),
        shards: vec![ShardFigures { stats, turns }; 2],
        refused: vec![("limits.connect_seconds_max", 3)],
        retained_messages: 10,
        retained_bytes: 99,
        store: StoreState::Writing,
        written: StoreCounts { commits: 2, changes: 34, failures: 5, durations },
        history: Some(HistoryCounts::default()),
        tree: Some(TreeCounts::default()),
        process: Some(OwnProcess {
            resident_bytes: 4096,
            resident_bytes_peak: 8192,
            cpu: Duration::from_millis(1500),
            open_files: 9,
        }),
    }
}

fn table() -> String {
    let mut text = HEAD.to_owned();
    for family in FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels) = (family.exposed(), family.kind.name(), labels.join(", "));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {} | {} |", family.help, family.alert);
    }
    text
}

#[test]
fn the_metrics_reference_is_in_step_with_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let written = std::fs::read_to_string(path).unwrap();
    let (before, rest) = written.split_once(HEAD).expect("the document has the head of the table");
    let behind = rest.find("\n\n").map_or("", |end| &rest[end + 1..]);
    let wanted = format!("{before}{}{behind}", table());
    if std::env::var_os("HEARTH_WRITE_REFERENCE").is_some() {
        std::fs::write(path, &wanted).unwrap();
    } else {
        assert!(
            written == wanted,
            "docs/metrics.md is behind the table of metrics; \
             run `HEARTH_WRITE_REFERENCE=1 cargo test -p hearth --lib reference`"
        );
    }
}
