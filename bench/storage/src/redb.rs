//! redb: a copy-on-write tree.

use std::path::Path;

use anyhow::Result;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::engine::{Change, Durability, Engine, TABLES, Table};

pub struct Redb(Database);

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

impl Engine for Redb {
    const NAME: &'static str = "redb 4";

    fn open(folder: &Path) -> Result<Self> {
        Ok(Self(Database::create(folder.join("store.redb"))?))
    }

    fn commit(&mut self, batch: &[Change], durability: Durability) -> Result<()> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(match durability {
            Durability::Disk => redb::Durability::Immediate,
            Durability::Process => redb::Durability::None,
        })?;
        for table in TABLES {
            let mut open = None;
            for change in batch {
                match change {
                    Change::Put(of, key, value) if *of == table => {
                        if open.is_none() {
                            open = Some(transaction.open_table(definition(table))?);
                        }
                        if let Some(open) = &mut open {
                            open.insert(&key[..], &value[..])?;
                        }
                    }
                    Change::Delete(of, key) if *of == table => {
                        if open.is_none() {
                            open = Some(transaction.open_table(definition(table))?);
                        }
                        if let Some(open) = &mut open {
                            open.remove(&key[..])?;
                        }
                    }
                    Change::Put(..) | Change::Delete(..) => {}
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn scan(&mut self, table: Table, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<usize> {
        let transaction = self.0.begin_read()?;
        let table = match transaction.open_table(definition(table)) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            table => table?,
        };
        let mut count = 0;
        for entry in table.iter()? {
            let (key, value) = entry?;
            each(key.value(), value.value());
            count += 1;
        }
        Ok(count)
    }
}

const fn definition(table: Table) -> Definition {
    Definition::new(match table {
        Table::Messages => "messages",
        Table::References => "references",
        Table::Retained => "retained",
        Table::Sessions => "sessions",
    })
}
