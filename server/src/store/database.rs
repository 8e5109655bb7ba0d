//! The database file: SQLite with a write-ahead log.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use hearth_broker::{Change, RowBytes, Table};
use rusqlite::config::DbConfig;
use rusqlite::ffi::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_IOERR};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, ErrorCode, Row, Transaction, params};

use super::check::{check, unseal};
use super::connection::{Moved, connect, open, settle, write_over};
use super::durability::Durability;
use super::error::StoreError;
use super::log_repair::{keep_torn, repair};
use super::schema::name;
use super::way::Way;

/// Free pages above which some go back to the system, if they are more than those in use.
const FREE_PAGES_MAX: u32 = 1024;

/// Pages that go back with one commit: little beside what a commit costs.
const PAGES_GIVEN_BACK: u32 = 256;

/// Commits between two looks at the free pages.
const COMMITS_BETWEEN_LOOKS: u32 = 64;

/// How many [`Verb`]s there are.
const VERBS: usize = 4;

/// The statements of all tables.
pub(super) const STATEMENTS: usize = VERBS * Table::ALL.len();

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    file: PathBuf,
    way: Way,
    durability: Durability,
    /// `None` after a write has failed, until the next one.
    connection: Option<Connection>,
    moved: Moved,
    commits: u32,
}

/// What reading all rows came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Rows that are as they were written.
    pub(crate) rows: usize,
    /// Rows that are not, and were set aside.
    pub(crate) damaged: usize,
}

impl Database {
    /// Opens a database, or makes a new one.
    #[cfg(test)]
    pub(crate) fn open(file: &Path, durability: Durability) -> Result<Self, StoreError> {
        Self::open_by(Way::SYSTEM, file, durability)
    }

    /// Opens a database, or makes a new one, where that way leads.
    pub(super) fn open_by(way: Way, file: &Path, durability: Durability) -> Result<Self, StoreError> {
        let log = repair(way, file)?;
        keep_torn(way, file, &log);
        let moved = Moved::default();
        let connection = Some(connect(way, file, durability, &moved)?);
        Ok(Self { file: file.to_owned(), way, durability, connection, moved, commits: 0 })
    }

    /// Hands out every row that is as it was written, and sets the others aside. An error [that says so](is_corrupt): the
    /// file is broken, so that rows may be missing, or such be there that were deleted.
    pub(crate) fn read(&mut self, each: impl FnMut(Table, &[u8], Bytes)) -> rusqlite::Result<Reading> {
        let connection = self.connection.as_mut().ok_or(rusqlite::Error::InvalidQuery)?;
        look_over(connection)?;
        let (reading, damaged) = read_rows(connection, each)?;
        set_aside(connection, &damaged)?;
        Ok(reading)
    }

    /// Writes changes, all or none. When this returns they are where the durability says.
    pub(crate) fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.commits = self.commits.wrapping_add(1);
        let is_time_to_look = self.commits.is_multiple_of(COMMITS_BETWEEN_LOOKS);
        let moved = self.moved.clone();
        let committed = self.reconnect().and_then(|connection| {
            write(connection, changes)?;
            if is_time_to_look {
                give_back(connection)?;
            }
            if moved.take() { write_over(connection) } else { Ok(()) }
        });
        committed.map_err(|source| {
            // Nothing that the system may still have in its cache of the failed write is trusted.
            self.connection = None;
            StoreError::Database { file: self.file.clone(), source }
        })
    }

    /// Moves everything into the file itself and lets go of it.
    pub(super) fn close(mut self) -> Result<(), StoreError> {
        let closed = self.reconnect().and_then(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| match row.get(0)? {
                true => Err(failure(SQLITE_BUSY, "somebody else has it open")),
                false => Ok(()),
            })
        });
        closed.map_err(|source| StoreError::Database { file: self.file.clone(), source })
    }

    /// The connection; after a failure a new one, to what is really on the disk.
    fn reconnect(&mut self) -> rusqlite::Result<&mut Connection> {
        if self.connection.is_none() {
            repair(self.way, &self.file).map_err(|error| failure(SQLITE_IOERR, &error.to_string()))?;
            settle(self.way, &self.file, self.durability)?;
            self.connection = Some(open(self.way, &self.file, self.durability, &self.moved)?);
        }
        self.connection.as_mut().ok_or(rusqlite::Error::InvalidQuery)
    }
}

impl Drop for Database {
    /// Moves the log into the file, as nothing has failed.
    fn drop(&mut self) {
        if let Some(connection) = &self.connection
            && let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        {
            tracing::debug!(%error, "the log stays beside the database until the next start");
        }
    }
}

/// Whether the file itself is broken, and not the way to it.
pub(crate) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn write(connection: &mut Connection, changes: &[Change]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut writer = Writer::new(&transaction);
    let mut rest = changes;
    while let Some((change, behind)) = rest.split_first() {
        let run = run_of_deletions(rest);
        if run.len() > 1 {
            writer.delete_run(run)?;
            rest = &rest[run.len()..];
        } else {
            writer.apply(change)?;
            rest = behind;
        }
    }
    drop(writer);
    transaction.commit()
}

/// Lets the system have pages again that nothing is on.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let free: u32 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let all: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if free > FREE_PAGES_MAX && free > all / 2 {
        let pages = PAGES_GIVEN_BACK * COMMITS_BETWEEN_LOOKS;
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        // A step gives one page back.
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
    }
    Ok(())
}

/// Writes changes into a transaction. A statement is looked up once, however many changes it is for.
struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    statements: [Option<CachedStatement<'a>>; STATEMENTS],
    /// The row that is written, with its check.
    row: BytesMut,
}

/// What is done to a table.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Put,
    Delete,
    DeleteAll,
    /// From one key to another.
    DeleteRun,
}

impl<'a> Writer<'a> {
    fn new(transaction: &'a Transaction<'a>) -> Self {
        Self { transaction, statements: [const { None }; STATEMENTS], row: BytesMut::new() }
    }

    fn apply(&mut self, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Put(table, key, value) => {
                let mut row = std::mem::take(&mut self.row);
                row.clear();
                value.append_to(&mut row);
                let check = check(*table as u8, key, &row);
                row.extend_from_slice(&check);
                let statement = self.statement(*table, Verb::Put)?;
                match number(*table, key) {
                    Some(number) => statement.execute(params![number, &row[..]])?,
                    None => statement.execute(params![&key[..], &row[..]])?,
                };
                self.row = row;
            }
            Change::Delete(table, key) => {
                let statement = self.statement(*table, Verb::Delete)?;
                match number(*table, key) {
                    Some(number) => statement.execute(params![number])?,
                    None => statement.execute(params![&key[..]])?,
                };
            }
            Change::DeleteAll(table, prefix) => {
                let statement = self.statement(*table, Verb::DeleteAll)?;
                statement.execute(params![&prefix[..], behind(prefix)])?;
            }
        }
        Ok(())
    }

    /// Deletes messages whose numbers follow each other.
    fn delete_run(&mut self, run: &[Change]) -> rusqlite::Result<()> {
        let ends = [run.first(), run.last()].map(|change| change.and_then(deleted_message));
        self.statement(Table::Messages, Verb::DeleteRun)?.execute(ends)?;
        Ok(())
    }

    fn statement(&mut self, table: Table, verb: Verb) -> rusqlite::Result<&mut CachedStatement<'a>> {
        // Tables have numbers from 1.
        let place = &mut self.statements[(table as usize - 1) * VERBS + verb as usize];
        let statement = match place.take() {
            Some(statement) => statement,
            None => {
                let name = name(table);
                self.transaction.prepare_cached(&match verb {
                    Verb::Put => format!("INSERT OR REPLACE INTO {name} VALUES (?1, ?2)"),
                    Verb::Delete => format!("DELETE FROM {name} WHERE key = ?1"),
                    Verb::DeleteAll => {
                        format!("DELETE FROM {name} WHERE key >= ?1 AND (?2 IS NULL OR key < ?2)")
                    }
                    Verb::DeleteRun => format!("DELETE FROM {name} WHERE key BETWEEN ?1 AND ?2"),
                })?
            }
        };
        Ok(place.insert(statement))
    }
}

/// The changes at the beginning that delete messages whose numbers follow each other, as when a client takes what has waited
/// for it: one statement does for all.
fn run_of_deletions(changes: &[Change]) -> &[Change] {
    let mut len = 0;
    let mut next = changes.first().and_then(deleted_message);
    while next.is_some() && changes.get(len).and_then(deleted_message) == next {
        len += 1;
        next = next.and_then(|number| number.checked_add(1));
    }
    &changes[..len]
}

/// The number of the message that a change deletes.
fn deleted_message(change: &Change) -> Option<i64> {
    match change {
        Change::Delete(table @ Table::Messages, key) => number(*table, key),
        Change::Put(..) | Change::Delete(..) | Change::DeleteAll(..) => None,
    }
}

/// The key of a message is a number.
fn number(table: Table, key: &[u8]) -> Option<i64> {
    match table {
        // Numbers are given out from 1, one a message: 63 bits are enough.
        Table::Messages => Some(i64::from_be_bytes(key.try_into().ok()?)),
        Table::Sessions
        | Table::Subscriptions
        | Table::References
        | Table::Received
        | Table::Released
        | Table::Carried
        | Table::Retained => None,
    }
}

/// The key of a row, as changes have it.
pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<RowBytes> {
    Ok(match row.get_ref(0)? {
        ValueRef::Integer(number) => number.to_be_bytes().into(),
        ValueRef::Blob(key) => key.into(),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) => [].into(),
    })
}

/// The first key behind all that begin with a prefix; `None` when there is none.
fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut behind = prefix[..=last].to_vec();
    behind[last] += 1;
    Some(behind)
}

/// A row that is not what was written.
pub(super) struct Damaged {
    table: Table,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Hands out every row that is as it was written; and the others.
pub(super) fn read_rows(
    connection: &Connection,
    mut each: impl FnMut(Table, &[u8], Bytes),
) -> rusqlite::Result<(Reading, Vec<Damaged>)> {
    let (mut reading, mut damaged) = (Reading::default(), Vec::new());
    for table in Table::ALL {
        // An older format has fewer.
        if !has_table(connection, table)? {
            continue;
        }
        let mut statement = connection.prepare(&format!("SELECT key, value FROM {}", name(table)))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = key(row)?;
            let sealed = row.get_ref(1)?.as_blob().unwrap_or_default();
            match unseal(table as u8, &key, sealed) {
                Some(value) => {
                    reading.rows += 1;
                    each(table, &key, Bytes::copy_from_slice(value));
                }
                None => {
                    reading.damaged += 1;
                    damaged.push(Damaged { table, key: key.to_vec(), value: sealed.to_vec() });
                }
            }
        }
    }
    Ok((reading, damaged))
}

fn has_table(connection: &Connection, table: Table) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) > 0 FROM sqlite_master WHERE name = ?1";
    connection.query_row(sql, [name(table)], |row| row.get(0))
}

/// Holds the pages of the file against each other: a bit that has flipped in what leads to the rows hides some, or shows some that
/// were deleted, whose own checks are right.
fn look_over(connection: &Connection) -> rusqlite::Result<()> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(failure(SQLITE_CORRUPT, &found));
    }
    match Table::ALL
        .into_iter()
        .map(|table| has_table(connection, table))
        .find(|has| !matches!(has, Ok(true)))
    {
        None => Ok(()),
        Some(Ok(_)) => Err(failure(SQLITE_CORRUPT, "a table is not there under its name")),
        Some(Err(error)) => Err(error),
    }
}

pub(super) fn failure(code: c_int, problem: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(problem.to_owned()))
}

/// Moves rows into the table of those that somebody may look at. An error [that says so](is_corrupt): one cannot be found by the
/// key that it has now.
pub(super) fn set_aside(connection: &mut Connection, damaged: &[Damaged]) -> rusqlite::Result<()> {
    if damaged.is_empty() {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let transaction = connection.transaction()?;
    for Damaged { table, key, value } in damaged {
        let sql = "INSERT INTO damaged VALUES (?1, ?2, ?3, ?4)";
        // Seconds since 1970 fit.
        transaction.prepare_cached(sql)?.execute(params![now as i64, name(*table), key, value])?;
        // By its value too, as another row may have the key that this one has now.
        let sql = format!("DELETE FROM {} WHERE key = ?1 AND value = ?2", name(*table));
        let mut statement = transaction.prepare_cached(&sql)?;
        let removed = match number(*table, key) {
            Some(number) => statement.execute(params![number, value])?,
            None => statement.execute(params![key, value])?,
        };
        if removed != 1 {
            return Err(failure(SQLITE_CORRUPT, "a row is not where its key belongs"));
        }
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::schema::{self, Format, Kind, STEPS};
    use super::*;

    fn rows(database: &mut Database) -> Vec<(Table, Vec<u8>, Bytes)> {
        let mut rows = Vec::new();
        database.read(|table, key, value| rows.push((table, key.to_vec(), value))).unwrap();
        rows
    }

    fn put(table: Table, key: &[u8], value: &[u8]) -> Change {
        Change::Put(table, key.into(), value.to_vec().into())
    }

    #[test]
    fn rows_come_back_from_a_file_that_was_not_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hearth.db");
        let mut database = Database::open(&file, Durability::Fsync).unwrap();
        let number = 7_u64.to_be_bytes();
        let put_all: Vec<_> = Table::ALL.map(|table| put(table, &number, b"x")).into();
        database.commit(&put_all).unwrap();
        database.commit(&[put(Table::Retained, b"a", b"old"), put(Table::Retained, b"a", b"")]).unwrap();
        database.commit(&[Change::Delete(Table::Messages, number.into())]).unwrap();
        // As after a kill: what the process had open is left as it is.
        let copy = folder.path().join("copy.db");
        std::fs::copy(&file, &copy).unwrap();
        std::fs::copy(file.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
        let mut again = Database::open(&copy, Durability::Fsync).unwrap();
        let got = rows(&mut again);
        assert_eq!(got.len(), Table::ALL.len(), "{got:?}");
        assert!(got.contains(&(Table::Retained, b"a".to_vec(), Bytes::new())));
        assert!(!got.iter().any(|(table, ..)| *table == Table::Messages));
    }

    #[test]
    fn a_database_of_each_older_version_keeps_its_rows_and_takes_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        for version in 1..STEPS.len() {
            let file = folder.path().join(format!("{version}.db"));
            let mut old = open(Way::SYSTEM, &file, Durability::Os, &Moved::default()).unwrap();
            assert_eq!(schema::upgrade(&mut old, Kind::Store, &STEPS[..version]).unwrap(), Format::Current);
            let tables: Vec<Table> = Table::ALL
                .into_iter()
                .filter(|table| old.prepare(&format!("SELECT key FROM {}", name(*table))).is_ok())
                .collect();
            assert!((7..=Table::ALL.len()).contains(&tables.len()), "{tables:?}");
            let number = 7_u64.to_be_bytes();
            let changes: Vec<Change> = tables.iter().map(|table| put(*table, &number, b"x")).collect();
            write(&mut old, &changes).unwrap();
            // As a backup that an older Hearth has made is looked at.
            let (reading, _) = read_rows(&old, |_, _, value| assert_eq!(value, "x")).unwrap();
            assert_eq!(reading, Reading { rows: tables.len(), damaged: 0 });
            drop(old);
            let mut database = Database::open(&file, Durability::Fsync).unwrap();
            assert_eq!(rows(&mut database).len(), tables.len(), "version {version}");
            let changes = Table::ALL.map(|table| put(table, &number, b"y"));
            database.commit(&changes).unwrap();
            let now = rows(&mut database);
            assert_eq!(now.len(), Table::ALL.len());
            assert!(now.iter().all(|(.., value)| value == "y"), "{now:?}");
        }
    }

    #[test]
    fn all_that_begins_with_a_prefix_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::open(&folder.path().join("hearth.db"), Durability::Os).unwrap();
        let keys: [&[u8]; 5] = [&[1, 255], &[1, 255, 0], &[1, 255, 255], &[2], &[1, 254]];
        let changes: Vec<_> = keys.iter().map(|key| put(Table::Received, key, b"")).collect();
        database.commit(&changes).unwrap();
        database.commit(&[Change::DeleteAll(Table::Received, [1, 255].into())]).unwrap();
        let left: Vec<_> = rows(&mut database).into_iter().map(|(_, key, _)| key).collect();
        assert_eq!(left, [vec![1, 254], vec![2]]);
        database
            .commit(&[put(Table::Received, &[255, 255, 1], b""), put(Table::Received, &[255, 254], b"")])
            .unwrap();
        database.commit(&[Change::DeleteAll(Table::Received, [255, 255].into())]).unwrap();
        assert_eq!(rows(&mut database).len(), 3);
    }

    #[test]
    fn a_row_that_has_decayed_is_set_aside_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hearth.db");
        let mut database = Database::open(&file, Durability::Os).unwrap();
        database.commit(&[put(Table::Retained, b"a", b"1"), put(Table::Retained, b"b", b"2")]).unwrap();
        database
            .connection
            .as_ref()
            .unwrap()
            .execute("UPDATE retained SET value = x'00' WHERE key = x'61'", [])
            .unwrap();
        let reading = database.read(|_, key, _| assert_eq!(key, b"b")).unwrap();
        assert_eq!(reading, Reading { rows: 1, damaged: 1 });
        assert_eq!(database.read(|_, _, _| {}).unwrap(), Reading { rows: 1, damaged: 0 });
        let aside: u32 = database
            .connection
            .as_ref()
            .unwrap()
            .query_row(
                "SELECT count(*) FROM damaged WHERE in_table = 'retained' AND key = x'61'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(aside, 1);
    }

    #[test]
    fn a_table_whose_name_has_decayed_is_damage_and_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::open(&folder.path().join("hearth.db"), Durability::Os).unwrap();
        database.commit(&[put(Table::Sessions, b"a", b"1")]).unwrap();
        let connection = database.connection.as_ref().unwrap();
        connection.execute_batch("ALTER TABLE session RENAME TO sessioo").unwrap();
        let error = database.read(|_, _, _| {}).unwrap_err();
        assert!(is_corrupt(&error), "{error}");
    }

    #[test]
    fn messages_that_are_deleted_in_a_row_take_no_other_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::open(&folder.path().join("hearth.db"), Durability::Os).unwrap();
        let key = |number: u64| number.to_be_bytes();
        let delete = |number| Change::Delete(Table::Messages, key(number).into());
        let filling: Vec<_> = (1..=9).map(|number| put(Table::Messages, &key(number), b"x")).collect();
        database.commit(&filling).unwrap();
        let again = put(Table::Messages, &key(3), b"y");
        database.commit(&[delete(2), delete(3), delete(4), again, delete(7), delete(6), delete(9)]).unwrap();
        let left: Vec<_> = rows(&mut database).into_iter().map(|(_, key, value)| (key, value)).collect();
        let row = |number, value| (key(number).to_vec(), Bytes::from_static(value));
        assert_eq!(left, [row(1, b"x"), row(3, b"y"), row(5, b"x"), row(8, b"x")]);
    }

    #[test]
    fn the_room_of_what_is_gone_goes_back_to_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hearth.db");
        let mut database = Database::open(&file, Durability::Os).unwrap();
        let key = |number: u32| RowBytes::from(number.to_be_bytes());
        let numbers = 0..40_000;
        let filling: Vec<_> = numbers
            .clone()
            .map(|number| Change::Put(Table::Retained, key(number), vec![7; 400].into()))
            .collect();
        database.commit(&filling).unwrap();
        let pages = |database: &Database| -> u32 {
            database
                .connection
                .as_ref()
                .unwrap()
                .pragma_query_value(None, "page_count", |row| row.get(0))
                .unwrap()
        };
        let full = pages(&database);
        database
            .commit(&numbers.map(|number| Change::Delete(Table::Retained, key(number))).collect::<Vec<_>>())
            .unwrap();
        for number in 0..2 * COMMITS_BETWEEN_LOOKS {
            database.commit(&[put(Table::Retained, b"a", &number.to_be_bytes())]).unwrap();
        }
        assert!(pages(&database) < full / 3, "{} of {full}", pages(&database));
    }

    #[test]
    fn what_could_not_be_written_is_written_when_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hearth.db");
        let mut database = Database::open(&file, Durability::Fsync).unwrap();
        database.commit(&[put(Table::Retained, b"a", b"1")]).unwrap();
        let other = Connection::open(&file).unwrap();
        other.execute_batch("PRAGMA max_page_count = 1; BEGIN IMMEDIATE").unwrap();
        database.connection.as_ref().unwrap().busy_timeout(Duration::ZERO).unwrap();
        let change = [put(Table::Retained, b"b", b"2")];
        let error = database.commit(&change).unwrap_err().to_string();
        assert!(error.contains("hearth.db: database is locked"), "{error}");
        drop(other);
        database.commit(&change).unwrap();
        assert_eq!(rows(&mut database).len(), 2);
    }
}
