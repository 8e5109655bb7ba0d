//! The broker is killed at any moment, and its clients look whether it has kept what it had acknowledged.
//!
//! `cargo xtask crash` plays many rounds. What a client sees is put down in a ledger, which says what must come of it: no
//! acknowledged message is lost for a session that had its SUBACK before, QoS 2 comes once and in order, the last acknowledged
//! message of a topic is the retained one, nothing comes from nowhere, and no row stays that nobody needs. `wills` does the same for
//! what clients leave to be published.

mod broker;
mod ledger;
mod peer;
mod publisher;
mod subscriber;
mod wills;
mod world;

use self::broker::Broken;
use self::world::World;

/// What the broker did wrong, in words.
type Finding = String;

/// Rounds of the ordinary tests.
const ROUNDS: usize = 12;

/// Threads of the broker that serve clients, unless told otherwise: what crosses from one to the other must be exact too.
const SHARDS: usize = 2;

/// Rounds within which a broken rule must show.
const ROUNDS_TO_NOTICE: usize = 60;

/// A number of the environment.
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}, which is no number")))
}

fn shards() -> usize {
    number("HEARTH_CRASH_SHARDS").map_or(SHARDS, |shards| shards as usize)
}

/// The rules that are to be broken, one after the other.
fn broken_rules() -> Vec<Broken> {
    let variable =
        |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run `cargo xtask crash`"));
    let program = std::path::PathBuf::from(variable("HEARTH_CRASH_BROKEN"));
    let rules = variable("HEARTH_CRASH_RULES");
    rules.split(',').map(|rule| Broken { program: program.clone(), rule: rule.to_owned() }).collect()
}

#[test]
fn nothing_that_was_acknowledged_is_lost_whenever_the_broker_is_killed() {
    let rounds = number("HEARTH_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let seed = number("HEARTH_CRASH_SEED").unwrap_or(1);
    eprintln!("{rounds} rounds of seed {seed} with {} shards", shards());
    let mut world = World::new(seed, shards(), None);
    let played = world.play(rounds, |round, world| {
        if round % 50 == 0 {
            eprintln!("{round} rounds: {}", world.summary());
        }
    });
    if let Err(finding) = played {
        panic!("seed {seed}, {finding}");
    }
    eprintln!("{rounds} rounds passed: {}", world.summary());
}

#[test]
#[ignore = "needs a program that breaks rules, which `cargo xtask crash` builds"]
fn every_broken_rule_shows() {
    for broken in broken_rules() {
        let rule = broken.rule.clone();
        let found = World::new(number("HEARTH_CRASH_SEED").unwrap_or(1), shards(), Some(broken))
            .play(ROUNDS_TO_NOTICE, |_, _| {});
        match found {
            Ok(()) => panic!("{ROUNDS_TO_NOTICE} rounds have not shown the broken rule {rule}"),
            Err(finding) => eprintln!("broken on purpose, {rule}: {finding}"),
        }
    }
}
