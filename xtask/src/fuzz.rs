//! The chore `fuzz`: looks, guided by coverage, for inputs that a target does not survive.

use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::pins::{CARGO_FUZZ, NIGHTLY, NIGHTLY_DATE};
use crate::process::{run_limited, run_openly};
use crate::step::{say, step};
use crate::tools;
use crate::workspace::{Workspace, find_program, path_with};

/// How long each target runs unless told otherwise.
const SECONDS: u64 = 600;
/// How long one input may take before it counts as found.
const INPUT_SECONDS: u32 = 10;
/// Bytes of an input: long enough for some hundred steps, short enough for some hundred inputs a second.
const INPUT_BYTES_MAX: u32 = 3000;
/// How long rustup may take for a compiler; without a way to its server it would try for much longer.
const RUSTUP_LIMIT: Duration = Duration::from_secs(600);

/// What to fuzz, and for how long each.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    targets: Vec<String>,
    seconds: u64,
}

/// Runs one target, or all one after the other.
pub(crate) fn fuzz(workspace: &Workspace, rest: &[OsString]) -> Result<()> {
    let plan = Plan::new(&targets(workspace)?, rest)?;
    let toolchain = ensure_nightly(workspace)?;
    let folders = tools::ensure(workspace, &[&CARGO_FUZZ])?;
    let home = workspace.target.join("fuzz");
    for target in &plan.targets {
        let corpus = home.join("corpus").join(target);
        let found = home.join("found").join(target);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&found)?;
        let known = workspace.root.join("fuzz/regressions").join(target);
        let mut cargo = workspace.command("rustup");
        cargo.args(["run", &toolchain, "cargo", "fuzz", "run", target.as_str()]).arg(&corpus).arg(known);
        cargo.arg("--").arg(format!("-max_total_time={}", plan.seconds));
        cargo.arg(format!("-max_len={INPUT_BYTES_MAX}")).arg(format!("-timeout={INPUT_SECONDS}"));
        cargo.arg(format!("-artifact_prefix={}/", found.display())).arg("-print_final_stats=1");
        // Cargo of the compiler that xtask was built with must not be the one that cargo-fuzz calls.
        cargo.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        cargo.env("PATH", path_with(&folders)?).env("CARGO_TARGET_DIR", &home);
        let what = format!("fuzzing {target} for {} s", plan.seconds);
        step(&what, || run_openly(&mut cargo)).with_context(|| {
            format!(
                "{target} does not survive an input, which is in {}; `cp` it to fuzz/regressions/{target}, where \
                 every run of the tests tries it, and mend what it shows",
                found.display()
            )
        })?;
    }
    say(&format!("nothing was found in {}", plan.targets.join(", ")));
    Ok(())
}

impl Plan {
    fn new(targets: &[String], rest: &[OsString]) -> Result<Self> {
        let mut plan = Self { targets: Vec::new(), seconds: SECONDS };
        for word in rest {
            let word = word.to_string_lossy();
            if let Ok(seconds) = word.parse() {
                plan.seconds = seconds;
            } else if targets.iter().any(|target| *target == word) {
                plan.targets.push(word.into_owned());
            } else if word != "--" {
                bail!("there is no fuzz target `{word}`; there are {}", targets.join(", "));
            }
        }
        if plan.targets.is_empty() {
            plan.targets = targets.to_vec();
        }
        Ok(plan)
    }
}

/// The names of the files in `fuzz/fuzz_targets`.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// The name of a nightly compiler for rustup: the pinned one, which is installed if it can be, else another that is there.
fn ensure_nightly(workspace: &Workspace) -> Result<String> {
    let by_hand = format!("install one by `rustup toolchain install {NIGHTLY} --profile minimal`");
    if find_program("rustup").is_none() {
        bail!(
            "fuzzing needs a nightly compiler, and rustup to choose it, which is not on the PATH; get rustup from \
             https://rustup.rs, then {by_hand}"
        );
    }
    for name in [NIGHTLY, "nightly"] {
        if version_of(workspace, name).is_some_and(|version| version.contains(NIGHTLY_DATE)) {
            return Ok(name.to_owned());
        }
    }
    let installed = step(&format!("rustup installs {NIGHTLY}"), || {
        let mut rustup = workspace.command("rustup");
        rustup.args(["toolchain", "install", NIGHTLY, "--profile", "minimal"]);
        run_limited(&mut rustup, Some(RUSTUP_LIMIT))
    });
    match (installed, version_of(workspace, "nightly")) {
        (Ok(_), _) => Ok(NIGHTLY.to_owned()),
        (Err(error), Some(version)) => {
            say(&format!("{error:#}"));
            say(&format!("taking {} in its place", version.trim()));
            Ok("nightly".to_owned())
        }
        (Err(error), None) => {
            Err(error
                .context(format!("fuzzing needs a nightly compiler; where there is a way to it, {by_hand}")))
        }
    }
}

/// What a toolchain's compiler says of itself; `None` when it is not installed. `rustup run` installs nothing.
fn version_of(workspace: &Workspace, toolchain: &str) -> Option<String> {
    let mut rustc: Command = workspace.command("rustup");
    rustc.args(["run", toolchain, "rustc", "--version"]);
    let output = rustc.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan> {
        let targets = ["decode", "shard"].map(str::to_owned);
        Plan::new(&targets, &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_target_and_its_seconds_may_be_named_and_all_run_for_ten_minutes_otherwise() {
        let all = plan(&[]).unwrap();
        assert_eq!((all.targets.len(), all.seconds), (2, 600));
        assert_eq!(plan(&["60"]).unwrap(), Plan { seconds: 60, ..all });
        let one = plan(&["shard", "--", "5"]).unwrap();
        assert_eq!(one, Plan { targets: vec!["shard".to_owned()], seconds: 5 });
    }

    #[test]
    fn an_unknown_target_is_answered_with_those_that_there_are() {
        let error = plan(&["packets"]).unwrap_err().to_string();
        assert!(error.contains("packets") && error.contains("decode, shard"), "{error}");
    }

    #[test]
    fn every_target_is_built_and_has_inputs_that_the_tests_run() {
        let workspace = Workspace::find().unwrap();
        let manifest = fs::read_to_string(workspace.root.join("fuzz/Cargo.toml")).unwrap();
        let targets = targets(&workspace).unwrap();
        assert!(targets.len() >= 7);
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} stands in fuzz/Cargo.toml");
            let inputs = workspace.root.join("fuzz/regressions").join(&target).read_dir().unwrap();
            assert!(inputs.count() > 0, "{target} has an input");
        }
    }
}
