//! The file that users are kept in: read, and replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Users;

/// Users take some 200 bytes each; what is larger than a hundred thousand of them is another file by mistake.
const BYTES_MAX: u64 = 32 << 20;

/// Where users are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersFile {
    /// The file.
    pub path: PathBuf,
    /// Whether somebody has named it, so that it must be there.
    pub is_named: bool,
}

/// Why users cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The file cannot be read.
    #[error("cannot read the users in {}: {reason}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// What stands in it is not right.
    #[error("the users in {} cannot be used: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be written.
    #[error("cannot write the users to {}: {source}; check that the folder can be written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Tells one state of a file from another, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// A file that was put in the place of another is not that one.
    #[cfg(unix)]
    inode: u64,
}

impl UsersFile {
    /// The users; `None` when nobody has named the file and it is not there.
    ///
    /// # Errors
    /// It cannot be read, or is not right.
    pub(crate) fn read(&self) -> Result<Option<Users>, UsersError> {
        let path = || self.path.clone();
        let unreadable =
            |reason: &dyn ToString| UsersError::Unreadable { path: path(), reason: reason.to_string() };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.is_named => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        };
        warn_of_readers(&self.path, &file);
        let mut bytes = Vec::new();
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(unreadable(&"it is larger than 32 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
        let users = Users::parse(&text, rand::random());
        users.map(Some).map_err(|problem| UsersError::Malformed { path: path(), problem })
    }

    /// Puts these users in the place of the others, whole or not at all, for this user's eyes only.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn write(&self, users: &Users) -> Result<(), UsersError> {
        replace(&self.path, users.to_text().as_bytes())
            .map_err(|source| UsersError::Unwritable { path: self.path.clone(), source })
    }

    /// Changes the users, whom nobody else changes meanwhile; what `change` gives. A file that is not there is made.
    ///
    /// # Errors
    /// They cannot be read, or not be written; then they are as before.
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut Users) -> T) -> Result<T, UsersError> {
        let unwritable = |source| UsersError::Unwritable { path: self.path.clone(), source };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        // The folder, since the file is replaced; held until this returns.
        #[cfg(unix)]
        let _lock = File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.lock().map(|()| folder))
            .map_err(unwritable)?;
        let may_be_missing = Self { is_named: false, ..self.clone() };
        let mut users = may_be_missing.read()?.unwrap_or_else(|| Users::new(rand::random()));
        let changed = change(&mut users);
        self.write(&users)?;
        Ok(changed)
    }

    /// How the file is now; `None` when it is not there or cannot be looked at.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        Some(Stamp {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        // The first error is the one to tell; a file that was never made cannot be removed.
        let _left = fs::remove_file(&beside);
    }
    replaced?;
    // The new name is on the disk when the folder is.
    #[cfg(unix)]
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Verifiers can be tried against a list of passwords: nobody else should have them.
fn warn_of_readers(path: &Path, file: &File) {
    #[cfg(unix)]
    if let Ok(metadata) = file.metadata()
        && std::os::unix::fs::MetadataExt::mode(&metadata) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "others may read or write the users; take their rights with chmod 600");
    }
    #[cfg(not(unix))]
    let _ = (path, file);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::users::check_name;

    fn users(names: &[&str]) -> Users {
        let mut users = Users::new([7; 32]);
        for name in names {
            users.insert(check_name(name).unwrap(), hearth_scram::Verifier::derive(b"x", b"salt", 2));
        }
        users
    }

    #[test]
    fn users_are_written_for_their_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile { path: folder.path().join("new/users.toml"), is_named: false };
        assert_eq!((file.read().unwrap(), file.stamp()), (None, None));
        file.edit(|all| *all = users(&["ann"])).unwrap();
        let first = file.stamp();
        assert_eq!(file.read().unwrap(), Some(users(&["ann"])));
        file.write(&users(&["bob"])).unwrap();
        assert_eq!(file.read().unwrap(), Some(users(&["bob"])));
        assert!(first.is_some() && file.stamp() != first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let left: Vec<_> = fs::read_dir(folder.path().join("new")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_file_that_is_named_must_be_there_and_right() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile { path: folder.path().join("users.toml"), is_named: true };
        assert!(file.read().unwrap_err().to_string().starts_with("cannot read the users in "));
        fs::write(&file.path, "users = 1").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("cannot be used: line 1"));
        fs::write(&file.path, b"\xff").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("not UTF-8"));
        let folder = UsersFile { path: folder.path().to_owned(), is_named: false };
        assert!(folder.read().is_err());
        assert!(folder.edit(|_| ()).is_err());
        let nowhere = UsersFile { path: file.path.join("below/a/file"), is_named: false };
        assert!(nowhere.edit(|_| ()).unwrap_err().to_string().starts_with("cannot write the users"));
    }
}
