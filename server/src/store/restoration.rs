//! Puts a backup in the place of the database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::backup::BackedUp;
use super::error::StoreError;
use super::folder::DataFolder;
use super::salvage;
use super::snapshot::Source;
use super::snapshot_error::SnapshotError;
use super::way::Way;

/// The copy of the backup while it is being made.
const UNFINISHED: &str = ".restoring";

/// The copy when it is whole: from then on it is the database, whatever happens, and only has to get the name.
const FINISHED: &str = ".restored";

/// What a restore came to.
#[derive(Debug)]
pub(crate) struct Restoration {
    /// What is in the database now.
    pub(crate) backup: BackedUp,
    /// Where the database is that was there before.
    pub(crate) set_aside: Option<PathBuf>,
}

/// Checks a backup and makes it the folder's database. With `is_incomplete`, without those of its rows that are not what
/// was written; otherwise such a backup is refused.
pub(crate) fn restore(
    folder: &DataFolder,
    file: &Path,
    is_incomplete: bool,
) -> Result<Restoration, SnapshotError> {
    if folder.owns(file) {
        return Err(SnapshotError::Own(file.to_owned()));
    }
    let source = Source::open(file)?;
    let damaged = source.survey()?.damaged;
    if damaged > 0 && !is_incomplete {
        return Err(SnapshotError::Damaged { file: file.to_owned(), rows: damaged });
    }
    let _lock = folder.lock()?;
    let earlier = folder.finish_restore()?;
    let unfinished = folder.beside(UNFINISHED);
    let unusable = |source| SnapshotError::Unwritable { file: unfinished.clone(), source };
    // Of a restore that was interrupted.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        Ok(()) | Err(_) => {}
    }
    let snapshot = source.copy(unfinished.clone())?;
    let survey = snapshot.clean()?;
    let bytes = fs::metadata(&unfinished).map_err(unusable)?.len();
    snapshot.rename(&folder.beside(FINISHED)).map_err(unusable)?;
    let set_aside = folder.finish_restore()?.and_then(|aside| aside).or(earlier.flatten());
    Ok(Restoration { backup: BackedUp::new(&survey, bytes), set_aside })
}

impl DataFolder {
    /// Carries a restore to its end, also one that a crash has interrupted; the folder must be this process's. `None`: there
    /// is none; otherwise where the database is now that was there before.
    pub(super) fn finish_restore(&self) -> Result<Option<Option<PathBuf>>, StoreError> {
        salvage::finish(Way::SYSTEM, &self.database(), FINISHED, "replaced")
    }
}

#[cfg(test)]
mod tests {
    use hearth_broker::{Change, Table};
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::store::{Durability, backup};

    fn retained(topic: &str) -> Change {
        // Publisher 0, no expiry, then a PUBLISH of version 5 without properties and payload `x`.
        let mut row = vec![0; 9];
        row.extend([0x30, topic.len() as u8 + 4, 0, topic.len() as u8]);
        row.extend(topic.as_bytes());
        row.extend([0, b'x']);
        Change::Put(Table::Retained, topic.as_bytes().into(), row.into())
    }

    /// A folder with these retained topics.
    fn filled(temporary: &TempDir, name: &str, topics: &[&str]) -> DataFolder {
        let folder = DataFolder::new(&temporary.path().join(name));
        let mut store = folder.open(Durability::Fsync).unwrap();
        let changes: Vec<_> = topics.iter().map(|topic| retained(topic)).collect();
        store.database.commit(&changes).unwrap();
        folder
    }

    fn count(folder: &DataFolder) -> usize {
        folder.open(Durability::Os).unwrap().image.counts()[2]
    }

    #[test]
    fn a_row_that_has_decayed_is_refused_until_somebody_says_to_do_without_it() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = filled(&temporary, "old", &["a", "b", "c"]);
        let file = temporary.path().join("backup.db");
        assert_eq!(backup(&folder, &file, false).unwrap().retained, 3);
        let decay = |file: &Path, key: &str| {
            let sql = format!("UPDATE retained SET value = x'00' WHERE key = x'{key}'");
            assert_eq!(Connection::open(file).unwrap().execute(&sql, []).unwrap(), 1);
        };
        decay(&file, "61");
        let new = DataFolder::new(&temporary.path().join("new"));
        let error = restore(&new, &file, false).unwrap_err().to_string();
        assert!(error.contains(": 1 row; take another") && error.contains("--incomplete"), "{error}");
        assert!(!new.database().parent().unwrap().exists(), "nothing was touched");
        let restored = restore(&new, &file, true).unwrap();
        assert_eq!((restored.backup.retained, restored.backup.damaged), (2, 1));
        assert_eq!(count(&new), 2);
        // A database that decays while the broker runs still gives a backup that can be restored.
        decay(&folder.database(), "62");
        let made = backup(&folder, &file, true).unwrap();
        assert_eq!((made.retained, made.damaged), (2, 1));
        assert_eq!(restore(&new, &file, false).unwrap().backup.retained, 2);
    }

    #[test]
    fn a_backup_of_a_newer_version_and_a_broken_one_are_refused_with_what_to_do() {
        let temporary = tempfile::tempdir().unwrap();
        let topics: Vec<_> = (0..3000).map(|number| format!("plant/line/{number}")).collect();
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        let folder = filled(&temporary, "old", &topics);
        let file = temporary.path().join("backup.db");
        backup(&folder, &file, false).unwrap();
        let new = DataFolder::new(&temporary.path().join("new"));
        Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = restore(&new, &file, false).unwrap_err().to_string();
        assert!(error.contains("a newer version of Hearth (format 99, this one knows 3)"), "{error}");
        backup(&folder, &file, true).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 12_288].fill(0xFF);
        fs::write(&file, bytes).unwrap();
        let error = restore(&new, &file, true).unwrap_err().to_string();
        assert!(error.contains("is damaged") && error.contains("hearth.db"), "{error}");
        assert!(!new.database().parent().unwrap().exists(), "nothing was touched");
    }

    #[test]
    fn a_restore_that_was_interrupted_is_finished_by_the_next_start_once_its_copy_is_whole() {
        let temporary = tempfile::tempdir().unwrap();
        let backup_of = filled(&temporary, "old", &["a", "b"]);
        let file = temporary.path().join("backup.db");
        backup(&backup_of, &file, false).unwrap();
        let folder = filled(&temporary, "new", &["c"]);
        fs::copy(&file, folder.beside(UNFINISHED)).unwrap();
        assert_eq!(count(&folder), 1, "a half copy counts for nothing");
        fs::rename(folder.beside(UNFINISHED), folder.beside(FINISHED)).unwrap();
        assert_eq!(count(&folder), 2);
        // As if the old database had been moved away already.
        fs::rename(folder.database(), folder.beside(FINISHED)).unwrap();
        assert_eq!(count(&folder), 2);
    }

    #[test]
    fn every_database_that_was_replaced_is_kept_under_a_name_of_its_own() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = filled(&temporary, "data", &["a"]);
        let file = temporary.path().join("backup.db");
        backup(&folder, &file, false).unwrap();
        let names: Vec<_> =
            (0..3).map(|_| restore(&folder, &file, false).unwrap().set_aside.unwrap()).collect();
        assert!(names.iter().all(|name| name.is_file()), "{names:?}");
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_database_is_the_database() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = filled(&temporary, "data", &["a"]);
        let link = temporary.path().join("link");
        std::os::unix::fs::symlink(folder.database(), &link).unwrap();
        for file in [
            &link,
            &folder.database(),
            &folder.beside("-wal"),
            &temporary.path().join("data/../data/hearth.db"),
        ] {
            assert!(matches!(backup(&folder, file, true), Err(SnapshotError::Own(_))), "{}", file.display());
            assert!(matches!(restore(&folder, file, true), Err(SnapshotError::Own(_))), "{}", file.display());
        }
    }
}
