//! What became of a message that the person published.

use bytes::Bytes;
use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, ReasonCode, Text, TopicName};

use super::draft::DraftError;

/// What a broker said of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its reason.
    pub reason: ReasonCode,
    /// In words for people, if it gave any.
    pub reason_string: Option<Text>,
}

/// The fate of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// On its way; the broker has not answered yet.
    Sending,
    /// QoS 0: handed to the connection; nobody acknowledges it.
    Sent,
    /// The broker has taken it over.
    Acknowledged,
    /// The broker has taken it over and knows of nobody who is subscribed.
    NobodyListens,
    /// It came to nothing.
    Failed(Failure),
}

/// Why a publication failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What was typed cannot be sent.
    Draft(DraftError),
    /// There is no connection.
    Offline,
    /// The connection broke before the broker answered: it may or may not have arrived.
    Unknown,
    /// The broker refused it.
    Refused(Answer),
    /// The client's queue is full or the broker's terms forbid it; the reason in the client's words.
    Client(String),
}

impl Outcome {
    /// The outcome that the broker's answer stands for.
    pub fn of(answer: &Answer) -> Self {
        if answer.reason == ReasonCode::NoMatchingSubscribers {
            Self::NobodyListens
        } else if answer.reason.is_failure() {
            Self::Failed(Failure::Refused(answer.clone()))
        } else {
            Self::Acknowledged
        }
    }

    /// The word for style sheets and tests.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::NobodyListens => "no-subscribers",
            Self::Failed(_) => "failed",
        }
    }
}

/// A message without properties.
pub fn message(topic: TopicName, payload: &[u8], qos: QoS, retain: bool) -> Publish {
    Publish {
        dup: false,
        qos,
        retain,
        topic,
        packet_id: None,
        payload: Bytes::copy_from_slice(payload),
        properties: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_broker_decides() {
        let answer = |reason| Answer { reason, reason_string: None };
        let refused = answer(ReasonCode::QuotaExceeded);
        for (reason, outcome) in [
            (ReasonCode::Success, Outcome::Acknowledged),
            (ReasonCode::NoMatchingSubscribers, Outcome::NobodyListens),
            (ReasonCode::QuotaExceeded, Outcome::Failed(Failure::Refused(refused))),
        ] {
            assert_eq!(Outcome::of(&answer(reason)), outcome);
        }
    }
}
