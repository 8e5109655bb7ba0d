//! Takes the web app apart: what the first load needs, and the parts that come when a page of theirs is opened.
//!
//! Trunk knows nothing of parts. It compiles the app, with relocations, and writes the page; here the wasm that it compiled
//! is split, bound and optimised anew, and takes the place of what Trunk put beside the page.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::pins::WASM_TARGET;
use crate::process::run_silently;
use crate::web::{APP, PROFILE, WebTools};
use crate::workspace::Workspace;

/// The script that fetches parts, as the splitter names it.
const LOADER: &str = "__wasm_split.js";

/// What the splitter made: the wasm of the first load, not bound yet, and beside it the parts.
pub(crate) fn main_part(workspace: &Workspace) -> PathBuf {
    folder(workspace).join(format!("{APP}.wasm"))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("web/parts")
}

/// Splits what Trunk compiled and puts the parts into `dist`.
pub(crate) fn split(workspace: &Workspace, web: &WebTools, dist: &Path) -> Result<()> {
    let folder = folder(workspace);
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    let compiled = web.toolchain.target_folder(workspace).join(WASM_TARGET).join(PROFILE);
    let mut splitter = web.command(workspace, "wasm-split-cli")?;
    splitter.args(["--target", "web", "--out-name", APP]);
    run_silently(splitter.arg(compiled.join(format!("{APP}.wasm"))).arg(&folder))?;
    let bound = folder.join("bound");
    let mut bindgen = web.command(workspace, "wasm-bindgen")?;
    // The parts use the table of functions, which the linker exports and wasm-bindgen would drop.
    bindgen.args([
        "--target",
        "web",
        "--no-typescript",
        "--keep-lld-exports",
        "--out-name",
        APP,
        "--out-dir",
    ]);
    bindgen.arg(&bound);
    run_silently(bindgen.arg(main_part(workspace)))?;

    let stem = trunks_name(dist)?;
    let hash = stem.strip_prefix(APP).context("Trunk gives the app another name than its program's")?;
    place_wasm(workspace, web, &bound.join(format!("{APP}_bg.wasm")), &dist.join(format!("{stem}_bg.wasm")))?;
    let script = read(&bound.join(format!("{APP}.js")))?;
    let loader_name = format!("parts{hash}.js");
    let script = replace(&script, &format!("\"./{LOADER}\"\n"), &format!("\"./{loader_name}\"\n"))?;
    fs::write(dist.join(format!("{stem}.js")), script)?;

    let mut loader = read(&folder.join(LOADER))?;
    loader = replace(&loader, &format!("\"./{APP}.js\""), &format!("\"./{stem}.js\""))?;
    for part in parts(&folder)? {
        let name = format!("{part}{hash}.wasm");
        loader = replace(&loader, &format!("\"./{part}.wasm\""), &format!("\"./{name}\""))?;
        place_wasm(workspace, web, &folder.join(format!("{part}.wasm")), &dist.join(name))?;
    }
    fs::write(dist.join(&loader_name), loader)?;
    // The browser learns of the loader while it fetches the app, not after.
    let page = dist.join("index.html");
    let preload = format!("<link crossorigin href=./{stem}.js rel=modulepreload>");
    let with_loader = format!("{preload}<link crossorigin href=./{loader_name} rel=modulepreload>");
    fs::write(&page, replace(&read(&page)?, &preload, &with_loader)?)?;
    Ok(())
}

/// What the app is called in `dist`, with the hash of its content.
fn trunks_name(dist: &Path) -> Result<String> {
    let mut names = Vec::new();
    for entry in dist.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix("_bg.wasm").map(str::to_owned));
    }
    match names.as_slice() {
        [name] => Ok(name.clone()),
        _ => bail!("Trunk left {} apps in {} instead of one", names.len(), dist.display()),
    }
}

/// The names of the parts, without the ending.
fn parts(folder: &Path) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    for entry in folder.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        parts.extend(name.strip_suffix(".wasm").filter(|stem| *stem != APP).map(str::to_owned));
    }
    parts.sort();
    Ok(parts)
}

fn place_wasm(workspace: &Workspace, web: &WebTools, from: &Path, to: &Path) -> Result<()> {
    if web.wasm_opt.is_none() {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        return Ok(());
    }
    let mut wasm_opt = web.command(workspace, "wasm-opt")?;
    run_silently(wasm_opt.args(["-Oz", "--output"]).arg(to).arg(from))?;
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Replaces what must be there.
fn replace(text: &str, from: &str, to: &str) -> Result<String> {
    if !text.contains(from) {
        bail!("the tools that build the web app wrote no {from:?}; are they of the pinned versions?");
    }
    Ok(text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_there_is_replaced_or_named() {
        assert_eq!(replace("a b a", "a", "c").unwrap(), "c b c");
        assert!(replace("a", "x", "y").unwrap_err().to_string().contains("no \"x\""));
    }
}
