//! The chore `conformance`: every clause of MQTT 3.1.1 and 5.0 against the tests that show it.

mod clause;
mod ledger;
mod marker;
mod page;

use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result, bail};

use self::clause::Duties;
use self::ledger::Ledger;
use self::marker::Markers;
use crate::step::say;
use crate::test_results::{Outcome, Results};
use crate::workspace::Workspace;

/// The module of the tests that have markers.
const MODULE: &str = "conformance";

/// Where the result is written, from the root of the checkout.
const PAGE: &str = "docs/conformance.md";

/// Runs the tests and writes the page; with `--check`, tells whether the page is what a run without failures would write.
pub(crate) fn conformance(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    match arguments {
        [] => {
            let results = Results::of_run(workspace, MODULE, &[])?;
            let ledger = ledger(workspace, |test| results.of(test))?;
            let page = workspace.root.join(PAGE);
            fs::write(&page, page::page(&ledger))
                .with_context(|| format!("cannot write {}", page.display()))?;
            say(&format!("{PAGE} is written"));
            judge(&ledger)
        }
        [word] if word == "--check" => check(workspace),
        _ => bail!("`cargo xtask conformance` takes nothing or `--check`, but was given {arguments:?}"),
    }
}

/// The tests are not run: `cargo xtask test` does that, and the page of a broken test is not committed.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let ledger = ledger(workspace, |_| Some(Outcome::Passed))?;
    let committed = fs::read_to_string(workspace.root.join(PAGE)).unwrap_or_default();
    judge(&ledger)?;
    if committed != page::page(&ledger) {
        bail!("{PAGE} is not what the tests' markers say; `cargo xtask conformance` writes it anew");
    }
    Ok(())
}

fn ledger(workspace: &Workspace, outcome: impl Fn(&str) -> Option<Outcome>) -> Result<Ledger> {
    let tests = workspace.root.join("tests");
    let duties = Duties::read(&tests.join("conformance"))?;
    let markers = Markers::read(&tests.join("src").join(MODULE), MODULE)?;
    Ok(Ledger::new(&duties, &markers, outcome))
}

/// Lists what is wrong, which is a failure.
fn judge(ledger: &Ledger) -> Result<()> {
    for fault in &ledger.faults {
        println!("{fault}");
    }
    if !ledger.faults.is_empty() {
        bail!("{} of {} clauses and tests are not in order", ledger.faults.len(), ledger.rows.len());
    }
    say(&format!("all {} rows are in order", ledger.rows.len()));
    Ok(())
}
