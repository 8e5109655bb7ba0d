//! Where things are: the checkout, its target folder and the folder of installed tools.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The places that chores work with.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// Installed tools, one folder a tool and version; shared by all checkouts.
    pub(crate) tools: PathBuf,
    cargo: OsString,
}

impl Workspace {
    /// Finds the places of the checkout that this xtask was built from.
    pub(crate) fn find() -> Result<Self> {
        let own_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own_folder.parent().context("xtask's folder has no parent")?.to_owned();
        // Cargo puts xtask at TARGET/PROFILE/xtask, wherever the settings moved the target folder.
        let program = env::current_exe().context("cannot find xtask's own program file")?;
        let target = program.parent().and_then(Path::parent).context("xtask was not started by cargo")?;
        let home = match env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => env::home_dir().context("neither CARGO_HOME nor HOME is set")?.join(".cargo"),
        };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Ok(Self { root, target: target.to_owned(), tools: home.join("hearth-tools"), cargo })
    }

    /// Cargo of the active toolchain, at the root of the checkout.
    pub(crate) fn cargo(&self) -> Command {
        self.command(&self.cargo)
    }

    /// A program at the root of the checkout, without what cargo told this xtask about xtask's own package: build
    /// scripts that watch those variables would run again.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_")
                || name_text.starts_with("CARGO_MANIFEST_")
                || name_text.starts_with("XTASK_")
            {
                command.env_remove(&name);
            }
        }
        // The server's build looks at `target/web/dist` by itself. Where the target folder is elsewhere it must be told, and
        // finds a folder even before the web app is built.
        let dist = self.web_dist();
        if self.target != self.root.join("target") && dist.is_dir() {
            command.env("HEARTH_WEB_DIST", dist);
        }
        command
    }

    /// The built web app.
    pub(crate) fn web_dist(&self) -> PathBuf {
        self.target.join("web/dist")
    }

    /// A program that cargo built in the folder of a profile.
    pub(crate) fn program(&self, profile_folder: &str, name: &str) -> PathBuf {
        self.target.join(profile_folder).join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }
}

/// `PATH` with more folders before it.
pub(crate) fn path_with(folders: &[PathBuf]) -> Result<OsString> {
    let present = env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().cloned().chain(env::split_paths(&present));
    env::join_paths(folders).context("a folder's name does not fit into PATH")
}

/// Where a program is on `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// Whether a variable asks for something: set, and neither empty nor `0`.
pub(crate) fn is_asked(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}
