//! The page `docs/interoperability.md`.

use std::fmt::Write as _;

use super::table::Table;
use super::versions::{FOUND, Versions};
use crate::test_results::Outcome;

const INTRODUCTION: &str = "\
# Interoperability

The same scenarios, each written once, through clients that others wrote against Hearth, and through Hearth's own client (the
state machine that its web app and demo devices are made of) against Hearth and against Mosquitto as the broker.

`cargo xtask interop` runs them and writes this page; `cargo xtask test` runs them too. A cell is a test in `tests/src/interop`.
";

const SCENARIOS: &str = "
## The scenarios

- **all QoS pairs**: published at 0, 1 and 2 to subscriptions of 0, 1 and 2; each message arrives once, at the lower of the two.
- **retained**: set, heard live without and later with the retain flag, cleared by an empty one, and then gone.
- **will**: published at QoS 0, 1 and 2 when the connection is cut without DISCONNECT, and not after DISCONNECT.
- **persistent session**: left once with DISCONNECT and once by a cut; what was missed comes in its order, at QoS 1 and 2; a clean
  start ends it.
- **shared subscription**: thirty messages to a group of three; every message to one member, and to each member some.
- **10 MB payload**: ten million bytes arrive as they were sent.
- **empty payload**: arrives as a message, at every QoS.
- **UTF-8 topics**: of one to four bytes a character, composed and decomposed letters kept apart, with blanks and wildcards.
- **100 topics in one SUBSCRIBE**: the codes of SUBACK in the order of the filters, and messages by the first and the last.
- **request and response**: a question and its answer; in version 5.0 with response topic, correlation data, content type and user
  properties in their order.

Over WebSocket, what hears connects to Hearth through the web app's port at `/mqtt`, and what publishes through the port for
WebSocket.
";

/// The page as Markdown. The same table, versions and outcomes give the same bytes.
pub(super) fn page(table: &Table, versions: &Versions, outcome: impl Fn(&str) -> Option<Outcome>) -> String {
    let mut notes = Notes::default();
    let mut page = INTRODUCTION.to_owned();
    // Writing to a string cannot fail.
    let _ = write!(page, "\n| client | version | transport | broker | {} |\n", table.columns.join(" | "));
    let _ = writeln!(page, "|---|---|---|---|{}", ":-:|".repeat(table.columns.len()));
    for row in &table.rows {
        let cells = row.cells.iter().map(|cell| notes.add(mark(outcome(&cell.test)), &cell.note));
        let cells = cells.collect::<Vec<_>>().join(" | ");
        let _ = writeln!(page, "| {} | {cells} |", row.labels.join(" | "));
    }
    for (labels, why) in &table.not_offered {
        let cells = vec![notes.add("–", why); table.columns.len()].join(" | ");
        let _ = writeln!(page, "| {} | {cells} |", labels.join(" | "));
    }
    page += "\n✓ passed, **✗** failed, – not offered by the client.\n\n";
    for (index, note) in notes.texts.iter().enumerate() {
        let _ = writeln!(page, "{}. {note}", index + 1);
    }
    let _ = write!(page, "\n{}\n{}\n", versions.pinned(), versions.found());
    page += SCENARIOS;
    page
}

/// Whether two pages say the same; which Mosquitto was found may differ from machine to machine.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let lines =
        |page: &str| page.lines().filter(|line| !line.starts_with(FOUND)).map(str::to_owned).collect();
    let (one, other): (Vec<String>, Vec<String>) = (lines(one), lines(other));
    one == other
}

fn mark(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Passed) => "✓",
        Some(Outcome::Failed | Outcome::Skipped) | None => "**✗**",
    }
}

/// Notes in the order in which they are first needed.
#[derive(Default)]
struct Notes {
    texts: Vec<String>,
}

impl Notes {
    /// The text of a cell, with the number of its note if it has one.
    fn add(&mut self, text: &str, note: &str) -> String {
        if note.is_empty() {
            return text.to_owned();
        }
        let index = self.texts.iter().position(|known| known == note).unwrap_or_else(|| {
            self.texts.push(note.to_owned());
            self.texts.len() - 1
        });
        format!("{text} ({})", index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_the_same_whichever_mosquitto_was_found_and_not_otherwise() {
        let line = |version: &str| format!("| a | ✓ |\n{FOUND} mosquitto {version}.\n");
        assert!(is_same(&line("2.0.11"), &line("2.0.18")));
        assert!(!is_same(&line("2.0.11"), &line("2.0.11").replace('✓', "**✗**")));
    }

    #[test]
    fn cells_show_their_outcome_and_the_number_of_their_note() {
        let text = "column\ta\ncolumn\tb\nrow\tp\t3.1\tTCP\tHearth\ncell\tx::a\t\ncell\tx::b\tAll at once.\n\
                    row\tp\t5.0\tTCP\tHearth\ncell\ty::a\tAll at once.\ncell\ty::b\t\n\
                    not-offered\tq\tall\tTCP\tHearth\tIt has none.\n";
        let table = Table::parse(text).unwrap();
        let page = page(&table, &Versions::default(), |test| match test {
            "x::a" | "y::a" => Some(Outcome::Passed),
            "x::b" => Some(Outcome::Failed),
            _ => None,
        });
        for line in [
            "| client | version | transport | broker | a | b |",
            "| p | 3.1 | TCP | Hearth | ✓ | **✗** (1) |",
            "| p | 5.0 | TCP | Hearth | ✓ (1) | **✗** |",
            "| q | all | TCP | Hearth | – (2) | – (2) |",
            "1. All at once.",
            "2. It has none.",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }
}
