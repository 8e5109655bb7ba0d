//! Why nothing was backed up, restored or inspected.

use std::io;
use std::path::PathBuf;

use super::error::StoreError;
use super::schema::Owner;
use crate::inspection_text::count;

/// Why it was not done. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The folder holds no database.
    #[error(
        "there is no database in {}: name the broker's folder with --data; with --durability none it keeps nothing",
        .0.display()
    )]
    NoDatabase(PathBuf),
    /// A file stands where the backup is to go.
    #[error("{} exists; choose another name, or put the backup in its place with --replace", .0.display())]
    Exists(PathBuf),
    /// The backup would be the database, or the other way round.
    #[error("{} belongs to the broker's own database; name another file", .0.display())]
    Own(PathBuf),
    /// It is no file.
    #[error("{} is a folder; name a file", .0.display())]
    IsFolder(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check the path and its permissions", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}; check that the folder is there and can be written", .file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// SQLite cannot take the name of the file.
    #[error("{} is not UTF-8 text; choose another name", .0.display())]
    Name(PathBuf),
    /// The disk is full.
    #[error("no space is left on the disk for {}; make room, or choose another place", .0.display())]
    NoSpace(PathBuf),
    /// It is not Hearth's.
    #[error("{} is no database or backup of Hearth", .0.display())]
    Foreign(PathBuf),
    /// It is Hearth's, and something else.
    #[error(
        "{} is {owner} and no backup; copy it to its place in the folder of the broker while that is stopped",
        .file.display()
    )]
    OtherKind {
        /// The file.
        file: PathBuf,
        /// What it is.
        owner: Owner,
    },
    /// It was written by a version that this one does not know.
    #[error(
        "{} was written by a newer version of Hearth (format {found}, this one knows {known}): use that one",
        .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// The file itself is broken.
    #[error(
        "{} is damaged ({source}); as the database of a folder (hearth.db) Hearth would save of it at its start \
         what can be read",
        .file.display()
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// Rows of the backup have decayed.
    #[error(
        "not what was written in {}: {}; take another backup, or restore the others with --incomplete",
        .file.display(), count(*.rows as u64, "row")
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How many.
        rows: usize,
    },
    /// The database cannot be read, or the copy not be written.
    #[error("cannot use {}: {source}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// What was found cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
