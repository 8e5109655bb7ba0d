//! Why a store cannot be used.

use std::io;
use std::path::PathBuf;

use super::schema::Owner;

/// Why a broker has no store to begin with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder is not there and cannot be made, or cannot be used.
    #[error(
        "cannot use the folder {}: {source}; choose another with --data, or keep nothing with --durability none",
        .folder.display()
    )]
    Folder {
        /// Of the setting `data`.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("another Hearth uses the folder {}; stop it, or choose another with --data", .0.display())]
    InUse(PathBuf),
    /// It was written by a version that this one does not know.
    #[error(
        "{} was written by a newer version of Hearth (format {found}, this one knows {known}): start that one, \
         or choose another folder with --data",
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
    /// It is not Hearth's.
    #[error("{} is {owner}; move it away, or choose another folder with --data", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        owner: Owner,
    },
    /// A file beside the database cannot be made, moved or removed.
    #[error("cannot use {}: {source}; look at the permissions and the state of the disk", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The database cannot be opened, read or written.
    #[error("cannot use {}: {source}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
}
