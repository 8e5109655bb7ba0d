//! The file of the history, as it is read beside the thread that writes it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::archive;
use super::block::Point;

/// Connections that are kept open for the next who asks.
const IDLE_MAX: usize = 4;

/// How long a change of the file's form may hold up a reader.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Reads; each call takes time and belongs on a thread that may wait.
#[derive(Debug)]
pub(crate) struct Reader {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// The points of one series in a time, as they were at one moment: what comes later does not change them.
#[derive(Debug)]
pub(crate) struct Selection {
    from: i64,
    to: i64,
    /// Their keys, and how many points each had.
    pub(super) blocks: Vec<(i64, u32)>,
    /// Points that were in no block yet.
    recent: Vec<Point>,
}

/// What is known of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) topic: String,
    pub(crate) field: String,
    pub(crate) count: u64,
    /// Milliseconds since 1970.
    pub(crate) first: i64,
    /// As `first`.
    pub(crate) last: i64,
}

impl Reader {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), idle: Mutex::default() }
    }

    /// The points of a series from `from` to `to`, both included; `None` when there is no such series.
    pub(crate) fn select(
        &self,
        topic: &str,
        field: &str,
        from: i64,
        to: i64,
    ) -> rusqlite::Result<Option<Selection>> {
        self.with_connection(|connection| {
            let transaction = connection.transaction()?;
            let sql = "SELECT id FROM series WHERE topic = ?1 AND field = ?2";
            let series = transaction.prepare_cached(sql)?.query_row([topic, field], |row| row.get(0));
            let Some(series): Option<u32> = series.optional()? else { return Ok(None) };
            let sql =
                "SELECT id, count FROM block WHERE series = ?1 AND last >= ?2 AND first <= ?3 ORDER BY id";
            let blocks = transaction
                .prepare_cached(sql)?
                .query_map((series, from, to), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let mut recent = Vec::new();
            each_sample(&transaction, |sample| {
                if sample.series == series && (from..=to).contains(&sample.point.time) {
                    recent.push(sample.point);
                }
            })?;
            Ok(Some(Selection { from, to, blocks, recent }))
        })
    }

    /// Hands out the points of a selection in the order in which they came.
    pub(crate) fn each(&self, selection: &Selection, mut each: impl FnMut(Point)) -> rusqlite::Result<()> {
        self.each_of_blocks(selection, 0..selection.blocks.len(), &mut each)?;
        selection.recent.iter().for_each(|point| each(*point));
        Ok(())
    }

    /// Hands out the points of some blocks of a selection. Those that have gone by age meanwhile are left out.
    pub(super) fn each_of_blocks(
        &self,
        selection: &Selection,
        blocks: std::ops::Range<usize>,
        mut each: impl FnMut(Point),
    ) -> rusqlite::Result<()> {
        let times = selection.from..=selection.to;
        self.with_connection(|connection| {
            let mut statement = connection.prepare_cached("SELECT points FROM block WHERE id = ?1")?;
            for (key, count) in &selection.blocks[blocks] {
                let points = statement
                    .query_row([key], |row| Ok(archive::points(*key, row.get_ref(0)?.as_blob()?)))
                    .optional()?;
                // Points are only ever put behind those that are there.
                let points = points.flatten().unwrap_or_default().into_iter().take(*count as usize);
                points.filter(|point| times.contains(&point.time)).for_each(&mut each);
            }
            Ok(())
        })
    }

    /// All series of which there are points, by topic and field; those without a point since `oldest` are left out.
    pub(crate) fn series(&self, oldest: i64) -> rusqlite::Result<Vec<Summary>> {
        self.with_connection(|connection| {
            let transaction = connection.transaction()?;
            let mut summaries: Vec<(u32, Summary)> = transaction
                .prepare_cached("SELECT id, topic, field FROM series ORDER BY id")?
                .query_map([], |row| {
                    let (topic, field) = (row.get(1)?, row.get(2)?);
                    Ok((row.get(0)?, Summary { topic, field, count: 0, first: i64::MAX, last: i64::MIN }))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let mut add = |series: u32, count: u64, first: i64, last: i64| {
                if let Ok(index) = summaries.binary_search_by_key(&series, |(series, _)| *series) {
                    let summary = &mut summaries[index].1;
                    summary.count += count;
                    summary.first = summary.first.min(first);
                    summary.last = summary.last.max(last);
                }
            };
            let sql = "SELECT series, sum(count), min(first), max(last) FROM block WHERE last >= ?1 GROUP BY series";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut rows = statement.query([oldest])?;
            while let Some(row) = rows.next()? {
                add(row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get(2)?, row.get(3)?);
            }
            each_sample(&transaction, |sample| {
                if sample.point.time >= oldest {
                    add(sample.series, 1, sample.point.time, sample.point.time);
                }
            })?;
            let mut summaries: Vec<Summary> =
                summaries.into_iter().map(|(_, summary)| summary).filter(|it| it.count > 0).collect();
            summaries.sort_by(|one, other| (&one.topic, &one.field).cmp(&(&other.topic, &other.field)));
            Ok(summaries)
        })
    }

    /// The fields of a topic that have a series, sorted.
    pub(crate) fn fields(&self, topic: &str) -> rusqlite::Result<Vec<String>> {
        self.with_connection(|connection| {
            let sql = "SELECT field FROM series WHERE topic = ?1 ORDER BY field";
            connection.prepare_cached(sql)?.query_map([topic], |row| row.get(0))?.collect()
        })
    }

    fn with_connection<T>(
        &self,
        read: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.file, flags)?;
                connection.busy_timeout(BUSY_MAX)?;
                connection
            }
        };
        let result = read(&mut connection)?;
        // One that has failed is not used again.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(result)
    }
}

impl Selection {
    /// The points that were in no block yet.
    pub(super) fn recent(&self) -> &[Point] {
        &self.recent
    }
}

fn each_sample(connection: &Connection, mut each: impl FnMut(archive::Sample)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT id, points FROM journal ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        archive::samples(row.get(0)?, row.get_ref(1)?.as_blob()?).for_each(&mut each);
    }
    Ok(())
}
