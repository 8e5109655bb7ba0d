//! The history after a crash, with a log that is not whole: what was written before that is there, and the loss is said.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use rusqlite::Connection;
use tempfile::TempDir;

use super::archive::{self, Archive, Bounds, Sample};
use super::block::Point;
use crate::store::tests::hostile_disk::{End, HostileDisk};
use crate::store::tests::hostile_way::HOSTILE;
use crate::store::tests::vfs;

const BOUNDS: Bounds = Bounds { days_max: 36_500, bytes_max: 1 << 30, series_max: 10 };

const NOW: i64 = 1_769_860_800_000;

/// Commits of the tests, of one value each: its number.
const COMMITS: usize = 24;

fn commit(archive: &mut Archive, number: usize) -> bool {
    let series = archive.series("home/t", "").unwrap();
    let point = Point { time: NOW + number as i64, value: number as f64 };
    archive.commit(&[Sample { series, point }]).is_ok()
}

/// All values, in the order in which they came.
fn values(connection: &Connection) -> Vec<usize> {
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut values = Vec::new();
    let mut blocks = connection.prepare("SELECT id, points FROM block ORDER BY id").unwrap();
    let mut rows = blocks.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let points =
            archive::points(row.get(0).unwrap(), row.get_ref(1).unwrap().as_blob().unwrap()).unwrap();
        values.extend(points.iter().map(|point| point.value as usize));
    }
    let mut journal = connection.prepare("SELECT id, points FROM journal ORDER BY id").unwrap();
    let mut rows = journal.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let samples = archive::samples(row.get(0).unwrap(), row.get_ref(1).unwrap().as_blob().unwrap());
        values.extend(samples.map(|sample| sample.point.value as usize));
    }
    values
}

fn log_of(file: &Path) -> PathBuf {
    file.with_extension("db-wal")
}

/// The files of a history whose process was killed after so many commits, of which the first were moved out of the log; and how long
/// the log was after each.
fn killed(moved: usize) -> (Vec<u8>, Vec<u8>, Vec<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let mut archive = Archive::open(&file, BOUNDS).unwrap();
    let mut lengths = Vec::new();
    for number in 0..COMMITS {
        assert!(commit(&mut archive, number));
        if number + 1 == moved {
            archive.settle(NOW).unwrap();
            archive.checkpoint().unwrap();
        }
        lengths.push(fs::metadata(log_of(&file)).unwrap().len() as usize);
    }
    (fs::read(&file).unwrap(), fs::read(log_of(&file)).unwrap(), lengths)
}

/// Starts with these files.
fn start(database: &[u8], log: &[u8]) -> (TempDir, PathBuf, Archive) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    fs::write(&file, database).unwrap();
    fs::write(log_of(&file), log).unwrap();
    let archive = Archive::open(&file, BOUNDS).unwrap();
    (folder, file, archive)
}

/// What was kept of a log.
fn torn(file: &Path) -> Option<Vec<u8>> {
    fs::read(file.with_extension("db-wal.torn")).ok()
}

#[test]
fn what_is_before_the_decay_of_a_log_is_there_and_the_log_is_kept_as_it_was() {
    let (database, log, lengths) = killed(0);
    for at in (32..log.len()).step_by(1531) {
        let mut damaged = log.clone();
        let end = (at + 512).min(log.len());
        damaged[at..end].iter_mut().for_each(|byte| *byte ^= 0xA5);
        let (_folder, file, mut archive) = start(&database, &damaged);
        let whole = lengths.iter().filter(|len| **len <= at).count();
        let mut expected: Vec<_> = (0..whole).collect();
        assert_eq!(values(&Connection::open(&file).unwrap()), expected, "byte {at}");
        assert!(torn(&file).unwrap() == damaged, "byte {at}");
        assert!(commit(&mut archive, 99), "byte {at}");
        expected.push(99);
        assert_eq!(values(&Connection::open(&file).unwrap()), expected, "byte {at}");
    }
    let (_folder, file, _archive) = start(&database, &log);
    assert_eq!(values(&Connection::open(&file).unwrap()), (0..COMMITS).collect::<Vec<_>>());
    assert_eq!(torn(&file), None, "one that is whole is not kept");
}

#[test]
fn a_log_without_a_header_is_kept() {
    let (database, mut log, _) = killed(0);
    log[..32].fill(0);
    let (_folder, file, _archive) = start(&database, &log);
    assert!(torn(&file).unwrap() == log);
}

#[test]
fn what_decays_in_a_log_that_was_moved_costs_nothing_of_that() {
    let (database, log, _) = killed(COMMITS);
    let all: Vec<_> = (0..COMMITS).collect();
    assert!(log.len() > 10 * 4096, "what was moved is still there behind the first page");
    for bit in (0..log.len() * 8).step_by(4099) {
        let mut damaged = log.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (_folder, file, _archive) = start(&database, &damaged);
        assert_eq!(values(&Connection::open(&file).unwrap()), all, "bit {bit}");
    }
}

#[test]
fn a_power_cut_costs_at_most_what_came_since_the_last_checkpoint() {
    let (mut cut, mut kept) = (0, 0);
    for seed in 0..150 {
        let name = format!("history-{seed}");
        let disk = vfs::mount(&name, HostileDisk::new(seed));
        let file = PathBuf::from(format!("/{name}/history.db"));
        let mut random = SmallRng::seed_from_u64(seed);
        let (mut next, mut safe) = (0, 0);
        for _ in 0..3 {
            let mut archive = Archive::open_by(HOSTILE, &file, BOUNDS).unwrap();
            let found = values(&vfs::connect(&file).unwrap());
            assert!(found.iter().copied().eq(0..found.len()), "seed {seed}: {found:?}");
            assert!((safe..=next).contains(&found.len()), "seed {seed}: {} of {safe} to {next}", found.len());
            cut += usize::from(found.len() < next);
            kept += found.len();
            // What the power cut has left is on the disk.
            (next, safe) = (found.len(), found.len());
            for _ in 0..random.random_range(5..30) {
                assert!(commit(&mut archive, next));
                next += 1;
                if random.random_ratio(1, 9) {
                    archive.settle(NOW).unwrap();
                }
                if random.random_ratio(1, 9) {
                    archive.checkpoint().unwrap();
                    safe = next;
                }
            }
            disk.lock().unwrap().is_dead = true;
            drop(archive);
            disk.lock().unwrap().end(End::PowerCut);
        }
        vfs::unmount(&name);
    }
    assert!(cut > 50 && kept > 1000, "{cut} were cut, {kept} values kept");
}
