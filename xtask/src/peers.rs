//! The brokers that Hearth is measured beside: where they are, and how they are installed.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::mosquitto_broker;
use crate::pins::{AEDES_FILES, AEDES_VERSION, CargoTool, RMQTTD, RUMQTTD};
use crate::process::run_silently;
use crate::programs::{self, NODE, NPM, PROTOC};
use crate::step::{say, step};
use crate::tools::{self, NPM_CI, home_of, install_once};
use crate::workspace::Workspace;

const FROM_CARGO: [&CargoTool; 2] = [&RUMQTTD, &RMQTTD];
const AEDES: &str = "aedes";
/// The program of Aedes, which is a library.
const AEDES_PROGRAM: &str = "broker.mjs";

/// Those that are there: a name and a program each.
pub(crate) fn find(workspace: &Workspace) -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    found.extend(mosquitto_broker::find(workspace).map(|path| ("mosquitto", path)));
    for tool in FROM_CARGO {
        let folder = home_of(workspace, tool.name, tool.version).join("bin");
        let program = folder.join(format!("{}{}", tool.name, std::env::consts::EXE_SUFFIX));
        found.extend(program.is_file().then_some((tool.name, program)));
    }
    let aedes = home_of(workspace, AEDES, AEDES_VERSION).join(AEDES_PROGRAM);
    found.extend((aedes.is_file() && NODE.find().is_some()).then_some((AEDES, aedes)));
    found
}

/// Installs those that are not; one that cannot be had is told and left out.
pub(crate) fn install(workspace: &Workspace) {
    let told = |name: &str, outcome: Result<()>| {
        if let Err(error) = outcome {
            say(&format!("{name} is left out: {error:#}"));
        }
    };
    told("Mosquitto", mosquitto_broker::ensure(workspace).map(drop));
    told(AEDES, install_aedes(workspace));
    for tool in FROM_CARGO {
        let installed = needs(tool).and_then(|()| tools::ensure(workspace, &[tool]).map(drop));
        told(tool.name, installed);
    }
}

/// What compiling it takes beside Rust.
fn needs(tool: &CargoTool) -> Result<()> {
    if tool.name == RMQTTD.name { programs::ensure(&[PROTOC]) } else { Ok(()) }
}

fn install_aedes(workspace: &Workspace) -> Result<()> {
    programs::ensure(&[NODE, NPM])?;
    install_once(workspace, AEDES, AEDES_VERSION, |fresh| {
        step(&format!("fetching Aedes {AEDES_VERSION} (npm)"), || {
            for (name, text) in AEDES_FILES {
                fs::write(fresh.join(name), text)?;
            }
            run_silently(workspace.command("npm").args(NPM_CI).current_dir(fresh))?;
            Ok(())
        })
    })?;
    Ok(())
}
