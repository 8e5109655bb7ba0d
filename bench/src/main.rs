//! Loads brokers and measures what they make of it. `cargo xtask bench` builds all that this needs and starts it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to the person who started it")]

mod accounting;
mod bits;
mod broker;
mod compare;
mod crowd;
mod durability;
mod floor;
mod load;
mod overload;
mod peer;
mod receipts;
mod schedule;
mod swarm;
mod table;
mod tally;
mod ticker;
mod traffic;
mod web_socket;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::broker::{Programs, Subject};
use crate::durability::Scenario;
use crate::peer::{Installed, Recipe};

/// Measures brokers, side by side, on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "Without a benchmark it is `peers`. Beside its options `cargo xtask bench` has `--install-peers`, which installs \
                  Mosquitto, rumqttd, rmqttd and Aedes first, and `--guard`, which counts instructions."
)]
struct Arguments {
    /// Where the program of a broker is
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    program: Vec<(String, PathBuf)>,
    /// Where the brokers keep their files: on the disk that is to be measured
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Hearth beside every other broker that is installed; what `cargo xtask bench` does without a word more
    Peers(Peers),
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
    /// What clients cost that do not read, and what memory is made of a flood
    Overload {
        /// Rounds whose medians are told
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
    /// Serves the bytes of the generator and is no broker
    #[command(hide = true)]
    Floor {
        /// Of 127.0.0.1
        port: u16,
    },
}

#[derive(Debug, Args)]
struct Peers {
    /// Rounds whose medians are told
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 0.6)]
    seconds: f64,
    /// One round of short measurements, to see that all works
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Only rows in whose names this occurs; may be given several times
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
    /// Only Hearth and brokers in whose names this occurs; may be given several times
    #[arg(long, value_name = "WORD")]
    broker: Vec<String>,
    /// A file with more brokers, as bench/src/peer/peers.toml has them
    #[arg(long, value_name = "FILE")]
    peers: Vec<PathBuf>,
    /// Names the rows and measures nothing
    #[arg(long)]
    list: bool,
    /// Writes docs/performance.md anew from what was measured last, and measures nothing
    #[arg(long)]
    page: bool,
    /// Where that page is written after a whole run
    #[arg(long, value_name = "FOLDER", hide = true)]
    docs: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Arguments { program, folder, benchmark } = Arguments::parse();
    let mut programs: BTreeMap<String, PathBuf> = program.into_iter().collect();
    match benchmark {
        Benchmark::Durability { rounds, seconds, scenario, broker } => {
            let scenarios = if scenario.is_empty() { Scenario::value_variants().to_vec() } else { scenario };
            let subjects =
                Subject::ALL.into_iter().filter(|subject| subject.name().contains(&broker)).collect();
            let time = Duration::try_from_secs_f64(seconds)?;
            let mut program = |name: &str| {
                programs.remove(name).with_context(|| format!("`--program {name}=PATH` is missing"))
            };
            let programs = Programs { hearth: program("hearth")?, mosquitto: program("mosquitto")? };
            let plan = durability::Plan { programs, folder, rounds, time, scenarios, subjects };
            durability::durability(&plan)
        }
        Benchmark::Overload { rounds, seconds } => {
            let time = Duration::try_from_secs_f64(seconds)?;
            let mut program = |name: &str| {
                programs.remove(name).with_context(|| format!("`--program {name}=PATH` is missing"))
            };
            let (hearth, mosquitto) = (program("hearth")?, program("mosquitto")?);
            overload::overload(&overload::Plan { hearth, mosquitto, folder, rounds, time })
        }
        Benchmark::Peers(peers) => {
            programs.insert("hearth-bench".to_owned(), std::env::current_exe()?);
            peers.measure(&programs, folder)
        }
        Benchmark::Floor { port } => floor::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?),
    }
}

impl Peers {
    fn measure(self, programs: &BTreeMap<String, PathBuf>, folder: PathBuf) -> Result<()> {
        // A run of some rows, or a quick one, is no page.
        let is_whole = !self.quick && self.only.is_empty() && self.broker.is_empty();
        let file = folder.join(if is_whole { "peers.json" } else { "some-peers.json" });
        let write_page = || self.docs.as_ref().map_or(Ok(()), |docs| compare::write_page(&file, docs));
        if self.page {
            return write_page();
        }
        let mut recipes = Recipe::built_in()?;
        for file in &self.peers {
            recipes.extend(Recipe::read(file)?);
        }
        let (installed, absent) = Installed::find(recipes, programs);
        let (rounds, seconds) = if self.quick { (1, 0.2) } else { (self.rounds, self.seconds) };
        let plan = compare::Plan {
            installed,
            absent,
            folder,
            rounds,
            times: compare::times(seconds)?,
            only: self.only.clone(),
            brokers: self.broker.clone(),
        };
        if self.list {
            compare::names(&plan).iter().for_each(|name| println!("{name}"));
            return Ok(());
        }
        if !plan.absent.is_empty() {
            eprintln!(
                "not installed, and left out: {}; `cargo xtask bench --install-peers` installs what it knows how to",
                plan.absent.join(", ")
            );
        }
        compare::compare(&plan, &file)?;
        if is_whole { write_page() } else { Ok(()) }
    }
}

fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it is NAME=PATH, such as hearth=target/release/hearth")?;
    Ok((name.to_owned(), path.into()))
}
