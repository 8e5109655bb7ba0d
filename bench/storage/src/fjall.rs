//! fjall: a log-structured merge tree.

use std::path::Path;

use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::engine::{Change, Durability, Engine, TABLES, Table};

pub struct Fjall {
    database: Database,
    keyspaces: Vec<Keyspace>,
}

impl Engine for Fjall {
    const NAME: &'static str = "fjall 3";

    fn open(folder: &Path) -> Result<Self> {
        let database = Database::builder(folder.join("fjall")).open()?;
        let keyspaces = TABLES
            .iter()
            .map(|table| database.keyspace(&format!("{table:?}"), KeyspaceCreateOptions::default))
            .collect::<Result<_, _>>()?;
        Ok(Self { database, keyspaces })
    }

    fn commit(&mut self, batch: &[Change], durability: Durability) -> Result<()> {
        let mut write = self.database.batch();
        for change in batch {
            match change {
                Change::Put(table, key, value) => {
                    write.insert(&self.keyspaces[*table as usize], &key[..], &value[..]);
                }
                Change::Delete(table, key) => write.remove(&self.keyspaces[*table as usize], &key[..]),
            }
        }
        write.commit()?;
        Ok(self.database.persist(match durability {
            Durability::Disk => PersistMode::SyncData,
            Durability::Process => PersistMode::Buffer,
        })?)
    }

    fn scan(&mut self, table: Table, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<usize> {
        let mut count = 0;
        for entry in self.keyspaces[table as usize].iter() {
            let (key, value) = entry.into_inner()?;
            each(&key, &value);
            count += 1;
        }
        Ok(count)
    }
}
