//! `hearth backup`, `hearth restore` and `hearth inspect`: what outlives the process.

use std::path::PathBuf;

use crate::auth::UsersFile;
use crate::inspection_text::{self, size};
use crate::store::{self, BackedUp, DataFolder, Restoration, SnapshotError};

/// What is to be done with the broker's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAction {
    /// Write everything of the database into a file.
    Backup {
        /// The file.
        file: PathBuf,
        /// Whether it may be there.
        may_replace: bool,
    },
    /// Make such a file the database.
    Restore {
        /// The file.
        file: PathBuf,
        /// Whether rows may be missing that have decayed.
        is_incomplete: bool,
    },
    /// Say what is in the database.
    Inspect {
        /// Or in this backup.
        backup: Option<PathBuf>,
        /// Whether programs are to read it.
        as_json: bool,
    },
}

/// Does it; what to print.
///
/// # Errors
/// It was not done, and nothing was changed.
pub(crate) fn run(
    action: &StoreAction,
    folder: &std::path::Path,
    users: &UsersFile,
) -> Result<String, SnapshotError> {
    let data = DataFolder::new(folder);
    match action {
        StoreAction::Backup { file, may_replace } => {
            let backup = store::backup(&data, file, *may_replace)?;
            let mut text =
                format!("backed up {} to {}, {}\n", contents(&backup), file.display(), size(backup.bytes));
            if backup.damaged > 0 {
                text.push_str(&format!(
                    "{} rows of the database are not what was written; the backup has them in its table `damaged`\n",
                    backup.damaged
                ));
            }
            if users.path.exists() {
                text.push_str(&format!(
                    "users and passwords are not in it: copy {} too\n",
                    users.path.display()
                ));
            }
            Ok(text)
        }
        StoreAction::Restore { file, is_incomplete } => {
            let Restoration { backup, set_aside } = store::restore(&data, file, *is_incomplete)?;
            let place = data.database();
            let mut text = format!("restored {} to {}\n", contents(&backup), place.display());
            if backup.damaged > 0 {
                text.push_str(&format!("{} rows that had decayed are missing\n", backup.damaged));
            }
            if let Some(aside) = set_aside {
                text.push_str(&format!("the database that was there is {} now\n", aside.display()));
            }
            Ok(text)
        }
        StoreAction::Inspect { backup, as_json } => {
            let inspection = store::inspect(&data, backup.as_deref())?;
            if *as_json {
                let json = serde_json::to_string_pretty(&inspection).map_err(SnapshotError::Json)?;
                return Ok(json + "\n");
            }
            Ok(inspection_text::text(&inspection))
        }
    }
}

fn contents(backup: &BackedUp) -> String {
    let BackedUp { sessions, messages, retained, .. } = backup;
    format!("{sessions} sessions, {messages} messages that they wait for and {retained} retained messages")
}
