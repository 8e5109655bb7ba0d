//! What must hold when everybody is connected and everything was delivered and acknowledged.

use hearth_protocol::QoS;

use super::session::Flight;
use super::{Invariant, Model, missing};

impl Model {
    /// Nobody waits for anything.
    pub(in super::super) fn check_rest(&mut self) {
        let failure = self.undelivered().or_else(|| {
            for (client, session) in &self.sessions {
                let is_gone = |flight: &Flight| self.is_gone(flight.origin);
                if let Some(flight) = session.flights.values().find(|flight| !is_gone(flight)) {
                    let detail = format!("client {client} has not acknowledged {flight:?}");
                    return Some((Invariant::NothingLeaks, detail));
                }
            }
            None
        });
        if let Some((invariant, detail)) = failure {
            self.fail(invariant, detail);
        }
    }

    fn undelivered(&self) -> Option<(Invariant, String)> {
        if let Some(((number, shard), _)) = self.forwards.first_key_value() {
            let key = &self.messages[*number].key;
            return Some((missing(key), format!("{key} did not arrive at shard {shard}")));
        }
        for (client, session) in &self.sessions {
            let owed = session
                .waiting
                .iter()
                .filter(|entry| entry.qos > QoS::AtMostOnce && !self.may_miss(session, entry))
                .find(|entry| !session.unclear.contains(&self.messages[entry.message].key));
            if let Some(entry) = owed {
                let key = &self.messages[entry.message].key;
                return Some((missing(key), format!("client {client} did not get {key}")));
            }
            if let Some(topic) = self.missing_replay(session) {
                let detail = format!("client {client} did not get the retained message of {topic}");
                return Some((Invariant::RetainedIsTheLast, detail));
            }
        }
        let share = self.missing_share()?;
        Some((Invariant::SharedGoesToOne, format!("nobody got {share}")))
    }

    /// A client has got QoS 2 messages so often.
    pub(in super::super) fn check_heard(&mut self, client: usize, key: &str, times: usize) {
        let key = (client, key.to_owned());
        let count = |counts: &std::collections::BTreeMap<_, usize>| counts.get(&key).copied().unwrap_or(0);
        let (sent, taken) = (count(&self.sent_once), count(&self.taken_once));
        if times > sent || times < taken.min(sent) {
            let detail = format!(
                "client {client} got {} {times} times, was sent it {sent} times and took it {taken} times",
                key.1
            );
            self.fail(Invariant::ExactlyOnce, detail);
        }
    }

    /// What each client has taken over of QoS 2.
    pub(in super::super) fn taken_once(&self, client: usize) -> Vec<String> {
        let of_client = self.taken_once.keys().filter(|(other, _)| *other == client);
        of_client.map(|(_, key)| key.clone()).collect()
    }
}
