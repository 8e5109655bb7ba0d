//! The bytes of a file, a block of them in memory at a time.

use std::io;
use std::path::{Path, PathBuf};

use super::way::Way;

/// Bytes that are in memory at a time.
const BLOCK: usize = 1 << 20;

/// A file of a database, read in blocks.
#[derive(Debug)]
pub(super) struct FileBytes {
    way: Way,
    path: PathBuf,
    begin: u64,
    block: Vec<u8>,
}

impl FileBytes {
    pub(super) fn new(way: Way, path: &Path) -> Self {
        Self { way, path: path.to_owned(), begin: 0, block: Vec::new() }
    }

    /// So many bytes from there on; `None` when there are fewer.
    pub(super) fn bytes(&mut self, at: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let end = self.begin + self.block.len() as u64;
        if at < self.begin || at + len as u64 > end {
            self.read(at, len.max(BLOCK))?;
        }
        let begin = (at - self.begin) as usize;
        Ok(self.block.get(begin..begin + len))
    }

    /// All of it, one piece after the other, and an empty one at the end.
    pub(super) fn pieces(&mut self) -> impl FnMut(&mut Vec<u8>) -> io::Result<()> + '_ {
        let mut at = 0;
        move |piece| {
            self.read(at, BLOCK)?;
            piece.clone_from(&self.block);
            at += piece.len() as u64;
            Ok(())
        }
    }

    /// Has a block in memory; a shorter one is the end.
    fn read(&mut self, at: u64, len: usize) -> io::Result<()> {
        self.begin = at;
        // Asked of the system as zeros; filling it by hand takes longer than reading most files.
        self.block = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match (self.way.read)(&self.path, at + filled as u64, &mut self.block[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => {
                    self.block.clear();
                    return Err(error);
                }
            }
        }
        self.block.truncate(filled);
        Ok(())
    }
}
