//! What storage engines make of the broker's access pattern: batches that are appended, references that are deleted as they
//! are acknowledged, and a start with a lot to read.

mod engine;
mod fjall;
mod log;
mod redb;
mod sqlite;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use engine::{Change, Durability, Engine, TABLES, Table};

/// Messages of one group commit: what 50 publishers bring in a millisecond or two.
const BATCH: usize = 64;
/// Batches that are under way at once before the first is acknowledged.
const UNDER_WAY: usize = 8;
const DURABLE_BATCHES: usize = 400;
const FAST_BATCHES: usize = 4000;
const SESSIONS_OF_A_MESSAGE: u64 = 2;
const QUEUED: usize = 100_000;
const RETAINED: usize = 100_000;
const SESSIONS: usize = 10_000;
const ROUNDS: usize = 3;

/// The figures of one engine; of several rounds the median.
#[derive(Clone, Debug, Default)]
struct Figures {
    durable_per_second: f64,
    durable_cpu_seconds_per_million: f64,
    fast_per_second: f64,
    fast_cpu_seconds_per_million: f64,
    queued_bytes: f64,
    drained_per_second: f64,
    start_millis: f64,
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("hearth-bench-storage-{}", std::process::id()));
    println!("| engine | durable messages/s | CPU s/million | not durable messages/s | CPU s/million | bytes on disk a queued message | drained messages/s | start, ms |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut rounds: [Vec<Figures>; 4] = Default::default();
    for _ in 0..ROUNDS {
        rounds[0].push(measure::<log::Log>(&folder)?);
        rounds[1].push(measure::<sqlite::Sqlite>(&folder)?);
        rounds[2].push(measure::<fjall::Fjall>(&folder)?);
        rounds[3].push(measure::<redb::Redb>(&folder)?);
    }
    let names = [log::Log::NAME, sqlite::Sqlite::NAME, fjall::Fjall::NAME, redb::Redb::NAME];
    for (name, rounds) in names.iter().zip(&rounds) {
        let median = |field: fn(&Figures) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(field).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "| {name} | {:.0} | {:.2} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} |",
            median(|figures| figures.durable_per_second),
            median(|figures| figures.durable_cpu_seconds_per_million),
            median(|figures| figures.fast_per_second),
            median(|figures| figures.fast_cpu_seconds_per_million),
            median(|figures| figures.queued_bytes),
            median(|figures| figures.drained_per_second),
            median(|figures| figures.start_millis),
        );
    }
    Ok(())
}

fn measure<E: Engine>(folder: &Path) -> Result<Figures> {
    let mut figures = Figures::default();
    let (rate, cpu) = fresh::<E, _>(folder, |engine| pass(engine, DURABLE_BATCHES, Durability::Disk))?;
    (figures.durable_per_second, figures.durable_cpu_seconds_per_million) = (rate, cpu);
    let (rate, cpu) = fresh::<E, _>(folder, |engine| pass(engine, FAST_BATCHES, Durability::Process))?;
    (figures.fast_per_second, figures.fast_cpu_seconds_per_million) = (rate, cpu);
    (figures.queued_bytes, figures.drained_per_second) = queue::<E>(folder)?;
    figures.start_millis = start::<E>(folder)?;
    Ok(figures)
}

fn fresh<E: Engine, T>(folder: &Path, work: impl FnOnce(&mut E) -> Result<T>) -> Result<T> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut engine = E::open(folder)?;
    let done = work(&mut engine)?;
    drop(engine);
    fs::remove_dir_all(folder)?;
    Ok(done)
}

/// Messages come in batches and are acknowledged a few batches later; messages a second and CPU.
fn pass<E: Engine>(engine: &mut E, batches: usize, durability: Durability) -> Result<(f64, f64)> {
    let (begin, cpu) = (Instant::now(), cpu_time());
    for batch in 0..batches {
        let mut changes = Vec::with_capacity(BATCH * 6);
        for number in batch * BATCH..(batch + 1) * BATCH {
            append(&mut changes, number as u64);
        }
        if let Some(acknowledged) = batch.checked_sub(UNDER_WAY) {
            for number in acknowledged * BATCH..(acknowledged + 1) * BATCH {
                acknowledge(&mut changes, number as u64);
            }
        }
        engine.commit(&changes, durability)?;
    }
    let messages = (batches * BATCH) as f64;
    let cpu = (cpu_time() - cpu).as_secs_f64();
    Ok((messages / begin.elapsed().as_secs_f64(), cpu * 1e6 / messages))
}

/// One session is away while messages come; bytes on the disk for each, and how fast they are read and deleted.
fn queue<E: Engine>(folder: &Path) -> Result<(f64, f64)> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut engine = E::open(folder)?;
    for batch in 0..QUEUED.div_ceil(BATCH) {
        let mut changes = Vec::new();
        for number in batch * BATCH..((batch + 1) * BATCH).min(QUEUED) {
            changes.push(Change::Put(Table::Messages, key(number as u64), message(number as u64)));
            changes.push(Change::Put(Table::References, reference(1, number as u64), vec![1]));
        }
        engine.commit(&changes, Durability::Process)?;
    }
    engine.commit(&[Change::Put(Table::Sessions, b"end".to_vec(), vec![0])], Durability::Disk)?;
    let bytes = folder_bytes(folder)? as f64 / QUEUED as f64;
    let begin = Instant::now();
    let mut keys = Vec::new();
    engine.scan(Table::References, &mut |key, _| keys.push(key.to_vec()))?;
    anyhow::ensure!(keys.len() == QUEUED, "{} of {QUEUED} references", keys.len());
    for keys in keys.chunks(BATCH) {
        let changes: Vec<Change> = keys
            .iter()
            .flat_map(|key| {
                let message = Change::Delete(Table::Messages, key[8..].to_vec());
                [Change::Delete(Table::References, key.clone()), message]
            })
            .collect();
        engine.commit(&changes, Durability::Process)?;
    }
    let rate = QUEUED as f64 / begin.elapsed().as_secs_f64();
    drop(engine);
    fs::remove_dir_all(folder)?;
    Ok((bytes, rate))
}

/// Milliseconds to open and read what a broker of some size holds, after a process that ended without a word.
fn start<E: Engine>(folder: &Path) -> Result<f64> {
    let copy = folder.with_extension("copy");
    for folder in [folder, &copy] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let mut engine = E::open(folder)?;
    for batch in 0..RETAINED.div_ceil(BATCH) {
        let range = batch * BATCH..((batch + 1) * BATCH).min(RETAINED);
        let topic = |number: usize| format!("plant/line/{number}/temperature").into_bytes();
        let changes: Vec<Change> = range
            .map(|number| Change::Put(Table::Retained, topic(number), message(number as u64)))
            .collect();
        engine.commit(&changes, Durability::Process)?;
    }
    for batch in 0..SESSIONS.div_ceil(BATCH) {
        let range = batch * BATCH..((batch + 1) * BATCH).min(SESSIONS);
        let changes: Vec<Change> = range
            .map(|number| {
                Change::Put(Table::Sessions, format!("device-{number}").into_bytes(), vec![7; 120])
            })
            .collect();
        engine.commit(&changes, Durability::Process)?;
    }
    engine.commit(&[Change::Put(Table::Sessions, b"end".to_vec(), vec![0])], Durability::Disk)?;
    copy_folder(folder, &copy)?;
    drop(engine);
    let begin = Instant::now();
    let mut engine = E::open(&copy)?;
    let mut bytes = 0;
    let mut entries = 0;
    for table in TABLES {
        entries += engine.scan(table, &mut |key, value| bytes += key.len() + value.len())?;
    }
    let millis = begin.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(entries == RETAINED + SESSIONS + 1 && bytes > 0, "{entries} entries came back");
    drop(engine);
    fs::remove_dir_all(folder)?;
    fs::remove_dir_all(copy)?;
    Ok(millis)
}

fn append(changes: &mut Vec<Change>, number: u64) {
    changes.push(Change::Put(Table::Messages, key(number), message(number)));
    for session in 0..SESSIONS_OF_A_MESSAGE {
        changes.push(Change::Put(Table::References, reference(session, number), vec![1]));
    }
}

fn acknowledge(changes: &mut Vec<Change>, number: u64) {
    for session in 0..SESSIONS_OF_A_MESSAGE {
        changes.push(Change::Delete(Table::References, reference(session, number)));
    }
    changes.push(Change::Delete(Table::Messages, key(number)));
}

fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn reference(session: u64, number: u64) -> Vec<u8> {
    [session.to_be_bytes(), number.to_be_bytes()].concat()
}

/// Topic, properties and a payload of 100 bytes that does not compress to nothing.
fn message(number: u64) -> Vec<u8> {
    let mut bytes = format!("plant/line/{}/temperature", number % 1000).into_bytes();
    let mut state = number | 1;
    for _ in 0..100 / 8 + 1 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        // Blocks, not lengths: an engine may reserve what it does not use.
        bytes += if metadata.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
        };
    }
    Ok(bytes)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
