//! The chore `package`: the browser client as an npm package, in `target/package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::pins::{WASM_BINDGEN, WASM_TARGET};
use crate::process::{run_openly, run_silently};
use crate::programs::NODE;
use crate::step::{say, step};
use crate::tools::{check_wasm_bindgen, ensure, ensure_wasm_opt};
use crate::wasm_target::WasmToolchain;
use crate::web::PROFILE;
use crate::workspace::{Workspace, is_asked};

/// The crate.
pub(crate) const CRATE: &str = "hearth-client";
/// What it is called as a file.
const MODULE: &str = "hearth_client";

/// What is handed over as it is, from `client/package`.
const SOURCES: &[&str] = &["package.json", "README.md", "index.js", "index.d.ts"];
const EXAMPLE: &[&str] = &["index.html", "example.js", "example.css"];
const LICENCES: &[&str] = &["LICENSE-MIT", "LICENSE-APACHE"];

/// What a page loads.
const LOADED: &[&str] = &["index.js", "hearth_client.js", "hearth_client_bg.wasm"];

/// Prints raw, gzip and brotli bytes of each file that it is given.
const SIZES: &str = "const zlib = require('zlib');
for (const path of process.argv.slice(1)) {
  const bytes = require('fs').readFileSync(path);
  const gzip = zlib.gzipSync(bytes, { level: 9 }), brotli = zlib.brotliCompressSync(bytes);
  console.log(bytes.length, gzip.length, brotli.length);
}";

/// Builds the package and says what it weighs.
pub(crate) fn package(workspace: &Workspace) -> Result<()> {
    let folder = build(workspace)?;
    print_sizes(workspace, &folder)?;
    say("the package; `npm pack` or `npm publish` there does the rest:");
    println!("{}", folder.display());
    Ok(())
}

/// Builds the package and gives its folder.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    check_wasm_bindgen(workspace)?;
    let toolchain = WasmToolchain::ensure(workspace)?;
    let bindgen = ensure(workspace, &[&WASM_BINDGEN])?;
    let wasm_opt = if is_asked("XTASK_NO_WASM_OPT") { None } else { ensure_wasm_opt(workspace)? };
    let folder = workspace.target.join("package");
    step("building the client package", || {
        let mut cargo = toolchain.cargo(workspace)?;
        cargo.args(["rustc", "--locked", "--package", CRATE, "--lib", "--crate-type", "cdylib"]);
        cargo.args(["--features", "package", "--profile", PROFILE, "--target", WASM_TARGET]);
        run_openly(&mut cargo)?;
        let compiled = toolchain.target_folder(workspace).join(WASM_TARGET).join(PROFILE);
        fs::create_dir_all(folder.join("example"))?;
        let mut bind = tool(workspace, &bindgen, "wasm-bindgen")?;
        bind.args(["--target", "web", "--no-typescript", "--out-name", MODULE, "--out-dir"]).arg(&folder);
        run_silently(bind.arg(compiled.join(format!("{MODULE}.wasm"))))?;
        match &wasm_opt {
            Some(wasm_opt) => optimise(workspace, wasm_opt, &folder)?,
            None => say("without wasm-opt the package works the same but is larger to load"),
        }
        copy(workspace, &folder)
    })?;
    Ok(folder)
}

fn optimise(workspace: &Workspace, wasm_opt: &Path, folder: &Path) -> Result<()> {
    let bound = folder.join(format!("{MODULE}_bg.wasm"));
    let optimised = folder.join("optimised.wasm");
    let mut wasm_opt = tool(workspace, &[wasm_opt.to_owned()], "wasm-opt")?;
    run_silently(wasm_opt.arg("-Oz").arg("--output").arg(&optimised).arg(&bound))?;
    Ok(fs::rename(optimised, bound)?)
}

fn copy(workspace: &Workspace, folder: &Path) -> Result<()> {
    let from = workspace.root.join("client/package");
    let pairs = SOURCES.iter().map(|name| (from.join(name), folder.join(name)));
    let example =
        EXAMPLE.iter().map(|name| (from.join("example").join(name), folder.join("example").join(name)));
    let licences = LICENCES.iter().map(|name| (workspace.root.join(name), folder.join(name)));
    for (from, to) in pairs.chain(example).chain(licences) {
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    check_version(&folder.join("package.json"))
}

/// npm's version of the package is the workspace's.
fn check_version(path: &Path) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if !fs::read_to_string(path)?.contains(&format!("\"version\": \"{version}\"")) {
        bail!(
            "client/package/package.json has another version than the workspace, which has {version}; make them equal"
        );
    }
    Ok(())
}

fn tool(workspace: &Workspace, folders: &[PathBuf], name: &str) -> Result<Command> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
    Ok(workspace.command(path.with_context(|| format!("{name} is not installed"))?))
}

/// Prints what a page loads, file by file.
pub(crate) fn print_sizes(workspace: &Workspace, folder: &Path) -> Result<()> {
    let paths: Vec<PathBuf> = LOADED.iter().map(|name| folder.join(name)).collect();
    let Some(sizes) = sizes(workspace, &paths)? else {
        say("Node.js is not there to tell the compressed sizes");
        return Ok(());
    };
    println!("bytes of what a page loads\n\n{:<28}{:>10}{:>10}{:>10}", "file", "raw", "gzip", "brotli");
    let mut total = [0; 3];
    for (name, row) in LOADED.iter().zip(sizes) {
        println!("{name:<28}{:>10}{:>10}{:>10}", row[0], row[1], row[2]);
        for (sum, bytes) in total.iter_mut().zip(row) {
            *sum += bytes;
        }
    }
    println!("{:<28}{:>10}{:>10}{:>10}", "all", total[0], total[1], total[2]);
    Ok(())
}

/// The bytes of files: raw, with gzip, with brotli. `None` without Node.js, which compresses them.
pub(crate) fn sizes(workspace: &Workspace, paths: &[PathBuf]) -> Result<Option<Vec<[usize; 3]>>> {
    let Some(node) = NODE.find() else { return Ok(None) };
    let mut node = workspace.command(node);
    let text = run_silently(node.args(["--eval", SIZES, "--"]).args(paths))?;
    let row = |line: &str| {
        let numbers: Result<Vec<usize>, _> = line.split(' ').map(str::parse).collect();
        let row = numbers.ok().and_then(|numbers| <[usize; 3]>::try_from(numbers).ok());
        row.with_context(|| format!("node says `{line}` of a size"))
    };
    text.lines().map(row).collect::<Result<_>>().map(Some)
}
