//! Clears retained messages, a few at a time so that no queue overflows, and gives them back when asked.

use std::collections::VecDeque;

use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, ReasonCode, TopicName};

use super::outcome;
use super::retained::Kept;

/// Publications that may wait for the broker's answer: enough to hide the round trip.
const WAITING_MAX: usize = 16;

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
    cleared: Vec<(TopicName, Kept)>,
    progress: Progress,
}

impl Janitor {
    /// Clears these messages. Those of an earlier time can no longer be given back.
    pub fn clear(&mut self, messages: Vec<(TopicName, Kept)>) {
        self.cleared.clear();
        self.begin(messages, false);
    }

    /// Gives back what was cleared last.
    pub fn restore(&mut self) {
        let messages = std::mem::take(&mut self.cleared);
        self.begin(messages, true);
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
        if reason.is_failure() {
            self.progress.failed += 1;
            self.progress.reason = Some(reason);
        } else {
            self.progress.done += 1;
            if !self.progress.restores {
                self.cleared.push(message);
            }
        }
    }

    /// The connection broke: what has no answer is not done.
    pub fn on_lost(&mut self) {
        self.progress.failed += self.waiting.len() + self.ahead.len();
        if !self.progress.restores {
            // The broker may have cleared these: giving them back does no harm.
            self.cleared.extend(self.waiting.drain(..));
        }
        self.waiting.clear();
        self.ahead.clear();
    }

    /// How far it has come.
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// How many messages [`Self::restore`] would give back.
    pub const fn restorable(&self) -> usize {
        self.cleared.len()
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
