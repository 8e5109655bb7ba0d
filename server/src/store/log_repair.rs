//! Looks at the write-ahead log before SQLite does, which would take its first decayed frame for its end.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::connection::BUSY_MAX;
use super::database::is_corrupt;
use super::error::StoreError;
use super::file_bytes::FileBytes;
use super::log_survey::{LogSurvey, Rest, Tail};
use super::salvage::{aside, with_suffix};
use super::way::{Way, log_of};

/// The log as it should be, until it has the name of the log.
const MENDED: &str = ".mended";

/// The last log that a crash has torn. One is kept: a disk that is switched off every day has one every day.
const TORN: &str = ".torn";

/// Puts the log of a database right as far as possible: one bit of a frame that has flipped is known by the sums of the log. From a
/// frame that has decayed further, everything is cut off. The log as it was is kept beside it. What was found is what is given back.
pub(super) fn repair(way: Way, file: &Path) -> Result<LogSurvey, StoreError> {
    let log = log_of(file);
    let failed = |source| StoreError::File { file: log.clone(), source };
    let mut bytes = FileBytes::new(way, &log);
    let survey = LogSurvey::read(&mut bytes).map_err(failed)?;
    if !survey.is_damaged() {
        return Ok(survey);
    }
    let Some(others_out) = keep_out(way, file)? else {
        tracing::error!(
            file = %log.display(),
            "the log of the database is damaged, and somebody else has the database open: what that one knows of the log \
             goes on. End it and start again"
        );
        return Ok(survey);
    };
    // Somebody may have had it open until now.
    let mut bytes = FileBytes::new(way, &log);
    let survey = LogSurvey::read(&mut bytes).map_err(failed)?;
    if !survey.is_damaged() {
        return Ok(survey);
    }
    let set_aside = aside(way, &log, "damaged").map_err(failed)?;
    (way.write)(&set_aside, &mut bytes.pieces())
        .map_err(|source| StoreError::File { file: set_aside.clone(), source })?;
    let mended = with_suffix(&log, MENDED);
    let replace = || {
        (way.write)(&mended, &mut survey.pieces(&mut bytes))?;
        // Elsewhere nobody may have a file open that is given another name.
        let _others_out = cfg!(unix).then_some(others_out);
        (way.rename)(&mended, &log)?;
        (way.sync_names)(file)
    };
    replace().map_err(|source| StoreError::File { file: mended.clone(), source })?;
    tell(&survey, &log, &set_aside);
    Ok(survey)
}

/// Keeps a copy of a log that a crash has torn. Nothing that was acknowledged is in what is cut off, so that a start does without a
/// copy where there is no room for one.
pub(super) fn keep_torn(way: Way, file: &Path, survey: &LogSurvey) {
    if survey.rest != Rest::Torn {
        return;
    }
    let (log, copy) = names_of_torn(file);
    match keep(way, &log, &copy) {
        Ok(()) => tracing::info!(
            copy = %copy.display(),
            "the last commit in the log of the database is not whole, as when the power goes; it is left out, and nobody \
             was told that it was on the disk"
        ),
        Err(error) => tracing::warn!(
            %error, copy = %copy.display(),
            "the last commit in the log of the database is not whole, as when the power goes; it is left out, and could \
             not be copied"
        ),
    }
}

/// Looks at the log of the history before SQLite does, and keeps a copy of one that is not whole.
pub(crate) fn look_at_history(way: Way, file: &Path) -> Result<(), StoreError> {
    let (log, copy) = names_of_torn(file);
    let tail = Tail::read(&mut FileBytes::new(way, &log));
    let tail = tail.map_err(|source| StoreError::File { file: log.clone(), source })?;
    let Some(Tail { frames, commits }) = tail else { return Ok(()) };
    match keep(way, &log, &copy) {
        Ok(()) => tracing::warn!(
            copy = %copy.display(), frames, commits,
            "the log of the history is not whole, as when the power goes, or has decayed: the values that came last are left \
             out. If the machine had power, look at its disk and memory"
        ),
        Err(error) => tracing::warn!(
            %error, copy = %copy.display(), frames, commits,
            "the log of the history is not whole, as when the power goes, or has decayed: the values that came last are left \
             out, and could not be copied"
        ),
    }
    Ok(())
}

/// The log of a database, and what it is called when it is kept.
fn names_of_torn(file: &Path) -> (PathBuf, PathBuf) {
    let log = log_of(file);
    let copy = with_suffix(&log, TORN);
    (log, copy)
}

fn keep(way: Way, log: &Path, copy: &Path) -> io::Result<()> {
    (way.write)(copy, &mut FileBytes::new(way, log).pieces())
}

/// Has a database for itself as long as the connection lives; `None`: somebody else has it open. One that is so broken that SQLite
/// does not read it is nobody's.
fn keep_out(way: Way, file: &Path) -> Result<Option<Option<Connection>>, StoreError> {
    let connect = || -> rusqlite::Result<Connection> {
        let connection = (way.connect)(file)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    };
    match connect() {
        Ok(connection) => Ok(Some(Some(connection))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(error) if is_corrupt(&error) => Ok(Some(None)),
        Err(source) => Err(StoreError::Database { file: file.to_owned(), source }),
    }
}

fn tell(survey: &LogSurvey, log: &Path, set_aside: &Path) {
    let (file, set_aside) = (log.display(), set_aside.display());
    match survey.rest {
        Rest::Lost { frames, commits } => tracing::error!(
            %file, %set_aside, frames, commits,
            "the log of the database was damaged on the disk, and is cut off before that: acknowledged messages may be \
             lost, and others come again. Look at the disk and the memory of this machine; `hearth restore` goes back to a \
             backup"
        ),
        Rest::Nothing | Rest::Torn => {}
    }
    if survey.unclear > 0 {
        tracing::error!(
            %file, %set_aside, frames = survey.unclear,
            "a bit had flipped in pages of the database's log, and it cannot be told which: they go on as they are, and rows \
             that have decayed are set aside. Look at the disk and the memory of this machine"
        );
    } else if survey.rest == Rest::Nothing || survey.rest == Rest::Torn {
        tracing::warn!(
            %file, %set_aside, frames = survey.mended,
            "a bit had flipped in the log of the database and was put right: nothing is lost. Look at the disk and the \
             memory of this machine"
        );
    }
}
