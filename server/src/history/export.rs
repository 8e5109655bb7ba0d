//! Every point of a selection as CSV (RFC 4180), a part at a time: no thread and no row is held while a slow reader takes it.

use std::fmt::Write;

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::block::Point;
use super::reader::Reader;
use super::timestamp::format;
use super::{AskError, History, Selection};

/// Blocks of one part: some hundred kilobytes of text.
const BLOCKS_AT_ONCE: usize = 16;

/// Points of one part that are in no block.
const POINTS_AT_ONCE: usize = 4096;

/// What stands in the first line.
const HEADER: &str = "time,value\r\n";

/// Where an export is.
struct Export {
    history: History,
    selection: Selection,
    blocks_done: usize,
    recent_done: usize,
    is_begun: bool,
}

impl History {
    /// The text, line by line in the order in which the points came.
    pub(crate) fn export(self, selection: Selection) -> impl Stream<Item = Result<Bytes, AskError>> + use<> {
        let export = Export { history: self, selection, blocks_done: 0, recent_done: 0, is_begun: false };
        stream::try_unfold(export, |mut export| async move {
            if !std::mem::replace(&mut export.is_begun, true) {
                return Ok(Some((Bytes::from_static(HEADER.as_bytes()), export)));
            }
            if export.is_done() {
                return Ok(None);
            }
            let history = export.history.clone();
            history.ask(move |reader| Ok(Some((export.next_part(reader)?, export)))).await
        })
    }
}

impl Export {
    fn is_done(&self) -> bool {
        self.blocks_done == self.selection.blocks.len() && self.recent_done == self.selection.recent().len()
    }

    fn next_part(&mut self, reader: &Reader) -> rusqlite::Result<Bytes> {
        let mut text = String::new();
        let begin = self.blocks_done;
        self.blocks_done = self.selection.blocks.len().min(begin + BLOCKS_AT_ONCE);
        if begin < self.blocks_done {
            reader.each_of_blocks(&self.selection, begin..self.blocks_done, |point| {
                write_line(&mut text, point)
            })?;
        } else {
            let begin = self.recent_done;
            self.recent_done = self.selection.recent().len().min(begin + POINTS_AT_ONCE);
            let points = &self.selection.recent()[begin..self.recent_done];
            points.iter().for_each(|point| write_line(&mut text, *point));
        }
        Ok(Bytes::from(text))
    }
}

fn write_line(text: &mut String, point: Point) {
    // A string takes whatever is written.
    let _always = write!(text, "{},{}\r\n", format(point.time), point.value);
}
