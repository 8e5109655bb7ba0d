//! A disk that fails for a while: acknowledgements stop and go on, and what they said is true.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;

use hearth_broker::{Batch, Change, Limits, ShardCount, Shared, Table};

use super::crashes::Content;
use super::hostile_disk::{End, Faults, HostileDisk};
use super::hostile_way::HOSTILE;
use super::vfs::{self, SharedDisk};
use crate::shard_driver::Inbox;
use crate::store::Durability;
use crate::store::committer::Writer;
use crate::store::database::Database;
use crate::store::salvage;

/// What a disk may do.
const FAILURES: [(&str, Faults); 5] = [
    ("a sync fails", Faults { sync: 1, ..NONE }),
    ("the disk is full", Faults { is_full: true, ..NONE }),
    ("nothing can be written", Faults { write: 1, ..NONE }),
    ("nothing can be read", Faults { read: 1, ..NONE }),
    (
        "neither read nor written, as when the permission is gone",
        Faults { read: 1, write: 1, sync: 1, ..NONE },
    ),
];

const NONE: Faults = Faults { read: 0, write: 0, sync: 0, is_full: false };

/// Bytes of a row of which a few do not find room in what the log has.
const LARGE: usize = 20_000;

struct Rig {
    name: String,
    disk: SharedDisk,
    /// `None` once the process has ended.
    writer: Option<Writer<Database>>,
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    batches: u64,
    expected: Content,
}

impl Rig {
    fn new(name: &str, seed: u64) -> Self {
        let name = format!("failing-{seed}-{name}");
        let disk = vfs::mount(&name, HostileDisk::new(seed));
        let database = Database::open_by(HOSTILE, &file(&name), Durability::Fsync).unwrap();
        let shared = Shared::new(ShardCount::new(NonZeroU16::MIN), Limits::default(), [1, 2]).with_store(0);
        let (shared, inbox) = (Arc::new(shared), Arc::new(Inbox::default()));
        let writer = Writer::new(database, Vec::new(), Arc::clone(&shared), Arc::from([Arc::clone(&inbox)]));
        let writer = Some(writer);
        let mut rig = Self { name, disk, writer, shared, inbox, batches: 0, expected: BTreeMap::new() };
        // More than there is room for in memory, so that a commit has to read.
        (0..40).for_each(|key| rig.commit(key));
        assert_eq!(rig.inbox.take_commits().len(), 40);
        rig
    }

    /// Gives the store a batch that touches pages all over the file.
    fn commit(&mut self, first: u64) {
        self.commit_of(first, 700);
    }

    fn commit_of(&mut self, first: u64, bytes: usize) {
        self.batches += 1;
        let value = vec![self.batches as u8; bytes];
        let keys = (0..6).map(|step| (first + step * 37) % 211);
        let rows = keys.flat_map(|key| Table::ALL.map(|table| (table, key.to_be_bytes().to_vec())));
        let changes = rows.map(|(table, key)| {
            self.expected.insert((table, key.clone()), value.clone());
            Change::Put(table, key.into(), value.clone().into())
        });
        let changes = changes.collect();
        self.write(vec![(0, Batch { number: self.batches, changes })]);
    }

    fn write(&mut self, batches: Vec<(usize, Batch)>) {
        self.writer.as_mut().unwrap().handle_batches(batches);
    }

    fn set(&self, faults: Faults) {
        self.disk.lock().unwrap().faults = faults;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.writer = None;
        vfs::unmount(&self.name);
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(format!("/{name}/hearth.db"))
}

#[test]
fn nothing_is_acknowledged_while_the_disk_fails_and_everything_is_there_once_it_was() {
    for seed in 0..8 {
        for (name, faults) in FAILURES {
            let mut rig = Rig::new(name, seed);
            rig.set(faults);
            rig.commit_of(200, LARGE);
            assert_eq!(rig.inbox.take_commits(), [None], "{name}: the shards are told, once");
            assert!(rig.shared.is_store_failing(), "{name}");
            for more in 0..3 {
                rig.commit(more * 50);
                assert_eq!(rig.inbox.take_commits(), [], "{name}: nothing is acknowledged");
            }
            rig.set(NONE);
            rig.write(Vec::new());
            assert_eq!(rig.inbox.take_commits(), [Some(rig.batches)], "{name}: all of them at once");
            assert!(!rig.shared.is_store_failing(), "{name}");
            rig.commit(7);
            assert_eq!(rig.inbox.take_commits(), [Some(rig.batches)], "{name}");
            // What was acknowledged is on the disk, and not only in what the system shows of it.
            rig.disk.lock().unwrap().is_dead = true;
            rig.writer = None;
            rig.disk.lock().unwrap().end(End::PowerCut);
            let opened = salvage::open(
                HOSTILE,
                &file(&rig.name),
                Durability::Fsync,
                |content: &mut Content, table, key, value| {
                    content.insert((table, key.to_vec()), value.to_vec());
                },
            );
            let opened = opened.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            assert!(opened.content == rig.expected && opened.salvage.is_none(), "{name}, seed {seed}");
        }
    }
}
