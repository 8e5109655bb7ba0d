//! What all simulated devices have in common.

use hearth_protocol::{QoS, Time};

/// A device without its network: time and commands go in, reports come out.
pub(super) trait Device: Send {
    /// Where its topics lie: `home/kitchen`. Whether it is there stands at `<prefix>/online`.
    fn prefix(&self) -> &str;

    /// The topics that it listens to.
    fn filters(&self) -> Vec<String> {
        Vec::new()
    }

    /// It is connected: what it knows of itself must be said again.
    fn handle_online(&mut self, now: Time);

    /// A message for it came.
    fn handle_message(&mut self, _now: Time, _topic: &str, _payload: &[u8]) {}

    /// Its time has come.
    fn handle_timeout(&mut self, now: Time);

    /// When its time comes.
    fn poll_timeout(&self) -> Option<Time>;

    /// What it has to say, in order.
    fn poll_report(&mut self) -> Option<Report>;
}

/// Something that a device says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) topic: String,
    pub(super) payload: String,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

impl Report {
    /// A reading: the next one comes soon, the last one is kept for whoever comes later.
    pub(super) fn reading(topic: String, payload: String) -> Self {
        Self { topic, payload, qos: QoS::AtMostOnce, retain: true }
    }

    /// A state that lasts until the next report.
    pub(super) fn state(topic: String, payload: &str) -> Self {
        Self { topic, payload: payload.to_owned(), qos: QoS::AtLeastOnce, retain: true }
    }

    /// What is of interest only now.
    pub(super) fn moment(topic: String, payload: String) -> Self {
        Self { topic, payload, qos: QoS::AtMostOnce, retain: false }
    }
}
