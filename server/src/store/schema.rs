//! The tables of the database, and how an older one becomes a newer one.

use hearth_broker::Table;
use rusqlite::{Connection, Transaction};

/// `hrth`, by which a database is known to be Hearth's.
const APPLICATION_ID: u32 = 0x6872_7468;

/// What leads from each version of the format to the next one; a database without tables is version 0.
pub(super) const STEPS: &[Step] = &[create, add_carried, allow_references_in_messages];

/// From one version of the format to the next.
pub(crate) type Step = fn(&Transaction<'_>) -> rusqlite::Result<()>;

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
    /// Of another program.
    Foreign,
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
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Says what a database is, and changes nothing.
pub(super) fn look(connection: &Connection, steps: &[Step]) -> rusqlite::Result<Format> {
    let application: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let found = version(connection)?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    // There are a handful.
    let known = steps.len() as u32;
    Ok(match found {
        _ if tables > 0 && application != APPLICATION_ID => Format::Foreign,
        _ if found > known => Format::Newer { found, known },
        _ if application != APPLICATION_ID => Format::Empty,
        _ if found < known => Format::Older,
        _ => Format::Current,
    })
}

/// Brings a database to the newest version, all steps or none.
pub(crate) fn upgrade(connection: &mut Connection, steps: &[Step]) -> rusqlite::Result<Format> {
    let format = look(connection, steps)?;
    match format {
        Format::Older | Format::Empty => {}
        Format::Current | Format::Newer { .. } | Format::Foreign => return Ok(format),
    }
    let found = version(connection)?;
    let transaction = connection.transaction()?;
    for step in steps.iter().skip(found as usize) {
        step(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
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
        assert_eq!(upgrade(&mut connection, &[create]).unwrap(), Format::Current);
        connection.execute("INSERT INTO retained VALUES (x'61', x'62')", []).unwrap();
        assert_eq!(upgrade(&mut connection, &[create, add_column]).unwrap(), Format::Current);
        let note: Option<String> = connection
            .query_row("SELECT note FROM retained WHERE key = x'61'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(note, None);
        assert_eq!(upgrade(&mut connection, &[create]).unwrap(), Format::Newer { found: 2, known: 1 });
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        upgrade(&mut connection, &[create]).unwrap();
        upgrade(&mut connection, &[create, add_column, fail]).unwrap_err();
        assert_eq!(upgrade(&mut connection, &[create]).unwrap(), Format::Current, "not even the first step");
    }

    #[test]
    fn a_database_of_another_program_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE bookmark (address)").unwrap();
        assert_eq!(upgrade(&mut connection, STEPS).unwrap(), Format::Foreign);
    }
}
