//! Looks at a database, whether a broker runs or not.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hearth_api::{
    Inspection, StoredAmount, StoredFile, StoredFlows, StoredSession, StoredSessionState, StoredSubscription,
    StoredTopic, StoredTotals, StoredWill,
};
use hearth_broker::{Amount, Report, SessionReport, SubscriptionReport, WillReport};

use super::folder::DataFolder;
use super::snapshot::{Source, Survey};
use super::snapshot_error::SnapshotError;

/// An expiry that never comes (MQTT 5.0, 3.1.2.11.2).
const FOR_EVER: u32 = u32::MAX;

/// What is in the folder's database, or in a backup.
pub(crate) fn inspect(folder: &DataFolder, backup: Option<&Path>) -> Result<Inspection, SnapshotError> {
    let (source, file) = match backup {
        Some(file) => (Source::open(file)?, file.to_owned()),
        None => (folder.source()?, folder.database()),
    };
    let in_use = backup.is_none() && folder.is_in_use();
    let survey = source.survey()?;
    let files = files(&file).map_err(|source| SnapshotError::Unreadable { file: file.clone(), source })?;
    let read_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let totals = totals(&survey);
    let Report { sessions, largest_retained, .. } = survey.report;
    let topics = largest_retained.into_iter().map(|(topic, bytes)| StoredTopic { topic, bytes });
    Ok(Inspection {
        database: file.display().to_string(),
        format: survey.format,
        in_use,
        read_at: u64::try_from(read_at).unwrap_or(u64::MAX),
        files,
        totals,
        sessions: sessions.into_iter().map(|session| stored(session, in_use)).collect(),
        largest_retained: topics.collect(),
    })
}

/// The database, and what has its name and something more: SQLite's log, what was set aside.
fn files(database: &Path) -> std::io::Result<Vec<StoredFile>> {
    let name = database.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let of_it = entry.file_name().to_string_lossy().into_owned();
        let rest = of_it.strip_prefix(&name);
        if rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(['.', '-'])) {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => {
                files.push(StoredFile { name: of_it, bytes: metadata.len() });
            }
            // A log goes when the last who uses it does.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn totals(survey: &Survey) -> StoredTotals {
    let Report { sessions, messages, retained, loose_rows, .. } = &survey.report;
    StoredTotals {
        sessions: sessions.len() as u64,
        subscriptions: sessions.iter().map(|session| session.subscriptions.len() as u64).sum(),
        messages: amount(*messages),
        retained: amount(*retained),
        damaged_rows: survey.damaged as u64,
        set_aside_rows: u64::from(survey.set_aside),
        loose_rows: *loose_rows,
    }
}

const fn amount(amount: Amount) -> StoredAmount {
    StoredAmount { messages: amount.messages, bytes: amount.bytes }
}

fn stored(session: SessionReport, in_use: bool) -> StoredSession {
    let SessionReport { client_id, user_name, version, expiry_seconds, ended_at, .. } = session;
    let expiry_seconds = (expiry_seconds != FOR_EVER).then_some(expiry_seconds);
    let ends = |ended_at: u64, seconds| ended_at.saturating_add(u64::from(seconds) * 1000);
    StoredSession {
        client_id,
        user: user_name,
        version: version.to_string(),
        state: match ended_at {
            Some(_) => StoredSessionState::Away,
            None if in_use => StoredSessionState::Connected,
            None => StoredSessionState::Interrupted,
        },
        away_since: ended_at,
        expiry_seconds,
        expires_at: ended_at.zip(expiry_seconds).map(|(ended_at, seconds)| ends(ended_at, seconds)),
        subscriptions: session.subscriptions.into_iter().map(subscription).collect(),
        waiting: amount(session.waiting),
        under_way: amount(session.under_way),
        qos2: StoredFlows {
            received: session.exactly_once.received,
            sent: session.exactly_once.sent,
            released: session.exactly_once.released,
        },
        will: session.will.map(will),
    }
}

fn subscription(subscription: SubscriptionReport) -> StoredSubscription {
    let SubscriptionReport { filter, qos } = subscription;
    StoredSubscription { filter, qos: qos.bits() }
}

fn will(will: WillReport) -> StoredWill {
    let WillReport { topic, qos, retain, payload_bytes, due_at } = will;
    StoredWill { topic, qos: qos.bits(), retain, payload_bytes, due_at }
}
