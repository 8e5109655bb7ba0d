//! The folder with the database: one process at a time, and what is done when the file in it is broken.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hearth_broker::Image;

use super::database::Database;
use super::durability::Durability;
use super::error::StoreError;
use super::salvage::{self, COMPANIONS, Opened, Salvage, with_suffix};
use super::snapshot::Source;
use super::snapshot_error::SnapshotError;
use super::way::Way;

/// The name of the database.
const DATABASE: &str = "hearth.db";

/// The name of the file that says that a process uses the folder.
const LOCK: &str = "hearth.lock";

/// How often the folder is asked for: who looks whether it is in use has it for a moment.
const LOCK_ATTEMPTS: u32 = 5;

/// Between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The folder of the setting `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataFolder(PathBuf);

/// A store that is this process's.
#[derive(Debug)]
pub(crate) struct OpenedStore {
    pub(crate) database: Database,
    pub(crate) image: Image,
    /// Held as long as the store is used.
    pub(crate) lock: File,
}

impl DataFolder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    /// A file beside the database that has its name and something more.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        with_suffix(&self.database(), suffix)
    }

    /// The database, to be read while another process may write it.
    pub(super) fn source(&self) -> Result<Source, SnapshotError> {
        match Source::open(&self.database()) {
            Err(SnapshotError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(SnapshotError::NoDatabase(self.0.clone()))
            }
            opened => opened,
        }
    }

    /// Whether a file is the database, or one that SQLite has beside it.
    pub(super) fn owns(&self, file: &Path) -> bool {
        let place = |file: &Path| {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
            Some(folder.join(file.file_name()?))
        };
        let is = |file: Option<PathBuf>| {
            let own = [""].iter().chain(&COMPANIONS);
            let mut own = own.map(|suffix| place(&self.beside(suffix)));
            file.is_some() && own.any(|own| own == file)
        };
        // By its own name, or by that of a link.
        is(place(file)) || is(file.canonicalize().ok())
    }

    /// Opens the store and reads everything. A broken database is set aside, and what can be read of it goes on.
    pub(crate) fn open(&self, durability: Durability) -> Result<OpenedStore, StoreError> {
        let lock = self.lock()?;
        if let Some(set_aside) = self.finish_restore()? {
            tracing::warn!(?set_aside, "a restore had been interrupted; its backup is the database now");
        }
        let file = self.database();
        let opened =
            salvage::open(Way::SYSTEM, &file, durability, |image: &mut Image, table, key, value| {
                if let Err(error) = image.insert(table, key, value) {
                    tracing::warn!(%error, "a row of the database is left out");
                }
            })?;
        tell(&opened, &file);
        let Opened { database, content: image, .. } = opened;
        Ok(OpenedStore { database, image, lock })
    }

    /// Makes the folder this process's.
    pub(crate) fn lock(&self) -> Result<File, StoreError> {
        let folder = |source| self.unusable(source);
        create(&self.0).map_err(folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(self.0.join(LOCK));
        let lock = lock.map_err(folder)?;
        for _ in 1..LOCK_ATTEMPTS {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(source)) => return Err(folder(source)),
            }
        }
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(self.0.clone())),
            Err(TryLockError::Error(source)) => Err(folder(source)),
        }
    }

    /// Whether it is a process's.
    pub(super) fn is_in_use(&self) -> bool {
        // What cannot be opened nobody has locked.
        let lock = File::open(self.0.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    pub(super) fn unusable(&self, source: io::Error) -> StoreError {
        StoreError::Folder { folder: self.0.clone(), source }
    }
}

/// Moves a database out of the way, if there is one, with what SQLite has beside it; where it is now.
pub(crate) fn set_aside(file: &Path, reason: &str) -> io::Result<Option<PathBuf>> {
    salvage::move_away(Way::SYSTEM, file, reason)
}

/// Makes the folder if it is not there. It has everybody's messages in it: a new one is for its owner alone.
fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Tells of what was found.
fn tell<T>(opened: &Opened<T>, file: &Path) {
    let Opened { reading, salvage, .. } = opened;
    if let Some(Salvage { problem, saved, set_aside }) = salvage {
        tracing::error!(
            %problem, saved, ?set_aside,
            "the database was damaged: what could be read of it was saved, and the damaged file was set aside"
        );
    }
    if reading.damaged > 0 {
        tracing::error!(
            rows = reading.damaged,
            file = %file.display(),
            "rows had decayed on the disk; they were set aside in the table `damaged`"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use hearth_broker::{Change, Table};

    use super::*;

    fn retained(topic: &str) -> Change {
        // Publisher 0, no expiry, then a PUBLISH of version 5 without properties and payload `x`.
        let mut row = vec![0; 9];
        row.extend([0x30, topic.len() as u8 + 4, 0, topic.len() as u8]);
        row.extend(topic.as_bytes());
        row.extend([0, b'x']);
        Change::Put(Table::Retained, topic.as_bytes().into(), row.into())
    }

    fn filled(rows: usize) -> (tempfile::TempDir, DataFolder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(&temporary.path().join("data"));
        let mut store = folder.open(Durability::Fsync).unwrap();
        let changes: Vec<_> = (0..rows).map(|row| retained(&format!("plant/line/{row}"))).collect();
        store.database.commit(&changes).unwrap();
        (temporary, folder)
    }

    #[test]
    fn a_folder_is_one_process_s_until_it_lets_go() {
        let (_temporary, folder) = filled(3);
        let first = folder.open(Durability::Fsync).unwrap();
        assert_eq!(first.image.counts(), [0, 0, 3]);
        let error = folder.open(Durability::Fsync).unwrap_err().to_string();
        assert!(error.contains("another Hearth uses the folder"), "{error}");
        drop(first);
        folder.open(Durability::Fsync).unwrap();
    }

    #[test]
    fn a_broken_database_is_set_aside_and_what_can_be_read_goes_on() {
        let (_temporary, folder) = filled(2000);
        let mut file = File::options().write(true).open(folder.database()).unwrap();
        let len = file.metadata().unwrap().len();
        file.seek(SeekFrom::Start(len / 2)).unwrap();
        file.write_all(&vec![0xFF; 3 * 4096]).unwrap();
        drop(file);
        let store = folder.open(Durability::Fsync).unwrap();
        let [_, _, saved] = store.image.counts();
        assert!((1000..2000).contains(&saved), "{saved}");
        drop(store);
        let names =
            fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().any(|name| name.starts_with("hearth.db.damaged-")));
        assert_eq!(folder.open(Durability::Fsync).unwrap().image.counts(), [0, 0, saved], "once is enough");
    }

    #[test]
    fn a_file_that_is_no_database_is_set_aside_too() {
        let (_temporary, folder) = filled(1);
        fs::write(folder.database(), "these are my notes, not a database, and long enough to be looked at")
            .unwrap();
        for companion in COMPANIONS {
            drop(fs::remove_file(with_suffix(&folder.database(), companion)));
        }
        assert_eq!(folder.open(Durability::Fsync).unwrap().image.counts(), [0, 0, 0]);
    }

    #[test]
    fn a_torn_tail_costs_what_was_torn_and_nothing_before() {
        let (_temporary, folder) = filled(1);
        let mut store = folder.open(Durability::Fsync).unwrap();
        let wal = with_suffix(&folder.database(), "-wal");
        let mut lengths = vec![fs::metadata(&wal).unwrap().len()];
        for row in 0..20 {
            store.database.commit(&[retained(&format!("later/{row}"))]).unwrap();
            lengths.push(fs::metadata(&wal).unwrap().len());
        }
        let (whole, log) = (fs::read(folder.database()).unwrap(), fs::read(&wal).unwrap());
        for cut in (0..log.len()).step_by(997) {
            let torn = tempfile::tempdir().unwrap();
            let torn = DataFolder::new(torn.path());
            fs::create_dir_all(&torn.0).unwrap();
            fs::write(torn.database(), &whole).unwrap();
            fs::write(with_suffix(&torn.database(), "-wal"), &log[..cut]).unwrap();
            let committed =
                lengths.iter().filter(|length| **length as usize <= cut).count().saturating_sub(1);
            let [_, _, kept] = torn.open(Durability::Fsync).unwrap().image.counts();
            assert_eq!(kept, 1 + committed, "cut at {cut} of {}", log.len());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_temporary, folder) = filled(1);
        assert_eq!(fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("a file");
        fs::write(&file, "").unwrap();
        let error = DataFolder::new(&file.join("data")).open(Durability::Os).unwrap_err().to_string();
        assert!(
            error.contains("choose another with --data, or keep nothing with --durability none"),
            "{error}"
        );
    }
}
