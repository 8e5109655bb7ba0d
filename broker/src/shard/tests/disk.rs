//! A disk in memory, which keeps what is written to it and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{Change, Image, Table};

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    /// Milliseconds since 1970 when the broker began.
    pub(super) epoch_millis: u64,
    /// Set while it takes nothing.
    pub(super) is_stuck: bool,
    /// Set where each shard's batch is a commit of its own, and so many of them succeed.
    pub(super) commits_left: Option<usize>,
    /// Changes that were written.
    pub(super) written: usize,
}

impl Disk {
    /// Takes what the shards have for it; the batch of each.
    pub(super) fn commit(&mut self, shared: &Shared, shards: &mut [Shard]) -> Vec<(usize, u64)> {
        let mut committed = Vec::new();
        let mut changes = Vec::new();
        // The shards take turns at being late.
        let count = shards.len();
        for number in (0..count).map(|place| (place + self.written) % count) {
            if self.commits_left == Some(0) || (self.commits_left.is_some() && !committed.is_empty()) {
                break;
            }
            if let Some(batch) = shards[number].poll_batch() {
                self.commits_left = self.commits_left.map(|left| left - 1);
                committed.push((number, batch.number));
                changes.extend(batch.changes);
            }
        }
        changes.extend(shared.take_retained_changes());
        self.written += changes.len();
        changes.into_iter().for_each(|change| self.apply(change));
        committed
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(table, key, value) => drop(self.rows.insert((table, key.to_vec()), value.to_vec())),
            Change::Delete(table, key) => drop(self.rows.remove(&(table, key.to_vec()))),
            Change::DeleteAll(table, prefix) => {
                self.rows.retain(|(other, key), _| *other != table || !key.starts_with(&prefix[..]));
            }
        }
    }

    pub(super) fn restore(&mut self, shared: &Arc<Shared>, shards: &mut [Shard], now: Time) {
        let (images, orphans) = self.image().restore(shared);
        orphans.into_iter().for_each(|change| self.apply(change));
        for (shard, image) in shards.iter_mut().zip(images) {
            shard.restore(now, image);
        }
    }

    /// All that is on it.
    pub(super) fn image(&self) -> Image {
        let mut image = Image::default();
        for ((table, key), value) in &self.rows {
            image.insert(*table, key, Bytes::from(value.clone())).unwrap();
        }
        image
    }

    /// Loses every row of a table.
    pub(super) fn lose(&mut self, table: Table) {
        self.rows.retain(|(other, _), _| *other != table);
    }

    /// The keys of a table.
    pub(super) fn keys(&self, table: Table) -> Vec<Vec<u8>> {
        self.rows.keys().filter(|(other, _)| *other == table).map(|(_, key)| key.clone()).collect()
    }

    /// How many rows of a table there are.
    pub(super) fn count(&self, table: Table) -> usize {
        self.rows.keys().filter(|(other, _)| *other == table).count()
    }
}
