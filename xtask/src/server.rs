//! Building the server with the web app inside.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::run_openly;
use crate::step::{say, step};
use crate::web::WebTools;
use crate::workspace::Workspace;

/// How the server is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For `run` and `dev`: optimised, but without the link-time optimisation that takes minutes.
    Quick,
    /// For use and for measurements.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Release => "release",
        }
    }
}

/// Builds web app and server and gives the path of the program.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    WebTools::ensure(workspace)?.build(workspace)?;
    build_server(workspace, profile)
}

/// Builds the server around the web app that is there.
pub(crate) fn build_server(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    step(&format!("building the server (profile {})", profile.name()), || {
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--locked", "--package", "hearth", "--bin", "hearth"]);
        run_openly(cargo.args(["--profile", profile.name()]))
    })?;
    Ok(workspace.program(profile.name(), "hearth"))
}

/// The chore `build`.
pub(crate) fn build_for_release(workspace: &Workspace) -> Result<()> {
    let program = build(workspace, Profile::Release)?;
    let size = fs::metadata(&program).with_context(|| format!("there is no {}", program.display()))?.len();
    say(&format!("the program with the web app inside, {:.1} MB:", megabytes(size)));
    println!("{}", program.display());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for reading, far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
