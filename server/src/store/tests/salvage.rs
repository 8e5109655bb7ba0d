//! What is left of a database whose file has been damaged: nothing wrong, and all that can still be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hearth_broker::{Change, Table};
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::crashes::{Content, seeds};
use super::hostile_disk::{End, FileId, HostileDisk};
use super::hostile_way::{HOSTILE, LONG_LOG};
use super::vfs;
use crate::store::database::Database;
use crate::store::salvage::{self, Opened};
use crate::store::way::{Way, log_of};
use crate::store::{Durability, StoreError};

/// Bytes of a page of SQLite.
pub(super) const PAGE: usize = 4096;

/// What each row has ever been.
pub(super) type Past = BTreeMap<(Table, Vec<u8>), BTreeSet<Vec<u8>>>;

/// Databases of which one is damaged with each seed.
const BASES: u64 = 16;

/// Disks have names of their own.
static DISKS: AtomicU64 = AtomicU64::new(0);

/// A disk that is there under a name for a while.
pub(super) struct Mounted {
    name: String,
    pub(super) file: PathBuf,
    pub(super) disk: vfs::SharedDisk,
}

impl Mounted {
    fn new(disk: HostileDisk) -> Self {
        // The name is in the names of its files, which a copy of the disk has too.
        let name = format!("salvage-{}", DISKS.fetch_add(1, Ordering::Relaxed));
        let file = PathBuf::from(format!("/{name}/hearth.db"));
        let disk = vfs::mount(&name, disk);
        Self { name, file, disk }
    }

    /// Another disk that is as this one is now.
    pub(super) fn copy(&self) -> Self {
        self.copy_of(&self.disk.lock().unwrap())
    }

    /// The same, of its disk.
    pub(super) fn copy_of(&self, disk: &HostileDisk) -> Self {
        let copy = Self::new(HostileDisk::new(0));
        *copy.disk.lock().unwrap() = disk.moved(&self.name, &copy.name);
        copy
    }

    pub(super) fn open(&self) -> Result<Opened<Content>, StoreError> {
        salvage::open(HOSTILE, &self.file, Durability::Fsync, keep)
    }

    pub(super) fn database(&self) -> FileId {
        self.disk.lock().unwrap().find(self.file.to_str().unwrap()).unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        vfs::unmount(&self.name);
    }
}

fn keep(content: &mut Content, table: Table, key: &[u8], value: Bytes) {
    content.insert((table, key.to_vec()), value.to_vec());
}

fn number(number: u32) -> Vec<u8> {
    u64::from(number).to_be_bytes().to_vec()
}

/// A database with rows in each table over several pages, of which some were changed and some removed.
pub(super) fn filled(seed: u64) -> (Mounted, Content, Past) {
    let (mounted, mut states, ever, database) = written(seed, HOSTILE);
    let content = states.pop().unwrap();
    drop(database);
    // Else its log may be back after a power cut, and heal what is damaged.
    mounted.disk.lock().unwrap().sync_names().unwrap();
    (mounted, content, ever)
}

/// The same, while it is open, with what was in it after each commit.
pub(super) fn written(seed: u64, way: Way) -> (Mounted, Vec<Content>, Past, Database) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mounted = Mounted::new(HostileDisk::new(seed));
    let (mut content, mut ever, mut states) = (Content::new(), Past::new(), Vec::new());
    let mut database = Database::open_by(way, &mounted.file, Durability::Fsync).unwrap();
    for _ in 0..6 {
        let mut changes = Vec::new();
        for table in Table::ALL {
            for _ in 0..30 {
                let key = number(random.random_range(0..60));
                if random.random_ratio(1, 4) {
                    content.remove(&(table, key.clone()));
                    changes.push(Change::Delete(table, key.into()));
                } else {
                    let len = if random.random_ratio(1, 30) { 9000 } else { random.random_range(0..300) };
                    let value = vec![random.random(); len];
                    content.insert((table, key.clone()), value.clone());
                    ever.entry((table, key.clone())).or_default().insert(value.clone());
                    changes.push(Change::Put(table, key.into(), value.into()));
                }
            }
        }
        database.commit(&changes).unwrap();
        states.push(content.clone());
    }
    (mounted, states, ever, database)
}

#[test]
fn of_a_file_in_which_bits_have_flipped_nothing_wrong_is_shown_and_no_loss_goes_unsaid() {
    let (mut rows, mut kept, mut salvaged, mut decayed) = (0, 0, 0, 0);
    let bases: Vec<_> = (0..BASES).map(filled).collect();
    for seed in seeds() {
        let (base, content, ever) = &bases[(seed % BASES) as usize];
        let mounted = base.copy();
        let mut random = SmallRng::seed_from_u64(seed ^ 0xF11B);
        let file = mounted.database();
        let mut disk = mounted.disk.lock().unwrap();
        let bits = disk.len(file) * 8;
        // One bit, or a few of one page.
        let first = random.random_range(0..bits);
        disk.flip(file, first);
        for _ in 0..random.random_range(0..3) {
            let within = first / (PAGE * 8) * PAGE * 8 + random.random_range(0..PAGE * 8);
            disk.flip(file, within.min(bits - 1));
        }
        drop(disk);
        let opened = mounted.open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (key, value) in &opened.content {
            assert!(
                ever.get(key).is_some_and(|values| values.contains(value)),
                "seed {seed}: {key:?} was never so"
            );
        }
        let is_said = opened.salvage.is_some() || opened.reading.damaged > 0;
        assert!(is_said || opened.content == *content, "seed {seed}: the loss went unsaid");
        assert!(
            opened.salvage.is_none() || opened.salvage.as_ref().unwrap().set_aside.is_some(),
            "seed {seed}"
        );
        // What leads to all of them is not needed to find them.
        let differs = |table: &Table| {
            let of = |content: &Content| {
                content
                    .iter()
                    .filter(|((of, _), _)| of == table)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect::<Vec<_>>()
            };
            of(content) != of(&opened.content)
        };
        let differ: Vec<_> = Table::ALL.into_iter().filter(differs).collect();
        assert!(differ.len() <= usize::from(first >= PAGE * 8), "seed {seed}: {differ:?} have lost rows");
        rows += content.len();
        kept += opened.content.iter().filter(|(key, value)| content.get(*key) == Some(*value)).count();
        salvaged += usize::from(opened.salvage.is_some());
        decayed += opened.reading.damaged;
        // What was found is what there is from now on.
        let found = opened.content;
        drop(opened.database);
        let again = mounted.open().unwrap_or_else(|error| panic!("seed {seed}, again: {error}"));
        assert!(
            again.content == found && again.salvage.is_none() && again.reading.damaged == 0,
            "seed {seed}: again"
        );
    }
    eprintln!("{kept} of {rows} rows; {salvaged} files were salvaged, {decayed} rows had decayed");
    assert!(kept * 100 > rows * 90, "{kept} of {rows} rows");
}

#[test]
fn of_a_log_in_which_bits_have_flipped_nothing_wrong_is_shown_and_no_loss_goes_unsaid() {
    let (mut whole, mut cut, mut torn, mut decayed) = (0, 0, 0, 0);
    for seed in seeds() {
        // Of half of them all is in the log, of the others what came last.
        let way = if seed % 2 == 0 { LONG_LOG } else { HOSTILE };
        let (mounted, states, ever, database) = written(seed, way);
        let mut random = SmallRng::seed_from_u64(seed ^ 0x10C);
        mounted.disk.lock().unwrap().is_dead = true;
        drop(database);
        let mut disk = mounted.disk.lock().unwrap();
        disk.end(if random.random() { End::Kill } else { End::PowerCut });
        let expected = mounted.copy_of(&disk).open().unwrap().content;
        let Some(log) = disk.find(log_of(&mounted.file).to_str().unwrap()) else { continue };
        let bits = disk.len(log) * 8;
        for _ in 0..random.random_range(1..4) {
            disk.flip(log, random.random_range(0..bits));
        }
        drop(disk);
        let opened = mounted.open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (key, value) in &opened.content {
            let was = ever.get(key).is_some_and(|values| values.contains(value));
            assert!(was, "seed {seed}: {key:?} was never so");
        }
        let is_cut = mounted.disk.lock().unwrap().name_with("-wal.").is_some();
        let is_said = is_cut || opened.salvage.is_some() || opened.reading.damaged > 0;
        assert!(is_said || opened.content == expected, "seed {seed}: the loss went unsaid");
        whole += usize::from(is_said && opened.content == expected);
        // What has decayed in the last commit is not told from one that was never whole.
        let is_torn = opened.content != expected && opened.content == states[states.len() - 2];
        torn += usize::from(is_torn);
        cut += usize::from(opened.content != expected && !is_torn);
        decayed += opened.reading.damaged;
    }
    eprintln!(
        "{whole} damaged logs cost nothing, {torn} the last commit, {cut} something; {decayed} rows had decayed"
    );
    assert!(whole > 3 * cut, "{whole} damaged logs cost nothing, {cut} something");
}

#[test]
fn a_salvage_that_a_crash_interrupts_at_any_moment_loses_nothing_that_it_would_have_saved() {
    for seed in 0..2 {
        let (mounted, content, _) = filled(seed);
        let file = mounted.database();
        let mut disk = mounted.disk.lock().unwrap();
        let page = disk.len(file) / PAGE / 2;
        for bit in 0..PAGE {
            disk.flip(file, page * PAGE * 8 + bit * 3);
        }
        drop(disk);
        let expected = mounted.copy().open().unwrap();
        assert!(expected.salvage.is_some() && expected.content.len() * 2 > content.len(), "seed {seed}");
        interrupt_at_any_moment(&mounted, &expected.content);
    }
}

/// Opens a broken database again and again, and ends that at each of its first actions, and at some of those that follow.
pub(super) fn interrupt_at_any_moment(mounted: &Mounted, expected: &Content) {
    for end in [End::Kill, End::PowerCut] {
        let mut actions = 0;
        loop {
            let tried = mounted.copy();
            tried.disk.lock().unwrap().actions_left = Some(actions);
            let opened = tried.open();
            let is_through = opened.is_ok() && !tried.disk.lock().unwrap().is_dead;
            drop(opened);
            tried.disk.lock().unwrap().end(end);
            let again = tried.open().unwrap_or_else(|error| panic!("{end:?} at {actions}: {error}"));
            assert_eq!(again.content.len(), expected.len(), "{end:?} at {actions}");
            assert!(again.content == *expected, "{end:?} at {actions}");
            if is_through {
                break;
            }
            actions += if actions < 60 { 1 } else { 13 };
        }
        assert!(actions > 60, "{actions} actions are no salvage");
    }
}

#[test]
fn a_disk_that_cannot_be_read_is_not_taken_for_the_end_of_the_rows() {
    let (mounted, _, _) = filled(1);
    let file = mounted.database();
    let mut disk = mounted.disk.lock().unwrap();
    let page = disk.len(file) / PAGE / 2;
    (0..PAGE).for_each(|bit| disk.flip(file, page * PAGE * 8 + bit * 3));
    drop(disk);
    let whole = mounted.copy();
    let expected = whole.open().unwrap().content;
    let mut failures = 0;
    for _ in 0..60 {
        let tried = mounted.copy();
        tried.disk.lock().unwrap().faults.read = 40;
        match tried.open() {
            Ok(opened) => assert!(opened.content == expected),
            Err(_) => failures += 1,
        }
        tried.disk.lock().unwrap().faults.read = 0;
        assert!(tried.open().unwrap().content == expected, "nothing was lost by the attempt");
    }
    assert!(failures > 0);
}

#[test]
fn a_database_that_was_closed_is_one_file() {
    let (mounted, content, _) = filled(3);
    let opened = mounted.open().unwrap();
    let Opened { database, .. } = opened;
    Database::close(database).unwrap();
    assert!(!(HOSTILE.is_there)(&mounted.file.with_extension("db-wal")).unwrap());
    assert!(mounted.open().unwrap().content == content);
}
