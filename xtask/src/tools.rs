//! Installed tools: each whole in a folder of its own, keyed by version, made once and used by every checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::pins::{BINARYEN_LOCK, BINARYEN_PACKAGE, BINARYEN_VERSION, CargoTool, Speed, WASM_BINDGEN};
use crate::process::run_silently;
use crate::programs::{self, NODE, NPM};
use crate::step::{say, step};
use crate::workspace::Workspace;

/// What holds while a tool is compiled that is not measured. Speed of the tools matters less than the wait for them: full optimisation would
/// double it.
const COMPILE_SETTINGS: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

/// Installs those of the tools that are missing and gives the folders with their programs.
pub(crate) fn ensure(workspace: &Workspace, tools: &[&CargoTool]) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for tool in tools {
        let version = tool.version;
        let home = install_once(workspace, tool.name, version, |fresh| compile(workspace, tool, fresh))?;
        let folder = home.join("bin");
        for program in tool.programs {
            let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
            if !path.is_file() {
                bail!("{} is damaged; run `cargo xtask clean-tools`, then this again", home.display());
            }
        }
        folders.push(folder);
    }
    fs::remove_dir_all(compile_folder(workspace)).or_else(is_absent_anyway)?;
    Ok(folders)
}

/// The folder with wasm-opt in it, or `None` where there is no npm to install it with.
pub(crate) fn ensure_wasm_opt(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let is_runnable = home_of(workspace, "binaryen", BINARYEN_VERSION).is_dir() && NODE.find().is_some();
    if !is_runnable && let Err(error) = programs::ensure(&[NODE, NPM]) {
        say(&format!("{error:#}"));
        return Ok(None);
    }
    let home = install_once(workspace, "binaryen", BINARYEN_VERSION, |fresh| {
        step(&format!("fetching wasm-opt (npm's binaryen {BINARYEN_VERSION})"), || {
            fs::write(fresh.join("package.json"), BINARYEN_PACKAGE)?;
            fs::write(fresh.join("package-lock.json"), BINARYEN_LOCK)?;
            run_silently(workspace.command("npm").args(NPM_CI).current_dir(fresh))?;
            Ok(())
        })
    })?;
    Ok(Some(home.join("node_modules/.bin")))
}

/// How npm installs exactly what a lock file says.
pub(crate) const NPM_CI: &[&str] = &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/// Checks that the tool and the crate of wasm-bindgen are of one version: they share a private format.
pub(crate) fn check_wasm_bindgen(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join("Cargo.lock");
    let lock = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let locked = locked_version(&lock, "wasm-bindgen");
    let locked = locked.context("Cargo.lock has no wasm-bindgen, which the web app needs")?;
    let pinned = WASM_BINDGEN.version;
    if locked != pinned {
        bail!(
            "Cargo.lock has the crate wasm-bindgen {locked}, but xtask/src/pins.rs pins the tool at {pinned}; make them equal"
        );
    }
    Ok(())
}

/// Removes all installed tools.
pub(crate) fn clean(workspace: &Workspace) -> Result<()> {
    let folder = &workspace.tools;
    fs::remove_dir_all(folder)
        .or_else(is_absent_anyway)
        .with_context(|| format!("cannot remove {}", folder.display()))?;
    say(&format!("{} is removed; what a chore needs is installed again by itself", folder.display()));
    Ok(())
}

/// Lets `make` fill a fresh folder and moves it to its place when it is whole; does nothing when it is there.
pub(crate) fn install_once(
    workspace: &Workspace,
    name: &str,
    version: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let home = home_of(workspace, name, version);
    if home.is_dir() {
        return Ok(home);
    }
    fs::create_dir_all(&workspace.tools)
        .with_context(|| format!("cannot make the folder {}", workspace.tools.display()))?;
    // Two checkouts may set up at once; the second waits and then finds the tool there. The system releases the lock when
    // the process ends, however it ends.
    let lock = File::create(workspace.tools.join(".lock"))?;
    if lock.try_lock().is_err() {
        say("another xtask is installing tools; waiting for it");
        lock.lock()?;
    }
    if home.is_dir() {
        return Ok(home);
    }
    let fresh = workspace.tools.join(format!(".unfinished-{name}-{version}"));
    fs::remove_dir_all(&fresh).or_else(is_absent_anyway)?;
    fs::create_dir_all(&fresh)?;
    make(&fresh)?;
    fs::rename(&fresh, &home).with_context(|| format!("cannot move {name} to {}", home.display()))?;
    Ok(home)
}

/// Where an installed tool is.
pub(crate) fn home_of(workspace: &Workspace, name: &str, version: &str) -> PathBuf {
    workspace.tools.join(format!("{name}-{version}"))
}

fn compile(workspace: &Workspace, tool: &CargoTool, fresh: &Path) -> Result<()> {
    let CargoTool { package, version, minutes, .. } = tool;
    step(&format!("compiling {package} {version} (once; about {minutes} minutes on two cores)"), || {
        let mut install = workspace.cargo();
        // Away from the checkout, whose settings are not meant for the tool.
        install.current_dir(fresh);
        install.args(["install", "--version", version, package]).args(tool.flags);
        install.args(tool.is_locked.then_some("--locked"));
        install.arg("--root").arg(fresh);
        if tool.speed == Speed::Enough {
            install.envs(COMPILE_SETTINGS.iter().copied());
        }
        // One folder for all tools: what they share is compiled once.
        install.env("CARGO_TARGET_DIR", compile_folder(workspace));
        run_silently(&mut install)?;
        Ok(())
    })
}

fn compile_folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    version.strip_suffix('"').map(str::to_owned)
}

pub(crate) fn is_absent_anyway(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_very_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.129\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.129"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }

    #[test]
    fn a_half_finished_install_is_not_taken_for_a_whole_one() {
        let folder = std::env::temp_dir().join(format!("hearth-xtask-{}", std::process::id()));
        let mut workspace = Workspace::find().unwrap();
        workspace.tools = folder.clone();
        let failed = install_once(&workspace, "tool", "1", |fresh| {
            fs::write(fresh.join("half"), "")?;
            bail!("the power went away")
        });
        assert!(failed.is_err());
        let home =
            install_once(&workspace, "tool", "1", |fresh| Ok(fs::write(fresh.join("whole"), "")?)).unwrap();
        assert!(home.join("whole").is_file() && !home.join("half").exists());
        install_once(&workspace, "tool", "1", |_| bail!("it is installed twice")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
