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
use crate::programs;
use crate::step::say;
use crate::test_results::{Outcome, Results};
use crate::web::WebTools;
use crate::workspace::Workspace;

/// The module of the tests that have markers.
const MODULE: &str = "conformance";

/// Where the result is written, from the root of the checkout.
const PAGE: &str = "docs/conformance.md";

/// Runs the tests and writes the page; with `--check`, tells whether the page is what a run without failures would write.
pub(crate) fn conformance(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    match arguments {
        [] => {
            // The web app is the client that speaks WebSocket.
            programs::ensure(programs::OF_THE_BROWSER)?;
            WebTools::ensure(workspace)?.build(workspace)?;
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

/// Compares the page with the markers. The tests are not run: `cargo xtask test` does that.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    check_outcomes(workspace, |_| Some(Outcome::Passed))
}

/// Compares the page with the markers and with what became of their tests in a run that somebody else made.
pub(crate) fn check_run(workspace: &Workspace, results: &Results) -> Result<()> {
    check_outcomes(workspace, |test| results.of(test))
}

fn check_outcomes(workspace: &Workspace, outcome: impl Fn(&str) -> Option<Outcome>) -> Result<()> {
    let ledger = ledger(workspace, outcome)?;
    let page = workspace.root.join(PAGE);
    let committed = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    judge(&ledger)?;
    compare(&ledger, &committed)
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
    say(&format!("all {} rows of {PAGE} are in order", ledger.rows.len()));
    Ok(())
}

/// A committed page that is not the one of this ledger is a failure.
fn compare(ledger: &Ledger, committed: &str) -> Result<()> {
    // A checkout may have other line ends.
    if !page::page(ledger).lines().eq(committed.lines()) {
        bail!("{PAGE} is not what the tests say; `cargo xtask conformance` writes it anew");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::clause::{Side, Standard};
    use super::*;

    const CLAUSES: &str = "MQTT-1.0.0-1\tserver\nMQTT-1.0.0-2\tboth\n";
    const REASONS: &str = "5.0\tMQTT-1.0.0-2\tclient\tSo.\n";
    const TESTS: &str = "// MQTT 5.0 server: MQTT-1.0.0-1 MQTT-1.0.0-2\n#[test]\nfn it_does() {\n";

    /// A checkout of these parts, with the lists of 5.0 only.
    fn ledger_of(clauses: &str, reasons: &str, tests: &str, outcome: Option<Outcome>) -> Result<Ledger> {
        let folder = tempfile::tempdir()?;
        let lists = folder.path().join("conformance");
        let sources = folder.path().join("src");
        fs::create_dir(&lists)?;
        fs::create_dir(&sources)?;
        fs::write(lists.join("mqtt-3.1.1.tsv"), "")?;
        fs::write(lists.join("mqtt-5.0.tsv"), clauses)?;
        fs::write(lists.join("unshown.tsv"), reasons)?;
        fs::write(sources.join("connect.rs"), tests)?;
        let duties = Duties::read(&lists)?;
        let markers = Markers::read(&sources, MODULE)?;
        Ok(Ledger::new(&duties, &markers, |test| outcome.filter(|_| test == "conformance::connect::it_does")))
    }

    #[test]
    fn a_checkout_in_order_is_no_failure_and_its_page_is_its_own() {
        let ledger = ledger_of(CLAUSES, REASONS, TESTS, Some(Outcome::Passed)).unwrap();
        judge(&ledger).unwrap();
        let shown: Vec<_> = ledger.rows.iter().map(|row| (row.duty.standard, row.duty.side)).collect();
        assert_eq!(shown, [Side::Server, Side::Server, Side::Client].map(|side| (Standard::V5, side)));
        compare(&ledger, &page::page(&ledger)).unwrap();
        compare(&ledger, &page::page(&ledger).replace('\n', "\r\n")).unwrap();
    }

    #[test]
    fn whatever_is_not_in_order_is_a_failure() {
        let unknown = TESTS.replace("0-2", "0-9");
        let astray = format!("{TESTS}}}\n// MQTT 5.0 server: MQTT-1.0.0-1\n\nconst A: u8 = 0;\n");
        let passed = Some(Outcome::Passed);
        for (what, reasons, tests, outcome) in [
            ("a clause without a row's test or reason", "", TESTS, passed),
            ("a marker of an unknown clause", REASONS, unknown.as_str(), passed),
            ("a marker above no test", REASONS, astray.as_str(), passed),
            ("a test that failed", REASONS, TESTS, Some(Outcome::Failed)),
            ("a test that was skipped", REASONS, TESTS, Some(Outcome::Skipped)),
            ("a test that did not run", REASONS, TESTS, None),
        ] {
            let ledger = ledger_of(CLAUSES, reasons, tests, outcome).unwrap();
            assert!(judge(&ledger).is_err(), "{what}");
        }
        assert!(ledger_of(CLAUSES, "5.0\tMQTT-1.0.0-1\tclient\tIt binds none.\n", TESTS, passed).is_err());
    }

    #[test]
    fn a_page_that_is_not_the_one_of_the_tests_is_a_failure() {
        let before = ledger_of(CLAUSES, REASONS, TESTS, Some(Outcome::Passed)).unwrap();
        let renamed = TESTS.replace("it_does", "it_does_so");
        for after in [
            ledger_of(CLAUSES, REASONS, &renamed, Some(Outcome::Passed)).unwrap(),
            ledger_of(CLAUSES, "5.0\tMQTT-1.0.0-2\tclient\tElse.\n", TESTS, Some(Outcome::Passed)).unwrap(),
            ledger_of(CLAUSES, REASONS, TESTS, Some(Outcome::Failed)).unwrap(),
        ] {
            assert!(compare(&after, &page::page(&before)).is_err());
        }
        assert!(compare(&before, "").is_err());
    }
}
