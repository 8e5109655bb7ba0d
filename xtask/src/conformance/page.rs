//! The page `docs/conformance.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::clause::{Side, Standard};
use super::ledger::{Ledger, Row, State};

const INTRODUCTION: &str = "\
# Conformance

Hearth against the numbered requirements of MQTT 3.1.1 and MQTT 5.0, one row for each clause and each side that it binds: the
broker as *server*, and the client that the web app and the demo devices share as *client*. The sentences behind the numbers
stand in the two standards of OASIS. A clause about what a client must not send is the server's too: it has to refuse it.
";

const HOW_TO_RUN: &str = "
`cargo xtask conformance` builds the broker, runs the tests and writes this page. Those of the server speak to a broker through real
sockets; those of the client give the machine that is the client bytes and time, and look at what it says, or at the WebSocket of the
page in a real browser. A clause with neither test nor reason, a test that fails or does not run, and a test that names a clause there is not, each fail the run. `cargo xtask test`
runs the same tests among all others and compares this page with their outcome, so that it cannot grow stale; `cargo xtask
conformance --check` compares without running a test. `cargo xtask test` with the name of a test from the last column runs it
alone. The tests are in `tests/src/conformance`, the lists of clauses in `tests/conformance`.
";

/// The page as Markdown. The same ledger gives the same bytes.
pub(super) fn page(ledger: &Ledger) -> String {
    let mut page = INTRODUCTION.to_owned();
    page += "\n| | clauses | pass | fail | cannot be shown | missing |\n|---|--:|--:|--:|--:|--:|\n";
    for standard in Standard::ALL {
        for side in Side::ALL {
            let rows = ledger.rows.iter();
            let rows = rows.filter(|row| row.duty.standard == standard && row.duty.side == side);
            let name = format!("MQTT {}, {}", standard.name(), side.name());
            add_totals(&mut page, &name, &rows.collect::<Vec<_>>());
        }
    }
    add_totals(&mut page, "together", &ledger.rows.iter().collect::<Vec<_>>());
    let tests: BTreeSet<&String> = ledger.rows.iter().flat_map(|row| row.state.tests()).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(page, "\nThey are shown by {} tests.", tests.len());
    page += HOW_TO_RUN;
    for standard in Standard::ALL {
        let _ = write!(page, "\n## MQTT {}\n\n", standard.name());
        page += "| clause | side | result | tests |\n|---|---|---|---|\n";
        for row in ledger.rows.iter().filter(|row| row.duty.standard == standard) {
            add_row(&mut page, row);
        }
    }
    page
}

fn add_totals(page: &mut String, name: &str, rows: &[&Row]) {
    let count = |is_wanted: fn(&State) -> bool| rows.iter().filter(|row| is_wanted(&row.state)).count();
    let passed = count(|state| matches!(state, State::Passed(_)));
    let failed = count(|state| matches!(state, State::Failed(_)));
    let unshown = count(|state| matches!(state, State::Unshown(_)));
    let missing = count(|state| matches!(state, State::Missing));
    let all = rows.len();
    let _ = writeln!(page, "| {name} | {all} | {passed} | {failed} | {unshown} | {missing} |");
}

fn add_row(page: &mut String, row: &Row) {
    let (result, tests) = match &row.state {
        State::Passed(tests) => {
            ("pass", tests.iter().map(|test| code(test)).collect::<Vec<_>>().join("<br>"))
        }
        State::Failed(tests) => {
            ("FAIL", tests.iter().map(|test| code(test)).collect::<Vec<_>>().join("<br>"))
        }
        State::Unshown(reason) => ("cannot be shown", reason.replace('|', "\\|")),
        State::Missing => ("missing", String::new()),
    };
    let (clause, side) = (&row.duty.clause, row.duty.side.name());
    let _ = writeln!(page, "| {clause} | {side} | {result} | {tests} |");
}

/// A test's path below the module that all of them share.
fn code(test: &str) -> String {
    format!("`{}`", test.split_once("::").map_or(test, |(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::super::clause::Duty;
    use super::*;

    #[test]
    fn each_state_has_its_row_and_is_counted() {
        let row = |number, side, state| Row {
            duty: Duty { standard: Standard::V5, number, clause: format!("MQTT-1.0.0-{number}"), side },
            state,
        };
        let tests = ["conformance::a::one".to_owned(), "conformance::a::two".to_owned()];
        let ledger = Ledger {
            rows: vec![
                row(1, Side::Server, State::Passed(tests.into())),
                row(2, Side::Server, State::Failed(["conformance::b::c".to_owned()].into())),
                row(3, Side::Client, State::Unshown("Says this | that.".to_owned())),
                row(4, Side::Client, State::Missing),
            ],
            faults: Vec::new(),
        };
        let page = page(&ledger);
        for line in [
            "| MQTT 5.0, server | 2 | 1 | 1 | 0 | 0 |",
            "| MQTT 5.0, client | 2 | 0 | 0 | 1 | 1 |",
            "| together | 4 | 1 | 1 | 1 | 1 |",
            "They are shown by 3 tests.",
            "| MQTT-1.0.0-1 | server | pass | `a::one`<br>`a::two` |",
            "| MQTT-1.0.0-2 | server | FAIL | `b::c` |",
            "| MQTT-1.0.0-3 | client | cannot be shown | Says this \\| that. |",
            "| MQTT-1.0.0-4 | client | missing |  |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }
}
