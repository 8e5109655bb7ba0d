//! Clears retained messages, a few at a time so that no queue overflows, and gives them back when asked.

use std::collections::VecDeque;

use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, ReasonCode, TopicName};

use super::outcome;
use super::retained::Kept;

/// Publications that may wait for the broker's answer: enough to hide the round trip.
const WAITING_MAX: usize = 16;

/// Payload bytes that are held to be given back; of more, the oldest clearings are given up, never the last one.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether messages are given back rather than cleared.
    pub restores: bool,
    /// All that was asked for.
    pub total: usize,
    /// Answered with success.
    pub done: usize,
    /// Refused by the broker, or unanswered when the connection broke.
    pub failed: usize,
    /// The last refusal.
    pub reason: Option<ReasonCode>,
}

impl Progress {
    /// Whether something is still under way.
    pub const fn is_busy(self) -> bool {
        self.done + self.failed < self.total
    }
}

/// What is cleared, and what can be given back.
#[derive(Debug, Default)]
pub struct Janitor {
    ahead: VecDeque<(TopicName, Kept)>,
    waiting: VecDeque<(TopicName, Kept)>,
    /// What each clearing took, the last one last.
    cleared: Vec<Vec<(TopicName, Kept)>>,
    progress: Progress,
}

impl Janitor {
    /// Clears these messages.
    pub fn clear(&mut self, messages: Vec<(TopicName, Kept)>) {
        self.give_up_oldest(messages.iter().map(|(_, kept)| kept.payload.len()).sum());
        self.cleared.push(Vec::new());
        self.begin(messages, false);
    }

    /// Gives back what was cleared last and is not back yet.
    pub fn restore(&mut self) {
        self.cleared.retain(|clearing| !clearing.is_empty());
        let messages = self.cleared.pop().unwrap_or_default();
        // For those that the broker does not take: they can be given back later.
        self.cleared.push(Vec::new());
        self.begin(messages, true);
    }

    fn give_up_oldest(&mut self, more_bytes: usize) {
        let bytes = |clearing: &Vec<(TopicName, Kept)>| -> usize {
            clearing.iter().map(|(_, kept)| kept.payload.len()).sum()
        };
        let mut held = more_bytes + self.cleared.iter().map(bytes).sum::<usize>();
        self.cleared.retain(|clearing| {
            let stays = held <= HELD_BYTES_MAX && !clearing.is_empty();
            held -= if stays { 0 } else { bytes(clearing) };
            stays
        });
    }

    fn hold(&mut self, messages: impl IntoIterator<Item = (TopicName, Kept)>) {
        if let Some(last) = self.cleared.last_mut() {
            last.extend(messages);
        }
    }

    fn begin(&mut self, messages: Vec<(TopicName, Kept)>, restores: bool) {
        self.progress = Progress { restores, total: messages.len(), ..Progress::default() };
        self.ahead = messages.into();
        self.waiting.clear();
    }

    /// The next message to publish, in the order of [`Self::on_answer`]'s answers; `None` until one is answered.
    pub fn poll_publish(&mut self) -> Option<Publish> {
        if self.waiting.len() >= WAITING_MAX {
            return None;
        }
        let (topic, kept) = self.ahead.pop_front()?;
        let message = if self.progress.restores {
            kept.message(topic.clone())
        } else {
            outcome::message(topic.clone(), b"", QoS::AtLeastOnce, true)
        };
        self.waiting.push_back((topic, kept));
        Some(message)
    }

    /// The broker answered the oldest publication that waits: acknowledgements come in order [MQTT-4.6.0-2].
    pub fn on_answer(&mut self, reason: ReasonCode) {
        let Some(message) = self.waiting.pop_front() else { return };
        let is_taken = !reason.is_failure();
        if is_taken {
            self.progress.done += 1;
        } else {
            self.progress.failed += 1;
            self.progress.reason = Some(reason);
        }
        if is_taken != self.progress.restores {
            self.hold([message]);
        }
    }

    /// The connection broke: what has no answer is not done.
    pub fn on_lost(&mut self) {
        self.progress.failed += self.waiting.len() + self.ahead.len();
        // The broker may have taken these: giving them back, once more or at all, does no harm.
        let waiting = std::mem::take(&mut self.waiting);
        self.hold(waiting);
        let ahead = std::mem::take(&mut self.ahead);
        if self.progress.restores {
            self.hold(ahead);
        }
    }

    /// How far it has come.
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// How many messages [`Self::restore`] would give back.
    pub fn restorable(&self) -> usize {
        self.cleared.iter().rfind(|clearing| !clearing.is_empty()).map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn kept(number: usize) -> (TopicName, Kept) {
        let payload = Bytes::from(number.to_string());
        let topic = TopicName::try_from(format!("t/{number}").as_str()).unwrap();
        (topic, Kept { payload, qos: QoS::AtMostOnce, properties: None, at_ms: 0.0 })
    }

    fn publish_all(janitor: &mut Janitor) -> Vec<Publish> {
        std::iter::from_fn(|| janitor.poll_publish()).collect()
    }

    #[test]
    fn everything_is_cleared_and_comes_back_with_its_payload() {
        let mut janitor = Janitor::default();
        janitor.clear((0..WAITING_MAX + 2).map(kept).collect());
        let first = publish_all(&mut janitor);
        assert_eq!(first.len(), WAITING_MAX);
        assert!(first.iter().all(|message| message.payload.is_empty() && message.retain));
        for _ in 0..WAITING_MAX {
            janitor.on_answer(ReasonCode::NoMatchingSubscribers);
        }
        assert!(janitor.progress().is_busy());
        assert_eq!(publish_all(&mut janitor).len(), 2);
        janitor.on_answer(ReasonCode::Success);
        janitor.on_answer(ReasonCode::NotAuthorized);
        let progress = janitor.progress();
        assert_eq!((progress.done, progress.failed, progress.is_busy()), (WAITING_MAX + 1, 1, false));
        assert_eq!(progress.reason, Some(ReasonCode::NotAuthorized));
        assert_eq!(janitor.restorable(), WAITING_MAX + 1);

        janitor.restore();
        let back = publish_all(&mut janitor);
        assert_eq!((back[3].topic.as_str(), &back[3].payload[..]), ("t/3", &b"3"[..]));
        assert_eq!(janitor.restorable(), 0);
    }

    #[test]
    fn each_clearing_comes_back_the_last_one_first_and_what_was_not_taken_later() {
        let mut janitor = Janitor::default();
        for clearing in [0..2, 2..3] {
            let count = clearing.len();
            janitor.clear(clearing.map(kept).collect());
            assert_eq!(publish_all(&mut janitor).len(), count);
            (0..count).for_each(|_| janitor.on_answer(ReasonCode::Success));
        }
        let restore = |janitor: &mut Janitor| -> Vec<String> {
            janitor.restore();
            publish_all(janitor).iter().map(|message| message.topic.as_str().to_owned()).collect()
        };
        assert_eq!((janitor.restorable(), restore(&mut janitor)), (1, vec!["t/2".to_owned()]));
        janitor.on_answer(ReasonCode::Success);
        assert_eq!((janitor.restorable(), restore(&mut janitor).len()), (2, 2));
        janitor.on_answer(ReasonCode::QuotaExceeded);
        janitor.on_lost();
        assert_eq!((janitor.progress().failed, janitor.restorable()), (2, 2));
        assert_eq!(restore(&mut janitor), ["t/0", "t/1"]);
        (0..2).for_each(|_| janitor.on_answer(ReasonCode::Success));
        assert_eq!(janitor.restorable(), 0);
        assert!(restore(&mut janitor).is_empty());
    }

    #[test]
    fn of_more_than_a_tab_should_hold_the_oldest_clearings_are_given_up() {
        let mut janitor = Janitor::default();
        let large = |number| {
            let (topic, kept) = kept(number);
            (topic, Kept { payload: Bytes::from(vec![0; HELD_BYTES_MAX / 2]), ..kept })
        };
        for number in 0..3 {
            janitor.clear(vec![large(number)]);
            publish_all(&mut janitor);
            janitor.on_answer(ReasonCode::Success);
        }
        let mut back = Vec::new();
        while janitor.restorable() > 0 {
            janitor.restore();
            back.extend(publish_all(&mut janitor).iter().map(|message| message.topic.as_str().to_owned()));
            janitor.on_answer(ReasonCode::Success);
        }
        assert_eq!(back, ["t/2", "t/1"]);
    }

    #[test]
    fn a_broken_connection_ends_it_and_loses_nothing() {
        let mut janitor = Janitor::default();
        janitor.clear((0..WAITING_MAX + 5).map(kept).collect());
        publish_all(&mut janitor);
        janitor.on_answer(ReasonCode::Success);
        janitor.on_lost();
        let progress = janitor.progress();
        assert_eq!((progress.done, progress.failed, progress.is_busy()), (1, WAITING_MAX + 4, false));
        assert_eq!(janitor.restorable(), WAITING_MAX);
        assert_eq!(janitor.poll_publish(), None);
    }
}
