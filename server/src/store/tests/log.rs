//! What is left of a log that has decayed, and what is said of one that has not.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hearth_broker::{Change, Table};
use rusqlite::config::DbConfig;
use tempfile::TempDir;

use super::crashes::Content;
use crate::store::database::Database;
use crate::store::file_bytes::FileBytes;
use crate::store::log_format::HEADER_LEN;
use crate::store::log_repair::repair;
use crate::store::log_survey::{LogSurvey, Rest};
use crate::store::salvage::{self, Opened};
use crate::store::way::{Way, log_of};
use crate::store::{Durability, StoreError};

/// Bytes of a frame.
const FRAME: usize = 24 + 4096;

/// The files of a database whose process was killed, and what each of its commits has left.
struct Killed {
    database: Vec<u8>,
    log: Vec<u8>,
    states: Vec<Content>,
    /// Bytes of the log after each.
    lengths: Vec<usize>,
}

/// Some commits, of one page and more, behind `moved` commits that are in the database already.
fn killed(moved: u8, commits: u8) -> Killed {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hearth.db");
    // It moves the log when it has so many pages.
    let way = Way { log_pages_max: if moved > 0 { 40 } else { 1000 }, ..Way::SYSTEM };
    let mut database = Database::open_by(way, &file, Durability::Fsync).unwrap();
    let mut content = Content::new();
    let mut commit = |number: u8| {
        let keys = (0..=number % 5).map(|key| key * 7 + number % 3);
        let changes: Vec<_> = keys
            .map(|key| {
                let table = Table::ALL[usize::from(key + number) % Table::ALL.len()];
                let key = u64::from(key).to_be_bytes();
                let value = vec![number; usize::from(number % 4) * 900 + 50];
                content.insert((table, key.to_vec()), value.clone());
                Change::Put(table, key.into(), value.into())
            })
            .collect();
        database.commit(&changes).unwrap();
        content.clone()
    };
    let mut last = (0..moved).map(&mut commit).last().unwrap_or_default();
    if let Some(mut number) = (moved > 0).then_some(moved) {
        // Until the log has begun anew.
        let first = || fs::read(log_of(&file)).unwrap()[..HEADER_LEN].to_vec();
        let before = first();
        while first() == before {
            number += 1;
            last = commit(number);
        }
    }
    let len = |log: &[u8]| {
        let path = folder.path().join("len-wal");
        fs::write(&path, log).unwrap();
        survey(&path).frames as usize * FRAME + HEADER_LEN
    };
    let mut states = vec![last];
    let mut lengths = vec![len(&fs::read(log_of(&file)).unwrap())];
    for number in 0..commits {
        states.push(commit(100 + number));
        lengths.push(len(&fs::read(log_of(&file)).unwrap()));
    }
    Killed { database: fs::read(&file).unwrap(), log: fs::read(log_of(&file)).unwrap(), states, lengths }
}

fn survey(log: &Path) -> LogSurvey {
    LogSurvey::read(&mut FileBytes::new(Way::SYSTEM, log)).unwrap()
}

/// What was found at a start.
struct Found {
    _folder: TempDir,
    file: PathBuf,
    opened: Opened<Content>,
}

impl Found {
    /// The names of files beside the database that were kept of the log.
    fn kept(&self) -> Vec<String> {
        let names = fs::read_dir(self.file.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("hearth.db-wal.")).collect();
        names.sort_unstable();
        names
    }

    fn is_set_aside(&self) -> bool {
        self.kept().iter().any(|name| name.starts_with("hearth.db-wal.damaged-"))
    }

    fn is_torn(&self) -> bool {
        self.kept() == ["hearth.db-wal.torn"]
    }
}

fn open(file: &Path, durability: Durability) -> Result<Opened<Content>, StoreError> {
    salvage::open(Way::SYSTEM, file, durability, |content: &mut Content, table, key: &[u8], value: Bytes| {
        content.insert((table, key.to_vec()), value.to_vec());
    })
}

/// Starts with these files.
fn start(database: &[u8], log: &[u8]) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hearth.db");
    fs::write(&file, database).unwrap();
    fs::write(log_of(&file), log).unwrap();
    let opened = open(&file, Durability::Os).unwrap();
    Found { _folder: folder, file, opened }
}

fn flipped(log: &[u8], bits: &[usize]) -> Vec<u8> {
    let mut log = log.to_vec();
    for bit in bits {
        log[bit / 8] ^= 1 << (bit % 8);
    }
    log
}

#[test]
fn a_bit_that_flips_in_the_log_costs_nothing_or_little_and_is_said() {
    for killed in [killed(0, 12), killed(30, 8)] {
        let last = killed.states.last().unwrap();
        // Of the last commit nobody can tell whether it was on the disk.
        let live = killed.lengths[killed.lengths.len() - 2];
        let (mut whole, mut damaged) = (0, 0);
        let headers = (0..live).filter(|at| at.checked_sub(HEADER_LEN).is_none_or(|at| at % FRAME < 24));
        let bits = headers.step_by(11).map(|at| at * 8 + at % 8).chain((0..live * 8).step_by(22_391));
        for bit in bits {
            let found = start(&killed.database, &flipped(&killed.log, &[bit]));
            assert!(found.is_set_aside() || found.is_torn(), "bit {bit}: nothing says so");
            if found.opened.content == *last {
                whole += 1;
            } else {
                let is_cut = killed.states.contains(&found.opened.content);
                let is_said = found.opened.salvage.is_some() || found.opened.reading.damaged > 0;
                assert!(is_cut || is_said, "bit {bit}: rows are gone, and nothing says which");
                damaged += 1;
            }
            // What it was at first is kept as it was.
            let kept = found.file.with_file_name(&found.kept()[0]);
            assert!(fs::read(kept).unwrap() == flipped(&killed.log, &[bit]));
        }
        assert!(whole > 5 * damaged, "{whole} whole, {damaged} not");
    }
}

#[test]
fn a_log_that_is_as_it_was_written_is_left_as_it_is() {
    for killed in [killed(0, 12), killed(30, 8)] {
        let found = start(&killed.database, &killed.log);
        assert!(found.opened.content == *killed.states.last().unwrap());
        assert_eq!(found.kept(), [""; 0]);
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, &killed.log).unwrap();
        let survey = survey(&log);
        assert_eq!((survey.mended, survey.rest), (0, Rest::Nothing));
    }
    assert!(killed(30, 8).lengths.last() < Some(&killed(30, 8).log.len()), "older frames are behind the end");
}

#[test]
fn a_torn_end_costs_the_last_commit_and_is_no_damage() {
    let killed = killed(0, 12);
    let [.., begin, end] = killed.lengths[..] else { panic!("no commits") };
    for from in (begin..end).step_by(487) {
        for byte in [0x00, 0xA5] {
            let mut log = killed.log.clone();
            log[from..end].fill(byte);
            if log == killed.log {
                continue;
            }
            let found = start(&killed.database, &log);
            assert!(found.opened.content == killed.states[killed.states.len() - 2], "from {from}");
            assert!(
                !found.is_set_aside() && found.opened.salvage.is_none(),
                "from {from}: {:?}",
                found.kept()
            );
        }
    }
    // The page of its first frame is old, and all behind it is there: as if sectors had been written in another order.
    let mut log = killed.log.clone();
    log[begin + 24..begin + 24 + 4096].fill(7);
    let found = start(&killed.database, &log);
    assert!(found.is_torn() && found.opened.content == killed.states[killed.states.len() - 2]);
    assert!(fs::read(found.file.with_file_name("hearth.db-wal.torn")).unwrap() == log);
}

#[test]
fn a_last_commit_with_a_frame_that_differs_in_a_bit_is_torn_as_what_was_there_before_may_come_so_near() {
    for killed in [killed(0, 12), killed(30, 8)] {
        let [.., begin, end] = killed.lengths[..] else { panic!("no commits") };
        let before = &killed.states[killed.states.len() - 2];
        for bit in (begin * 8..end * 8).step_by(1013) {
            let log = flipped(&killed.log, &[bit]);
            let found = start(&killed.database, &log);
            assert!(found.opened.content == *before && found.opened.salvage.is_none(), "bit {bit}");
            assert!(found.is_torn(), "bit {bit}: {:?}", found.kept());
        }
    }
}

#[test]
fn a_frame_whose_page_was_never_written_is_not_mended_into_what_was_there_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hearth.db");
    let mut database = Database::open(&file, Durability::Fsync).unwrap();
    let first = [Change::Put(Table::Retained, [1].into(), vec![1; 50].into())];
    database.commit(&first).unwrap();
    drop(database);
    // Commits of the first page alone, of which a counter has another bit set in each.
    let other = rusqlite::Connection::open(&file).unwrap();
    other.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    let commit = |number: u32| {
        other.pragma_update(None, "user_version", number).unwrap();
        fs::read(log_of(&file)).unwrap()
    };
    let log_of_page = commit(2);
    assert_eq!(log_of_page.len(), HEADER_LEN + FRAME);
    let stale = |number: u32| {
        other.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        let before = fs::read(log_of(&file)).unwrap();
        let mut log = commit(number);
        let page = HEADER_LEN + 24;
        log[page..page + 4096].copy_from_slice(&before[page..page + 4096]);
        log
    };
    for number in [3, 2, 0, 1, 3] {
        let log = stale(number);
        let path = folder.path().join("torn");
        fs::write(&path, log).unwrap();
        let survey = survey(&path);
        assert_eq!((survey.frames, survey.mended, survey.rest), (0, 0, Rest::Torn), "{number}");
    }
}

#[test]
fn what_has_decayed_by_more_than_a_bit_is_cut_off_with_all_behind_it_set_aside_and_said() {
    let killed = killed(0, 12);
    for (number, pair) in killed.lengths.windows(2).enumerate().take(killed.lengths.len() - 3) {
        for at in (pair[0]..pair[1]).step_by(3001) {
            let mut log = killed.log.clone();
            let end = (at + 512).min(log.len());
            log[at..end].fill(0xE7);
            let found = start(&killed.database, &log);
            assert!(found.opened.content == killed.states[number], "commit {number}, byte {at}");
            assert!(found.is_set_aside(), "commit {number}, byte {at}: {:?}", found.kept());
            let kept = found.file.with_file_name(&found.kept()[0]);
            let Rest::Lost { frames, commits } = survey(&kept).rest else {
                panic!("byte {at}: nothing is lost")
            };
            let behind = killed.lengths.len() - 1 - number;
            assert!(
                (behind - 1..=behind + 1).contains(&(commits as usize)),
                "byte {at}: {commits} of {behind}"
            );
            assert!(frames >= commits);
            // Said once.
            let Found { opened, file, .. } = &found;
            let names = found.kept();
            let again = open(&file.with_file_name("hearth.db"), Durability::Os);
            assert!(again.is_ok() && found.kept() == names, "{:?}", opened.reading);
        }
    }
}

#[test]
fn a_log_without_a_header_is_set_aside_and_said() {
    let killed = killed(0, 12);
    for fill in [0x00, 0x5A] {
        let mut log = killed.log.clone();
        log[..HEADER_LEN].fill(fill);
        let found = start(&killed.database, &log);
        assert!(found.is_set_aside(), "{fill}: {:?}", found.kept());
        assert!(found.opened.content.is_empty(), "everything was in the log");
    }
    // Frames of before the log began anew are no loss, whatever becomes of the header.
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let newer = self::killed(0, 1).log;
    for bit in 0..HEADER_LEN * 8 {
        let header = &flipped(&newer, &[bit])[..HEADER_LEN];
        fs::write(&log, [header, &killed.log[HEADER_LEN..]].concat()).unwrap();
        assert_eq!(survey(&log).rest, Rest::Nothing, "bit {bit}");
    }
}

#[test]
fn the_log_begins_anew_as_soon_as_it_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hearth.db");
    let way = Way { log_pages_max: 10, ..Way::SYSTEM };
    let mut database = Database::open_by(way, &file, Durability::Fsync).unwrap();
    let mut moves = 0;
    let mut pages = fs::metadata(&file).unwrap().len();
    for number in 0..60_u64 {
        let value = vec![1; 3000].into();
        database.commit(&[Change::Put(Table::Retained, number.to_be_bytes().into(), value)]).unwrap();
        let now = fs::metadata(&file).unwrap().len();
        if now > pages {
            moves += 1;
            assert_eq!(survey(&log_of(&file)).frames, 1, "nothing that was moved counts any more");
        }
        pages = now;
    }
    assert!(moves > 3, "{moves} moves");
}

#[test]
fn while_somebody_else_has_the_database_open_the_log_is_left_as_it_is() {
    let killed = killed(0, 6);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hearth.db");
    fs::write(&file, &killed.database).unwrap();
    fs::write(log_of(&file), &killed.log).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("PRAGMA query_only = 1; BEGIN; SELECT count(*) FROM retained").unwrap();
    let damaged = flipped(&killed.log, &[(HEADER_LEN + 300) * 8]);
    let log = fs::OpenOptions::new().write(true).open(log_of(&file)).unwrap();
    std::io::Write::write_all(&mut &log, &damaged).unwrap();
    let survey = repair(Way::SYSTEM, &file).unwrap();
    assert!(survey.is_damaged());
    assert!(fs::read(log_of(&file)).unwrap() == damaged);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is beside database, log and index");
}
