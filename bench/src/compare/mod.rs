//! Hearth beside other brokers: every row with each broker in turn, several rounds.

mod chart;
mod clients;
mod figures;
mod measure;
mod page;
mod results;
mod row;
mod shards;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::peer::{Installed, Peer};
use figures::{Figures, Metric};
pub(crate) use measure::Times;
use results::{Broker, Cell, Machine, Outcome, Results};
use row::{Kind, Row, Subjects, describe};

/// The one that is held against the others.
pub(crate) const HEARTH: &str = "Hearth";
/// The same with one shard, in the rows that are about shards.
const ONE_SHARD: &str = "Hearth, one shard";
/// The server that only hands bytes on.
const FLOOR: &str = "floor";

/// Connections are as fast as they get after some round trips, and a broker that compiles as it runs takes longer.
const WARM_UP_MIN: Duration = Duration::from_millis(200);

/// What to measure, and how long.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) installed: Vec<Installed>,
    /// Names of brokers that are not installed.
    pub(crate) absent: Vec<String>,
    /// Where the brokers keep their files.
    pub(crate) folder: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) times: Times,
    /// Words of which one must occur in the name of a row; none: all rows.
    pub(crate) only: Vec<String>,
    /// The same for brokers; Hearth is always one of them.
    pub(crate) brokers: Vec<String>,
}

/// Measures, tells how far it is on standard error, and keeps the results in this file after every round.
pub(crate) fn compare(plan: &Plan, file: &Path) -> Result<()> {
    let installed: Vec<&Installed> = plan.installed.iter().filter(|one| plan.wants(one)).collect();
    if !installed.iter().any(|one| one.name() == HEARTH) {
        bail!("Hearth's program is missing; `--program hearth=PATH` says where it is");
    }
    let peers: Vec<&str> = installed.iter().map(|one| one.name()).filter(|name| !is_own(name)).collect();
    let rows: Vec<Row> = Row::all(&peers).into_iter().filter(|row| plan.asks_for(row)).collect();
    if rows.is_empty() {
        bail!("no row has one of {:?} in its name; `--list` names all", plan.only);
    }
    let brokers = installed.iter().map(|one| Broker { name: one.name().to_owned(), version: one.version() });
    let mut results = Results {
        machine: Machine::this(),
        rounds: 0,
        seconds: plan.times.measured.as_secs_f64(),
        brokers: brokers.collect(),
        absent: plan.absent.clone(),
        rows: Vec::new(),
    };
    for round in 1..=plan.rounds {
        for row in &rows {
            if round > 1 && row.is_steady() {
                continue;
            }
            for one in installed.iter().filter(|one| takes_part(one, row)) {
                let cell = measure(plan, one, row, round, &results);
                eprintln!("{}", tables::line(&row.id, plan.rounds, &cell));
                results.enter(row, cell);
            }
        }
        results.rounds = round;
        let text = serde_json::to_string_pretty(&results)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("{}", tables::terminal(&results));
    eprintln!("everything that was measured is in {}", file.display());
    Ok(())
}

/// Writes the page about the results of a file into this folder.
pub(crate) fn write_page(file: &Path, folder: &Path) -> Result<()> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("there is no {}; `cargo xtask bench` writes it", file.display()))?;
    let results = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `cargo xtask bench` writes", file.display()))?;
    page::write(&results, folder)
}

/// The names of all rows.
pub(crate) fn names(plan: &Plan) -> Vec<String> {
    let peers: Vec<&str> = plan.installed.iter().map(Installed::name).filter(|name| !is_own(name)).collect();
    Row::all(&peers).into_iter().map(|row| row.id).collect()
}

/// Not another broker's.
fn is_own(name: &str) -> bool {
    [HEARTH, ONE_SHARD, FLOOR].contains(&name)
}

impl Plan {
    fn wants(&self, one: &Installed) -> bool {
        let name = one.name();
        self.brokers.is_empty() || name == HEARTH || name == ONE_SHARD || contains_one(name, &self.brokers)
    }

    fn asks_for(&self, row: &Row) -> bool {
        self.only.is_empty() || contains_one(&row.id, &self.only)
    }
}

fn contains_one(name: &str, words: &[String]) -> bool {
    let name = name.to_lowercase();
    words.iter().any(|word| name.contains(&word.to_lowercase()))
}

fn takes_part(one: &Installed, row: &Row) -> bool {
    let (version, way) = row.needs();
    let is_meant = match &row.subjects {
        Subjects::All => one.name() != ONE_SHARD && (one.name() != FLOOR || row.has_floor()),
        Subjects::Shards => [HEARTH, ONE_SHARD].contains(&one.name()),
        Subjects::Duel(peer) => one.name() == peer || one.name() == HEARTH,
    };
    is_meant && one.has_door(version, way)
}

/// A broker that failed in an earlier round is not waited for once more.
fn measure(plan: &Plan, one: &Installed, row: &Row, round: usize, results: &Results) -> Cell {
    let earlier = results.row(&row.id).and_then(|row| row.failure(one.name()));
    let outcome = match earlier {
        Some(why) => Outcome::Failure(why.to_owned()),
        None => match figures(plan, one, row, results) {
            Ok(figures) => Outcome::Figures(figures),
            Err(error) => Outcome::Failure(format!("{error:#}")),
        },
    };
    Cell { broker: one.name().to_owned(), round, outcome }
}

fn figures(plan: &Plan, one: &Installed, row: &Row, results: &Results) -> Result<Figures> {
    let peer = Peer::start(one, &plan.folder)?;
    let (version, way) = row.needs();
    let door = peer.door(version, way);
    match row.kind {
        Kind::Limit { traffic, window } => measure::limit(&peer, traffic, window, plan.times),
        Kind::Rate { traffic, messages } => measure::rate(&peer, traffic, f64::from(messages), plan.times),
        Kind::Half { traffic } => {
            let Subjects::Duel(other) = &row.subjects else { bail!("half of nobody's limit") };
            let limit = results.row(&describe(&traffic)).and_then(|row| row.median(other, Metric::PerSecond));
            let limit = limit.with_context(|| format!("{other} carried nothing in the closed loop"))?;
            let messages = limit / 2.0 / figures::count(traffic.pattern.copies() as u64);
            measure::rate(&peer, traffic, messages, plan.times)
        }
        Kind::Storm(_) => clients::storm(&peer, &door, plan.times),
        Kind::Idle(_, connections) => clients::idle(&peer, &door, connections),
        Kind::Retained(messages) => clients::retained(&peer, &door, messages),
    }
    .map_err(|error| match peer.last_words() {
        words if words.is_empty() => error,
        words => anyhow!("{error:#}; it said: {words}"),
    })
}

/// The times of a measurement of so many seconds.
pub(crate) fn times(seconds: f64) -> Result<Times> {
    let measured = Duration::try_from_secs_f64(seconds).context("`--seconds` is no time")?;
    Ok(Times { warm_up: (measured / 4).max(WARM_UP_MIN), measured })
}
