//! What the person published lately: what became of each, whether it came back, and what was answered to it.

use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;
use hearth_protocol::connection::client::Token;
use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, TopicName};

use super::outcome::{Answer, Failure, Outcome};
use super::payload;

/// Older ones are forgotten: a person looks at the last few.
pub const SENDINGS_MAX: usize = 50;

/// Answers that are kept for one request; more are counted.
pub const REPLIES_MAX: usize = 20;

/// How long a message is looked out for after it was sent.
const ECHO_MS: f64 = 10_000.0;

/// Characters of a payload that are shown.
const PREVIEW_CHARS: usize = 200;

/// An answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Its payload on one line.
    pub preview: String,
    /// Bytes of its payload.
    pub bytes: usize,
    /// Milliseconds from the request to it.
    pub took_ms: f64,
}

/// What a request waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where answers go.
    pub response_topic: TopicName,
    /// What they carry back.
    pub correlation_data: Option<Bytes>,
    /// The first answers.
    pub replies: Vec<Reply>,
    /// All answers.
    pub count: u64,
}

/// A publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Sending {
    /// Counts up from 0.
    pub id: u64,
    /// Where to.
    pub topic: TopicName,
    /// The payload on one line.
    pub preview: String,
    /// Bytes of the payload.
    pub bytes: usize,
    /// Delivery guarantee.
    pub qos: QoS,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// When, in milliseconds since 1970.
    pub at_ms: f64,
    /// What became of it.
    pub outcome: Outcome,
    /// Milliseconds until the broker answered.
    pub answered_ms: Option<f64>,
    /// Milliseconds until it came back to this page, as to any subscriber.
    pub echoed_ms: Option<f64>,
    /// Present when answers are expected.
    pub request: Option<Request>,
    digest: u64,
}

/// The last publications.
#[derive(Debug, Default)]
pub struct Sendings {
    list: VecDeque<Sending>,
    id_by_token: HashMap<Token, u64>,
    id_next: u64,
    echo_until_ms: f64,
    changes: u64,
}

impl Sendings {
    /// A message went out, or did not. The token is there while the broker's answer is to come.
    pub fn begin(&mut self, message: &Publish, outcome: Outcome, token: Option<Token>, at_ms: f64) -> u64 {
        let id = self.id_next;
        self.id_next += 1;
        self.changes += 1;
        let mut preview = String::new();
        payload::preview(&message.payload, PREVIEW_CHARS, &mut preview);
        let properties = message.properties.as_deref();
        let request = properties.and_then(|properties| {
            let response_topic = properties.response_topic.clone()?;
            let correlation_data = properties.correlation_data.clone();
            Some(Request { response_topic, correlation_data, replies: Vec::new(), count: 0 })
        });
        if let Some(token) = token {
            self.id_by_token.insert(token, id);
        }
        if !matches!(outcome, Outcome::Failed(_)) {
            self.echo_until_ms = at_ms + ECHO_MS;
        }
        if self.list.len() == SENDINGS_MAX {
            let oldest = self.list.pop_front().map(|oldest| oldest.id);
            self.id_by_token.retain(|_, id| Some(*id) != oldest);
        }
        self.list.push_back(Sending {
            id,
            topic: message.topic.clone(),
            preview,
            bytes: message.payload.len(),
            qos: message.qos,
            retain: message.retain,
            at_ms,
            outcome,
            answered_ms: None,
            echoed_ms: None,
            request,
            digest: digest(&message.payload),
        });
        id
    }

    /// The broker answered, or the client where the broker does not. `None` where the token is of nothing here.
    pub fn on_answer(&mut self, token: Token, answer: &Answer, now_ms: f64) -> Option<Outcome> {
        let id = self.id_by_token.remove(&token)?;
        self.changes += 1;
        let sending = self.list.iter_mut().find(|sending| sending.id == id)?;
        if sending.qos == QoS::AtMostOnce && !answer.reason.is_failure() {
            // It was handed over, which nobody acknowledges.
            return Some(Outcome::Sent);
        }
        sending.answered_ms = Some(now_ms - sending.at_ms);
        sending.outcome = Outcome::of(answer);
        Some(sending.outcome.clone())
    }

    /// A message came: it may be one of these, or answer one.
    pub fn on_message(&mut self, message: &Publish, now_ms: f64) {
        self.on_reply(message, now_ms);
        if now_ms > self.echo_until_ms {
            return;
        }
        let mut hash = None;
        let echo = self.list.iter_mut().find(|sending| {
            sending.echoed_ms.is_none()
                && !matches!(sending.outcome, Outcome::Failed(_))
                && sending.bytes == message.payload.len()
                && sending.topic == message.topic
                && sending.digest == *hash.get_or_insert_with(|| digest(&message.payload))
        });
        if let Some(sending) = echo {
            sending.echoed_ms = Some(now_ms - sending.at_ms);
            self.changes += 1;
        }
    }

    fn on_reply(&mut self, message: &Publish, now_ms: f64) {
        let correlation = message.properties.as_ref().and_then(|it| it.correlation_data.as_ref());
        let newest = self.list.iter_mut().rev().find_map(|sending| {
            let request = sending.request.as_mut()?;
            let is_answer =
                request.response_topic == message.topic && request.correlation_data.as_ref() == correlation;
            is_answer.then_some((sending.at_ms, request))
        });
        let Some((at_ms, request)) = newest else { return };
        self.changes += 1;
        request.count += 1;
        if request.replies.len() < REPLIES_MAX {
            let mut preview = String::new();
            payload::preview(&message.payload, PREVIEW_CHARS, &mut preview);
            let bytes = message.payload.len();
            request.replies.push(Reply { preview, bytes, took_ms: now_ms - at_ms });
        }
    }

    /// The connection broke: nobody knows of those without an answer. How many there are.
    pub fn on_lost(&mut self) -> u32 {
        let lost = u32::try_from(self.id_by_token.len()).unwrap_or(u32::MAX);
        for (_, id) in self.id_by_token.drain() {
            if let Some(sending) = self.list.iter_mut().find(|sending| sending.id == id) {
                sending.outcome = Outcome::Failed(Failure::Unknown);
                self.changes += 1;
            }
        }
        lost
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.list.clear();
        self.id_by_token.clear();
        self.changes += 1;
    }

    /// The one with this number, unless it is forgotten.
    pub fn find(&self, id: u64) -> Option<&Sending> {
        self.list.iter().rev().find(|sending| sending.id == id)
    }

    /// The newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Sending> {
        self.list.iter().rev()
    }

    /// Grows with every change.
    pub const fn changes(&self) -> u64 {
        self.changes
    }
}

/// FNV-1a, 64 bits: enough to know one's own message again among those on the same topic.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use hearth_protocol::ReasonCode;
    use hearth_protocol::connection::client::{Client, ClientOptions};
    use hearth_protocol::packet::PublishProperties;
    use hearth_protocol::{Text, Time};

    use super::*;
    use crate::state::outcome;

    /// Tokens are a client's to give.
    fn tokens() -> Vec<Token> {
        let mut client = Client::new(ClientOptions::new(Text::default()));
        let publish = || message("t", "1");
        (0..SENDINGS_MAX + 9).map(|_| client.publish(Time::ZERO, publish()).unwrap()).collect()
    }

    fn message(topic: &str, payload: &str) -> Publish {
        let topic = TopicName::try_from(topic).unwrap();
        outcome::message(topic, payload.as_bytes(), QoS::AtLeastOnce, false)
    }

    fn request(
        topic: &str,
        payload: &str,
        response: Option<&str>,
        correlation: Option<&'static str>,
    ) -> Publish {
        let properties = PublishProperties {
            response_topic: response.map(|topic| TopicName::try_from(topic).unwrap()),
            correlation_data: correlation.map(|data| Bytes::from_static(data.as_bytes())),
            ..PublishProperties::EMPTY
        };
        Publish { properties: Some(Box::new(properties)), ..message(topic, payload) }
    }

    fn answer(reason: ReasonCode) -> Answer {
        Answer { reason, reason_string: None }
    }

    #[test]
    fn the_answer_and_the_echo_are_told_with_the_time_they_took() {
        let (mut sendings, tokens) = (Sendings::default(), tokens());
        let id = sendings.begin(&message("t", "1"), Outcome::Sending, Some(tokens[0]), 1000.0);
        sendings.on_message(&message("t", "2"), 1001.0);
        sendings.on_message(&message("u", "1"), 1001.0);
        assert_eq!(sendings.find(id).unwrap().echoed_ms, None);
        sendings.on_message(&message("t", "1"), 1003.0);
        assert_eq!(
            sendings.on_answer(tokens[0], &answer(ReasonCode::Success), 1005.0),
            Some(Outcome::Acknowledged)
        );
        assert_eq!(sendings.on_answer(tokens[1], &answer(ReasonCode::Success), 1005.0), None);
        let sending = sendings.find(id).unwrap();
        assert_eq!((sending.echoed_ms, sending.answered_ms), (Some(3.0), Some(5.0)));
        assert_eq!(sending.outcome, Outcome::Acknowledged);
    }

    #[test]
    fn qos_0_is_sent_and_never_acknowledged_but_may_be_too_large() {
        let (mut sendings, tokens) = (Sendings::default(), tokens());
        let loose = || Publish { qos: QoS::AtMostOnce, ..message("t", "1") };
        let sent = sendings.begin(&loose(), Outcome::Sent, Some(tokens[0]), 0.0);
        assert_eq!(sendings.on_answer(tokens[0], &answer(ReasonCode::Success), 1.0), Some(Outcome::Sent));
        assert_eq!(sendings.find(sent).unwrap().answered_ms, None);
        let large = sendings.begin(&loose(), Outcome::Sent, Some(tokens[1]), 0.0);
        sendings.on_answer(tokens[1], &answer(ReasonCode::PacketTooLarge), 1.0);
        assert!(matches!(sendings.find(large).unwrap().outcome, Outcome::Failed(Failure::Refused(_))));
    }

    #[test]
    fn each_message_that_comes_back_stands_for_one_that_was_sent() {
        let mut sendings = Sendings::default();
        let (first, second) = (
            sendings.begin(&message("t", "same"), Outcome::Sent, None, 0.0),
            sendings.begin(&message("t", "same"), Outcome::Sent, None, 10.0),
        );
        sendings.on_message(&message("t", "same"), 12.0);
        assert_eq!(sendings.find(first).unwrap().echoed_ms, Some(12.0));
        assert_eq!(sendings.find(second).unwrap().echoed_ms, None);
        sendings.on_message(&message("t", "same"), 20_000.0);
        assert_eq!(sendings.find(second).unwrap().echoed_ms, None, "too late to be the same message");
    }

    #[test]
    fn a_reply_belongs_to_the_request_whose_correlation_data_it_carries() {
        let mut sendings = Sendings::default();
        let first = sendings.begin(&request("q", "a", Some("r"), Some("1")), Outcome::Sent, None, 0.0);
        let second = sendings.begin(&request("q", "b", Some("r"), Some("2")), Outcome::Sent, None, 100.0);
        let plain = sendings.begin(&request("q", "c", Some("r"), None), Outcome::Sent, None, 200.0);
        sendings.on_message(&request("r", "to a", None, Some("1")), 250.0);
        sendings.on_message(&request("r", "to nobody", None, Some("3")), 250.0);
        sendings.on_message(&request("other", "x", None, Some("2")), 250.0);
        sendings.on_message(&message("r", "to c"), 260.0);
        let replies = |id| {
            let request = sendings.find(id).unwrap().request.as_ref().unwrap();
            request.replies.iter().map(|reply| (reply.preview.as_str(), reply.took_ms)).collect::<Vec<_>>()
        };
        assert_eq!(replies(first), [("to a", 250.0)]);
        assert_eq!(replies(second), []);
        assert_eq!(replies(plain), [("to c", 60.0)]);
    }

    #[test]
    fn replies_and_sendings_are_bounded_and_counted() {
        let (mut sendings, tokens) = (Sendings::default(), tokens());
        let id = sendings.begin(&request("q", "a", Some("r"), None), Outcome::Sent, None, 0.0);
        for _ in 0..REPLIES_MAX + 5 {
            sendings.on_message(&message("r", "x"), 1.0);
        }
        let request = sendings.find(id).unwrap().request.clone().unwrap();
        assert_eq!((request.replies.len(), request.count), (REPLIES_MAX, REPLIES_MAX as u64 + 5));
        for token in &tokens {
            sendings.begin(&message("t", "1"), Outcome::Sending, Some(*token), 2.0);
        }
        assert_eq!(sendings.newest_first().count(), SENDINGS_MAX);
        assert_eq!(sendings.find(id), None);
        assert_eq!(sendings.on_lost() as usize, SENDINGS_MAX);
        assert!(sendings.newest_first().all(|sending| sending.outcome == Outcome::Failed(Failure::Unknown)));
        assert_eq!(sendings.on_answer(tokens[20], &answer(ReasonCode::Success), 3.0), None);
    }
}
