//! The first page of a database: its header, and the schema, which says where each table begins.
//!
//! All databases of a format have the same one but for a few counters, since tables are made in the same order and stay at the
//! front. Where it has decayed, that of a new database leads to the tables as well.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::database::Database;
use super::durability::Durability;
use super::error::StoreError;
use super::file_bytes::FileBytes;
use super::log_format::{Frame, HEADER_LEN};
use super::log_survey::LogSurvey;
use super::way::{Way, log_of};

/// Bytes of a page: SQLite's own choice, which nothing changes.
const PAGE: usize = 4096;

/// How many pages there are.
const COUNT: Range<usize> = 28..32;

/// The same, and which are free.
const PAGES: Range<usize> = 28..40;

/// What differs from database to database: the count of changes, the pages, those that are free, the count of changes of the schema,
/// and the count of changes again with the version of SQLite.
const VARYING: [Range<usize>; 3] = [24..40, 40..44, 92..100];

/// The version of the format.
const VERSION: Range<usize> = 60..64;

/// Where the schema begins.
const HEADER_END: usize = 100;

/// A version that no Hearth will have: one that says so has decayed.
const VERSION_MAX: u32 = 255;

/// That of a new database.
#[derive(Debug)]
pub(super) struct FirstPage(Vec<u8>);

impl FirstPage {
    /// Makes a new database by that name, and leaves it there.
    pub(super) fn new(way: Way, file: &Path) -> Result<Self, StoreError> {
        Database::open_by(way, file, Durability::Fsync)?.close()?;
        let mut bytes = FileBytes::new(way, file);
        let page =
            bytes.bytes(0, PAGE).and_then(|page| Ok(page.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec()));
        page.map(Self).map_err(|source| StoreError::File { file: file.to_owned(), source })
    }

    /// Whether a page says the same, but for what differs from database to database.
    fn is_like(&self, page: &[u8]) -> bool {
        (0..PAGE).all(|at| VARYING.iter().any(|range| range.contains(&at)) || self.0[at] == page[at])
    }

    /// Whether a page has the schema of this one behind a header that has decayed: that it is somebody else's, or a newer
    /// Hearth's, is not true then.
    pub(super) fn is_misread(&self, page: &[u8]) -> bool {
        let is_newer = (number(&self.0, VERSION) + 1..=VERSION_MAX).contains(&number(page, VERSION));
        !is_newer && page[HEADER_END..] == self.0[HEADER_END..]
    }

    /// For a database of any length: that of the file counts where none is said. Which pages are free is not known, and need not be
    /// to whoever only reads.
    fn of_any_length(&self) -> Vec<u8> {
        let mut page = self.0.clone();
        page[PAGES].fill(0);
        page
    }
}

/// The pages of a database as whoever reads it sees them: those of its log before those of the file.
#[derive(Debug)]
pub(super) struct Pages {
    file: FileBytes,
    of_log: PagesOfLog,
}

/// Those of a log.
#[derive(Debug, Default)]
struct PagesOfLog {
    /// By their number, from 1.
    by_number: BTreeMap<u32, Vec<u8>>,
    /// How many the database has; `None` where the log has none.
    count: Option<u32>,
}

impl Pages {
    pub(super) fn read(way: Way, file: &Path) -> io::Result<Self> {
        let of_log = PagesOfLog::read(&mut FileBytes::new(way, &log_of(file)))?;
        Ok(Self { file: FileBytes::new(way, file), of_log })
    }

    /// Whether the first one is like that of a new database, and says how many there are.
    pub(super) fn are_led_by(&mut self, first: &FirstPage) -> io::Result<bool> {
        let found = self.first()?;
        let count = number(&found, COUNT);
        let has_last = count > 0 && self.page(count)?.is_some();
        let has_more = count < u32::MAX && self.page(count + 1)?.is_some();
        Ok(first.is_like(&found) && has_last && !has_more)
    }

    /// The first one.
    pub(super) fn first(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.page(1)?.unwrap_or_else(|| vec![0; PAGE]))
    }

    /// Writes them into a file of their own behind that first page.
    pub(super) fn write_behind(&mut self, first: &FirstPage, way: Way, to: &Path) -> io::Result<()> {
        let mut number = 0;
        (way.write)(to, &mut |piece| {
            number += 1;
            *piece = match number {
                1 => first.of_any_length(),
                _ => self.page(number)?.unwrap_or_default(),
            };
            Ok(())
        })
    }

    /// `None`: there are fewer.
    fn page(&mut self, number: u32) -> io::Result<Option<Vec<u8>>> {
        if self.of_log.count.is_some_and(|count| number > count) {
            return Ok(None);
        }
        if let Some(page) = self.of_log.by_number.get(&number) {
            return Ok(Some(page.clone()));
        }
        let page = self.file.bytes(u64::from(number - 1) * PAGE as u64, PAGE)?;
        let is_within = self.of_log.count.is_some();
        Ok(page.map(<[u8]>::to_vec).or_else(|| is_within.then(|| vec![0; PAGE])))
    }
}

impl PagesOfLog {
    fn read(log: &mut FileBytes) -> io::Result<Self> {
        let survey = LogSurvey::read(log)?;
        let mut next = survey.pieces(log);
        let (mut pages, mut piece) = (Self::default(), Vec::new());
        loop {
            next(&mut piece)?;
            match piece.len() {
                0 => return Ok(pages),
                HEADER_LEN => {}
                _ => pages.add(Frame::new(&piece)),
            }
        }
    }

    fn add(&mut self, frame: Frame<'_>) {
        if frame.content().len() == PAGE {
            self.by_number.insert(frame.page(), frame.content().to_vec());
            self.count = frame.pages().or(self.count);
        }
    }
}

/// As the header has them.
fn number(page: &[u8], place: Range<usize>) -> u32 {
    page[place].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
