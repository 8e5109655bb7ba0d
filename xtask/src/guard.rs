//! The chore `bench --guard`: instructions of fixed scenarios, by callgrind, against those of a committed file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::process::{run_openly, run_silently, shown};
use crate::programs::{self, VALGRIND};
use crate::step::{say, step};
use crate::workspace::Workspace;

/// The crate with the scenarios.
const PACKAGE: &str = "hearth-bench-engine";
/// The committed counts.
const FILE: &str = "bench/guard.tsv";
/// The function of its program that is counted.
const COUNTED: &str = "hearth_bench_engine::counted_part*";
/// A rise above this many hundredths fails.
const RISE_MAX: f64 = 5.0;

/// Instructions of one unit, by scenario.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    /// The compiler and the machine that they are of: others give other counts.
    toolchain: String,
    by_scenario: BTreeMap<String, f64>,
}

/// Counts, and compares or, with `--write`, writes the file anew. A last argument names scenarios to count alone.
pub(crate) fn guard(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let (is_written, wanted) = match arguments.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
        [] => (false, ""),
        ["--write"] => (true, ""),
        [wanted] if !wanted.starts_with('-') => (false, wanted),
        _ => bail!("`cargo xtask bench --guard` takes `--write`, or a part of the names of scenarios"),
    };
    programs::ensure(&[VALGRIND])?;
    let toolchain = toolchain(workspace)?;
    let file = workspace.root.join(FILE);
    let known = if is_written { Counts::default() } else { read(&file)? };
    if !is_written && known.toolchain != toolchain {
        bail!(
            "{FILE} was counted with {}, and this is {toolchain}: go back to the commit to compare with, run \
             `cargo xtask bench --guard --write` there, and come back",
            known.toolchain
        );
    }
    let mut counts = count(workspace, wanted)?;
    counts.toolchain = toolchain;
    if is_written {
        fs::write(&file, counts.text()).with_context(|| format!("cannot write {FILE}"))?;
        print!("{}", counts.text());
        return Ok(());
    }
    print!("{}", counts.table(&known));
    let complaints = counts.complaints(&known, wanted);
    if !complaints.is_empty() {
        bail!(
            "{}\nIf that is wanted, say why and run `cargo xtask bench --guard --write`",
            complaints.join("\n")
        );
    }
    say(&format!("no scenario takes over {RISE_MAX} % more instructions than {FILE} says"));
    Ok(())
}

fn count(workspace: &Workspace, wanted: &str) -> Result<Counts> {
    step("building the scenarios", || {
        let mut cargo = workspace.cargo();
        run_openly(cargo.args(["build", "--locked", "--release", "--package", PACKAGE]))
    })?;
    let program = workspace.program("release", PACKAGE);
    let names = run_silently(&mut workspace.command(&program))?;
    let mut counts = Counts::default();
    for name in names.lines().filter(|name| name.contains(wanted)) {
        let count = step(name, || count_one(workspace, &program, name))?;
        counts.by_scenario.insert(name.to_owned(), count);
    }
    if counts.by_scenario.is_empty() {
        bail!("no scenario has `{wanted}` in its name; there are\n{names}");
    }
    Ok(counts)
}

fn count_one(workspace: &Workspace, program: &Path, name: &str) -> Result<f64> {
    let mut valgrind = workspace.command("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"]);
    valgrind.arg(format!("--toggle-collect={COUNTED}")).arg(program).arg(name);
    let output = valgrind.stdin(Stdio::null()).output().context("cannot start valgrind")?;
    let (told, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("`{}` failed ({}):\n{complained}", shown(&valgrind), output.status);
    }
    per_unit(&told, &complained).with_context(|| format!("`{}` said\n{complained}", shown(&valgrind)))
}

/// From what the program says of its units, and callgrind of the instructions.
fn per_unit(units: &str, callgrind: &str) -> Result<f64> {
    let units: f64 = units.trim().parse().context("the scenario does not say how much it did")?;
    let collected = callgrind.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count);
    let instructions: f64 = collected.context("callgrind counted nothing")?.trim().parse()?;
    if units < 1.0 || instructions < 1.0 {
        bail!("{instructions} instructions for {units} units are no count");
    }
    Ok(instructions / units)
}

/// The compiler and what it compiles for.
fn toolchain(workspace: &Workspace) -> Result<String> {
    let told = run_silently(workspace.command("rustc").arg("--version").arg("--verbose"))?;
    let field = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    Ok(format!("rustc {} for {}", field("release:"), field("host:")))
}

fn read(file: &Path) -> Result<Counts> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("there is no {FILE}; `cargo xtask bench --guard --write` makes it"))?;
    parse(&text)
        .with_context(|| format!("{FILE} is damaged; `cargo xtask bench --guard --write` makes it anew"))
}

fn parse(text: &str) -> Result<Counts> {
    let mut counts = Counts::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once('\t').with_context(|| format!("no tab in `{line}`"))?;
        if name == "toolchain" {
            counts.toolchain = value.to_owned();
        } else {
            counts.by_scenario.insert(name.to_owned(), value.parse().with_context(|| line.to_owned())?);
        }
    }
    Ok(counts)
}

impl Counts {
    /// The committed file.
    fn text(&self) -> String {
        let mut text =
            "# Instructions of one packet, delivery or connection; `cargo xtask bench --guard --write` \
                        counts them.\n"
                .to_owned();
        text += &format!("toolchain\t{}\n", self.toolchain);
        for (name, count) in &self.by_scenario {
            text += &format!("{name}\t{count:.1}\n");
        }
        text
    }

    fn table(&self, known: &Self) -> String {
        let mut table = format!("{:<34}{:>12}{:>12}{:>9}\n", "instructions", "before", "now", "");
        for (name, now) in &self.by_scenario {
            // Writing to a string does not fail.
            let _written = match known.by_scenario.get(name) {
                Some(before) => {
                    writeln!(table, "{name:<34}{before:>12.1}{now:>12.1}{:>+8.1}%", rise(*before, *now))
                }
                None => writeln!(table, "{name:<34}{:>12}{now:>12.1}", "-"),
            };
        }
        table
    }

    /// What is wrong with these counts, a line each.
    fn complaints(&self, known: &Self, wanted: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, now) in &self.by_scenario {
            match known.by_scenario.get(name) {
                None => complaints.push(format!("{name} is not in {FILE}")),
                Some(before) if rise(*before, *now) > RISE_MAX => complaints.push(format!(
                    "{name} takes {now:.1} instructions instead of {before:.1}, {:.1} % more",
                    rise(*before, *now)
                )),
                Some(_) => {}
            }
        }
        let is_gone = |name: &&String| name.contains(wanted) && !self.by_scenario.contains_key(*name);
        let gone = known.by_scenario.keys().filter(is_gone);
        complaints.extend(gone.map(|name| format!("{name} is in {FILE} and is no scenario any more")));
        complaints
    }
}

/// Hundredths that `now` is above `before`.
fn rise(before: f64, now: f64) -> f64 {
    (now / before - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, f64)]) -> Counts {
        let by_scenario = pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Counts { toolchain: "rustc 1.95.0 for here".to_owned(), by_scenario }
    }

    #[test]
    fn the_file_gives_back_what_was_written() {
        let written = counts(&[("codec/a", 12.5), ("turn/b", 1000.0)]);
        assert_eq!(parse(&written.text()).unwrap(), written);
        assert!(parse("turn/b 12").is_err());
        assert!(parse("turn/b\tmany").is_err());
    }

    #[test]
    fn a_rise_of_over_five_percent_and_a_scenario_on_one_side_alone_are_complaints() {
        let known = counts(&[("a", 100.0), ("b", 100.0), ("c", 100.0), ("gone", 1.0)]);
        let now = counts(&[("a", 104.9), ("b", 105.1), ("c", 50.0), ("new", 1.0)]);
        let complaints = now.complaints(&known, "");
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(complaints[0].starts_with("b takes 105.1 instructions instead of 100.0, 5.1 % more"));
        assert!(complaints[1].starts_with("new is not in") && complaints[2].starts_with("gone is in"));
        assert_eq!(counts(&[("a", 100.0)]).complaints(&known, "a"), Vec::<String>::new());
    }

    #[test]
    fn what_callgrind_says_is_divided_by_what_was_done() {
        let told = "==7== Callgrind\n==7== Events    : Ir\n==7== Collected : 25000\n";
        assert!((per_unit("100\n", told).unwrap() - 250.0).abs() < f64::EPSILON);
        assert!(per_unit("0", told).is_err());
        assert!(per_unit("100", "==7== Collected : 0").is_err());
        assert!(per_unit("100", "nothing").is_err());
    }
}
