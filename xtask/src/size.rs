//! The chore `size`: what the first load of the web app costs, file by file and crate by crate.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::measure::{RunningServer, fetch};
use crate::process::run_silently;
use crate::server::{self, Profile};
use crate::step::step;
use crate::wasm_sections::{Sections, read};
use crate::web::WebTools;
use crate::web_parts::main_part;
use crate::workspace::Workspace;

/// Bytes of the first load over the wire, with brotli.
const BUDGET: usize = 300_000;
/// Rows of the table of crates; the rest is one more.
const CRATES_SHOWN: usize = 20;

/// Prints both tables; an error if the budget is exceeded.
pub(crate) fn size(workspace: &Workspace) -> Result<()> {
    let web = WebTools::ensure(workspace)?;
    web.build(workspace)?;
    let program = server::build_server(workspace, Profile::Quick)?;
    let hearth = RunningServer::start(&program)?;
    let total = print_files(workspace, &hearth)?;
    println!();
    print_crates(workspace, &web)?;
    if total > BUDGET {
        bail!("the first load takes {total} bytes with brotli, which is over the budget of {BUDGET}");
    }
    Ok(())
}

/// Fetches every file of the web app from the server, as a browser does, and gives the bytes of the first load with brotli.
fn print_files(workspace: &Workspace, hearth: &RunningServer) -> Result<usize> {
    let (first, later) = files(workspace)?;
    println!("bytes over the wire, first load\n\n{:<48}{:>10}{:>10}{:>10}", "file", "raw", "gzip", "brotli");
    let total = print_rows(hearth, &first)?;
    println!("{:<48}{:>10}{:>10}{:>10}", "all", total[0], total[1], total[2]);
    println!("{:<48}{:>30}", "budget", BUDGET);
    println!("\nwhen a page of theirs is opened, or the browser is idle\n");
    print_rows(hearth, &later)?;
    Ok(total[2])
}

/// Prints a row a file and gives their sums.
fn print_rows(hearth: &RunningServer, names: &[String]) -> Result<[usize; 3]> {
    let mut total = [0; 3];
    for name in names {
        let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
        let mut row = [0; 3];
        for (bytes, encoding) in row.iter_mut().zip(["identity", "gzip", "br"]) {
            *bytes = fetch(hearth.http, &path, encoding)?;
        }
        println!("{name:<48}{:>10}{:>10}{:>10}", row[0], row[1], row[2]);
        for (sum, bytes) in total.iter_mut().zip(row) {
            *sum += bytes;
        }
    }
    Ok(total)
}

/// index.html and the files that it names; and the wasm that it does not name.
fn files(workspace: &Workspace) -> Result<(Vec<String>, Vec<String>)> {
    let dist = workspace.web_dist();
    let index = fs::read_to_string(dist.join("index.html")).context("the web app has no index.html")?;
    let (mut first, mut later) = (vec!["index.html".to_owned()], Vec::new());
    for entry in dist.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if index.contains(&name) {
            first.push(name);
        } else if name.ends_with(".wasm") {
            later.push(name);
        }
    }
    first.sort();
    later.sort();
    Ok((first, later))
}

/// Which crate the bytes of the wasm come from. What is served has no names, so the same wasm is made once more with them.
fn print_crates(workspace: &Workspace, web: &WebTools) -> Result<()> {
    let folder = workspace.target.join("web/named");
    let named = step("making the wasm once more, with names", || {
        let mut bindgen = web.command(workspace, "wasm-bindgen")?;
        bindgen.args(["--target", "web", "--no-typescript", "--out-name", "app", "--out-dir"]).arg(&folder);
        run_silently(bindgen.arg(main_part(workspace)))?;
        let bound = folder.join("app_bg.wasm");
        if web.wasm_opt.is_none() {
            return Ok(bound);
        }
        let optimised = folder.join("named.wasm");
        let mut wasm_opt = web.command(workspace, "wasm-opt")?;
        run_silently(wasm_opt.args(["-Oz", "--debuginfo", "--output"]).arg(&optimised).arg(&bound))?;
        Ok(optimised)
    })?;
    let wasm = fs::read(&named).with_context(|| format!("cannot read {}", named.display()))?;
    let sections = read(&wasm)?;
    print_shares(&sections);
    Ok(())
}

fn print_shares(sections: &Sections) {
    let mut by_crate: BTreeMap<&str, usize> = BTreeMap::new();
    for function in &sections.functions {
        *by_crate.entry(function.origin()).or_default() += function.bytes;
    }
    let mut shares: Vec<(&str, usize)> = by_crate.into_iter().collect();
    shares.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let code: usize = shares.iter().map(|(_, bytes)| bytes).sum();
    let rest: usize = shares.iter().skip(CRATES_SHOWN).map(|(_, bytes)| bytes).sum();
    println!(
        "where the wasm comes from, raw bytes of {}\n",
        code + sections.data_bytes + sections.other_bytes
    );
    for (name, bytes) in shares.iter().take(CRATES_SHOWN) {
        println!("{:<48}{bytes:>10}", format!("code of {name}"));
    }
    if rest > 0 {
        println!("{:<48}{rest:>10}", format!("code of {} more", shares.len() - CRATES_SHOWN));
    }
    println!("{:<48}{:>10}", "data: strings, tables of constants", sections.data_bytes);
    println!("{:<48}{:>10}", "types, imports, exports, element table", sections.other_bytes);
}
