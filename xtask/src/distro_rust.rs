//! The distribution's Rust, given a standard library for wasm: the way where rustup cannot download.
//!
//! Debian has no package with that library, but one with its source. It is compiled once, as Rust's own releases do it,
//! into a sysroot in the folder of tools, which borrows the rest from the distribution. Nothing of the system changes but
//! the packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::pins::WASM_TARGET;
use crate::process::run_silently;
use crate::step::step;
use crate::tools::install_once;
use crate::wasm_target::has_std;
use crate::workspace::{Workspace, path_with};

const PROGRAMS: &str = "/usr/bin";
const PREFIX: &str = "/usr/lib/rustlib";
/// Debian keeps a recent compiler for building browsers in these packages, in its old releases too.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "gcc", "libc6-dev"];
/// The `rust-version` of Cargo.toml.
const MINOR_VERSION_MIN: u32 = 95;

/// A sysroot that can compile for wasm.
#[derive(Debug)]
pub(crate) struct DistroRust {
    sysroot: PathBuf,
    version: String,
}

/// What `rustc -vV` says.
#[derive(Debug)]
struct Compiler {
    release: String,
    host: String,
    llvm_major: String,
}

impl DistroRust {
    /// Installs the packages and compiles the library, unless that is done.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        if !debian::has_apt() {
            bail!(
                "there is no Rust library for {WASM_TARGET}; run `rustup target add {WASM_TARGET}`, or install your \
                 distribution's package of it, then this again"
            );
        }
        let missing: Vec<&str> =
            PACKAGES.iter().copied().filter(|package| !debian::is_installed(package)).collect();
        if !missing.is_empty() {
            debian::install(PACKAGES, &format!("a Rust library for {WASM_TARGET} is"))?;
        }
        let compiler = Compiler::ask(workspace)?;
        let linker = PathBuf::from(format!("{PROGRAMS}/lld-{}", compiler.llvm_major));
        if !linker.is_file() {
            let package = format!("lld-{}", compiler.llvm_major);
            debian::install(&[&package], "the linker for wasm is")?;
        }
        let version = compiler.release.clone();
        let sysroot = install_once(workspace, "distro-rust", &version, |fresh| {
            step(
                &format!("compiling Rust {version}'s library for {WASM_TARGET} (once; about 1 minute)"),
                || make_sysroot(workspace, &compiler, &linker, fresh),
            )
        })?;
        if !has_std(&library_folder(&sysroot)) {
            bail!("{} is damaged; run `cargo xtask clean-tools`, then this again", sysroot.display());
        }
        Ok(Self { sysroot, version })
    }

    /// Its cargo.
    pub(crate) fn cargo(&self) -> PathBuf {
        self.sysroot.join("bin/cargo")
    }

    /// The compiler's version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Makes a command, and what it calls, use this compiler.
    pub(crate) fn prepare(&self, command: &mut Command, folders: &[PathBuf]) -> Result<()> {
        let folders: Vec<PathBuf> = folders.iter().cloned().chain([self.sysroot.join("bin")]).collect();
        command.env("PATH", path_with(&folders)?);
        forget_active_toolchain(command);
        // For the wasm side alone: build scripts and macros are compiled with the distribution's own library. A RUSTFLAGS
        // of the person would hide the flags of the target, so that they go there.
        let flag = format!("--sysroot={}", self.sysroot.display());
        match std::env::var("RUSTFLAGS") {
            Ok(flags) if !flags.is_empty() => command.env("RUSTFLAGS", format!("{flags} {flag}")),
            _ => command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flag),
        };
        Ok(())
    }
}

impl Compiler {
    fn ask(workspace: &Workspace) -> Result<Self> {
        let mut rustc = workspace.command(format!("{PROGRAMS}/rustc"));
        forget_active_toolchain(&mut rustc);
        let text = run_silently(rustc.arg("-vV"))?;
        let compiler =
            Self::from_text(&text).context("the distribution's rustc does not tell its version")?;
        if compiler.minor_version().is_none_or(|minor| minor < MINOR_VERSION_MIN) {
            bail!(
                "the distribution's Rust is {}, but Hearth needs 1.{MINOR_VERSION_MIN}; install Rust through rustup and run \
                 `rustup target add {WASM_TARGET}`, then this again",
                compiler.release
            );
        }
        Ok(compiler)
    }

    fn from_text(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let llvm_major = field("LLVM version")?.split('.').next()?.to_owned();
        Some(Self { release: field("release")?.to_owned(), host: field("host")?.to_owned(), llvm_major })
    }

    fn minor_version(&self) -> Option<u32> {
        self.release.strip_prefix("1.")?.split('.').next()?.parse().ok()
    }
}

/// Lays out what `rustc --sysroot` wants to find.
fn make_sysroot(workspace: &Workspace, compiler: &Compiler, linker: &Path, fresh: &Path) -> Result<()> {
    let host = fresh.join("lib/rustlib").join(&compiler.host);
    fs::create_dir_all(host.join("bin"))?;
    link(&Path::new(PREFIX).join(&compiler.host).join("lib"), &host.join("lib"))?;
    // The name by which rustc looks for the linker of wasm, in its sysroot first.
    link(linker, &host.join("bin/rust-lld"))?;
    fs::create_dir_all(fresh.join("bin"))?;
    for program in ["cargo", "rustc", "rustdoc", "cargo-clippy", "clippy-driver"] {
        link(&Path::new(PROGRAMS).join(program), &fresh.join("bin").join(program))?;
    }
    let library = library_folder(fresh);
    fs::create_dir_all(&library)?;
    let compiled = workspace.target.join("distro-std");
    compile_library(workspace, fresh, &compiled)?;
    for entry in compiled.join(WASM_TARGET).join("dist/deps").read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rlib")
            && let Some(name) = path.file_name()
        {
            fs::copy(&path, library.join(name))?;
        }
    }
    fs::remove_dir_all(&compiled)?;
    if !has_std(&library) {
        bail!("the distribution's Rust source did not give a library for {WASM_TARGET}");
    }
    Ok(())
}

/// Compiles the library with its workspace's profile for releases, which keeps bitcode for link-time optimisation.
fn compile_library(workspace: &Workspace, sysroot: &Path, compiled: &Path) -> Result<()> {
    let source = Path::new(PREFIX).join("src/rust");
    let real_source =
        fs::canonicalize(&source).with_context(|| format!("there is no {}", source.display()))?;
    let mut cargo = workspace.command(sysroot.join("bin/cargo"));
    forget_active_toolchain(&mut cargo);
    cargo.env("PATH", path_with(&[sysroot.join("bin")])?);
    // Away from the checkout, whose settings are not meant for the library.
    cargo.current_dir(sysroot);
    cargo.args(["build", "--quiet", "--locked", "--profile", "dist", "--no-default-features"]);
    cargo.args(["--target", WASM_TARGET, "--manifest-path"]).arg(source.join("library/sysroot/Cargo.toml"));
    cargo.env("CARGO_TARGET_DIR", compiled);
    cargo.env("CARGO_PROFILE_DIST_DEBUG", "0");
    // The library is written in unstable Rust, and what it depends on must count as unstable too and have names of its own.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_DEFAULT_LIB_METADATA", "hearth");
    cargo.env(
        "RUSTFLAGS",
        format!("-Zforce-unstable-if-unmarked --remap-path-prefix={}=/rustc/src", real_source.display()),
    );
    run_silently(&mut cargo)?;
    Ok(())
}

fn library_folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(WASM_TARGET).join("lib")
}

/// Takes away what cargo and rustup of the active toolchain told xtask, and everything else that points at a compiler.
fn forget_active_toolchain(command: &mut Command) {
    for name in [
        "CARGO",
        "LD_LIBRARY_PATH",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
}

#[cfg(unix)]
fn link(original: &Path, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(original, at).with_context(|| format!("cannot make the link {}", at.display()))
}

#[cfg(not(unix))]
fn link(_original: &Path, at: &Path) -> Result<()> {
    bail!("{} cannot be made: the distribution's packages are for Linux", at.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_tells_its_version_host_and_llvm() {
        let text = "rustc 1.96.0 (abc 2026-05-01)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                    release: 1.96.0\nLLVM version: 22.1.8\n";
        let compiler = Compiler::from_text(text).unwrap();
        assert_eq!((compiler.release.as_str(), compiler.llvm_major.as_str()), ("1.96.0", "22"));
        assert_eq!(compiler.host, "x86_64-unknown-linux-gnu");
        assert_eq!(compiler.minor_version(), Some(96));
    }

    #[test]
    fn the_least_version_is_that_of_the_manifest() {
        let manifest = fs::read_to_string(Workspace::find().unwrap().root.join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("rust-version = \"1.{MINOR_VERSION_MIN}\"")));
    }
}
