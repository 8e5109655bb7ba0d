//! SQLite in WAL mode.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::engine::{Change, Durability, Engine, TABLES, Table};

pub struct Sqlite {
    connection: Connection,
    durability: Option<Durability>,
}

impl Engine for Sqlite {
    const NAME: &'static str = "SQLite 3, WAL";

    fn open(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join("store.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        for table in TABLES {
            let name = name(table);
            connection.execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            ))?;
        }
        Ok(Self { connection, durability: None })
    }

    fn commit(&mut self, batch: &[Change], durability: Durability) -> Result<()> {
        if self.durability.replace(durability) != Some(durability) {
            let synchronous = if durability == Durability::Disk { "FULL" } else { "OFF" };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
        }
        let transaction = self.connection.transaction()?;
        for change in batch {
            match change {
                Change::Put(table, key, value) => {
                    let sql = format!("INSERT OR REPLACE INTO {} VALUES (?1, ?2)", name(*table));
                    transaction.prepare_cached(&sql)?.execute(params![key, value])?;
                }
                Change::Delete(table, key) => {
                    let sql = format!("DELETE FROM {} WHERE key = ?1", name(*table));
                    transaction.prepare_cached(&sql)?.execute(params![key])?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn scan(&mut self, table: Table, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<usize> {
        let sql = format!("SELECT key, value FROM {} ORDER BY key", name(table));
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            count += 1;
        }
        Ok(count)
    }
}

const fn name(table: Table) -> &'static str {
    match table {
        Table::Messages => "messages",
        Table::References => "refs",
        Table::Retained => "retained",
        Table::Sessions => "sessions",
    }
}
