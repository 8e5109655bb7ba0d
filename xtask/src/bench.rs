//! The chore `bench`: builds Hearth and the load generator for release, finds Mosquitto, and measures.

use std::ffi::OsString;
use std::fs;

use anyhow::{Result, bail};

use crate::guard;
use crate::mosquitto_broker;
use crate::process::run_openly;
use crate::server::{self, Profile};
use crate::step::step;
use crate::workspace::Workspace;

/// The crate in `bench/`.
const PACKAGE: &str = "hearth-bench";

/// Runs a benchmark with its arguments, or compares counts of instructions. The brokers keep their files in the target folder.
pub(crate) fn bench(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    match arguments.split_first() {
        None => {
            bail!("which benchmark? There are `cargo xtask bench durability` and `cargo xtask bench --guard`")
        }
        Some((first, rest)) if first == "--guard" => return guard::guard(workspace, rest),
        Some(_) => {}
    }
    let mosquitto = mosquitto_broker::ensure(workspace)?;
    // No benchmark asks for the web app: the server is built around what is there of it.
    let hearth = server::build_server(workspace, Profile::Release)?;
    step("building the load generator", || {
        let mut cargo = workspace.cargo();
        run_openly(cargo.args(["build", "--locked", "--release", "--package", PACKAGE]))
    })?;
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder)?;
    let mut bench = workspace.command(workspace.program("release", PACKAGE));
    bench.arg("--hearth").arg(hearth).arg("--mosquitto").arg(mosquitto).arg("--folder").arg(folder);
    run_openly(bench.args(arguments))
}
