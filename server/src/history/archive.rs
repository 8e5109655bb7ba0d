//! The file of the history, as it is written: what has just come goes into a journal, and from there into blocks.
//!
//! A journal row has the points of all series of one commit, so that a commit costs one page however many series there are. When
//! there are many points in the journal, or it is old, they are settled: sorted by series and put behind the points of its
//! last block. Both happen in one transaction, so that a point is in one of them at any moment.

use std::collections::HashMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::block::{BLOCK_POINTS, Point, decode, encode};
use crate::store::{
    Format, Kind, Owner, Step, StoreError, Way, look_at_history, seal, unseal, upgrade, write_over,
};

/// What leads from each version of the format to the next one.
const STEPS: &[Step] = &[create];

/// How long somebody else who reads may hold up a write.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// What the log keeps of the disk when it is empty again.
const LOG_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// Points in the journal above which they are settled: a reader looks at all of them, in a millisecond.
pub(super) const JOURNAL_POINTS_MAX: usize = 131_072;

/// The longest time of one block: what goes by age goes as whole blocks.
const BLOCK_MILLIS_MAX: u64 = DAY_MILLIS as u64;

const DAY_MILLIS: i64 = 86_400_000;

/// Blocks that go at once when the file is too large.
const BLOCKS_AT_ONCE: u32 = 256;

/// Free pages that stay for what comes next: the journal comes and goes.
const FREE_PAGES_MAX: u64 = 1024;

/// For the checks of rows, which table they are of.
pub(super) const JOURNAL: u8 = 1;
pub(super) const BLOCK: u8 = 2;

/// A series in a block's key, and its number: the blocks of a series lie together, in the order of their making.
const SERIES_SHIFT: u32 = 32;

/// A point of some series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) series: u32,
    pub(super) point: Point,
}

/// Bytes of a sample in the journal.
pub(super) const SAMPLE_BYTES: usize = 4 + 8 + 8;

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) days_max: u32,
    pub(super) bytes_max: u64,
    pub(super) series_max: u32,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Archive {
    file: PathBuf,
    connection: Connection,
    /// Pages in the log with the last commit.
    log_pages: Arc<AtomicI32>,
    log_pages_max: c_int,
    bounds: Bounds,
    /// By topic and field with U+0000 between, which no topic has.
    series_by_name: HashMap<String, u32>,
    /// Series that are not in the file yet.
    unwritten: Vec<(u32, String)>,
    next_series: u32,
    name: String,
    journal_points: usize,
}

impl Archive {
    /// Opens the file, or makes a new one.
    pub(super) fn open(file: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        Self::open_by(Way::SYSTEM, file, bounds)
    }

    /// The same, where that way leads.
    pub(super) fn open_by(way: Way, file: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        look_at_history(way, file)?;
        let database = |source| StoreError::Database { file: file.to_owned(), source };
        let log_pages = Arc::new(AtomicI32::new(0));
        let mut connection =
            (way.connect)(file).and_then(|it| configure(it, &log_pages)).map_err(database)?;
        match upgrade(&mut connection, Kind::History, STEPS).map_err(database)? {
            Format::Current => {}
            Format::Newer { found, known } => {
                return Err(StoreError::Newer { file: file.to_owned(), found, known });
            }
            Format::Foreign(owner) => return Err(StoreError::Foreign { file: file.to_owned(), owner }),
            // After an upgrade no database is older or empty.
            Format::Older | Format::Empty => {
                return Err(StoreError::Foreign { file: file.to_owned(), owner: Owner::Other });
            }
        }
        let mut archive = Self {
            file: file.to_owned(),
            connection,
            log_pages,
            log_pages_max: way.log_pages_max,
            bounds,
            series_by_name: HashMap::new(),
            unwritten: Vec::new(),
            next_series: 1,
            name: String::new(),
            journal_points: 0,
        };
        archive.read_names().map_err(database)?;
        Ok(archive)
    }

    fn read_names(&mut self) -> rusqlite::Result<()> {
        self.series_by_name.clear();
        let mut statement = self.connection.prepare("SELECT id, topic, field FROM series")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, topic, field): (u32, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.next_series = self.next_series.max(id.saturating_add(1));
            self.series_by_name.insert(format!("{topic}\0{field}"), id);
        }
        let bytes: Option<i64> =
            self.connection.query_row("SELECT sum(length(points)) FROM journal", [], |row| row.get(0))?;
        // A sum of lengths is not negative.
        self.journal_points = bytes.unwrap_or_default() as usize / SAMPLE_BYTES;
        Ok(())
    }

    /// The series of a topic's field, a new one if need be; `None` when there are as many as may be.
    pub(super) fn series(&mut self, topic: &str, field: &str) -> Option<u32> {
        self.name.clear();
        self.name.push_str(topic);
        self.name.push('\0');
        self.name.push_str(field);
        if let Some(series) = self.series_by_name.get(&self.name) {
            return Some(*series);
        }
        if self.series_by_name.len() >= self.bounds.series_max as usize || self.next_series == u32::MAX >> 1 {
            return None;
        }
        let series = self.next_series;
        self.next_series += 1;
        self.series_by_name.insert(self.name.clone(), series);
        self.unwritten.push((series, self.name.clone()));
        Some(series)
    }

    /// How many series there are.
    pub(super) fn series_count(&self) -> usize {
        self.series_by_name.len()
    }

    /// Writes points into the journal, all or none.
    pub(super) fn commit(&mut self, samples: &[Sample]) -> Result<(), StoreError> {
        let written = write_journal(&mut self.connection, &self.unwritten, samples);
        written.map_err(|source| self.error(source))?;
        self.unwritten.clear();
        self.journal_points += samples.len();
        Ok(())
    }

    /// Whether the journal has become long.
    pub(super) const fn is_full(&self) -> bool {
        self.journal_points >= JOURNAL_POINTS_MAX
    }

    /// Puts the journal's points into blocks, and removes what is too old or too much. To be called when everything was
    /// committed; `now` in milliseconds since 1970.
    pub(super) fn settle(&mut self, now: i64) -> Result<(), StoreError> {
        let bounds = self.bounds;
        let settled = self.connection.transaction().and_then(|transaction| {
            settle_journal(&transaction)?;
            let oldest = oldest(now, bounds.days_max);
            let mut removed = transaction.execute("DELETE FROM block WHERE last < ?1", [oldest])?;
            removed += remove_excess(&transaction, bounds.bytes_max)?;
            if removed > 0 {
                let sql = "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM block WHERE block.series = series.id)";
                transaction.execute(sql, [])?;
            }
            transaction.commit()?;
            Ok(removed)
        });
        let removed = settled.map_err(|source| self.error(source))?;
        self.journal_points = 0;
        let tidied = give_back(&self.connection);
        tidied.map_err(|source| self.error(source))?;
        if removed > 0 {
            let read = self.read_names();
            read.map_err(|source| self.error(source))?;
        }
        Ok(())
    }

    /// Whether the log has become long.
    pub(super) fn is_log_long(&self) -> bool {
        // Written by the connection of whoever asks, in the same thread.
        self.log_pages.load(Ordering::Relaxed) >= self.log_pages_max
    }

    /// Moves the log into the file and onto the disk, and begins it anew: were one that was moved cut later where it has decayed, what
    /// is before that would cover newer pages of the file.
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        let done = moved.and_then(|()| write_over(&self.connection));
        done.map_err(|source| self.error(source))
    }

    /// Bytes of the file that are in use.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        used_bytes(&self.connection).map_err(|source| self.error(source))
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { file: self.file.clone(), source }
    }
}

/// The first millisecond that is not too old.
pub(super) const fn oldest(now: i64, days_max: u32) -> i64 {
    now - days_max as i64 * DAY_MILLIS
}

/// The keys of a series' blocks.
pub(super) fn keys(series: u32) -> (i64, i64) {
    // Series have 31 bits.
    let first = i64::from(series) << SERIES_SHIFT;
    (first, first | i64::from(u32::MAX))
}

/// The samples of a journal row; those that are not as they were written are left out.
pub(super) fn samples(id: i64, sealed: &[u8]) -> impl Iterator<Item = Sample> {
    let bytes = unseal(JOURNAL, &id.to_be_bytes(), sealed).unwrap_or_else(|| {
        tracing::error!(row = id, "a row of the history's journal has decayed on the disk and is left out");
        &[]
    });
    let (samples, _) = bytes.as_chunks::<SAMPLE_BYTES>();
    samples.iter().filter_map(|bytes| {
        let (series, rest) = bytes.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let point =
            Point { time: i64::from_le_bytes(*time), value: f64::from_le_bytes(rest.try_into().ok()?) };
        Some(Sample { series: u32::from_le_bytes(*series), point })
    })
}

/// The points of a block; none when it is not as it was written.
pub(super) fn points(id: i64, sealed: &[u8]) -> Option<Vec<Point>> {
    let points = unseal(BLOCK, &id.to_be_bytes(), sealed).and_then(decode);
    if points.is_none() {
        tracing::error!(block = id, "a block of the history has decayed on the disk and is left out");
    }
    points
}

fn configure(mut connection: Connection, log_pages: &Arc<AtomicI32>) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_MAX)?;
    // Means something only before the first table is made.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    // Nobody was told that a value is kept: the disk is waited for with each checkpoint, not with each commit.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // In the place of SQLite's own way of moving the log, which says nothing of a failure.
    let log_pages = Arc::clone(log_pages);
    connection.wal_hook(Some(move |_: &mut Wal, pages| {
        log_pages.store(pages, Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(connection)
}

fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE series (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, field TEXT NOT NULL);
         CREATE UNIQUE INDEX series_by_name ON series (topic, field);
         CREATE TABLE block (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, first INTEGER NOT NULL,
             last INTEGER NOT NULL, count INTEGER NOT NULL, points BLOB NOT NULL);
         CREATE INDEX block_by_time ON block (series, last, first, count);
         CREATE INDEX block_by_age ON block (last);
         CREATE TABLE journal (id INTEGER PRIMARY KEY, points BLOB NOT NULL);",
    )
}

fn write_journal(
    connection: &mut Connection,
    new: &[(u32, String)],
    samples: &[Sample],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (series, name) in new {
        let (topic, field) = name.split_once('\0').unwrap_or((name, ""));
        let mut statement = transaction.prepare_cached("INSERT INTO series VALUES (?1, ?2, ?3)")?;
        statement.execute(params![series, topic, field])?;
    }
    let mut bytes = Vec::with_capacity(samples.len() * SAMPLE_BYTES);
    for Sample { series, point } in samples {
        bytes.extend_from_slice(&series.to_le_bytes());
        bytes.extend_from_slice(&point.time.to_le_bytes());
        bytes.extend_from_slice(&point.value.to_le_bytes());
    }
    let id: i64 = transaction
        .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM journal")?
        .query_row([], |row| row.get(0))?;
    transaction
        .prepare_cached("INSERT INTO journal VALUES (?1, ?2)")?
        .execute(params![id, seal(JOURNAL, &id.to_be_bytes(), &bytes)])?;
    transaction.commit()
}

fn settle_journal(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut waiting = Vec::new();
    let mut statement = transaction.prepare_cached("SELECT id, points FROM journal ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        waiting.extend(samples(row.get(0)?, row.get_ref(1)?.as_blob().unwrap_or_default()));
    }
    // Points of a series stay in the order in which they came.
    waiting.sort_by_key(|sample| sample.series);
    for of_series in waiting.chunk_by(|one, other| one.series == other.series) {
        append(transaction, of_series)?;
    }
    transaction.execute("DELETE FROM journal", [])?;
    Ok(())
}

/// Puts points behind those of the last block of their series, and into new ones.
fn append(transaction: &Transaction<'_>, samples: &[Sample]) -> rusqlite::Result<()> {
    let Some(Sample { series, .. }) = samples.first() else { return Ok(()) };
    let (first_key, last_key) = keys(*series);
    let sql = "SELECT id, count, points FROM block WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
    let last = transaction.prepare_cached(sql)?.query_row([first_key, last_key], |row| {
        let (id, count): (i64, u32) = (row.get(0)?, row.get(1)?);
        // What is full is not looked into.
        let points =
            if (count as usize) < BLOCK_POINTS { points(id, row.get_ref(2)?.as_blob()?) } else { None };
        Ok((id, points))
    });
    let (mut key, mut block) = match last.optional()? {
        Some((key, Some(points))) => (key, points),
        Some((key, None)) => (key + 1, Vec::new()),
        None => (first_key, Vec::new()),
    };
    for Sample { point, .. } in samples {
        let is_long = block.first().is_some_and(|first| point.time.abs_diff(first.time) > BLOCK_MILLIS_MAX);
        if block.len() == BLOCK_POINTS || is_long {
            put_block(transaction, *series, key, &block)?;
            key += 1;
            block.clear();
        }
        block.push(*point);
    }
    put_block(transaction, *series, key, &block)
}

fn put_block(transaction: &Transaction<'_>, series: u32, key: i64, block: &[Point]) -> rusqlite::Result<()> {
    let times = block.iter().map(|point| point.time);
    let (first, last) = (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default());
    let sealed = seal(BLOCK, &key.to_be_bytes(), &encode(block));
    transaction
        .prepare_cached("INSERT OR REPLACE INTO block VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![key, series, first, last, block.len() as u32, sealed])?;
    Ok(())
}

/// Removes the oldest blocks until the file has room again; how many.
fn remove_excess(transaction: &Transaction<'_>, bytes_max: u64) -> rusqlite::Result<usize> {
    let mut removed = 0;
    // A little more than needed, so that it is not needed again at once.
    let wanted = bytes_max - bytes_max / 20;
    if used_bytes(transaction)? <= bytes_max {
        return Ok(0);
    }
    while used_bytes(transaction)? > wanted {
        let sql = "DELETE FROM block WHERE id IN (SELECT id FROM block ORDER BY last LIMIT ?1)";
        match transaction.prepare_cached(sql)?.execute([BLOCKS_AT_ONCE])? {
            0 => break,
            count => removed += count,
        }
    }
    Ok(removed)
}

fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let used = number(connection, "page_count")?.saturating_sub(number(connection, "freelist_count")?);
    Ok(used * number(connection, "page_size")?)
}

/// What SQLite says of its file; never negative.
fn number(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// Lets the system have pages again that nothing is on.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let free = number(connection, "freelist_count")?;
    if free > FREE_PAGES_MAX {
        let mut vacuum =
            connection.prepare(&format!("PRAGMA incremental_vacuum({})", free - FREE_PAGES_MAX))?;
        // A step gives one page back.
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
    }
    Ok(())
}
