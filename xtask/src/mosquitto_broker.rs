//! Mosquitto as a broker for the tests, without its service.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::step::step;
use crate::tools::is_absent_anyway;
use crate::workspace::{Workspace, find_program};

/// Where Debian has it, which is not on everybody's PATH.
const USUAL_PLACE: &str = "/usr/sbin/mosquitto";
/// What starts the unpacked one.
const STARTER: &str = "start";

/// Finds it, or unpacks Debian's package without installing it: its installation starts a broker on port 1883, where
/// `cargo xtask run` wants to listen.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(path) = find(workspace) {
        return Ok(path);
    }
    let folder = folder(workspace);
    let starter = folder.join(STARTER);
    fs::remove_dir_all(&folder).or_else(is_absent_anyway)?;
    let root = folder.join("root");
    step("fetching Mosquitto, unpacked and not installed", || {
        debian::unpack("mosquitto", &folder.join("packages"), &root)
            .context("the broker Mosquitto is missing, with which our own client is tried")
    })?;
    write_starter(&starter, &root)?;
    Ok(starter)
}

/// Where it is, if it is installed or was unpacked.
pub(crate) fn find(workspace: &Workspace) -> Option<PathBuf> {
    let places = [PathBuf::from(USUAL_PLACE), folder(workspace).join(STARTER)];
    find_program("mosquitto").or_else(|| places.into_iter().find(|place| place.is_file()))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("clients/mosquitto")
}

/// A script that starts the unpacked program with the libraries that were unpacked beside it.
fn write_starter(starter: &Path, root: &Path) -> Result<()> {
    let program = root.join(USUAL_PLACE.trim_start_matches('/'));
    if !program.is_file() {
        bail!("the package of Mosquitto has no {USUAL_PLACE}");
    }
    let mut folders = Vec::new();
    for place in ["lib", "usr/lib"] {
        let Ok(entries) = root.join(place).read_dir() else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path.display().to_string());
            }
        }
    }
    let text =
        format!("#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n", folders.join(":"), program.display());
    fs::write(starter, text)?;
    make_executable(starter)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<()> {
    Ok(())
}
