//! `hearth backup`, `hearth restore` and `hearth inspect`: what outlives the process.

use std::path::PathBuf;

use crate::auth::UsersFile;
use crate::inspection_text::{self, count, size};
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
                    "not what was written: {} of the database; the backup has such rows in its table `damaged`\n",
                    count(backup.damaged as u64, "row")
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
                text.push_str(&format!(
                    "missing, for they had decayed: {}\n",
                    count(backup.damaged as u64, "row")
                ));
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
    format!(
        "{}, {} that {} for and {}",
        count(*sessions as u64, "session"),
        count(*messages, "message"),
        if *sessions == 1 { "it waits" } else { "they wait" },
        count(*retained, "retained message")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_is_not_called_many() {
        let text = |sessions, messages, retained| {
            contents(&BackedUp { sessions, messages, retained, damaged: 0, bytes: 0 })
        };
        assert_eq!(text(1, 1, 1), "1 session, 1 message that it waits for and 1 retained message");
        assert_eq!(text(0, 2, 3), "0 sessions, 2 messages that they wait for and 3 retained messages");
    }
}
