//! What a commit has confirmed is there after every crash; what it has not is there as a whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_broker::{Change, RowBytes, Table};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::hostile_disk::{End, Faults, HostileDisk};
use super::hostile_way::HOSTILE;
use super::vfs::{self, SharedDisk};
use crate::store::committer::compacted;
use crate::store::database::{Database, is_corrupt};
use crate::store::way::Way;
use crate::store::{Durability, StoreError};

pub(super) type Content = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Rounds have disks of their own, also those of one seed.
static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// How the store is built.
#[derive(Clone, Copy, Debug)]
struct Rules {
    durability: Durability,
    way: Way,
}

const KEPT: Rules = Rules { durability: Durability::Fsync, way: HOSTILE };

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = vfs::connect(path)?;
    // It could not write, were it a process of its own.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA query_only = 1; BEGIN; SELECT count(*) FROM retained")?;
    Ok(connection)
}

/// Syncs again, and takes the answer for the truth.
fn believe(path: &Path) -> io::Result<bool> {
    let name = path.to_str().unwrap();
    let Some(disk) = vfs::disk_of(name) else { return Ok(false) };
    let mut disk = disk.lock().unwrap();
    let Some(file) = disk.find(name) else { return Ok(false) };
    disk.sync(file, true).map_err(|fault| io::Error::other(format!("{fault:?}")))?;
    Ok(true)
}

struct Round {
    random: SmallRng,
    rules: Rules,
    file: PathBuf,
    disk: SharedDisk,
    faults: Faults,
    database: Option<Database>,
    /// Somebody else who looks at one moment of it, as a backup does, and may outlive who writes.
    reader: Option<Connection>,
    pending: Vec<Change>,
    /// What may be there: what was confirmed, and then what each attempt since would have left.
    allowed: Vec<Content>,
}

impl Round {
    fn new(seed: u64, rules: Rules) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let one_in = [0, 0, 200, 40, 10];
        let mut draw = || one_in[random.random_range(0..one_in.len())];
        let faults = Faults { read: draw() * 8, write: draw(), sync: draw() / 4, is_full: false };
        let name = format!("{seed}-{}", ROUNDS.fetch_add(1, Ordering::Relaxed));
        let disk = vfs::mount(&name, HostileDisk::new(seed));
        let file = PathBuf::from(format!("/{name}/hearth.db"));
        let allowed = vec![Content::new()];
        Self { random, rules, file, disk, faults, database: None, reader: None, pending: Vec::new(), allowed }
    }

    fn run(&mut self) -> Result<(), String> {
        self.open()?;
        for step in 0..24 {
            if self.random.random_ratio(1, 6) {
                let actions = self.random.random_range(0..80);
                self.disk.lock().unwrap().actions_left = Some(actions);
            }
            self.disk.lock().unwrap().faults.is_full =
                self.faults.write > 0 && self.random.random_ratio(1, 8);
            self.look();
            self.commit();
            let is_dead = self.disk.lock().unwrap().is_dead;
            if is_dead || self.random.random_ratio(1, 12) {
                self.end();
                self.open().map_err(|problem| format!("step {step}: {problem}"))?;
            }
        }
        self.end();
        self.open()
    }

    /// Lets a reader come or go.
    fn look(&mut self) {
        let ratio = if self.reader.is_some() { 3 } else { 8 };
        if !self.random.random_ratio(1, ratio) {
            return;
        }
        self.reader = match self.reader.take() {
            Some(_) => None,
            // One that meets a fault is not there.
            None => reader(&self.file).ok(),
        };
    }

    fn commit(&mut self) {
        let batch = self.batch();
        let mut content = self.allowed.last().cloned().unwrap_or_default();
        batch.iter().for_each(|change| apply(&mut content, change));
        self.pending.extend(batch);
        if self.random.random_ratio(1, 4) {
            self.pending = compacted(std::mem::take(&mut self.pending));
        }
        self.allowed.push(content);
        if self.database.as_mut().is_some_and(|database| database.commit(&self.pending).is_ok()) {
            self.pending.clear();
            self.allowed.drain(..self.allowed.len() - 1);
        }
    }

    /// Kills the process or the system while it does anything, also while it closes its files.
    fn end(&mut self) {
        if self.random.random() {
            self.disk.lock().unwrap().is_dead = true;
        }
        self.database = None;
        let end = match self.random.random_range(0..4) {
            0 | 1 => End::PowerCut,
            // Where syncs fail too, a reader may have taken from the cache what the disk does not have.
            2 if self.reader.is_some() && self.faults.sync == 0 => End::KillOfOne,
            _ => End::Kill,
        };
        if end != End::KillOfOne {
            self.reader = None;
        }
        self.disk.lock().unwrap().end(end);
    }

    /// Opens it as often as it takes, and looks whether what is there may be there.
    fn open(&mut self) -> Result<(), String> {
        for attempt in 0.. {
            let mut disk = self.disk.lock().unwrap();
            disk.faults = if attempt < 8 { self.faults } else { Faults::default() };
            disk.actions_left =
                (attempt < 8 && self.random.random_ratio(1, 3)).then(|| self.random.random_range(0..60));
            drop(disk);
            match self.read() {
                Ok((database, content)) => {
                    let mut disk = self.disk.lock().unwrap();
                    disk.faults = self.faults;
                    if let Some(name) = disk.name_with(".damaged-") {
                        return Err(format!("a crash was taken for damage: there is {name}"));
                    }
                    drop(disk);
                    if !self.allowed.contains(&content) {
                        return Err(self.difference(&content));
                    }
                    self.allowed = vec![content];
                    // They were in the memory of the process.
                    self.pending.clear();
                    self.database = Some(database);
                    return Ok(());
                }
                Err(problem) if attempt >= 12 => return Err(problem),
                Err(_) => {}
            }
            if self.disk.lock().unwrap().is_dead || self.random.random_ratio(1, 4) {
                self.end();
            }
        }
        Ok(())
    }

    fn read(&self) -> Result<(Database, Content), String> {
        let Rules { durability, way } = self.rules;
        let mut database =
            Database::open_by(way, &self.file, durability).map_err(|error| self.on_refusal(&error))?;
        let mut content = Content::new();
        let reading = database.read(|table, key, value| {
            content.insert((table, key.to_vec()), value.to_vec());
        });
        let reading = reading.map_err(|error| error.to_string())?;
        if reading.damaged > 0 {
            return Err(format!("{} damaged rows", reading.damaged));
        }
        Ok((database, content))
    }

    /// A file that was broken while it was made has nothing in it yet: it is moved away, as by the folder.
    fn on_refusal(&self, error: &StoreError) -> String {
        let is_broken = matches!(error, StoreError::Database { source, .. } if is_corrupt(source));
        if is_broken && self.allowed == [Content::new()] {
            let name = self.file.to_str().unwrap();
            let mut disk = self.disk.lock().unwrap();
            for companion in ["-wal", "-journal", ""] {
                disk.remove(&format!("{name}{companion}"), true);
            }
        }
        error.to_string()
    }

    fn batch(&mut self) -> Vec<Change> {
        let changes = self.random.random_range(1..8);
        (0..changes).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> Change {
        let random = &mut self.random;
        let table = Table::ALL[random.random_range(0..Table::ALL.len())];
        let key = RowBytes::from(u64::from(random.random_range(0..12_u8) * 23).to_be_bytes());
        match random.random_range(0..10) {
            0..6 => {
                let len = if random.random_ratio(1, 8) { 9000 } else { 60 };
                let byte = random.random();
                Change::Put(table, key, vec![byte; random.random_range(0..len)].into())
            }
            6..9 => Change::Delete(table, key),
            _ if table == Table::Messages => Change::Delete(table, key),
            _ => Change::DeleteAll(table, key[..random.random_range(6..8)].into()),
        }
    }

    fn difference(&self, content: &Content) -> String {
        let distance = |one: &Content| {
            let only = |one: &Content, other: &Content| {
                one.iter().filter(|(key, value)| other.get(*key) != Some(*value)).count()
            };
            (only(one, content), only(content, one))
        };
        let all: Vec<_> = self.allowed.iter().map(distance).collect();
        format!("{} rows; missing or stale, and new, against each of what is allowed: {all:?}", content.len())
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        (self.database, self.reader) = (None, None);
        vfs::unmount(self.file.to_str().unwrap().split('/').nth(1).unwrap());
    }
}

fn apply(content: &mut Content, change: &Change) {
    match change {
        Change::Put(table, key, value) => drop(content.insert((*table, key.to_vec()), value.to_vec())),
        Change::Delete(table, key) => drop(content.remove(&(*table, key.to_vec()))),
        Change::DeleteAll(table, prefix) => {
            content.retain(|(of, key), _| of != table || !key.starts_with(&prefix[..]));
        }
    }
}

/// The first of so many seeds that shows something wrong.
fn find(seeds: std::ops::Range<u64>, rules: Rules) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| Round::new(seed, rules).run().err().map(|problem| (seed, problem)))
}

/// `HEARTH_DISK_SEEDS=a..b` runs others than usual; one seed is `a..a+1`.
pub(super) fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("HEARTH_DISK_SEEDS") else { return 0..1000 };
    let (first, end) = text.split_once("..").expect("HEARTH_DISK_SEEDS is first..end");
    first.parse().unwrap()..end.parse().unwrap()
}

#[test]
fn nothing_that_was_confirmed_is_lost_and_nothing_is_there_by_half() {
    let found = find(seeds(), KEPT);
    assert!(found.is_none(), "(seed, problem): {found:?}; HEARTH_DISK_SEEDS=seed..seed+1 shows it again");
}

#[test]
fn a_store_that_does_not_sync_is_found() {
    let rules = Rules { durability: Durability::Os, ..KEPT };
    let found = find(0..100, rules);
    assert!(found.is_some());
}

#[test]
fn a_store_that_believes_a_sync_after_one_that_failed_is_found() {
    let rules = Rules { way: Way { rewrite: believe, ..KEPT.way }, ..KEPT };
    let found = find(0..1000, rules);
    assert!(found.is_some());
}
