//! Loads brokers and measures what they make of it. `cargo xtask bench` builds all that this needs and starts it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to the person who started it")]

mod broker;
mod durability;
mod load;
mod swarm;
mod table;
mod tally;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::broker::{Programs, Subject};
use crate::durability::{Plan, Scenario};

/// Measures brokers, side by side, on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Hearth's program
    #[arg(long)]
    hearth: PathBuf,
    /// Mosquitto's program
    #[arg(long)]
    mosquitto: PathBuf,
    /// Where the brokers keep their files: on the disk that is to be measured
    #[arg(long)]
    folder: PathBuf,
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// What it costs to keep messages, and how fast a broker is back
    Durability {
        /// Rounds whose medians are told
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Seconds of each measurement of traffic
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
        /// Only these scenarios
        #[arg(long, value_enum)]
        scenario: Vec<Scenario>,
        /// Only brokers in whose names this occurs
        #[arg(long, default_value = "")]
        broker: String,
    },
}

fn main() -> Result<()> {
    let Arguments { hearth, mosquitto, folder, benchmark } = Arguments::parse();
    let programs = Programs { hearth, mosquitto };
    match benchmark {
        Benchmark::Durability { rounds, seconds, scenario, broker } => {
            let scenarios = if scenario.is_empty() { Scenario::value_variants().to_vec() } else { scenario };
            let subjects =
                Subject::ALL.into_iter().filter(|subject| subject.name().contains(&broker)).collect();
            let time = Duration::try_from_secs_f64(seconds)?;
            durability::durability(&Plan { programs, folder, rounds, time, scenarios, subjects })
        }
    }
}
