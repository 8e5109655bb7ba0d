//! Retained messages: what each topic has had since when, and what a SUBSCRIBE has to bring.

use std::collections::BTreeMap;

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
    sent: BTreeMap<TopicName, Sent>,
    /// The broker has ended since: what was on its way may come.
    pub(super) is_over: bool,
}

/// What can be seen of a retained message that was sent.
#[derive(Clone, Debug)]
struct Sent {
    key: String,
    qos: QoS,
    ids: Vec<u32>,
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
            sent: BTreeMap::new(),
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

    /// The message that it is if it was sent in answer to a SUBSCRIBE, and how well it fits that: rather one that found the
    /// topic retained than one that may have, and rather one that found this very message.
    fn fits(&self, replay: &Replay, topic: &TopicName, sent: &Sent) -> Option<((bool, bool, bool), usize)> {
        if !replay.filter.matches(topic) || Vec::from_iter(replay.id) != sent.ids {
            return None;
        }
        let is_it = |number: &usize| {
            let message = &self.messages[*number];
            message.key == sent.key && message.qos.min(replay.qos) == sent.qos
        };
        let values = self.values_since(topic, replay.since);
        let was_there = values.first().is_some_and(|value| self.was_there(value, replay));
        let number = values.iter().filter_map(|value| value.message).find(is_it)?;
        let is_first = values.first().is_some_and(|value| value.message == Some(number));
        Some(((!replay.is_over, was_there, is_first), number))
    }

    /// The message that a PUBLISH with the retain flag brings in answer to a SUBSCRIBE: the best of those that have not got
    /// one for the topic.
    pub(super) fn take_replayed(
        &self,
        session: &mut Session,
        publish: &Publish,
        ids: &[u32],
    ) -> Option<usize> {
        let topic = &publish.topic;
        let sent = Sent { key: key_of(publish), qos: publish.qos, ids: ids.to_vec() };
        let replays = &mut session.replays;
        let is_open = |replay: &Replay| !replay.sent.contains_key(topic);
        let best_open = |replays: &[Replay], sent: &Sent| {
            let open = replays.iter().enumerate().filter(|(_, replay)| is_open(replay));
            let fitting = open.filter_map(|(at, replay)| {
                let (rank, number) = self.fits(replay, topic, sent)?;
                Some((rank, std::cmp::Reverse(at), number))
            });
            fitting.max().map(|(_, std::cmp::Reverse(at), number)| (at, number))
        };
        if let Some((at, number)) = best_open(replays, &sent) {
            replays[at].sent.insert(topic.clone(), sent);
            return Some(number);
        }
        // What came before may have been the answer to another SUBSCRIBE than it seemed.
        for at in 0..replays.len() {
            let Some((_, number)) = self.fits(&replays[at], topic, &sent) else { continue };
            let Some(before) = replays[at].sent.get(topic).cloned() else { continue };
            if let Some((other, _)) = best_open(replays, &before) {
                replays[other].sent.insert(topic.clone(), before);
                replays[at].sent.insert(topic.clone(), sent);
                return Some(number);
            }
        }
        None
    }

    /// A retained message that a session should have been sent.
    pub(super) fn missing_replay(&self, session: &Session) -> Option<String> {
        for replay in session.replays.iter() {
            let topics = self.retained.keys().filter(|topic| !replay.sent.contains_key(*topic));
            for topic in topics.filter(|topic| self.is_owed(session, replay, topic)) {
                // It may have been what seemed to be another one's, which need not have got anything.
                let is_it = |other: &Replay| {
                    let sent = other.sent.get(topic);
                    sent.is_some_and(|sent| self.fits(replay, topic, sent).is_some())
                        && !self.is_owed(session, other, topic)
                };
                if !session.replays.iter().any(is_it) {
                    return Some(format!("{topic} for {}", replay.filter.as_str()));
                }
            }
        }
        None
    }

    /// Whether a SUBSCRIBE must bring something of a topic: not when there was nothing for a while, which it may have seen.
    fn is_owed(&self, session: &Session, replay: &Replay, topic: &TopicName) -> bool {
        let values = self.values_since(topic, replay.since);
        let must_come = |value: &Value| {
            value.message.is_some_and(|number| {
                self.messages[number].qos.min(replay.qos) > QoS::AtMostOnce
                    && !self.is_excused(session, number)
            })
        };
        let was_there = values.first().is_some_and(|value| self.was_there(value, replay));
        !replay.is_over && replay.filter.matches(topic) && was_there && values.iter().all(must_come)
    }
}
