//! The tables of the database, how an older one becomes a newer one, and whose a database is.

use std::fmt;

use hearth_broker::Table;
use rusqlite::ffi::SQLITE_CORRUPT;
use rusqlite::{Connection, Transaction};

use super::database::failure;

/// What leads from each version of the format to the next one; a database without tables is version 0.
pub(super) const STEPS: &[Step] = &[create, add_carried, allow_references_in_messages];

/// The pages of a database in which no table was ever made: the first, and what leads from pages to those before them.
const PAGES_WITHOUT_TABLES: u32 = 2;

/// From one version of the format to the next.
pub(crate) type Step = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// The databases that Hearth has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sessions, messages, retained messages.
    Store,
    /// The past of topics.
    History,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Store, Self::History];

    /// By which a database is known to be one of these.
    const fn application_id(self) -> u32 {
        // `hrth` and `hrhi`.
        match self {
            Self::Store => 0x6872_7468,
            Self::History => 0x6872_6869,
        }
    }
}

/// Whose a database is, where it is not the one that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Another of Hearth's.
    Hearth(Kind),
    /// Of somebody else.
    Other,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hearth(Kind::Store) => "Hearth's database of sessions and messages (hearth.db)",
            Self::Hearth(Kind::History) => "Hearth's history of topics (history.db)",
            Self::Other => "a database of another program",
        })
    }
}

/// What a database turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Of the newest version, now.
    Current,
    /// Of a version before that.
    Older,
    /// Nothing is in it yet.
    Empty,
    /// Of a newer version than is known.
    Newer { found: u32, known: u32 },
    /// Not of this kind.
    Foreign(Owner),
}

/// The name of a table.
pub(super) const fn name(table: Table) -> &'static str {
    match table {
        Table::Sessions => "session",
        Table::Subscriptions => "subscription",
        Table::Messages => "message",
        Table::References => "waiting",
        Table::Received => "received",
        Table::Released => "released",
        Table::Retained => "retained",
        Table::Carried => "carried",
    }
}

/// The version of a database's format.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    // SQLite takes it for a number with a sign; what has decayed may have one.
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map(i32::cast_unsigned)
}

/// Says what a database is, and changes nothing.
pub(super) fn look(connection: &Connection, kind: Kind, steps: &[Step]) -> rusqlite::Result<Format> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let application = application.cast_unsigned();
    let found = version(connection)?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    let pages: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if tables == 0 && pages > PAGES_WITHOUT_TABLES {
        return Err(failure(SQLITE_CORRUPT, "its first page leads to no table, and there are others"));
    }
    // There are a handful.
    let known = steps.len() as u32;
    Ok(match found {
        _ if tables > 0 && application != kind.application_id() => {
            let other = Kind::ALL.into_iter().find(|kind| kind.application_id() == application);
            Format::Foreign(other.map_or(Owner::Other, Owner::Hearth))
        }
        _ if found > known => Format::Newer { found, known },
        _ if application != kind.application_id() => Format::Empty,
        _ if found < known => Format::Older,
        _ => Format::Current,
    })
}

/// Brings a database to the newest version, all steps or none.
pub(crate) fn upgrade(connection: &mut Connection, kind: Kind, steps: &[Step]) -> rusqlite::Result<Format> {
    let format = look(connection, kind, steps)?;
    match format {
        Format::Older | Format::Empty => {}
        Format::Current | Format::Newer { .. } | Format::Foreign(_) => return Ok(format),
    }
    let found = version(connection)?;
    let transaction = connection.transaction()?;
    for step in steps.iter().skip(found as usize) {
        step(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", kind.application_id())?;
    transaction.pragma_update(None, "user_version", steps.len() as u32)?;
    transaction.commit()?;
    Ok(Format::Current)
}

/// The tables of version 1.
const FIRST: [Table; 7] = [
    Table::Sessions,
    Table::Subscriptions,
    Table::Messages,
    Table::References,
    Table::Received,
    Table::Released,
    Table::Retained,
];

fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    for table in FIRST {
        // Keys are found and walked in their order; a message is large and has a number.
        let columns = match table {
            Table::Messages => "(key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
            Table::Sessions
            | Table::Subscriptions
            | Table::References
            | Table::Received
            | Table::Released
            | Table::Retained
            | Table::Carried => "(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        };
        transaction.execute_batch(&format!("CREATE TABLE {} {columns}", name(table)))?;
    }
    // Rows that had decayed, for somebody to look at.
    transaction.execute_batch("CREATE TABLE damaged (found_at INTEGER, in_table TEXT, key BLOB, value BLOB)")
}

/// Version 2: messages on their way from shard to shard.
fn add_carried(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .execute_batch("CREATE TABLE carried (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
}

/// Version 3: who is the first to wait for a message may stand in its row. Rows that are there stay as they are.
#[expect(clippy::unnecessary_wraps, reason = "a step may fail")]
fn allow_references_in_messages(_: &Transaction<'_>) -> rusqlite::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_column(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction.execute_batch("ALTER TABLE retained ADD COLUMN note TEXT")
    }

    fn fail(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction.execute_batch("CREATE TABLE half (key)")?;
        transaction.execute_batch("no such statement")
    }

    #[test]
    fn an_older_database_becomes_a_newer_one_with_all_that_is_in_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(upgrade(&mut connection, Kind::Store, &[create]).unwrap(), Format::Current);
        connection.execute("INSERT INTO retained VALUES (x'61', x'62')", []).unwrap();
        assert_eq!(upgrade(&mut connection, Kind::Store, &[create, add_column]).unwrap(), Format::Current);
        let note: Option<String> = connection
            .query_row("SELECT note FROM retained WHERE key = x'61'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(note, None);
        assert_eq!(
            upgrade(&mut connection, Kind::Store, &[create]).unwrap(),
            Format::Newer { found: 2, known: 1 }
        );
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        upgrade(&mut connection, Kind::Store, &[create]).unwrap();
        upgrade(&mut connection, Kind::Store, &[create, add_column, fail]).unwrap_err();
        assert_eq!(
            upgrade(&mut connection, Kind::Store, &[create]).unwrap(),
            Format::Current,
            "not even the first step"
        );
    }

    #[test]
    fn a_database_of_another_program_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE bookmark (address)").unwrap();
        assert_eq!(upgrade(&mut connection, Kind::Store, STEPS).unwrap(), Format::Foreign(Owner::Other));
    }

    #[test]
    fn the_history_and_the_store_are_not_taken_for_each_other() {
        for (kind, other) in [(Kind::Store, Kind::History), (Kind::History, Kind::Store)] {
            let mut connection = Connection::open_in_memory().unwrap();
            upgrade(&mut connection, kind, STEPS).unwrap();
            let found = upgrade(&mut connection, other, STEPS).unwrap();
            assert_eq!(found, Format::Foreign(Owner::Hearth(kind)));
            assert_eq!(look(&connection, kind, STEPS).unwrap(), Format::Current);
        }
    }
}
