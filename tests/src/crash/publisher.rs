//! A client that publishes QoS 1 and 2, retained messages and removals among them.

use std::collections::HashMap;

use hearth_protocol::connection::client::{ClientEvent, Token};
use hearth_protocol::generate::Random;
use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, Version};

use super::Finding;
use super::ledger::Ledger;
use super::peer::Peer;
use crate::wire::message;

/// Topics that all publishers share.
pub const TOPICS: usize = 5;
/// Topics of each publisher whose last message is retained.
pub const RETAINED_TOPICS: usize = 3;
/// Messages under way at once.
const WINDOW: usize = 12;

/// The client, with what it has sent.
pub struct Publisher {
    pub peer: Peer,
    pub number: usize,
    under_way: HashMap<Token, usize>,
}

/// A retained topic of a publisher.
pub fn retained_topic(publisher: usize, topic: usize) -> String {
    format!("state/{publisher}/{topic}")
}

impl Publisher {
    pub fn new(number: usize, version: Version) -> Self {
        let peer = Peer::new(version, &format!("publisher {number}"));
        Self { peer, number, under_way: HashMap::new() }
    }

    /// Whether everything is acknowledged.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Publishes as far as the window has room.
    pub fn publish(&mut self, dice: &mut Random, ledger: &mut Ledger, most: usize) {
        for _ in 0..most.min(WINDOW.saturating_sub(self.under_way.len())) {
            let (topic, qos, retain) = self.choose(dice);
            let is_removal = retain && dice.one_in(4);
            self.send(ledger, &topic, qos, retain, is_removal);
        }
    }

    /// Removes what it has retained.
    pub fn remove_retained(&mut self, ledger: &mut Ledger) {
        for topic in 0..RETAINED_TOPICS {
            self.send(ledger, &retained_topic(self.number, topic), Self::qos_of_retained(topic), true, true);
        }
    }

    fn choose(&self, dice: &mut Random) -> (String, QoS, bool) {
        if dice.one_in(5) {
            let topic = dice.below(RETAINED_TOPICS);
            (retained_topic(self.number, topic), Self::qos_of_retained(topic), true)
        } else {
            let qos = if dice.one_in(3) { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            (format!("t/{}", dice.below(TOPICS)), qos, false)
        }
    }

    /// One QoS a topic: between two of them the standard knows no order.
    const fn qos_of_retained(topic: usize) -> QoS {
        if topic.is_multiple_of(2) { QoS::AtLeastOnce } else { QoS::ExactlyOnce }
    }

    fn send(&mut self, ledger: &mut Ledger, topic: &str, qos: QoS, retain: bool, is_removal: bool) {
        let number = ledger.make(self.number, topic, qos, retain, is_removal);
        let payload = if is_removal { String::new() } else { format!("{} {number}", self.number) };
        let publish = Publish { retain, ..message(topic, payload.as_bytes(), qos) };
        let now = self.peer.now();
        let token = self.peer.client.publish(now, publish).unwrap();
        self.under_way.insert(token, number);
    }

    pub fn take(&mut self, events: &[ClientEvent], ledger: &mut Ledger) -> Result<(), Finding> {
        for event in events {
            let ClientEvent::Published { token, reason, .. } = event else { continue };
            let Some(number) = self.under_way.remove(token) else { continue };
            if reason.is_failure() {
                return Err(format!("\"{} {number}\" was refused with {reason}", self.number));
            }
            ledger.acknowledge(self.number, number);
        }
        Ok(())
    }
}
