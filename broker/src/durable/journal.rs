//! The changes of one shard that are not on disk yet.

use std::num::NonZeroU64;

use super::hold::Hold;
use super::value::{RowBytes, Value};

/// A kind of rows. The keys of each are in the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// A session by its number: who, until when, with which will.
    Sessions = 1,
    /// A subscription by session and filter.
    Subscriptions = 2,
    /// A message by its number, however many sessions wait for it.
    Messages = 3,
    /// What a session waits for or has not acknowledged, by session and place in its order.
    References = 4,
    /// A QoS 2 message that came from a client and whose PUBREL did not, by session and packet identifier.
    Received = 5,
    /// A QoS 2 message that a client has taken over and whose PUBCOMP has not come, by session and packet identifier.
    Released = 6,
    /// The retained message of a topic.
    Retained = 7,
    /// A QoS 2 message on its way from one shard to another, by message, shard and group.
    Carried = 8,
}

impl Table {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Sessions,
        Self::Subscriptions,
        Self::Messages,
        Self::References,
        Self::Received,
        Self::Released,
        Self::Retained,
        Self::Carried,
    ];

    /// The table of a number that stands in a file.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| *table as u8 == number)
    }
}

/// Rows written or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row with this key is this from now on.
    Put(Table, RowBytes, Value),
    /// The row with this key is gone.
    Delete(Table, RowBytes),
    /// All rows are gone whose keys begin with this.
    DeleteAll(Table, RowBytes),
}

/// Changes that reach the disk together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Counts the batches of a shard, from 1.
    pub number: u64,
    /// In their order.
    pub changes: Vec<Change>,
}

/// Where a change stands that may yet be taken back. Everything that waits for a session has one, so that it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    batch: NonZeroU64,
    place: u32,
}

impl Entry {
    /// The batch that it is in.
    pub(crate) const fn batch(self) -> u64 {
        self.batch.get()
    }
}

/// A change that nobody has collected yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    change: Change,
    /// What waits for it.
    pub(crate) hold: Option<Hold>,
}

/// Changes that a journal has room for when it is empty, so that it does not ask for memory at each batch.
const IDLE_CAPACITY: usize = 1024;

/// Collects changes until somebody writes them. A change that is taken back before that costs the disk nothing.
#[derive(Debug)]
pub(crate) struct Journal {
    is_on: bool,
    /// The batch that changes go into.
    open: NonZeroU64,
    committed: u64,
    /// Taken back where `None`.
    changes: Vec<Option<Standing>>,
    /// Of `changes`, those that stand.
    standing: usize,
}

impl Journal {
    /// One that is off takes nothing: nothing survives the process.
    pub(crate) const fn new(is_on: bool) -> Self {
        Self { is_on, open: NonZeroU64::MIN, committed: 0, changes: Vec::new(), standing: 0 }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// The batch that the next change belongs to.
    pub(crate) const fn open_batch(&self) -> u64 {
        self.open.get()
    }

    /// The last batch that is on disk.
    pub(crate) const fn committed(&self) -> u64 {
        self.committed
    }

    /// Whether there is something to write.
    pub(crate) const fn is_pending(&self) -> bool {
        self.standing > 0
    }

    /// Enters a change, and what waits for it.
    pub(crate) fn push(&mut self, change: Change, hold: Option<Hold>) -> Entry {
        debug_assert!(self.is_on, "who appends asks first");
        self.changes.push(Some(Standing { change, hold }));
        self.standing += 1;
        // A batch of 2^32 changes would not fit the memory.
        Entry { batch: self.open, place: (self.changes.len() - 1) as u32 }
    }

    /// Has what stands outside of the journal counted as a change: the next batch is written when that is.
    pub(crate) fn mark(&mut self) {
        debug_assert!(self.is_on, "who appends asks first");
        self.changes.push(None);
        self.standing += 1;
    }

    /// The last batch with anything in it, if that is not on disk.
    pub(crate) const fn last_uncommitted(&self) -> Option<u64> {
        let last = if self.standing > 0 { self.open.get() } else { self.open.get() - 1 };
        if last > self.committed { Some(last) } else { None }
    }

    /// Puts another change in the place of one that was not collected yet, or hands it back. Who waited for that one waits
    /// for this one.
    pub(crate) fn replace(&mut self, entry: Entry, change: Change) -> Result<(), Change> {
        if entry.batch != self.open {
            return Err(change);
        }
        match self.changes.get_mut(entry.place as usize) {
            Some(Some(standing)) => {
                standing.change = change;
                Ok(())
            }
            Some(None) | None => Err(change),
        }
    }

    /// What waits for a change, if it was not collected yet.
    pub(crate) fn hold_of(&self, entry: Entry) -> Option<Hold> {
        let is_open = entry.batch == self.open;
        let standing = self.changes.get(entry.place as usize).filter(|_| is_open)?.as_ref()?;
        standing.hold
    }

    /// Takes a change back, if it was not collected yet.
    pub(crate) fn take_back(&mut self, entry: Entry) -> Option<Standing> {
        if entry.batch != self.open {
            return None;
        }
        let taken = self.changes.get_mut(entry.place as usize).and_then(Option::take);
        self.standing -= usize::from(taken.is_some());
        taken
    }

    /// What has come together.
    pub(crate) fn collect(&mut self) -> Option<Batch> {
        if self.standing == 0 {
            self.changes.clear();
            return None;
        }
        let mut changes = Vec::with_capacity(self.standing);
        changes.extend(self.changes.drain(..).flatten().map(|standing| standing.change));
        self.changes.shrink_to(IDLE_CAPACITY);
        let batch = Batch { number: self.open.get(), changes };
        self.standing = 0;
        self.open = self.open.saturating_add(1);
        Some(batch)
    }

    /// Every batch up to this one is on disk.
    pub(crate) fn handle_committed(&mut self, batch: u64) {
        self.committed = self.committed.max(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: u8) -> Change {
        Change::Delete(Table::Messages, [key].into())
    }

    #[test]
    fn what_is_taken_back_in_time_is_not_written() {
        let mut journal = Journal::new(true);
        let entries = [1, 2, 3].map(|key| journal.push(change(key), None));
        assert!(journal.take_back(entries[1]).is_some());
        assert!(journal.take_back(entries[1]).is_none(), "it is gone already");
        let batch = journal.collect().unwrap();
        assert_eq!(batch, Batch { number: 1, changes: vec![change(1), change(3)] });
        assert!(journal.take_back(entries[0]).is_none(), "somebody writes it now");
        assert_eq!((journal.collect(), journal.open_batch()), (None, 2));
        journal.handle_committed(1);
        assert_eq!(journal.committed(), 1);
    }

    #[test]
    fn a_batch_of_nothing_is_none() {
        let mut journal = Journal::new(true);
        let entry = journal.push(change(1), None);
        assert!(journal.take_back(entry).is_some());
        assert!(!journal.is_pending());
        assert_eq!((journal.collect(), journal.open_batch()), (None, 1));
        let entry = journal.push(change(2), None);
        assert!(journal.take_back(entry).is_some(), "its place is its own");
    }

    #[test]
    fn a_change_is_exchanged_until_somebody_writes_it() {
        let mut journal = Journal::new(true);
        let entry = journal.push(change(1), None);
        assert_eq!(journal.replace(entry, change(2)), Ok(()));
        journal.mark();
        assert_eq!(journal.collect().unwrap().changes, [change(2)]);
        assert_eq!(journal.replace(entry, change(3)), Err(change(3)));
        journal.mark();
        assert_eq!(
            journal.collect(),
            Some(Batch { number: 2, changes: vec![] }),
            "something else is to be written"
        );
    }

    #[test]
    fn a_table_is_found_by_its_number() {
        for table in Table::ALL {
            assert_eq!(Table::from_number(table as u8), Some(table));
        }
        assert_eq!(Table::from_number(0), None);
    }
}
