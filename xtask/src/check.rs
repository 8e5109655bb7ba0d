//! The chore `check`: format, lints, docs, dependencies and the web app, each a lane of its own.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::conformance;
use crate::package;
use crate::pins::{CARGO_DENY, WASM_TARGET};
use crate::process::{run_limited, run_openly};
use crate::step::{say, step};
use crate::tools;
use crate::web::{APP, WebTools};
use crate::workspace::Workspace;

/// How long the list of advisories may take to come; it is a small repository.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(120);

/// Runs every lane, even after one failed, and then says which did.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let web = WebTools::ensure(workspace)?;
    let mut failed = Vec::new();
    let mut lane = |name: &'static str, work: &dyn Fn() -> Result<()>| {
        if let Err(error) = step(name, work) {
            say(&format!("{name}: {error:#}"));
            failed.push(name);
        }
    };
    // Before what compiles the server, which has it inside.
    lane("web app", &|| web.build(workspace));
    lane("format", &|| run_openly(workspace.cargo().args(["fmt", "--all", "--check"])));
    lane("lints, native", &|| {
        let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        run_openly(workspace.cargo().args(arguments))
    });
    lane("lints, wasm", &|| {
        let mut cargo = web.toolchain.cargo(workspace)?;
        cargo.args(["clippy", "--locked", "--package", APP, "--target", WASM_TARGET]);
        run_openly(cargo.args(["--", "--deny", "warnings"]))
    });
    lane("lints, client package", &|| {
        let mut cargo = web.toolchain.cargo(workspace)?;
        cargo.args(["clippy", "--locked", "--package", package::CRATE, "--features", "package"]);
        run_openly(cargo.args(["--target", WASM_TARGET, "--", "--deny", "warnings"]))
    });
    lane("documentation", &|| {
        let mut cargo = workspace.cargo();
        cargo.args(["doc", "--locked", "--workspace", "--no-deps"]);
        run_openly(cargo.env("RUSTDOCFLAGS", "--deny warnings"))
    });
    lane("licences, bans and sources of dependencies", &|| deny(workspace, "bans licenses sources"));
    lane("advisories about dependencies", &|| advisories(workspace));
    lane("clauses of the standards", &|| conformance::check(workspace));
    if !failed.is_empty() {
        bail!("these checks failed: {}", failed.join("; "));
    }
    say("all checks passed");
    Ok(())
}

fn deny(workspace: &Workspace, checks: &str) -> Result<()> {
    let folders = tools::ensure(workspace, &[&CARGO_DENY])?;
    for folder in folders {
        let mut cargo_deny = workspace.command(folder.join("cargo-deny"));
        cargo_deny.args(["--log-level", "warn", "check", "--hide-inclusion-graph"]);
        run_openly(cargo_deny.args(checks.split(' ')))?;
    }
    Ok(())
}

/// The advisories come from a git host, which is not within reach of every machine that must pass the checks.
fn advisories(workspace: &Workspace) -> Result<()> {
    let folders = tools::ensure(workspace, &[&CARGO_DENY])?;
    for folder in folders {
        let mut fetch = workspace.command(folder.join("cargo-deny"));
        fetch.args(["--log-level", "error", "fetch", "db"]);
        if run_limited(&mut fetch, Some(ADVISORIES_LIMIT)).is_err() {
            say(
                "the list of advisories cannot be fetched from here: advisories are NOT checked, all else is",
            );
            return Ok(());
        }
    }
    deny(workspace, "advisories")
}
