//! Simulations: a broker of three shards, clients of every kind, a network that fails and a clock, all from one number.
//!
//! A failure prints its seed. `HEARTH_SIM_SEED=17 cargo test -p hearth-broker simulation` plays that seed again,
//! leaves out the steps that do not matter and prints what happens in the others; `HEARTH_SIM_SEEDS=20000` or
//! `HEARTH_SIM_SEEDS=1000..20000` plays more seeds than usual, or others, and prints all that fail.
//!
//! - `world` holds all of it. It alone makes shards, drives them and carries out their effects.
//! - `network` and `traffic` are the bytes between clients and shards: late, in pieces, cut or half closed.
//! - `profile` says what a client is like; it speaks through the product's client machine or by a script (`raw`), and
//!   `exchange` moves what it says. `actions` are the steps of a story, `rest` its end.
//! - `model` is what must happen. It sees the packets that pass, and nothing of the broker's own state.
//! - `faults` breaks the broker's rules, one after the other, and expects to be told.

mod actions;
mod clients;
mod exchange;
mod faults;
mod invariants;
mod model;
mod network;
mod profile;
mod raw;
mod rest;
mod store;
mod traffic;
mod world;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults::{Fault, set_fault};
use invariants::{Failure, Invariant};
use world::World;

/// Steps of one simulation.
const STEPS: usize = 350;

/// Seeds that every test run plays.
const SEEDS: u64 = 1000;

/// Threads that play seeds at once.
const THREADS: u64 = 2;

/// Simulations that the search for the steps that matter may play.
const SHRINK_MAX: usize = 400;

/// A promise that a seed breaks.
#[derive(Debug)]
struct Finding {
    seed: u64,
    /// The step after which it was seen; the last one when everything had come to rest.
    step: usize,
    failure: Failure,
}

/// Says which seed it was when the broker itself panics.
struct Announced(u64);

impl Drop for Announced {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the broker panicked in the simulation of seed {}", self.0);
        }
    }
}

/// Plays a seed without the steps that are left out; what happened, too, where that is asked for.
fn play(seed: u64, left_out: &BTreeSet<usize>, is_logged: bool) -> (Option<Finding>, String) {
    let _announced = Announced(seed);
    let mut world = World::new(seed, is_logged);
    let mut last = STEPS;
    for step in (0..STEPS).filter(|step| !left_out.contains(step)) {
        world.note(|| format!("step {step}"));
        world.step(seed, step);
        if world.model.failure().is_some() {
            last = step;
            break;
        }
    }
    if world.model.failure().is_none() {
        world.finish(seed);
    }
    let finding = world.model.failure().cloned().map(|failure| Finding { seed, step: last, failure });
    (finding, world.take_log())
}

/// Leaves out as many steps as it can while the same promise stays broken.
fn shrink(finding: &Finding) -> BTreeSet<usize> {
    let mut left_out: BTreeSet<usize> = (finding.step + 1..STEPS).collect();
    let mut plays = 0;
    let mut size = STEPS / 2;
    while size > 0 {
        for start in (0..STEPS).step_by(size) {
            let more: BTreeSet<usize> =
                left_out.iter().copied().chain(start..STEPS.min(start + size)).collect();
            if plays == SHRINK_MAX || more.len() == left_out.len() {
                continue;
            }
            plays += 1;
            let found = play(finding.seed, &more, false).0;
            if found.is_some_and(|found| found.failure.invariant == finding.failure.invariant) {
                left_out = more;
            }
        }
        size /= 2;
    }
    left_out
}

/// What a person needs to see why a seed fails.
fn explain(finding: &Finding) -> String {
    const LINES: usize = 150;
    let left_out = shrink(finding);
    let (shrunk, log) = play(finding.seed, &left_out, true);
    let shrunk = shrunk.as_ref().unwrap_or(finding);
    let lines: Vec<&str> = log.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    format!(
        "seed {}, step {}: {}\n{} of {STEPS} steps are enough, with which: {}\n{last}\n\
         play it again with HEARTH_SIM_SEED={}",
        finding.seed,
        finding.step,
        finding.failure,
        STEPS - left_out.len(),
        shrunk.failure,
        finding.seed,
    )
}

/// Plays seeds; a finding with each that breaks a promise in the way that is wanted, the smallest seed first. A rule may
/// be broken for it. After `enough` of them it plays no more.
fn search(
    seeds: Range<u64>,
    enough: usize,
    fault: Option<Fault>,
    is_wanted: impl Fn(&Failure) -> bool + Sync,
) -> Vec<Finding> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                set_fault(fault);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let finding = play(seed, &BTreeSet::new(), false).0;
                    if let Some(finding) = finding.filter(|finding| is_wanted(&finding.failure)) {
                        let mut found = found.lock().unwrap();
                        found.push(finding);
                        if found.len() >= enough {
                            next.store(seeds.end, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|finding: &Finding| finding.seed);
    found
}

/// The seeds that a variable asks for: one, those below a number, or a range.
fn asked_seeds() -> Option<Range<u64>> {
    let asked = |variable: &str| {
        let text = std::env::var(variable).ok()?;
        let number = |text: &str| {
            let number = text.parse::<u64>();
            number.unwrap_or_else(|_| panic!("{variable} is {text}, and should be a number or a range"))
        };
        Some(match text.split_once("..") {
            Some((start, end)) => number(start)..number(end),
            None => 0..number(&text),
        })
    };
    let single = asked("HEARTH_SIM_SEED").map(|seeds| seeds.end..seeds.end + 1);
    single.or_else(|| asked("HEARTH_SIM_SEEDS"))
}

#[test]
fn a_thousand_seeds_break_no_promise() {
    let findings = match asked_seeds() {
        Some(seeds) => search(seeds, usize::MAX, None, |_| true),
        None => search(0..SEEDS, 1, None, |_| true),
    };
    if let [first, ..] = &findings[..] {
        for Finding { seed, step, failure } in &findings {
            eprintln!("seed {seed}, step {step}: {failure}");
        }
        panic!("{}", explain(first));
    }
}

#[test]
fn a_seed_is_the_same_each_time() {
    for seed in 0..5 {
        let log = || play(seed, &BTreeSet::new(), true).1;
        assert!(log() == log(), "seed {seed}");
    }
}
