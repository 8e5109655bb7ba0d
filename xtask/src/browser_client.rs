//! The benchmark `browser-client`: the client package beside MQTT.js in one browser, and what each is to load.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::package;
use crate::process::run_openly;
use crate::programs::{self, OF_THE_BROWSER};
use crate::server::{self, Profile};
use crate::test_clients::TestClients;
use crate::workspace::Workspace;

/// The test of `tests/src/package/benchmark.rs`.
const TEST: &str = "package::benchmark::messages_per_cpu_second_beside_mqtt_js";

/// What a page without a bundler loads of MQTT.js.
const MQTT_JS: &str = "mqtt/dist/mqtt.esm.js";

/// Measures, and prints the sizes.
pub(crate) fn measure(workspace: &Workspace, rest: &[OsString]) -> Result<()> {
    if !rest.is_empty() {
        bail!("`cargo xtask bench browser-client` takes no arguments, but was given {rest:?}");
    }
    programs::ensure(OF_THE_BROWSER)?;
    let clients = TestClients::ensure(workspace)?;
    let package = package::build(workspace)?;
    let hearth = server::build_server(workspace, Profile::Release)?;
    package::print_sizes(workspace, &package)?;
    let mqtt_js = clients.node_modules.join(MQTT_JS);
    print_size(workspace, &mqtt_js)?;
    println!();
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--package", "hearth-tests", "--test", "system", "--"]);
    cargo.args([TEST, "--exact", "--nocapture", "--include-ignored"]);
    cargo.env("HEARTH_BIN", hearth).env("HEARTH_PACKAGE", package);
    run_openly(cargo.env("HEARTH_NODE_MODULES", &clients.node_modules))
}

fn print_size(workspace: &Workspace, path: &Path) -> Result<()> {
    fs::metadata(path).with_context(|| format!("MQTT.js has no {}", path.display()))?;
    if let Some(sizes) = package::sizes(workspace, &[path.to_owned()])? {
        for [raw, gzip, brotli] in sizes {
            println!("{:<28}{raw:>10}{gzip:>10}{brotli:>10}", "MQTT.js, mqtt.esm.js");
        }
    }
    Ok(())
}
