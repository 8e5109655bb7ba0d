//! Runs one scenario with its counted part in a function that callgrind finds; see `xtask/src/guard.rs`.
#![expect(clippy::print_stdout, reason = "its output is what xtask reads")]

use anyhow::Result;
use hearth_bench_engine::{Scenario, Work};

fn main() -> Result<()> {
    let Some(name) = std::env::args().nth(1) else {
        Scenario::all().for_each(|scenario| println!("{}", scenario.name));
        return Ok(());
    };
    let scenario = Scenario::find(&name)?;
    let mut work = scenario.warmed_up()?;
    let before = work.units();
    counted_part(work.as_mut(), scenario.steps);
    let units = work.units() - before;
    scenario.check(work.as_ref(), work.units() / scenario.units_per_step)?;
    anyhow::ensure!(units == scenario.steps * scenario.units_per_step, "{units} units are not all");
    println!("{units}");
    Ok(())
}

/// Not inlined: callgrind counts from its beginning to its end.
#[inline(never)]
fn counted_part(work: &mut dyn Work, steps: u64) {
    for _ in 0..steps {
        work.step();
    }
}
