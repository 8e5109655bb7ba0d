//! The independent MQTT clients of the tests: MQTT.js from npm (and axe-core, which looks at pages) and paho-mqtt from PyPI.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::run_silently;
use crate::step::step;
use crate::tools::{NPM_CI, is_absent_anyway};
use crate::workspace::Workspace;

/// Where the tests find them.
#[derive(Debug)]
pub(crate) struct TestClients {
    /// npm's packages.
    pub(crate) node_modules: PathBuf,
    /// The interpreter that has the Python packages.
    pub(crate) python: PathBuf,
}

impl TestClients {
    /// Installs what `tests/` pins, unless that very list is installed.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        let node = workspace.target.join("clients/node");
        let tests = workspace.root.join("tests");
        install(&node, &[tests.join("package.json"), tests.join("package-lock.json")], |folder| {
            step("fetching MQTT.js and axe-core (npm)", || {
                run_silently(workspace.command("npm").args(NPM_CI).current_dir(folder))?;
                Ok(())
            })
        })?;
        let python = workspace.target.join("clients/python");
        install(&python, &[tests.join("requirements.txt")], |folder| {
            step("fetching paho-mqtt (PyPI)", || {
                run_silently(workspace.command("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
                let mut pip = workspace.command(folder.join("venv/bin/python"));
                pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
                run_silently(pip.arg(folder.join("requirements.txt")))?;
                Ok(())
            })
        })?;
        Ok(Self { node_modules: node.join("node_modules"), python: python.join("venv/bin/python") })
    }
}

/// Copies lists into a fresh folder and lets `make` install them; a mark says that it went to its end.
fn install(folder: &Path, lists: &[PathBuf], make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut wanted = String::new();
    for list in lists {
        wanted += &fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    }
    let mark = folder.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::remove_dir_all(folder).or_else(is_absent_anyway)?;
    fs::create_dir_all(folder)?;
    for list in lists {
        let name = list.file_name().context("a list has no name")?;
        fs::copy(list, folder.join(name))?;
    }
    make(folder)?;
    fs::write(&mark, wanted)?;
    Ok(())
}
