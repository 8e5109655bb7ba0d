//! What a shard notes down of its messages, for the thread of the history.

use std::sync::Arc;

use hearth_broker::Tap;

use super::intake::Intake;
use super::timestamp;
use super::values::may_have_values;
use crate::config::HistoryConfig;

/// Bytes before the topic of a note: the time, and the lengths of topic and payload.
const HEAD_BYTES: usize = 8 + 4 + 4;

/// Looks at the messages of one shard. What has no values costs a look at its first byte; the rest is copied into memory that
/// stays, and handed over at the end of the turn.
#[derive(Debug)]
pub(crate) struct Recorder {
    shard: usize,
    intake: Arc<Intake>,
    config: Arc<HistoryConfig>,
    notes: Vec<u8>,
    count: u64,
    /// Of the messages of this turn; asked for with the first of them that is noted.
    time: Option<i64>,
}

/// One message that may have values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    /// Milliseconds since 1970.
    pub(super) time: i64,
    pub(super) topic: &'a str,
    pub(super) payload: &'a [u8],
}

impl Recorder {
    pub(super) fn new(shard: usize, intake: Arc<Intake>, config: Arc<HistoryConfig>) -> Self {
        Self { shard, intake, config, notes: Vec::new(), count: 0, time: None }
    }
}

impl Tap for Recorder {
    fn on_message(&mut self, topic: &str, payload: &[u8]) {
        if !may_have_values(payload, self.config.payload_bytes_max as usize)
            || !self.config.filters.match_topic(topic)
        {
            return;
        }
        let time = *self.time.get_or_insert_with(timestamp::now);
        write(&mut self.notes, Note { time, topic, payload });
        self.count += 1;
    }

    fn on_turn_end(&mut self) {
        if self.count > 0 {
            self.intake.hand_over(self.shard, &mut self.notes, self.count);
            self.count = 0;
        }
        self.time = None;
    }
}

fn write(notes: &mut Vec<u8>, note: Note<'_>) {
    let Note { time, topic, payload } = note;
    // A topic has two length bytes, and a payload is bounded far below.
    let (topic_len, payload_len) = (topic.len() as u32, payload.len() as u32);
    notes.reserve(HEAD_BYTES + topic.len() + payload.len());
    notes.extend_from_slice(&time.to_le_bytes());
    notes.extend_from_slice(&topic_len.to_le_bytes());
    notes.extend_from_slice(&payload_len.to_le_bytes());
    notes.extend_from_slice(topic.as_bytes());
    notes.extend_from_slice(payload);
}

/// The notes that were written one behind the other.
pub(super) fn read(mut notes: &[u8]) -> impl Iterator<Item = Note<'_>> {
    std::iter::from_fn(move || {
        let (time, rest) = notes.split_first_chunk()?;
        let (topic_len, rest) = rest.split_first_chunk()?;
        let (payload_len, rest) = rest.split_first_chunk()?;
        let (topic, rest) = rest.split_at_checked(u32::from_le_bytes(*topic_len) as usize)?;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*payload_len) as usize)?;
        notes = rest;
        Some(Note { time: i64::from_le_bytes(*time), topic: std::str::from_utf8(topic).ok()?, payload })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_as_they_were_written() {
        let mut notes = Vec::new();
        let all = [
            Note { time: 1, topic: "a", payload: b"21.5" },
            Note { time: -1, topic: "ä/b", payload: b"" },
            Note { time: i64::MAX, topic: "", payload: &[255; 300] },
        ];
        all.iter().for_each(|note| write(&mut notes, *note));
        assert_eq!(read(&notes).collect::<Vec<_>>(), all);
        assert_eq!(read(&[]).count(), 0);
    }

    #[test]
    fn only_what_may_have_values_and_is_asked_for_is_noted() {
        let intake = Arc::new(Intake::new(1));
        let mut recorder = Recorder::new(0, Arc::clone(&intake), Arc::default());
        recorder.on_turn_end();
        for (topic, payload) in [
            ("home/t", &b"21.5"[..]),
            ("home/state", b"offline and long"),
            ("$SYS/uptime", b"5"),
            ("home/picture", &[b'{'; 16 * 1024 + 1]),
            ("home/json", b"{\"a\":1}"),
            ("home/empty", b""),
        ] {
            recorder.on_message(topic, payload);
        }
        recorder.on_turn_end();
        let mut notes = Vec::new();
        intake.take(0, &mut notes);
        let topics: Vec<&str> = read(&notes).map(|note| note.topic).collect();
        assert_eq!(topics, ["home/t", "home/json"]);
        let time = read(&notes).next().unwrap().time;
        assert!((timestamp::now() - time).abs() < 60_000);
    }
}
