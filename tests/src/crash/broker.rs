//! The process that is killed, and the folder that stays.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;
use tempfile::TempDir;

use super::Finding;
use crate::hearth::HearthCommand;
use crate::process::{PATIENCE, Process};

/// The program that breaks a rule.
#[derive(Clone, Debug)]
pub struct Broken {
    pub program: PathBuf,
    pub rule: String,
}

/// A broker that is started again and again in one folder.
pub struct Broker {
    data: TempDir,
    shards: usize,
    broken: Option<Broken>,
    running: Option<Process>,
    /// How long the last start took that nobody ended.
    pub start: Duration,
}

/// How many rows each table has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<(&'static str, u32)>);

/// The tables of what is on its way.
pub const FLOW: &[&str] = &["message", "waiting", "received", "released", "carried", "damaged"];
/// All others.
pub const REST: &[&str] = &["session", "subscription", "retained"];

impl Broker {
    pub fn new(shards: usize, broken: Option<Broken>) -> Self {
        Self {
            data: TempDir::new().unwrap(),
            shards,
            broken,
            running: None,
            start: Duration::from_millis(200),
        }
    }

    fn spawn(&mut self) -> &Process {
        let command = match &self.broken {
            None => HearthCommand::new(),
            Some(broken) => HearthCommand::of_program(&broken.program).env("BROKEN_RULE", &broken.rule),
        };
        let command = command.args(["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none"]);
        self.running.insert(command.args(["--shards", &self.shards.to_string()]).spawn_in(self.data.path()))
    }

    /// Starts it and kills it before long.
    pub fn start_and_kill(&mut self, after: Duration) {
        self.spawn();
        std::thread::sleep(after);
        self.kill();
    }

    /// Starts it; where it listens.
    pub fn start(&mut self) -> SocketAddr {
        let begin = Instant::now();
        let address = self.spawn().wait_for_line(&mut 0, "a `listening` line", |line| {
            line.strip_prefix("listening mqtt ").and_then(|address| address.parse().ok())
        });
        self.start = begin.elapsed();
        address
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.running {
            process.signal(signal);
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut process) = self.running.take() {
            process.wait();
        }
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|process| process.wait_status(Duration::ZERO).is_none())
    }

    /// What it has complained about so far.
    pub fn complaint(&self) -> Option<String> {
        let log = self.running.as_ref()?.stderr();
        let is_complaint = |line: &&str| [" ERROR ", "panicked at"].iter().any(|word| line.contains(word));
        log.lines().find(is_complaint).map(str::to_owned)
    }

    /// Waits until these tables are empty.
    pub fn wait_for_no_rows(&self, tables: &[&'static str]) -> Result<(), Finding> {
        let deadline = Instant::now() + PATIENCE / 3;
        loop {
            if !self.has_rows(tables) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let rows = self.rows(tables);
                return Err(format!("rows are left although nobody needs them: {rows:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether any of these tables has a row.
    pub fn has_rows(&self, tables: &[&'static str]) -> bool {
        self.rows(tables).0.iter().any(|(_, count)| *count > 0)
    }

    /// How many rows these tables have.
    pub fn rows(&self, tables: &[&'static str]) -> Rows {
        let file = self.data.path().join("hearth.db");
        let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        let count = |table: &&'static str| {
            let sql = format!("SELECT count(*) FROM {table}");
            (*table, database.query_row(&sql, [], |row| row.get(0)).unwrap())
        };
        Rows(tables.iter().map(count).collect())
    }
}
