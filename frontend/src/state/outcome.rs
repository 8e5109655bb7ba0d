//! What became of a message that the person published.

use bytes::Bytes;
use hearth_protocol::packet::Publish;
use hearth_protocol::topic::TopicError;
use hearth_protocol::{QoS, ReasonCode, Text, TopicName};

/// The fate of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was published yet.
    #[default]
    Idle,
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
    /// What was typed is no topic name.
    Topic(TopicError),
    /// There is no connection.
    Offline,
    /// The connection broke before the broker answered: it may or may not have arrived.
    Unknown,
    /// The broker refused it.
    Refused(ReasonCode),
    /// The client's queue is full or the broker's terms forbid it; the reason in the client's words.
    Client(String),
}

impl Outcome {
    /// The outcome that the broker's answer stands for.
    pub fn of(reason: ReasonCode) -> Self {
        if reason == ReasonCode::NoMatchingSubscribers {
            Self::NobodyListens
        } else if reason.is_failure() {
            Self::Failed(Failure::Refused(reason))
        } else {
            Self::Acknowledged
        }
    }

    /// The word for style sheets and tests.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::NobodyListens => "no-subscribers",
            Self::Failed(_) => "failed",
        }
    }
}

/// What the form holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Topic as typed.
    pub topic: String,
    /// Payload as typed.
    pub payload: String,
    /// Delivery guarantee.
    pub qos: QoS,
    /// Whether the broker keeps it.
    pub retain: bool,
}

impl Draft {
    /// The message that the form stands for.
    ///
    /// # Errors
    /// What is wrong with the topic.
    pub fn message(&self) -> Result<Publish, TopicError> {
        let topic = TopicName::new(Text::try_from(self.topic.trim())?)?;
        Ok(message(topic, self.payload.as_bytes(), self.qos, self.retain))
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
        for (reason, outcome) in [
            (ReasonCode::Success, Outcome::Acknowledged),
            (ReasonCode::NoMatchingSubscribers, Outcome::NobodyListens),
            (ReasonCode::QuotaExceeded, Outcome::Failed(Failure::Refused(ReasonCode::QuotaExceeded))),
        ] {
            assert_eq!(Outcome::of(reason), outcome);
        }
    }

    #[test]
    fn a_draft_is_checked_before_it_is_sent() {
        let mut draft = Draft { topic: " home/lamp ".into(), payload: "on".into(), ..Draft::default() };
        let publish = draft.message().unwrap();
        assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("home/lamp", &b"on"[..]));
        draft.topic = "home/+".into();
        assert_eq!(draft.message(), Err(TopicError::WildcardInName('+')));
        draft.topic = "  ".into();
        assert_eq!(draft.message(), Err(TopicError::Empty));
    }
}
