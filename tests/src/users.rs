//! Brokers with users, for tests that log in.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::hearth::{Hearth, HearthCommand};
use crate::process::Ended;

/// A file of users, which `hearth user` writes.
pub struct UsersFile {
    path: PathBuf,
    _folder: TempDir,
}

impl UsersFile {
    /// With these users and their passwords.
    #[track_caller]
    pub fn new(users: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = Self { path: folder.path().join("users.toml"), _folder: folder };
        for (name, password) in users {
            file.add(name, password);
        }
        file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a user, or gives it another password.
    #[track_caller]
    pub fn add(&self, name: &str, password: &str) {
        let ended = self.run(&["add", name], Some(password));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    }

    /// Removes a user.
    #[track_caller]
    pub fn remove(&self, name: &str) {
        let ended = self.run(&["remove", name], None);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    }

    /// `hearth user` for this file.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], line: Option<&str>) -> Ended {
        let path = self.path.to_str().unwrap();
        let command =
            HearthCommand::new().args(["user"]).args(arguments.iter().copied()).args(["--users", path]);
        match line {
            Some(line) => command.run_with_line(line),
            None => command.run(),
        }
    }

    /// A broker with these users.
    #[track_caller]
    pub fn start(&self, more: &[&str]) -> Hearth {
        let path = self.path.to_str().unwrap();
        Hearth::start_with(&[&["--users", path], more].concat())
    }
}
