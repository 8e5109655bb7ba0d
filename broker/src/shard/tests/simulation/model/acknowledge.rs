//! What clients acknowledge.

use hearth_protocol::QoS;

use super::Model;
use super::session::{Flight, Origin};

impl Model {
    pub(super) fn on_puback(&mut self, client: usize, packet_id: u16) {
        if self.is_under_way(client, packet_id, |flight| flight.qos == QoS::AtLeastOnce) {
            self.finish(client, packet_id);
        }
    }

    pub(super) fn on_pubrec(&mut self, client: usize, packet_id: u16, is_failure: bool) {
        let is_first = |flight: &Flight| flight.qos == QoS::ExactlyOnce && !flight.is_released;
        if !self.is_under_way(client, packet_id, is_first) {
            return;
        }
        if is_failure {
            return self.finish(client, packet_id);
        }
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let Some(flight) = session.flights.get_mut(&packet_id) else { return };
        flight.is_released = true;
        let (message, origin, is_again) = (flight.message, flight.origin, flight.is_again);
        if !is_again {
            let key = self.messages[message].key.clone();
            *self.taken_once.entry((client, key)).or_default() += 1;
        }
        self.settle(origin);
    }

    pub(super) fn on_pubcomp(&mut self, client: usize, packet_id: u16) {
        if self.is_under_way(client, packet_id, |flight| flight.is_released) {
            self.finish(client, packet_id);
        }
    }

    fn is_under_way(&self, client: usize, packet_id: u16, is_it: impl Fn(&Flight) -> bool) -> bool {
        let session = self.sessions.get(&client);
        session.and_then(|session| session.flights.get(&packet_id)).is_some_and(is_it)
    }

    fn finish(&mut self, client: usize, packet_id: u16) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        if let Some(flight) = session.flights.remove(&packet_id) {
            self.settle(flight.origin);
        }
    }

    /// The message is the client's.
    fn settle(&mut self, origin: Origin) {
        match origin {
            Origin::Share(share) => self.settle_share(share),
            Origin::Live | Origin::Replay => {}
        }
    }
}
