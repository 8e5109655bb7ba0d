//! The chore `crash`: kills the broker again and again, and looks whether it has kept what it had acknowledged.

use std::ffi::OsString;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::process::run_openly;
use crate::step::{say, step};
use crate::workspace::Workspace;

/// Rounds unless told otherwise: a quarter of an hour.
const ROUNDS: u64 = 1000;

/// Shards unless told otherwise.
const SHARDS: u64 = 2;

/// The program that can break rules, and those, as `server/src/faults.rs` names them.
const BROKEN: &str = "hearth-broken";
const RULES: &str = "acknowledged-early,received-forgotten,retained-forgotten,waiting-kept";
const RULES_OF_WILLS: &str = "acknowledged-early,will-kept";
/// One that nothing is carried for with one shard.
const RULE_OF_SEVERAL: &str = "carried-forgotten";

/// Rounds for each round of wills: those wait, which takes ten times as long.
const ROUNDS_TO_WILLS: u64 = 10;

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    rounds: u64,
    seed: u64,
    shards: u64,
}

/// Shows first that the harness notices broken rules, then plays the rounds.
pub(crate) fn crash(workspace: &Workspace, rest: &[OsString]) -> Result<()> {
    let today = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let plan = Plan::new(rest, today.as_secs())?;
    step("building the broker, and one that breaks rules", || {
        run_openly(workspace.cargo().args(["build", "--locked", "--package", "hearth", "--bin", "hearth"]))?;
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--locked", "--package", "hearth", "--bin", BROKEN, "--features", "faults"]);
        run_openly(&mut cargo)
    })?;
    let test = |name: &str| {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--locked", "--package", "hearth-tests", "--test", "system", "--"]);
        cargo.args([&format!("crash::{name}"), "--exact", "--nocapture", "--include-ignored"]);
        cargo.env("HEARTH_BIN", workspace.program("debug", "hearth"));
        cargo.env("HEARTH_CRASH_SEED", plan.seed.to_string());
        cargo.env("HEARTH_CRASH_SHARDS", plan.shards.to_string());
        cargo
    };
    step("breaking rules, which must show", || {
        for (name, rules) in
            [("every_broken_rule_shows", RULES), ("wills::every_broken_rule_of_wills_shows", RULES_OF_WILLS)]
        {
            let mut cargo = test(name);
            cargo.env("HEARTH_CRASH_BROKEN", workspace.program("debug", BROKEN));
            let of_several = if plan.shards > 1 { format!(",{RULE_OF_SEVERAL}") } else { String::new() };
            run_openly(cargo.env("HEARTH_CRASH_RULES", format!("{rules}{of_several}")))?;
        }
        Ok(())
    })?;
    let of_wills = plan.rounds.div_ceil(ROUNDS_TO_WILLS);
    step(&format!("{} rounds, and {of_wills} of wills, of seed {}", plan.rounds, plan.seed), || {
        for (name, rounds) in [
            ("nothing_that_was_acknowledged_is_lost_whenever_the_broker_is_killed", plan.rounds),
            ("wills::each_will_comes_once_whenever_the_broker_is_killed", of_wills),
        ] {
            run_openly(test(name).env("HEARTH_CRASH_ROUNDS", rounds.to_string()))?;
        }
        Ok(())
    })
    .with_context(|| {
        let Plan { rounds, seed, shards } = plan;
        format!(
            "`cargo xtask crash --rounds {rounds} --seed {seed} --shards {shards}` plays the same kills again"
        )
    })?;
    say("nothing that was acknowledged was lost, and nothing came twice");
    Ok(())
}

impl Plan {
    fn new(rest: &[OsString], seed: u64) -> Result<Self> {
        let mut plan = Self { rounds: ROUNDS, seed, shards: SHARDS };
        let mut words = rest.iter().map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let place = match &*word {
                "--rounds" => &mut plan.rounds,
                "--seed" => &mut plan.seed,
                "--shards" => &mut plan.shards,
                _ => bail!(
                    "`cargo xtask crash` takes `--rounds N`, `--seed S` and `--shards N`, but was given `{word}`"
                ),
            };
            let value = words.next().with_context(|| format!("`{word}` needs a number behind it"))?;
            *place = value.parse().with_context(|| format!("`{word} {value}` is no number"))?;
        }
        if plan.rounds == 0 {
            bail!("`--rounds 0` would show nothing");
        }
        if plan.shards == 0 {
            bail!("`--shards 0` would serve nobody");
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan> {
        Plan::new(&words.iter().map(OsString::from).collect::<Vec<_>>(), 5)
    }

    #[test]
    fn rounds_and_seed_may_be_told_and_there_are_others_otherwise() {
        assert_eq!(plan(&[]).unwrap(), Plan { rounds: ROUNDS, seed: 5, shards: SHARDS });
        assert_eq!(
            plan(&["--seed", "7", "--rounds", "3", "--shards", "1"]).unwrap(),
            Plan { rounds: 3, seed: 7, shards: 1 }
        );
    }

    #[test]
    fn what_makes_no_plan_is_answered_with_what_would() {
        for (words, part) in [
            (&["--round", "3"][..], "--rounds N"),
            (&["--seed"], "needs a number"),
            (&["--seed", "x"], "no number"),
            (&["--rounds", "0"], "would show nothing"),
            (&["--shards", "0"], "would serve nobody"),
        ] {
            let error = plan(words).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
