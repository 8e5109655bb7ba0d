//! The way to a connection to the database that can be believed.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::{SQLITE_BUSY, SQLITE_IOERR, SQLITE_IOERR_FSYNC};
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};

use super::database::{STATEMENTS, failure};
use super::durability::Durability;
use super::error::StoreError;
use super::schema::{self, Format, Kind, Owner, STEPS};
use super::way::{Way, log_of};

/// How long somebody else who reads, for a backup, may hold up a write.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(5);

/// What the log keeps of the disk when it is empty again.
const LOG_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// What SQLite calls giving back free pages when it is asked to.
const INCREMENTAL: u8 = 2;

/// Opens a database, or makes a new one, and brings it to the newest version.
pub(super) fn connect(
    way: Way,
    file: &Path,
    durability: Durability,
    moved: &Moved,
) -> Result<Connection, StoreError> {
    let database = |source| StoreError::Database { file: file.to_owned(), source };
    let is_settled = match settle(way, file, durability) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            tracing::warn!(
                file = %file.display(),
                "somebody else has the database open: it is taken as it reads. Should the disk have failed before \
                 this start, end them and start again"
            );
            false
        }
        settled => settled.map_err(database)?,
    };
    let mut connection = open(way, file, durability, moved).map_err(database)?;
    match schema::upgrade(&mut connection, Kind::Store, STEPS).map_err(database)? {
        Format::Current => {
            if !is_settled {
                write_over(&connection).map_err(database)?;
            }
            if durability == Durability::Fsync {
                (way.sync_names)(file).map_err(|error| database(not_synced(&error, "its folder")))?;
            }
            Ok(connection)
        }
        Format::Newer { found, known } => Err(StoreError::Newer { file: file.to_owned(), found, known }),
        Format::Foreign(owner) => Err(StoreError::Foreign { file: file.to_owned(), owner }),
        // An upgrade leaves nothing older behind.
        Format::Older | Format::Empty => {
            Err(StoreError::Foreign { file: file.to_owned(), owner: Owner::Other })
        }
    }
}

/// Puts on the disk what a log has, all of it, as an earlier attempt or the process before this one may have met a sync
/// that failed. After that the system shows what the disk does not have, and calls it clean: in the log, which is therefore
/// written as it reads before it is believed; and in the database, into which the whole log goes anew. For that nobody else may
/// have it open, since what they share with SQLite says how much of the log need not be moved any more.
///
/// The log is not cut but used up, and removed: a file system may give back the end of a file that is cut before its
/// beginning, and the rows of a log's beginning would then be written over newer ones.
///
/// `false`: there may still be something in the log.
pub(super) fn settle(way: Way, file: &Path, durability: Durability) -> rusqlite::Result<bool> {
    if durability != Durability::Fsync {
        return Ok(false);
    }
    if !(way.rewrite)(&log_of(file)).map_err(|error| not_synced(&error, "its log"))? {
        return Ok(true);
    }
    let connection = (way.connect)(file)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
    if is_busy {
        return Err(failure(SQLITE_BUSY, "somebody else has it open"));
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(true)
}

/// Writes something behind the last commit in the log, or at its beginning once all of it was [moved](Moved). A process that was
/// killed may have left a whole commit there of which those who had the database open know nothing: it would count after the next
/// crash.
pub(crate) fn write_over(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", schema::version(connection)?)
}

fn not_synced(error: &std::io::Error, what: &str) -> rusqlite::Error {
    failure(SQLITE_IOERR_FSYNC, &format!("{what} cannot be written: {error}"))
}

/// Whether something of the log has been moved into the database since somebody looked. Then something has to be
/// [written](write_over) at once: were the log, with all that was moved still in it, cut where a frame has decayed, what is before
/// that would cover newer pages of the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Moved(Arc<AtomicBool>);

impl Moved {
    /// Looks, and forgets it.
    pub(super) fn take(&self) -> bool {
        // Set by the connection of whoever asks, in the same thread.
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// A connection that keeps the log beside the database when it goes: only one that has not failed may move it.
pub(super) fn open(
    way: Way,
    file: &Path,
    durability: Durability,
    moved: &Moved,
) -> rusqlite::Result<Connection> {
    let mut connection = (way.connect)(file)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "cache_size", way.cache)?;
    let vacuum: u8 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if vacuum != INCREMENTAL {
        // Means something only before the first table is made.
        connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    }
    use_log(&connection)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    connection.pragma_update(
        None,
        "synchronous",
        match durability {
            Durability::Fsync => "FULL",
            Durability::Os | Durability::None => "OFF",
        },
    )?;
    // SQLite's own way of moving the log into the database keeps a sync of it that has failed for itself.
    let (moved, pages_moved) = (moved.clone(), Cell::new(0));
    connection.wal_hook(Some(move |log: &mut Wal, pages| {
        if pages < way.log_pages_max {
            return Ok(());
        }
        match log.checkpoint_v2(CheckpointMode::PASSIVE) {
            // The next one moves more.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            Err(error) => Err(error),
            Ok((all, now)) => {
                // Somebody who reads may hold it up where it was.
                if pages_moved.replace(now) != now || now == all {
                    moved.0.store(true, Ordering::Relaxed);
                }
                Ok(())
            }
        }
    }))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Gives the database a write-ahead log. That can fail behind its answer, so that it is heard to the end: a database that
/// keeps its old journal deletes it without a sync, and one that is back after a crash takes the last commit back.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    let mut journal = String::new();
    while let Some(row) = rows.next()? {
        journal = row.get(0)?;
    }
    if journal == "wal" {
        return Ok(());
    }
    let problem = format!("it cannot be given a write-ahead log; its journal stays `{journal}`");
    Err(failure(SQLITE_IOERR, &problem))
}
