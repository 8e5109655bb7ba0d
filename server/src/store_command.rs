//! `hearth backup` and `hearth restore`: what outlives the process, in a file of its own.

use std::path::PathBuf;

use crate::auth::UsersFile;
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
    }
}

fn contents(backup: &BackedUp) -> String {
    let BackedUp { sessions, messages, retained, .. } = backup;
    format!("{sessions} sessions, {messages} messages that they wait for and {retained} retained messages")
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_that_fit() {
        let cases =
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB")];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "18446744.1 TB");
    }
}
