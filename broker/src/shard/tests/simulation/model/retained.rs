//! Retained messages: what each topic has had since when, and what a SUBSCRIBE has to bring.

use std::collections::BTreeSet;

use hearth_protocol::packet::{Publish, Subscription};
use hearth_protocol::{QoS, Time, TopicFilter, TopicName};

use super::session::Session;
use super::{Model, key_of};

/// What a topic has had from a message on.
#[derive(Debug)]
pub(super) struct Value {
    /// Messages that were taken before.
    pub(super) since: usize,
    /// Number of the message; `None` since it was removed.
    pub(super) message: Option<usize>,
}

/// The retained messages that a SUBSCRIBE asked for.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) filter: TopicFilter,
    pub(super) qos: QoS,
    id: Option<u32>,
    /// Messages that were taken before.
    since: usize,
    begun: Time,
    sent: BTreeSet<TopicName>,
    /// The broker has ended since: what was on its way may come.
    pub(super) is_over: bool,
}

impl Model {
    /// A message becomes the retained one of its topic, or removes that.
    pub(super) fn keep(&mut self, number: usize, is_empty: bool) {
        let topic = self.messages[number].topic.clone();
        let message = (!is_empty).then_some(number);
        self.retained.entry(topic).or_default().push(Value { since: number, message });
    }

    pub(super) fn begin_replay(&mut self, client: usize, asked: &Subscription, id: Option<u32>) {
        let (since, begun) = (self.messages.len(), self.now);
        self.end_replay(client, &asked.filter);
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let filter = asked.filter.clone();
        session.replays.push(Replay {
            filter,
            qos: asked.qos,
            id,
            since,
            begun,
            sent: BTreeSet::new(),
            is_over: false,
        });
    }

    /// What was on its way to the disk may come all the same.
    pub(super) fn end_replay(&mut self, client: usize, filter: &TopicFilter) {
        let has_store = self.has_store();
        let Some(session) = self.sessions.get_mut(&client) else { return };
        for replay in session.replays.iter_mut().filter(|replay| replay.filter == *filter) {
            replay.is_over = true;
        }
        session.replays.retain(|replay| has_store || !replay.is_over);
    }

    /// What the topic has had since then, the oldest first.
    fn values_since(&self, topic: &TopicName, since: usize) -> &[Value] {
        let Some(values) = self.retained.get(topic) else { return &[] };
        let last_before = values.iter().rposition(|value| value.since < since).unwrap_or(0);
        &values[last_before..]
    }

    /// Whether a SUBSCRIBE found this.
    fn was_there(&self, value: &Value, replay: &Replay) -> bool {
        let is_old = |number: usize| self.messages[number].expires_at.is_some_and(|at| at <= replay.begun);
        value.since < replay.since && value.message.is_some_and(|number| !is_old(number))
    }

    /// The message that a PUBLISH with the retain flag brings in answer to a SUBSCRIBE: one that found the topic
    /// retained, before one that may have, and rather one that found this very message.
    pub(super) fn take_replayed(
        &self,
        session: &mut Session,
        publish: &Publish,
        ids: &[u32],
    ) -> Option<usize> {
        let (key, topic) = (key_of(publish), &publish.topic);
        let mut best: Option<((bool, bool, bool), usize, &mut Replay)> = None;
        for replay in &mut session.replays {
            let is_open = replay.filter.matches(topic) && !replay.sent.contains(topic);
            if !is_open || Vec::from_iter(replay.id) != ids {
                continue;
            }
            let is_it = |number: &usize| {
                let message = &self.messages[*number];
                message.key == key && message.qos.min(replay.qos) == publish.qos
            };
            let values = self.values_since(topic, replay.since);
            let was_there = values.first().is_some_and(|value| self.was_there(value, replay));
            let found = values.iter().filter_map(|value| value.message).find(is_it);
            if let Some(number) = found {
                let is_first = values.first().is_some_and(|value| value.message == Some(number));
                let rank = (!replay.is_over, was_there, is_first);
                if best.as_ref().is_none_or(|(other, ..)| rank > *other) {
                    best = Some((rank, number, replay));
                }
            }
        }
        let (_, number, replay) = best?;
        replay.sent.insert(topic.clone());
        Some(number)
    }

    /// A retained message that a session should have been sent.
    pub(super) fn missing_replay(&self, session: &Session) -> Option<String> {
        for replay in session.replays.iter().filter(|replay| !replay.is_over) {
            let topics = self.retained.keys().filter(|topic| replay.filter.matches(topic));
            for topic in topics.filter(|topic| !replay.sent.contains(*topic)) {
                let values = self.values_since(topic, replay.since);
                let must_come = |value: &Value| {
                    value.message.is_some_and(|number| {
                        self.messages[number].qos.min(replay.qos) > QoS::AtMostOnce
                            && !self.is_excused(session, number)
                    })
                };
                let was_there = values.first().is_some_and(|value| self.was_there(value, replay));
                if was_there && values.iter().all(must_come) {
                    return Some(format!("{topic} for {}", replay.filter.as_str()));
                }
            }
        }
        None
    }
}
