//! Building the web app into the folder that the server embeds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::pins::{BINARYEN_VERSION, TRUNK, WASM_BINDGEN, WASM_SPLIT};
use crate::process::run_openly;
use crate::step::{say, step};
use crate::tools::{check_wasm_bindgen, ensure, ensure_wasm_opt};
use crate::wasm_target::WasmToolchain;
use crate::web_parts;
use crate::workspace::{Workspace, is_asked};

/// The cargo profile of the web app.
pub(crate) const PROFILE: &str = "web";
/// The program of the web app.
pub(crate) const APP: &str = "hearth-frontend";
/// Everything that the web app is made from.
const SOURCES: &[&str] = &[
    "index.html",
    "Trunk.toml",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "frontend",
    "client",
    "protocol",
    "api",
];

/// What trunk tells. Its minifier warns that it does not know the `as default` that wasm-bindgen writes; the script is then
/// served as it was written, 8 kB with brotli.
const TRUNK_LOG: &str = "error,trunk=info,trunk::processing::minify=error";

/// What builds the web app.
#[derive(Debug)]
pub(crate) struct WebTools {
    pub(crate) toolchain: WasmToolchain,
    folders: Vec<PathBuf>,
    /// The folder with the true wasm-opt.
    pub(crate) wasm_opt: Option<PathBuf>,
}

impl WebTools {
    /// Finds or installs them.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        check_wasm_bindgen(workspace)?;
        let toolchain = WasmToolchain::ensure(workspace)?;
        let mut folders = ensure(workspace, &[&WASM_BINDGEN, &WASM_SPLIT, &TRUNK])?;
        let wasm_opt = if is_asked("XTASK_NO_WASM_OPT") { None } else { ensure_wasm_opt(workspace)? };
        match &wasm_opt {
            Some(folder) => folders.push(folder.clone()),
            None => say("without wasm-opt the web app works the same but is larger to load"),
        }
        Ok(Self { toolchain, folders, wasm_opt })
    }

    /// Trunk with all that it calls.
    pub(crate) fn trunk(&self, workspace: &Workspace) -> Result<Command> {
        let mut trunk = self.command(workspace, "trunk")?;
        // Trunk reads a boolean there, and some systems set the variable to 1.
        trunk.env_remove("NO_COLOR").arg("--skip-version-check").arg("--offline=true");
        if std::env::var_os("RUST_LOG").is_none() {
            trunk.env("RUST_LOG", TRUNK_LOG);
        }
        Ok(trunk)
    }

    /// One of the tools.
    pub(crate) fn command(&self, workspace: &Workspace, program: &str) -> Result<Command> {
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let paths = self.folders.iter().map(|folder| folder.join(&file));
        let path = paths.into_iter().find(|path| path.is_file());
        let mut command = workspace.command(path.with_context(|| format!("{program} is not installed"))?);
        self.toolchain.prepare(workspace, &mut command, &self.folders)?;
        Ok(command)
    }

    /// Builds the web app, unless nothing that it is made from has changed.
    pub(crate) fn build(&self, workspace: &Workspace) -> Result<()> {
        let dist = workspace.web_dist();
        let stamp = workspace.target.join("web/built");
        let recipe = format!(
            "{} trunk {} wasm-bindgen {} wasm-split {} wasm-opt {}",
            self.toolchain.label(),
            TRUNK.version,
            WASM_BINDGEN.version,
            WASM_SPLIT.version,
            if self.wasm_opt.is_some() { BINARYEN_VERSION } else { "none" }
        );
        if is_current(workspace, &stamp, &recipe)? && dist.join("index.html").is_file() {
            say("the web app is up to date");
            return Ok(());
        }
        step("building the web app", || {
            // Not when it ended: what changes meanwhile is not in it.
            let start = SystemTime::now();
            let mut trunk = self.trunk(workspace)?;
            trunk.args(["build", "--release=true", "--cargo-profile", PROFILE, "--features", "split"]);
            trunk.arg("--dist").arg(&dist);
            run_openly(&mut trunk)?;
            if !dist.join("index.html").is_file() {
                bail!(
                    "trunk says that it built the web app, but there is no index.html in {}",
                    dist.display()
                );
            }
            web_parts::split(workspace, self, &dist)?;
            fs::write(&stamp, &recipe)?;
            File::options().write(true).open(&stamp)?.set_modified(start)?;
            Ok(())
        })
    }
}

fn is_current(workspace: &Workspace, stamp: &Path, recipe: &str) -> Result<bool> {
    if !fs::read_to_string(stamp).is_ok_and(|text| text == recipe) {
        return Ok(false);
    }
    let built = fs::metadata(stamp)?.modified()?;
    for source in SOURCES {
        if newest_change(&workspace.root.join(source))?.is_some_and(|change| change >= built) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The latest change in a file or folder. A folder's own time tells of files that were removed.
fn newest_change(path: &Path) -> Result<Option<SystemTime>> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    let mut newest = metadata.modified()?;
    if metadata.is_dir() {
        for entry in path.read_dir()? {
            newest = newest.max(newest_change(&entry?.path())?.unwrap_or(newest));
        }
    }
    Ok(Some(newest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_deep_in_a_folder_is_seen() {
        let folder = std::env::temp_dir().join(format!("hearth-xtask-web-{}", std::process::id()));
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("deep/file"), "").unwrap();
        let future = SystemTime::now() + Duration::from_secs(1000);
        File::options().write(true).open(folder.join("deep/file")).unwrap().set_modified(future).unwrap();
        assert_eq!(newest_change(&folder).unwrap(), Some(future));
        assert_eq!(newest_change(&folder.join("nothing")).unwrap(), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
