//! The chore `test`: every test there is, natively, as wasm and through a real browser.
//!
//! What the crate `tests` gets through its environment: `HEARTH_BIN`, the server with the web app inside;
//! `HEARTH_NODE_MODULES`, npm's packages; `HEARTH_PYTHON`, an interpreter with the packages of PyPI;
//! `HEARTH_MOSQUITTO`, the broker Mosquitto; `HEARTH_PACKAGE`, the folder of the client package. The programs mosquitto_pub,
//! mosquitto_sub, mosquitto_rr, chromedriver and node are on its PATH.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::conformance;
use crate::mosquitto_broker;
use crate::package;
use crate::pins::WASM_TARGET;
use crate::process::{run_openly, run_watched};
use crate::programs::{self, CHROMEDRIVER};
use crate::step::step;
use crate::test_clients::TestClients;
use crate::test_results::Results;
use crate::web::{APP, WebTools};
use crate::workspace::Workspace;

/// What the summaries of the test runners say, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs all tests, or those whose names contain one of the filters. When all ran, the page of the conformance tests is held against
/// what became of them.
pub(crate) fn test(workspace: &Workspace, filters: &[OsString]) -> Result<()> {
    programs::ensure(programs::OF_THE_TESTS)?;
    let clients = TestClients::ensure(workspace)?;
    let mosquitto = mosquitto_broker::ensure(workspace)?;
    let web = WebTools::ensure(workspace)?;
    web.build(workspace)?;
    let package = package::build(workspace)?;
    // One selection of packages for building and testing: another one would have other features, and compile everything
    // a second time. It has the server's program in it.
    step("building the server and the tests", || {
        run_openly(workspace.cargo().args(["build", "--locked", "--workspace", "--all-targets"]))
    })?;
    let mut tally = Tally::default();
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--workspace", "--no-fail-fast", "--"]).args(filters);
    cargo.env("HEARTH_BIN", workspace.program("debug", "hearth"));
    cargo.env("HEARTH_NODE_MODULES", &clients.node_modules).env("HEARTH_PYTHON", &clients.python);
    cargo.env("HEARTH_MOSQUITTO", mosquitto).env("HEARTH_PACKAGE", package);
    let mut results = Results::default();
    let mut is_good = run_watched(&mut cargo, |line| {
        tally.add(line);
        results.add(line);
    })?;
    if has_wasm_tests(&workspace.root.join("frontend"))? {
        is_good &= run_watched(wasm_tests(workspace, &web)?.args(filters), |line| tally.add(line))?;
    }
    println!("\n{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.ignored);
    if !is_good || tally.failed > 0 {
        bail!("not all tests passed");
    }
    if tally.passed == 0 {
        bail!("no test has such a name");
    }
    // The page is about all of its tests, so that a part of them cannot judge it.
    if filters.is_empty() {
        conformance::check_run(workspace, &results)?;
    }
    Ok(())
}

impl Tally {
    /// Adds a line of the form `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                Some("ignored") => self.ignored += count,
                _ => {}
            }
        }
    }
}

/// The web app's own tests, which run as wasm in a browser.
fn wasm_tests(workspace: &Workspace, web: &WebTools) -> Result<Command> {
    let mut cargo = web.toolchain.cargo(workspace)?;
    cargo.args(["test", "--locked", "--package", APP, "--target", WASM_TARGET, "--"]);
    let runner = web.command(workspace, "wasm-bindgen-test-runner")?;
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner.get_program());
    cargo.env("CHROMEDRIVER", CHROMEDRIVER.find().context("chromedriver is not on the PATH")?);
    Ok(cargo)
}

fn has_wasm_tests(folder: &Path) -> Result<bool> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let has_them = if path.is_dir() {
            has_wasm_tests(&path)?
        } else {
            path.extension().is_some_and(|extension| extension == "rs")
                && fs::read_to_string(&path)?.contains("#[wasm_bindgen_test]")
        };
        if has_them {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_added_up_and_other_lines_are_not() {
        let mut tally = Tally::default();
        tally.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.10s\n");
        tally.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n");
        tally.add("test codec::a_test ... ok\n");
        tally.add("9 passed; 9 failed\n");
        assert_eq!(tally, Tally { passed: 14, failed: 3, ignored: 1 });
    }
}
