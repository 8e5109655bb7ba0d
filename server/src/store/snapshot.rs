//! One moment of a database in a file of its own, made while others write.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hearth_broker::{Inventory, Report, Table};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::connection::BUSY_MAX;
use super::database::{Reading, is_corrupt, read_rows, set_aside};
use super::schema::{self, Format, Kind, Owner, STEPS};
use super::snapshot_error::SnapshotError;

/// A database that somebody else may write.
#[derive(Debug)]
pub(super) struct Source {
    file: PathBuf,
    connection: Connection,
}

/// What the rows of a database came to.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) report: Report,
    /// Rows that are not what was written.
    pub(super) damaged: usize,
    /// Rows that an earlier start has set aside.
    pub(super) set_aside: u32,
    /// The version of the format.
    pub(super) format: u32,
}

/// A copy that is nobody's yet; it goes when this does, unless it gets its name.
#[derive(Debug)]
pub(super) struct Snapshot {
    file: PathBuf,
    is_named: bool,
}

impl Source {
    /// Opens a database of a version that is known, only to read it. `file` is what messages name.
    pub(super) fn open(file: &Path) -> Result<Self, SnapshotError> {
        let unreadable = |source| SnapshotError::Unreadable { file: file.to_owned(), source };
        if fs::metadata(file).map_err(unreadable)?.is_dir() {
            return Err(SnapshotError::IsFolder(file.to_owned()));
        }
        let opened = Connection::open_with_flags(absolute(file)?, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let looked = opened.and_then(|connection| {
            connection.busy_timeout(BUSY_MAX)?;
            Ok((schema::look(&connection, Kind::Store, STEPS)?, connection))
        });
        let (format, connection) = match looked {
            Ok(looked) => looked,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(SnapshotError::Foreign(file.to_owned()));
            }
            Err(error) => return Err(failure(file, error)),
        };
        match format {
            Format::Current | Format::Older => Ok(Self { file: file.to_owned(), connection }),
            Format::Newer { found, known } => {
                Err(SnapshotError::Newer { file: file.to_owned(), found, known })
            }
            Format::Foreign(owner @ Owner::Hearth(_)) => {
                Err(SnapshotError::OtherKind { file: file.to_owned(), owner })
            }
            Format::Foreign(Owner::Other) | Format::Empty => Err(SnapshotError::Foreign(file.to_owned())),
        }
    }

    /// Reads every row, as they are at one moment.
    pub(super) fn survey(&self) -> Result<Survey, SnapshotError> {
        let failed = |error| failure(&self.file, error);
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let survey = survey(&transaction).map_err(failed)?;
        Ok(survey)
    }

    /// Copies it as it is now. Who writes goes on writing.
    pub(super) fn copy(&self, to: PathBuf) -> Result<Snapshot, SnapshotError> {
        let path = absolute(&to)?;
        // SQLite takes the name as text.
        let Some(name) = path.to_str() else { return Err(SnapshotError::Name(to)) };
        let unwritable = |source| SnapshotError::Unwritable { file: to.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Messages are in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        drop(options.open(&to).map_err(unwritable)?);
        let snapshot = Snapshot { file: to, is_named: false };
        match self.connection.execute("VACUUM INTO ?1", [name]) {
            Ok(_) => Ok(snapshot),
            Err(error) if is_corrupt(&error) => Err(failure(&self.file, error)),
            Err(error) => Err(failure(&snapshot.file, error)),
        }
    }
}

impl Snapshot {
    /// Reads every row of the copy. Those that are not what was written go into its table `damaged`, as at a start.
    pub(super) fn clean(&self) -> Result<Survey, SnapshotError> {
        let failed = |error| failure(&self.file, error);
        let mut connection = Connection::open(absolute(&self.file)?).map_err(failed)?;
        // It is synced as a whole, and worth nothing before that.
        connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        let (_, damaged) = read_rows(&connection, |_, _, _| {}).map_err(failed)?;
        set_aside(&mut connection, &damaged).map_err(failed)?;
        let left = survey(&connection).map_err(failed)?;
        Ok(Survey { damaged: damaged.len() + left.damaged, ..left })
    }

    /// Gives it its name, in the place of what has that, once all of it is on the disk.
    pub(super) fn rename(mut self, name: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.file)?.sync_all()?;
        fs::rename(&self.file, name)?;
        self.is_named = true;
        sync_folder_of(name)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !self.is_named {
            // What went wrong before this is what is told.
            let _left = fs::remove_file(&self.file);
        }
    }
}

/// Sees to it that a new name in a folder is on the disk.
pub(super) fn sync_folder_of(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

fn survey(connection: &Connection) -> rusqlite::Result<Survey> {
    let (mut inventory, mut unreadable) = (Inventory::default(), 0);
    let (reading, _) = read_rows(connection, |table: Table, key: &[u8], value: Bytes| {
        unreadable += usize::from(inventory.insert(table, key, value).is_err());
    })?;
    let Reading { damaged, .. } = reading;
    let set_aside = connection.query_row("SELECT count(*) FROM damaged", [], |row| row.get(0))?;
    let format = schema::version(connection)?;
    Ok(Survey { report: inventory.finish(), damaged: damaged + unreadable, set_aside, format })
}

/// What begins with `file:` would be an address for SQLite, and no name.
fn absolute(file: &Path) -> Result<PathBuf, SnapshotError> {
    std::path::absolute(file).map_err(|source| SnapshotError::Unreadable { file: file.to_owned(), source })
}

fn failure(file: &Path, source: rusqlite::Error) -> SnapshotError {
    let file = file.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => SnapshotError::NoSpace(file),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => SnapshotError::Corrupt { file, source },
        _ => SnapshotError::Database { file, source },
    }
}
