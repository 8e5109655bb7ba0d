//! A backup: one file with everything of the database, made while the broker runs.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::DataFolder;
use super::snapshot::{Snapshot, Survey};
use super::snapshot_error::SnapshotError;

/// A backup that was made, or restored.
#[derive(Debug)]
pub(crate) struct BackedUp {
    /// Sessions in it.
    pub(crate) sessions: usize,
    /// Messages that sessions wait for or have not acknowledged.
    pub(crate) messages: u64,
    /// Retained messages.
    pub(crate) retained: u64,
    /// Rows that were not what was written and are left out.
    pub(crate) damaged: usize,
    /// Bytes of the file.
    pub(crate) bytes: u64,
}

impl BackedUp {
    pub(super) fn new(survey: &Survey, bytes: u64) -> Self {
        Self {
            sessions: survey.report.sessions.len(),
            messages: survey.report.messages.messages,
            retained: survey.report.retained.messages,
            damaged: survey.damaged,
            bytes,
        }
    }
}

/// Makes one of the folder's database, whether a broker runs or not, and puts it there whole or not at all.
pub(crate) fn backup(folder: &DataFolder, file: &Path, may_replace: bool) -> Result<BackedUp, SnapshotError> {
    let source = folder.source()?;
    check_target(folder, file, may_replace)?;
    let snapshot = source.copy(beside(file))?;
    let survey = snapshot.clean()?;
    // Somebody else may have taken the name meanwhile.
    check_target(folder, file, may_replace)?;
    name(snapshot, file)?;
    let bytes = fs::metadata(file).map(|metadata| metadata.len());
    let bytes = bytes.map_err(|source| SnapshotError::Unreadable { file: file.to_owned(), source })?;
    Ok(BackedUp::new(&survey, bytes))
}

fn name(snapshot: Snapshot, file: &Path) -> Result<(), SnapshotError> {
    snapshot.rename(file).map_err(|source| SnapshotError::Unwritable { file: file.to_owned(), source })
}

fn check_target(folder: &DataFolder, file: &Path, may_replace: bool) -> Result<(), SnapshotError> {
    if folder.owns(file) {
        return Err(SnapshotError::Own(file.to_owned()));
    }
    match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_dir() => Err(SnapshotError::IsFolder(file.to_owned())),
        Ok(_) if !may_replace => Err(SnapshotError::Exists(file.to_owned())),
        // What else is wrong shows when it is written.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The name of the file until it is whole.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    PathBuf::from(name)
}
