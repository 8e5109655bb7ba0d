//! `cargo xtask`: set-up and every chore of the project.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who started it")]

mod bench;
mod browser_client;
mod check;
mod conformance;
mod crash;
mod debian;
mod dev;
mod distro_rust;
mod fuzz;
mod guard;
mod interop;
mod measure;
mod mosquitto_broker;
mod package;
mod peers;
mod pins;
mod process;
mod programs;
mod relay;
mod run;
mod server;
mod size;
mod step;
mod test;
mod test_clients;
mod test_results;
mod tools;
mod wasm_sections;
mod wasm_target;
mod web;
mod web_benchmark;
mod web_parts;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

const HELP: &str = "\
Hearth's chores. Each sets up what it needs and is not there yet, in pinned versions.

    cargo xtask run [-- ARGUMENTS]   build and start Hearth; try `cargo xtask run -- --demo`
    cargo xtask test [NAME…]         every test, those in a real browser too, or those whose names contain NAME
    cargo xtask build                the release program, web app inside
    cargo xtask dev [-- ARGUMENTS]   the server, and the web app rebuilt and reloaded at every change
    cargo xtask check                format, lints, docs, licences and advisories, web app
    cargo xtask conformance          every clause of MQTT 3.1.1 and 5.0 against its tests, into docs/conformance.md;
                                     with --check only whether that page is what the tests' markers say
    cargo xtask crash [--rounds N] [--seed S]
                                     kills the broker N times (1000) and looks whether it kept what it acknowledged
    cargo xtask fuzz [TARGET] [-- N] looks for inputs that a fuzz target does not survive, N seconds each (600)
    cargo xtask interop              other clients, and Mosquitto as the broker, into docs/interoperability.md;
                                     with --check only whether that page is what the run says
    cargo xtask package              the browser client as an npm package, in target/package
    cargo xtask size                 bytes of the web app's first load, and which crate they come from
    cargo xtask bench                Hearth beside every other broker that is installed, into docs/performance.md, in about 20
                                     minutes; --install-peers installs some, --quick, --only ROW, `bench --help` tells more
    cargo xtask bench durability     what it costs to keep messages, beside Mosquitto
    cargo xtask bench browser [SECONDS [MESSAGES [SLOWER [SHOWN]]]] the web app with 100,000 topics and so many messages a second (60, 20,000);
                                     view, everything or stream is shown
    cargo xtask bench browser-client the client package beside MQTT.js in one browser, with their sizes
    cargo xtask bench --guard [NAME] instructions of fixed scenarios against bench/guard.tsv; --write counts that anew
    cargo xtask measure              resident memory and start time of the release program
    cargo xtask clean-tools          remove the tools that xtask installed

XTASK_NO_RUSTUP=1   set up the wasm target without rustup, from the distribution's packages
XTASK_NO_WASM_OPT=1 build the web app without wasm-opt
";

fn main() -> ExitCode {
    match obey(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obey(arguments: Vec<OsString>) -> Result<()> {
    let mut arguments = arguments.into_iter();
    let chore = arguments.next().unwrap_or_default();
    let mut rest: Vec<OsString> = arguments.collect();
    if rest.first().is_some_and(|first| first == "--") {
        rest.remove(0);
    }
    let chore = chore.to_string_lossy().into_owned();
    if !matches!(
        chore.as_str(),
        "run" | "test" | "dev" | "bench" | "conformance" | "crash" | "fuzz" | "interop"
    ) && !rest.is_empty()
    {
        bail!("`cargo xtask {chore}` takes no arguments, but was given {rest:?}");
    }
    match chore.as_str() {
        "run" => run::run(&Workspace::find()?, &rest),
        "test" => test::test(&Workspace::find()?, &rest),
        "build" => server::build_for_release(&Workspace::find()?),
        "dev" => dev::dev(&Workspace::find()?, &rest),
        "check" => check::check(&Workspace::find()?),
        "conformance" => conformance::conformance(&Workspace::find()?, &rest),
        "crash" => crash::crash(&Workspace::find()?, &rest),
        "fuzz" => fuzz::fuzz(&Workspace::find()?, &rest),
        "interop" => interop::interop(&Workspace::find()?, &rest),
        "package" => package::package(&Workspace::find()?),
        "size" => size::size(&Workspace::find()?),
        "bench" => bench::bench(&Workspace::find()?, &rest),
        "measure" => measure::measure(&Workspace::find()?),
        "clean-tools" => tools::clean(&Workspace::find()?),
        relay::CHORE => relay::relay(),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        unknown => bail!("there is no chore `{unknown}`; `cargo xtask help` lists them"),
    }
}
