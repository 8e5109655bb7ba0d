//! What keeping messages costs: each scenario with Hearth and Mosquitto in turn, several rounds.

mod queue;
mod start;
mod traffic;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::broker::{Broker, Programs, Subject};
use crate::table::{Column, Table};

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) programs: Programs,
    /// On the disk that is measured.
    pub(crate) folder: PathBuf,
    pub(crate) rounds: usize,
    /// Of one measurement of traffic.
    pub(crate) time: Duration,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) subjects: Vec<Subject>,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// 50 publishers, one subscriber whose session lasts and is connected.
    Connected,
    /// The same with the subscriber away.
    Away,
    /// 50 publishers to 50 subscribers whose sessions end with their connections.
    Pairs,
    /// Many messages for a session that is away, and its return.
    Queue,
    /// Start after a kill.
    Start,
}

impl Scenario {
    const fn title(self) -> &'static str {
        match self {
            Self::Connected => "QoS 1, 50 publishers, a lasting session that is connected",
            Self::Away => "QoS 1, 50 publishers, a lasting session that is away",
            Self::Pairs => "QoS 1, 50 publishers to 50 subscribers, nothing to keep",
            Self::Queue => "100,000 messages for a session that is away",
            Self::Start => "Start after kill -9 with 100,000 retained messages and 10,000 sessions",
        }
    }

    const fn columns(self) -> &'static [Column] {
        match self {
            Self::Connected | Self::Away | Self::Pairs => traffic::COLUMNS,
            Self::Queue => queue::COLUMNS,
            Self::Start => start::COLUMNS,
        }
    }

    fn measure(self, plan: &Plan, broker: &mut Broker) -> Result<Vec<f64>> {
        match self {
            Self::Connected => traffic::measure(broker, plan.time, &traffic::one_subscriber(true)),
            Self::Away => traffic::measure(broker, plan.time, &traffic::one_subscriber(false)),
            Self::Pairs => traffic::measure(broker, plan.time, &traffic::pairs()),
            Self::Queue => queue::measure(broker),
            Self::Start => start::measure(broker),
        }
    }
}

/// Measures, tells how far it is on standard error, and prints each table when it is whole.
pub(crate) fn durability(plan: &Plan) -> Result<()> {
    for scenario in &plan.scenarios {
        let mut table = Table::new(scenario.title(), scenario.columns());
        for round in 1..=plan.rounds {
            for subject in &plan.subjects {
                let name = subject.name();
                let mut broker = Broker::start(*subject, &plan.programs, &plan.folder)?;
                let measured = scenario.measure(plan, &mut broker);
                let figures =
                    measured.map_err(|error| error.context(format!("{name}: {}", scenario.title())))?;
                eprintln!("round {round} of {}, {}, {name}: {figures:.2?}", plan.rounds, scenario.title());
                table.enter(&name, figures);
            }
        }
        let bases = [
            (Subject::Hearth("none").name(), "of Hearth, `none`"),
            (Subject::MOSQUITTO.name(), "of Mosquitto, default"),
        ];
        let bases: Vec<_> = bases.iter().map(|(name, title)| (name.as_str(), *title)).collect();
        println!("{}", table.markdown(&bases));
    }
    Ok(())
}

/// Seconds of processor time for each million.
fn cpu_a_million(cpu: Duration, messages: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / count(messages)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const fn count(number: u64) -> f64 {
    number as f64
}
