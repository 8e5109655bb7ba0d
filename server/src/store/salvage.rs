//! Opens the database however the last process left it: what a crash has interrupted is finished, and of a file that is broken
//! goes on what can be read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hearth_broker::{Change, Table};
use rusqlite::ffi::SQLITE_CORRUPT;
use rusqlite::{Connection, ErrorCode};

use super::check::unseal;
use super::database::{Database, Reading, failure, is_corrupt, key};
use super::durability::Durability;
use super::error::StoreError;
use super::first_page::{FirstPage, Pages};
use super::schema::name;
use super::way::Way;

/// The broken database behind the first page of a new one, while it is being read.
const LED: &str = ".led";

/// A copy of what could be read, while it is being written.
const UNFINISHED: &str = ".salvaging";

/// That copy when it is whole: from then on it is the database, whatever happens, and only has to get the name.
const FINISHED: &str = ".salvaged";

/// What SQLite has beside a database.
pub(super) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Rows that are written together while a broken database is saved.
const ROWS_AT_ONCE: usize = 4096;

/// A database that can be used, and what it took.
#[derive(Debug)]
pub(super) struct Opened<T> {
    pub(super) database: Database,
    /// What became of the rows.
    pub(super) content: T,
    pub(super) reading: Reading,
    pub(super) salvage: Option<Salvage>,
}

/// A database that was broken.
#[derive(Debug)]
pub(super) struct Salvage {
    /// What was wrong with it.
    pub(super) problem: rusqlite::Error,
    /// Rows that could be read.
    pub(super) saved: usize,
    /// Where it is now.
    pub(super) set_aside: Option<PathBuf>,
}

/// Opens a database, or makes a new one, and hands out every row that is as it was written.
pub(super) fn open<T: Default>(
    way: Way,
    file: &Path,
    durability: Durability,
    each: impl Fn(&mut T, Table, &[u8], Bytes),
) -> Result<Opened<T>, StoreError> {
    if let Some(set_aside) = finish(way, file, FINISHED, "damaged")? {
        tracing::warn!(
            ?set_aside,
            "saving a damaged database had been interrupted; what was saved is the database now"
        );
    }
    let error = match read(way, file, durability, &each) {
        Ok(opened) => return Ok(opened),
        Err(error) => error,
    };
    let problem = damage(way, file, error)?;
    let set_aside = save(way, file)?;
    let opened = read(way, file, durability, &each)?;
    let saved = opened.reading.rows;
    Ok(Opened { salvage: Some(Salvage { problem, saved, set_aside }), ..opened })
}

/// What is wrong with a database that is broken; an error that is none of it stays one.
fn damage(way: Way, file: &Path, error: StoreError) -> Result<rusqlite::Error, StoreError> {
    match error {
        StoreError::Database { source, .. } if is_damage(&source) => Ok(source),
        error @ (StoreError::Foreign { .. } | StoreError::Newer { .. }) => {
            let failed = |source| StoreError::File { file: file.to_owned(), source };
            let unfinished = with_suffix(file, UNFINISHED);
            remove(way, &unfinished).map_err(failed)?;
            let first = FirstPage::new(way, &unfinished)?;
            remove(way, &unfinished).map_err(failed)?;
            let found = Pages::read(way, file).and_then(|mut pages| pages.first()).map_err(failed)?;
            match first.is_misread(&found) {
                true => Ok(failure(SQLITE_CORRUPT, "its mark or its version has decayed")),
                false => Err(error),
            }
        }
        error @ (StoreError::Folder { .. }
        | StoreError::InUse(_)
        | StoreError::File { .. }
        | StoreError::Database { .. }) => Err(error),
    }
}

fn read<T: Default>(
    way: Way,
    file: &Path,
    durability: Durability,
    each: &impl Fn(&mut T, Table, &[u8], Bytes),
) -> Result<Opened<T>, StoreError> {
    let mut database = Database::open_by(way, file, durability)?;
    let mut content = T::default();
    let reading = database.read(|table, key, value| each(&mut content, table, key, value));
    let reading = reading.map_err(|source| StoreError::Database { file: file.to_owned(), source })?;
    Ok(Opened { database, content, reading, salvage: None })
}

/// Puts what can be read of a broken database in its place; where that one is now. Until all of it is on the disk, the broken one
/// stays where it is.
fn save(way: Way, file: &Path) -> Result<Option<PathBuf>, StoreError> {
    let (unfinished, led) = (with_suffix(file, UNFINISHED), with_suffix(file, LED));
    let failed = |source| StoreError::File { file: unfinished.clone(), source };
    remove(way, &unfinished).and_then(|()| remove(way, &led)).map_err(failed)?;
    let first = FirstPage::new(way, &unfinished)?;
    let lead = || -> io::Result<bool> {
        let mut pages = Pages::read(way, file)?;
        if pages.are_led_by(&first)? {
            return Ok(false);
        }
        pages.write_behind(&first, way, &led)?;
        Ok(true)
    };
    let is_led = lead().map_err(|source| StoreError::File { file: led.clone(), source })?;
    // Also where a power cut may cost what was new: this is everything.
    let mut copy = Database::open_by(way, &unfinished, Durability::Fsync)?;
    for table in Table::ALL {
        copy_table(way, file, table, &mut copy)?;
        if is_led {
            copy_table(way, &led, table, &mut copy)?;
        }
    }
    copy.close()?;
    remove(way, &led).map_err(failed)?;
    let finished = with_suffix(file, FINISHED);
    (way.rename)(&unfinished, &finished).map_err(failed)?;
    (way.sync_names)(file).map_err(failed)?;
    Ok(finish(way, file, FINISHED, "damaged")?.flatten())
}

/// Gives a copy that is whole the name of the database, also one that an earlier process has left. `None`: there is none;
/// otherwise where the database is now that was there before.
pub(super) fn finish(
    way: Way,
    file: &Path,
    suffix: &str,
    reason: &str,
) -> Result<Option<Option<PathBuf>>, StoreError> {
    let finished = with_suffix(file, suffix);
    let finish = || {
        if !(way.is_there)(&finished)? {
            return Ok(None);
        }
        let aside = move_away(way, file, reason)?;
        // The log of the old one must not come back beside the new one.
        (way.sync_names)(file)?;
        (way.rename)(&finished, file)?;
        (way.sync_names)(file)?;
        Ok(Some(aside))
    };
    finish().map_err(|source| StoreError::File { file: finished.clone(), source })
}

/// Moves a database out of the way, if there is one, with what SQLite has beside it; where it is now.
pub(super) fn move_away(way: Way, file: &Path, reason: &str) -> io::Result<Option<PathBuf>> {
    let aside = aside(way, file, reason)?;
    for companion in COMPANIONS {
        (way.rename)(&with_suffix(file, companion), &with_suffix(&aside, companion))?;
    }
    Ok((way.rename)(file, &aside)?.then_some(aside))
}

/// A name that no file has yet, for one that is kept because something was wrong with it.
pub(super) fn aside(way: Way, file: &Path, reason: &str) -> io::Result<PathBuf> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut aside = with_suffix(file, &format!(".{reason}-{seconds}"));
    let mut number = 1;
    while (way.is_there)(&aside)? {
        number += 1;
        aside = with_suffix(file, &format!(".{reason}-{seconds}-{number}"));
    }
    Ok(aside)
}

/// Removes a database and what SQLite has beside it.
fn remove(way: Way, file: &Path) -> io::Result<()> {
    for companion in COMPANIONS {
        (way.remove)(&with_suffix(file, companion))?;
    }
    (way.remove)(file)?;
    Ok(())
}

/// Copies the rows of a table of a broken database, as far as they can be read from either end.
fn copy_table(way: Way, file: &Path, table: Table, copy: &mut Database) -> Result<(), StoreError> {
    for order in ["ASC", "DESC"] {
        let mut rows = Vec::new();
        let is_whole = each_readable(way, file, table, order, |change| {
            rows.push(change);
            if rows.len() < ROWS_AT_ONCE {
                return Ok(());
            }
            let committed = copy.commit(&rows);
            rows.clear();
            committed
        })?;
        copy.commit(&rows)?;
        if is_whole {
            break;
        }
    }
    Ok(())
}

/// Hands out the rows of a table in that order; whether they came to an end of their own. A disk that cannot be read is no end:
/// it may be able to later.
fn each_readable(
    way: Way,
    file: &Path,
    table: Table,
    order: &str,
    mut each: impl FnMut(Change) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let broken = |source: rusqlite::Error| match is_damage(&source) {
        true => Ok(false),
        false => Err(StoreError::Database { file: file.to_owned(), source }),
    };
    let connection = match (way.connect)(file) {
        Ok(connection) => connection,
        Err(error) => return broken(error),
    };
    if let Err(error) = keep_as_it_is(&connection) {
        return broken(error);
    }
    let sql = format!("SELECT key, value FROM {} ORDER BY key {order}", name(table));
    let mut statement = match connection.prepare(&sql) {
        Ok(statement) => statement,
        Err(error) => return broken(error),
    };
    let mut rows = match statement.query([]) {
        Ok(rows) => rows,
        Err(error) => return broken(error),
    };
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                if let Some(change) = change(table, row) {
                    each(change)?;
                }
            }
            Ok(None) => return Ok(true),
            Err(error) => return broken(error),
        }
    }
}

/// Whatever is done with the broken file, it is still there for somebody to look at.
fn keep_as_it_is(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)
}

/// Whether the file is broken, also so that a table of it or a column is not known any more.
fn is_damage(error: &rusqlite::Error) -> bool {
    let is_unknown = error.sqlite_error_code() == Some(ErrorCode::Unknown);
    is_corrupt(error) || is_unknown || matches!(error, rusqlite::Error::SqlInputError { .. })
}

/// A row that is as it was written.
fn change(table: Table, row: &rusqlite::Row<'_>) -> Option<Change> {
    let key = key(row).ok()?;
    let value = unseal(table as u8, &key, row.get_ref(1).ok()?.as_blob().ok()?)?.to_vec();
    Some(Change::Put(table, key, value.into()))
}

pub(super) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
