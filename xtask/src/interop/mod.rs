//! The chore `interop`: other clients and another broker against ours, as a table.

mod page;
mod table;
mod versions;

use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result, bail};

use self::table::Table;
use self::versions::Versions;
use crate::mosquitto_broker;
use crate::programs;
use crate::step::say;
use crate::test_clients::TestClients;
use crate::test_results::{Outcome, Results};
use crate::workspace::Workspace;

/// The module of the tests that are the table's cells.
const MODULE: &str = "interop";

/// Where the result is written, from the root of the checkout.
const PAGE: &str = "docs/interoperability.md";

/// Runs the tests and writes the page; with `--check`, tells whether the page is what would be written.
pub(crate) fn interop(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let is_check = match arguments {
        [] => false,
        [word] if word == "--check" => true,
        _ => bail!("`cargo xtask interop` takes nothing or `--check`, but was given {arguments:?}"),
    };
    programs::ensure(programs::OF_THE_TESTS)?;
    let clients = TestClients::ensure(workspace)?;
    let mosquitto = mosquitto_broker::ensure(workspace)?;
    let table_file = workspace.target.join("interop-table.tsv");
    let results = Results::of_run(
        workspace,
        MODULE,
        &[
            ("HEARTH_NODE_MODULES", clients.node_modules),
            ("HEARTH_PYTHON", clients.python),
            ("HEARTH_MOSQUITTO", mosquitto.clone()),
            ("HEARTH_INTEROP_TABLE", table_file.clone()),
        ],
    )?;
    let text = fs::read_to_string(&table_file)
        .with_context(|| format!("the tests did not write {}", table_file.display()))?;
    let table = Table::parse(&text)?;
    let versions = Versions::find(workspace, &mosquitto)?;
    let page = page::page(&table, &versions, |test| results.of(test));
    let place = workspace.root.join(PAGE);
    let is_stale = is_check && !page::is_same(&page, &fs::read_to_string(&place).unwrap_or_default());
    if !is_check {
        fs::write(&place, page).with_context(|| format!("cannot write {PAGE}"))?;
        say(&format!("{PAGE} is written"));
    }
    let cells = table.rows.iter().flat_map(|row| &row.cells);
    let failed: Vec<&str> = cells
        .map(|cell| cell.test.as_str())
        .filter(|test| results.of(test) != Some(Outcome::Passed))
        .collect();
    if !failed.is_empty() {
        bail!("these did not pass: {}", failed.join(", "));
    }
    if is_stale {
        bail!("{PAGE} is not what the tests say; `cargo xtask interop` writes it anew");
    }
    say(&format!("all {} scenarios of {} rows passed", table.columns.len(), table.rows.len()));
    Ok(())
}
