//! The way from a database to its files: that of the system, or, in tests, one that leads to a hostile disk.

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// Bytes that are in memory at a time.
const BLOCK: u64 = 1 << 20;

/// What a file is made of: puts the next piece in the place of the one before.
pub(super) type Pieces<'a> = &'a mut dyn FnMut(&mut Vec<u8>) -> io::Result<()>;

/// How the files of a database are reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Opens a database by its path.
    pub(crate) connect: fn(&Path) -> rusqlite::Result<Connection>,
    /// Reads bytes of a file from there on; how many. A file that is not there has none.
    pub(super) read: fn(&Path, u64, &mut [u8]) -> io::Result<usize>,
    /// Writes a file, in the place of what has its name, and syncs it and its name: one piece after the other, until an empty one.
    pub(super) write: fn(&Path, Pieces<'_>) -> io::Result<()>,
    /// Writes a file anew as it reads, and syncs it and its name; a file that is not there is not made: `false`. After a sync that
    /// has failed the system may show what is not on the disk, call it clean, and leave it out of every sync that follows.
    pub(super) rewrite: fn(&Path) -> io::Result<bool>,
    /// Puts on the disk which files there are beside a database: SQLite removes the journal by which it makes a new one, and
    /// one that came back with a power cut would undo everything since.
    pub(super) sync_names: fn(&Path) -> io::Result<()>,
    /// Whether there is a file.
    pub(super) is_there: fn(&Path) -> io::Result<bool>,
    /// Gives a file another name, in the place of what has that; whether it was there.
    pub(super) rename: fn(&Path, &Path) -> io::Result<bool>,
    /// Removes a file; whether it was there.
    pub(super) remove: fn(&Path) -> io::Result<bool>,
    /// Pages in the log above which they are moved into the database.
    pub(crate) log_pages_max: c_int,
    /// What SQLite has in memory, as it counts: pages, or, below 0, KiB.
    pub(super) cache: c_int,
}

impl Way {
    /// That of the system.
    pub(crate) const SYSTEM: Self = Self {
        connect: |path| Connection::open(path),
        read,
        write,
        rewrite,
        sync_names: sync_folder,
        is_there: |path| path.try_exists(),
        rename: |from, to| if_there(fs::rename(from, to)),
        remove: |path| if_there(fs::remove_file(path)),
        log_pages_max: 1000,
        cache: -2000,
    };
}

/// The log beside a database.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn read(path: &Path, at: u64, into: &mut [u8]) -> io::Result<usize> {
    match File::open(path) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(at))?;
            file.read(into)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, next: Pieces<'_>) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    // Messages are in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut piece = Vec::new();
    loop {
        next(&mut piece)?;
        if piece.is_empty() {
            file.sync_all()?;
            return sync_folder(path);
        }
        file.write_all(&piece)?;
    }
}

fn rewrite(path: &Path) -> io::Result<bool> {
    let mut file = match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let mut block = Vec::new();
    let mut offset = 0;
    loop {
        block.clear();
        (&file).take(BLOCK).read_to_end(&mut block)?;
        if block.is_empty() {
            file.sync_all()?;
            sync_folder(path)?;
            return Ok(true);
        }
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&block)?;
        offset += block.len() as u64;
    }
}

fn if_there(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts the name of a file on the disk: SQLite does so only with the first sync of a log that it has made itself.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Elsewhere a folder cannot be synced, and the name goes with the file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_anew_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert!(!(Way::SYSTEM.rewrite)(&path).unwrap() && !path.exists());
        let bytes: Vec<u8> = (0..2 * BLOCK + 7).map(|number| (number % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        assert!((Way::SYSTEM.rewrite)(&path).unwrap());
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
}
