//! A Rust toolchain that can compile for the browser.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::distro_rust::DistroRust;
use crate::pins::WASM_TARGET;
use crate::process::run_limited;
use crate::step::{say, step};
use crate::workspace::{Workspace, find_program, is_asked};

/// How long rustup may take for its 20 MB; without a way to its server it would try for much longer.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// Where the compiler for the web app comes from.
#[derive(Debug)]
pub(crate) enum WasmToolchain {
    /// The toolchain that everything else is compiled with.
    Active,
    /// The distribution's compiler, with a standard library for wasm that xtask compiled from the distribution's source.
    Distro(DistroRust),
}

impl WasmToolchain {
    /// Finds the target in the active toolchain, else adds it through rustup, else makes it from the distribution's
    /// packages.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        if is_asked("XTASK_NO_RUSTUP") {
            return DistroRust::ensure(workspace).map(Self::Distro);
        }
        if has_target(workspace) {
            return Ok(Self::Active);
        }
        if find_program("rustup").is_some() {
            let added = step(&format!("rustup adds the target {WASM_TARGET}"), || {
                let mut rustup = workspace.command("rustup");
                rustup.args(["target", "add", WASM_TARGET]).env("RUST_BACKTRACE", "0");
                run_limited(&mut rustup, Some(RUSTUP_LIMIT))
            });
            match added {
                Ok(_) if has_target(workspace) => return Ok(Self::Active),
                Ok(_) => say("rustup says that it is added, but the active toolchain does not have it"),
                Err(error) => say(&format!("{error:#}")),
            }
        }
        say("trying the distribution's packages instead");
        DistroRust::ensure(workspace).map(Self::Distro)
    }

    /// The target folder for wasm. Two compilers would evict each other's work from one folder.
    pub(crate) fn target_folder(&self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Active => workspace.target.clone(),
            Self::Distro(_) => workspace.target.join("distro"),
        }
    }

    /// Cargo for wasm.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Result<Command> {
        let mut command = match self {
            Self::Active => workspace.cargo(),
            Self::Distro(distro) => workspace.command(distro.cargo()),
        };
        self.prepare(workspace, &mut command, &[])?;
        Ok(command)
    }

    /// Lets a program that calls cargo call this one; `folders` come first on its PATH.
    pub(crate) fn prepare(
        &self,
        workspace: &Workspace,
        command: &mut Command,
        folders: &[PathBuf],
    ) -> Result<()> {
        match self {
            Self::Active => {
                command.env("PATH", crate::workspace::path_with(folders)?);
                command.env("CARGO_TARGET_DIR", &workspace.target);
            }
            Self::Distro(distro) => {
                distro.prepare(command, folders)?;
                command.env("CARGO_TARGET_DIR", self.target_folder(workspace));
            }
        }
        Ok(())
    }

    /// Tells builds of different compilers apart.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Active => "active".to_owned(),
            Self::Distro(distro) => format!("distro {}", distro.version()),
        }
    }
}

fn has_target(workspace: &Workspace) -> bool {
    let mut rustc = workspace.command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", WASM_TARGET]);
    let Ok(output) = rustc.output() else { return false };
    output.status.success() && has_std(Path::new(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Whether a folder holds a compiled standard library.
pub(crate) fn has_std(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}
