//! What a database holds, as lines and a table for a person.

use hearth_api::{Inspection, StoredAmount, StoredSession, StoredSessionState};

const HEADINGS: [&str; 10] =
    ["CLIENT", "USER", "MQTT", "STATE", "EXPIRES", "SUBSCRIPTIONS", "WAITING", "UNDER WAY", "QOS 2", "WILL"];

/// The whole.
pub(crate) fn text(inspection: &Inspection) -> String {
    let Inspection { database, format, in_use, files, totals, sessions, .. } = inspection;
    let user = if *in_use { "a Hearth uses it" } else { "no Hearth uses it" };
    let files: Vec<_> =
        files.iter().map(|file| format!("{} {}", printable(&file.name), size(file.bytes))).collect();
    let mut text = format!("database   {}, format {format}; {user}\n", printable(database));
    text.push_str(&format!("files      {}\n", files.join(", ")));
    text.push_str(&format!(
        "sessions   {}, with {}\n",
        totals.sessions,
        count(totals.subscriptions, "subscription")
    ));
    text.push_str(&format!("messages   {} for them\n", amount(totals.messages)));
    text.push_str(&format!("retained   {}\n", amount(totals.retained)));
    for topic in &inspection.largest_retained {
        text.push_str(&format!("           {} {}\n", printable(&topic.topic), size(topic.bytes)));
    }
    text.push_str(&format!(
        "damaged    {}; set aside at earlier starts: {}; belonging to nothing: {}\n",
        count(totals.damaged_rows, "row"),
        totals.set_aside_rows,
        totals.loose_rows
    ));
    if !sessions.is_empty() {
        text.push('\n');
        text.push_str(&table(sessions.iter().map(|session| row(session, inspection.read_at)).collect()));
    }
    text
}

fn row(session: &StoredSession, now: u64) -> [String; 10] {
    let state = match (session.state, session.away_since) {
        (StoredSessionState::Away, Some(since)) => format!("away {}", duration(now.saturating_sub(since))),
        (StoredSessionState::Away, None) => "away".to_owned(),
        (StoredSessionState::Connected, _) => "connected".to_owned(),
        (StoredSessionState::Interrupted, _) => "interrupted".to_owned(),
    };
    let expires = match (session.expires_at, session.expiry_seconds) {
        (_, None) => "never".to_owned(),
        (Some(at), Some(_)) if at <= now => "over".to_owned(),
        (Some(at), Some(_)) => format!("in {}", duration(at - now)),
        (None, Some(seconds)) => format!("{} after it", duration(u64::from(seconds) * 1000)),
    };
    let flows = session.qos2;
    [
        printable(&session.client_id),
        session.user.as_deref().map_or_else(|| "-".to_owned(), printable),
        session.version.clone(),
        state,
        expires,
        session.subscriptions.len().to_string(),
        amount(session.waiting),
        amount(session.under_way),
        format!("{} in, {} out, {} released", flows.received, flows.sent, flows.released),
        session.will.as_ref().map_or_else(|| "-".to_owned(), |will| printable(&will.topic)),
    ]
}

fn table(rows: Vec<[String; 10]>) -> String {
    let width = |text: &str| text.chars().count();
    let mut widths = HEADINGS.map(width);
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut text = String::new();
    for row in std::iter::once(HEADINGS.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<widest$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What clients have chosen may hold anything that moves a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

fn amount(amount: StoredAmount) -> String {
    match amount {
        StoredAmount { messages: 0, .. } => "0".to_owned(),
        StoredAmount { messages, bytes } => format!("{messages} ({})", size(bytes)),
    }
}

/// Milliseconds in the largest unit that they fill.
fn duration(millis: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 3600, "d"), (3600, "h"), (60, "min")];
    let seconds = millis / 1000;
    match UNITS.into_iter().find(|(unit, _)| seconds >= *unit) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} s"),
    }
}

/// So many of a thing, with the ending that the number asks for.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Bytes for a person.
pub(crate) fn size(bytes: u64) -> String {
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
    use hearth_api::{StoredFile, StoredFlows, StoredSubscription, StoredTopic, StoredTotals, StoredWill};

    use super::*;

    const DAY: u64 = 24 * 3600 * 1000;

    fn inspection() -> Inspection {
        let amount = |messages, bytes| StoredAmount { messages, bytes };
        let session = StoredSession {
            client_id: "lamp\u{1b}[2J".into(),
            user: Some("ann".into()),
            version: "5.0".into(),
            state: StoredSessionState::Away,
            away_since: Some(8 * DAY),
            expiry_seconds: Some(7 * 24 * 3600),
            expires_at: Some(15 * DAY),
            subscriptions: vec![StoredSubscription { filter: "a/#".into(), qos: 1 }],
            waiting: amount(3, 1200),
            under_way: amount(0, 0),
            qos2: StoredFlows { received: 1, sent: 2, released: 3 },
            will: Some(StoredWill {
                topic: "gone".into(),
                qos: 1,
                retain: false,
                payload_bytes: 3,
                due_at: None,
            }),
        };
        Inspection {
            database: "d/hearth.db".into(),
            format: 1,
            in_use: false,
            read_at: 10 * DAY,
            files: vec![StoredFile { name: "hearth.db".into(), bytes: 4096 }],
            totals: StoredTotals {
                sessions: 1,
                subscriptions: 1,
                messages: amount(3, 1200),
                retained: amount(1, 50),
                damaged_rows: 0,
                set_aside_rows: 2,
                loose_rows: 0,
            },
            sessions: vec![session],
            largest_retained: vec![StoredTopic { topic: "state".into(), bytes: 50 }],
        }
    }

    #[test]
    fn a_person_reads_lines_and_a_table_without_control_characters() {
        let expected = "\
database   d/hearth.db, format 1; no Hearth uses it
files      hearth.db 4.1 kB
sessions   1, with 1 subscription
messages   3 (1.2 kB) for them
retained   1 (50 B)
           state 50 B
damaged    0 rows; set aside at earlier starts: 2; belonging to nothing: 0

CLIENT    USER  MQTT  STATE     EXPIRES  SUBSCRIPTIONS  WAITING     UNDER WAY  QOS 2                    WILL
lamp\u{FFFD}[2J  ann   5.0   away 2 d  in 5 d   1              3 (1.2 kB)  0          1 in, 2 out, 3 released  gone
";
        assert_eq!(text(&inspection()), expected);
    }

    #[test]
    fn a_session_says_when_it_ends() {
        let mut session = inspection().sessions.remove(0);
        let mut said = |state, away_since, expiry_seconds, expires_at, now| {
            session = StoredSession { state, away_since, expiry_seconds, expires_at, ..session.clone() };
            let [_, _, _, state, expires, ..] = row(&session, now);
            (state, expires)
        };
        let pair = |state: &str, expires: &str| (state.to_owned(), expires.to_owned());
        let (connected, away) = (StoredSessionState::Connected, StoredSessionState::Away);
        assert_eq!(said(connected, None, Some(90), None, 5), pair("connected", "1 min after it"));
        assert_eq!(said(connected, None, None, None, 5), pair("connected", "never"));
        assert_eq!(said(away, Some(0), Some(1), Some(1000), 7_200_000), pair("away 2 h", "over"));
        let interrupted = StoredSessionState::Interrupted;
        assert_eq!(said(interrupted, None, Some(59), None, 5), pair("interrupted", "59 s after it"));
    }

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
