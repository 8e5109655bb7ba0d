//! The chore `bench`: builds Hearth and the load generator for release, finds the other brokers, and measures.

use std::ffi::OsString;
use std::fs;

use anyhow::Result;

use crate::browser_client;
use crate::guard;
use crate::mosquitto_broker;
use crate::peers;
use crate::process::run_openly;
use crate::server::{self, Profile};
use crate::step::step;
use crate::web_benchmark;
use crate::workspace::Workspace;

/// The crate in `bench/`.
const PACKAGE: &str = "hearth-bench";

/// What xtask itself does, whatever the benchmark.
const INSTALL_PEERS: &str = "--install-peers";
/// The benchmarks of that crate; without one of them it is the first.
const BENCHMARKS: [&str; 3] = ["peers", "durability", "overload"];

/// Runs a benchmark with its arguments, or compares counts of instructions. The brokers keep their files in the target folder.
pub(crate) fn bench(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    if let Some((first, rest)) = arguments.split_first()
        && first == "--guard"
    {
        return guard::guard(workspace, rest);
    }
    if arguments.first().is_some_and(|first| first == "browser-client") {
        return browser_client::measure(workspace, &arguments[1..]);
    }
    if arguments.first().is_some_and(|first| first == "browser") {
        return web_benchmark::measure(workspace, &arguments[1..]);
    }
    let mut arguments: Vec<OsString> = arguments.to_vec();
    let is_named = arguments.first().is_some_and(|first| BENCHMARKS.iter().any(|name| first == name));
    if !is_named && !arguments.iter().any(|word| word == "--help" || word == "-h") {
        arguments.insert(0, BENCHMARKS[0].into());
    }
    let given = arguments.len();
    arguments.retain(|word| word != INSTALL_PEERS);
    if arguments.len() < given {
        peers::install(workspace);
    }
    if arguments.first().is_some_and(|first| first == "durability" || first == "overload") {
        mosquitto_broker::ensure(workspace)?;
    }
    // No benchmark asks for the web app: the server is built around what is there of it.
    let hearth = server::build_server(workspace, Profile::Release)?;
    step("building the load generator", || {
        let mut cargo = workspace.cargo();
        run_openly(cargo.args(["build", "--locked", "--release", "--package", PACKAGE]))
    })?;
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder)?;
    let mut bench = workspace.command(workspace.program("release", PACKAGE));
    for (name, path) in peers::find(workspace).into_iter().chain([("hearth", hearth)]) {
        let mut program = OsString::from(format!("{name}="));
        program.push(path);
        bench.arg("--program").arg(program);
    }
    bench.arg("--folder").arg(folder);
    let is_peers = arguments.first().is_some_and(|first| first == BENCHMARKS[0]);
    bench.args(arguments);
    if is_peers {
        bench.arg("--docs").arg(workspace.root.join("docs"));
    }
    run_openly(&mut bench)
}
