//! More than clients take: what a stuck one costs the others, and what memory is made of a flood.

mod contender;
mod flood;
mod link;
mod stuck;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::table::Table;
use contender::{Broker, Contender};

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) hearth: PathBuf,
    pub(crate) mosquitto: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) rounds: usize,
    /// Of one measurement.
    pub(crate) time: Duration,
}

/// Measures, tells how far it is on standard error, and prints each table when it is whole.
pub(crate) fn overload(plan: &Plan) -> Result<()> {
    let mut table = Table::new("QoS 0 to 1,000 subscribers, 1 KiB, of whom some do not read", stuck::COLUMNS);
    for round in 1..=plan.rounds {
        for contender in Contender::ALL {
            for stuck in [0, 1, 10] {
                let name = format!("{}, {stuck} stuck", contender.name());
                let measured =
                    contender.start(plan).and_then(|broker| stuck::measure(&broker, plan.time, stuck));
                let figures = measured.with_context(|| name.clone())?;
                eprintln!("round {round} of {}, {name}: {figures:.2?}", plan.rounds);
                table.enter(&name, figures);
            }
        }
    }
    println!("{}", table.markdown(&[]));
    let mut table = Table::new(
        "QoS 1, 4 publishers of 16 KiB as fast as they may, one subscriber that takes 2,000 a second",
        flood::COLUMNS,
    );
    for round in 1..=plan.rounds {
        for contender in Contender::ALL {
            let name = contender.name();
            let measured = contender.start(plan).and_then(|broker| flood::measure(&broker, plan.time));
            let figures = measured.with_context(|| name.to_owned())?;
            eprintln!("round {round} of {}, flood, {name}: {figures:.2?}", plan.rounds);
            table.enter(name, figures);
        }
    }
    println!("{}", table.markdown(&[]));
    Ok(())
}
