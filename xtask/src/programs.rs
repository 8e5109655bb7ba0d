//! Programs of the system that chores need: found on the PATH, else installed as packages.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::debian;
use crate::workspace::find_program;

/// A program, the names that it goes by, and the Debian package that has it.
#[derive(Debug)]
pub(crate) struct Program {
    what: &'static str,
    names: &'static [&'static str],
    package: &'static str,
    is_whole: fn() -> bool,
}

/// Runs MQTT.js and wasm-opt.
pub(crate) const NODE: Program = program("Node.js", &["node", "nodejs"], "nodejs");
/// Installs them.
pub(crate) const NPM: Program = program("npm", &["npm"], "npm");
/// The tools that everybody's first steps use.
const MOSQUITTO_PUB: Program = program("mosquitto_pub", &["mosquitto_pub"], "mosquitto-clients");
const MOSQUITTO_SUB: Program = program("mosquitto_sub", &["mosquitto_sub"], "mosquitto-clients");
const MOSQUITTO_RR: Program = program("mosquitto_rr", &["mosquitto_rr"], "mosquitto-clients");
const CHROMIUM: Program = program(
    "Chromium",
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"],
    "chromium",
);
/// Counts instructions.
pub(crate) const VALGRIND: Program = program("Valgrind", &["valgrind"], "valgrind");
/// Drives Chromium for the tests.
pub(crate) const CHROMEDRIVER: Program = program("chromedriver", &["chromedriver"], "chromium-driver");
/// Compiles what rmqttd says to others of its kind.
pub(crate) const PROTOC: Program = program("protoc", &["protoc"], "protobuf-compiler");
/// Makes the folder that paho-mqtt is installed in.
pub(crate) const PYTHON: Program =
    Program { is_whole: has_venv, ..program("Python with venv", &["python3"], "python3-venv") };

/// What the system's tests run beside cargo. The Mosquitto broker is not among them: it must not be installed as its service
/// (`mosquitto_broker.rs`).
pub(crate) const OF_THE_TESTS: &[Program] =
    &[MOSQUITTO_PUB, MOSQUITTO_SUB, MOSQUITTO_RR, CHROMIUM, CHROMEDRIVER, NODE, NPM, PYTHON];

/// What the tests in a real browser run.
pub(crate) const OF_THE_BROWSER: &[Program] = &[CHROMIUM, CHROMEDRIVER];

const fn program(what: &'static str, names: &'static [&'static str], package: &'static str) -> Program {
    Program { what, names, package, is_whole: || true }
}

impl Program {
    /// Where it is, if it is there and works.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        self.names.iter().find_map(|name| find_program(name)).filter(|_| (self.is_whole)())
    }
}

/// Installs those that are missing, all at once.
pub(crate) fn ensure(programs: &[Program]) -> Result<()> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    packages.dedup();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    debian::install(&packages, &format!("{} {verb}", names(&missing)))?;
    let still = self::missing(programs);
    if !still.is_empty() {
        bail!("{} cannot be found on the PATH although the packages are installed", names(&still));
    }
    Ok(())
}

fn missing(programs: &[Program]) -> Vec<&Program> {
    programs.iter().filter(|program| program.find().is_none()).collect()
}

fn names(programs: &[&Program]) -> String {
    programs.iter().map(|program| program.what).collect::<Vec<_>>().join(", ")
}

/// Debian's python3 comes without what a virtual environment is made of.
fn has_venv() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import venv, ensurepip"]);
    python.output().is_ok_and(|output| output.status.success())
}
