//! Counts the rows of a store without holding what they carry.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use hearth_protocol::QoS;
use hearth_protocol::packet::{PacketId, Will};

use super::carried::{Carried, CarriedRow};
use super::image::{BadRow, number, packet_id, split};
use super::journal::Table;
use super::report::{Amount, ExactlyOnce, Report, SessionReport, SubscriptionReport, WillReport};
use super::row::{self, MessageRow, OwnReference, ReferenceRow, SessionRow, SubscriptionRow};

/// Retained messages that a report names: enough to see what fills the store.
const LARGEST_MAX: usize = 10;

/// Takes the rows of a store, one after the other. A message takes some bytes here, whatever its size.
#[derive(Debug, Default)]
pub struct Inventory {
    sessions: BTreeMap<u64, Parts>,
    message_bytes: HashMap<u64, u64>,
    references: Vec<Reference>,
    /// Messages on their way from shard to shard.
    carried: HashSet<u64>,
    retained: Amount,
    /// The smallest first.
    largest_retained: BTreeSet<(u64, String)>,
}

/// What was read of a session so far.
#[derive(Debug, Default)]
struct Parts {
    row: Option<SessionRow>,
    subscriptions: Vec<SubscriptionReport>,
    received: u64,
    released: BTreeSet<PacketId>,
}

impl Parts {
    fn rows(&self) -> u64 {
        let rows = usize::from(self.row.is_some()) + self.subscriptions.len() + self.released.len();
        rows as u64 + self.received
    }
}

/// That a session waits for a message.
#[derive(Debug)]
struct Reference {
    serial: u64,
    message: u64,
    qos: QoS,
    packet_id: Option<PacketId>,
    /// It stands in the row of the message.
    is_with_message: bool,
}

impl Inventory {
    /// Takes a row, in any order.
    ///
    /// # Errors
    /// It is not what was written; the rest is of use without it.
    pub fn insert(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<(), BadRow> {
        self.take(table, key, value).map_err(|problem| BadRow { table, problem })
    }

    fn take(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<(), &'static str> {
        let bytes = value.len() as u64;
        match table {
            Table::Sessions => {
                let serial = number(key)?;
                let row = SessionRow::decode(value)?;
                self.session(serial).row = Some(row);
            }
            Table::Subscriptions => {
                let (serial, filter) = split(key)?;
                let filter = row::filter(Bytes::copy_from_slice(filter))?.as_str().to_owned();
                let SubscriptionRow(options) = SubscriptionRow::decode(value)?;
                let subscription = SubscriptionReport { filter, qos: options.qos };
                self.session(serial).subscriptions.push(subscription);
            }
            Table::Messages => {
                let number = number(key)?;
                if let Some(reference) = MessageRow::decode(value)?.reference {
                    let OwnReference { session, qos, packet_id, .. } = reference;
                    let reference =
                        Reference { serial: session, message: number, qos, packet_id, is_with_message: true };
                    self.references.push(reference);
                }
                self.message_bytes.insert(number, bytes);
            }
            Table::References => {
                let (serial, place) = split(key)?;
                number(place)?;
                let ReferenceRow { message, qos, packet_id, .. } = ReferenceRow::decode(value)?;
                self.references.push(Reference { serial, message, qos, packet_id, is_with_message: false });
            }
            Table::Received => {
                let (serial, id) = split(key)?;
                packet_id(id)?;
                self.session(serial).received += 1;
            }
            Table::Released => {
                let (serial, id) = split(key)?;
                let id = packet_id(id)?;
                self.session(serial).released.insert(id);
            }
            Table::Carried => {
                CarriedRow::decode(value)?;
                self.carried.insert(Carried::of_key(key)?.message()?);
            }
            Table::Retained => {
                let topic = MessageRow::decode(value)?.publish.topic.as_str().to_owned();
                self.retained.add(bytes);
                self.largest_retained.insert((bytes, topic));
                if self.largest_retained.len() > LARGEST_MAX {
                    self.largest_retained.pop_first();
                }
            }
        }
        Ok(())
    }

    fn session(&mut self, serial: u64) -> &mut Parts {
        self.sessions.entry(serial).or_default()
    }

    /// What it all comes to.
    pub fn finish(mut self) -> Report {
        let mut report = Report { retained: self.retained, ..Report::default() };
        let largest = std::mem::take(&mut self.largest_retained).into_iter().rev();
        report.largest_retained = largest.map(|(bytes, topic)| (topic, bytes)).collect();
        // Of two sessions of a client the later one counts, as when a broker starts.
        let mut newest = HashMap::new();
        for (serial, parts) in &self.sessions {
            if let Some(row) = &parts.row {
                newest.insert(row.client_id.clone(), *serial);
            }
        }
        let newest: HashSet<u64> = newest.into_values().collect();
        let mut sessions: BTreeMap<u64, (SessionReport, BTreeSet<PacketId>)> = BTreeMap::new();
        for (serial, parts) in std::mem::take(&mut self.sessions) {
            let rows = parts.rows();
            let session = if newest.contains(&serial) { session(parts) } else { None };
            match session {
                Some(session) => drop(sessions.insert(serial, session)),
                None => report.loose_rows += rows,
            }
        }
        let mut used = HashSet::new();
        for number in std::mem::take(&mut self.carried) {
            if let Some(bytes) = self.message_bytes.get(&number) {
                used.insert(number);
                report.messages.add(*bytes);
            }
        }
        for reference in std::mem::take(&mut self.references) {
            let bytes = self.message_bytes.get(&reference.message);
            match (sessions.get_mut(&reference.serial), bytes) {
                (Some((session, released)), Some(bytes)) => {
                    if used.insert(reference.message) {
                        report.messages.add(*bytes);
                    }
                    count(session, released, &reference, *bytes);
                }
                // The row is counted as that of the message.
                (Some(_), None) | (None, _) if reference.is_with_message => {}
                (Some(_), None) | (None, _) => report.loose_rows += 1,
            }
        }
        report.loose_rows += (self.message_bytes.len() - used.len()) as u64;
        report.sessions = sessions.into_values().map(|(session, _)| session).collect();
        report.sessions.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        report
    }
}

/// The session of these rows, and which packet identifiers its client has taken over; `None` without a row of its own.
fn session(parts: Parts) -> Option<(SessionReport, BTreeSet<PacketId>)> {
    let Parts { row, mut subscriptions, received, released } = parts;
    let SessionRow { client_id, user_name, version, expiry_seconds, ended_at, will, will_due } = row?;
    subscriptions.sort();
    let session = SessionReport {
        client_id: client_id.as_str().to_owned(),
        user_name: user_name.map(|name| name.as_str().to_owned()),
        version,
        expiry_seconds,
        ended_at,
        subscriptions,
        waiting: Amount::default(),
        under_way: Amount::default(),
        exactly_once: ExactlyOnce { received, sent: 0, released: released.len() as u64 },
        will: will.map(|will| will_report(&will, will_due)),
    };
    Some((session, released))
}

fn will_report(will: &Will, due_at: Option<u64>) -> WillReport {
    WillReport {
        topic: will.topic.as_str().to_owned(),
        qos: will.qos,
        retain: will.retain,
        payload_bytes: will.payload.len() as u64,
        due_at,
    }
}

fn count(session: &mut SessionReport, released: &BTreeSet<PacketId>, reference: &Reference, bytes: u64) {
    let Some(packet_id) = reference.packet_id else {
        session.waiting.add(bytes);
        return;
    };
    session.under_way.add(bytes);
    if reference.qos == QoS::ExactlyOnce && !released.contains(&packet_id) {
        session.exactly_once.sent += 1;
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::packet::WillProperties;
    use hearth_protocol::{Text, TopicName, Version};

    use std::sync::Arc;

    use super::super::image::key_of;
    use super::super::value::Value;
    use super::*;
    use crate::message::Message;

    fn name(text: &str) -> Text {
        Text::try_from(text).unwrap()
    }

    fn will(topic: &str, payload: &'static [u8]) -> Will {
        Will {
            topic: TopicName::new(name(topic)).unwrap(),
            payload: Bytes::from_static(payload),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties::default(),
        }
    }

    fn message(topic: &str, payload: &'static [u8]) -> Vec<u8> {
        message_for(topic, payload, None)
    }

    fn message_for(topic: &str, payload: &'static [u8], reference: Option<OwnReference>) -> Vec<u8> {
        let message = Message::of_will(will(topic, payload), 0, hearth_protocol::Time::ZERO);
        Value::message(Arc::new(message), None, reference).to_vec()
    }

    fn session(client_id: &str) -> Vec<u8> {
        let row = SessionRow {
            client_id: name(client_id),
            user_name: Some(name("ann")),
            version: Version::V5,
            expiry_seconds: 60,
            ended_at: Some(1_000),
            will: Some(will("gone", b"bye")),
            will_due: Some(2_000),
        };
        row.encode()
    }

    fn reference(message: u64, qos: QoS, packet_id: Option<u16>) -> Vec<u8> {
        let packet_id = packet_id.and_then(PacketId::new);
        ReferenceRow { message, qos, retain: false, ids: Vec::new(), group: None, packet_id }
            .encode()
            .to_vec()
    }

    fn put(inventory: &mut Inventory, table: Table, key: &[u8], value: Vec<u8>) {
        inventory.insert(table, key, Bytes::from(value)).unwrap();
    }

    #[test]
    fn a_session_is_told_with_all_that_waits_for_it_in_whatever_order_the_rows_come() {
        let mut inventory = Inventory::default();
        let small = message("a", b"1").len() as u64;
        let large = message("a", b"12345").len() as u64;
        for (place, message, qos, packet_id) in [
            (1_u64, 1, QoS::ExactlyOnce, Some(7)),
            (2, 1, QoS::ExactlyOnce, Some(8)),
            (3, 2, QoS::AtLeastOnce, Some(9)),
            (4, 2, QoS::AtLeastOnce, None),
        ] {
            let key = key_of(5, &place.to_be_bytes());
            put(&mut inventory, Table::References, &key, reference(message, qos, packet_id));
        }
        put(&mut inventory, Table::Released, &key_of(5, &8_u16.to_be_bytes()), Vec::new());
        put(&mut inventory, Table::Released, &key_of(5, &10_u16.to_be_bytes()), Vec::new());
        put(&mut inventory, Table::Received, &key_of(5, &1_u16.to_be_bytes()), Vec::new());
        put(&mut inventory, Table::Subscriptions, &key_of(5, b"a/#"), vec![1, 0, 0, 0, 0]);
        put(&mut inventory, Table::Messages, &1_u64.to_be_bytes(), message("a", b"1"));
        put(&mut inventory, Table::Messages, &2_u64.to_be_bytes(), message("a", b"12345"));
        put(&mut inventory, Table::Sessions, &5_u64.to_be_bytes(), session("lamp"));
        let report = inventory.finish();
        assert_eq!((report.loose_rows, report.sessions.len()), (0, 1));
        assert_eq!(report.messages, Amount { messages: 2, bytes: small + large });
        let session = &report.sessions[0];
        assert_eq!((session.client_id.as_str(), session.user_name.as_deref()), ("lamp", Some("ann")));
        assert_eq!(session.waiting, Amount { messages: 1, bytes: large });
        assert_eq!(session.under_way, Amount { messages: 3, bytes: 2 * small + large });
        assert_eq!(session.exactly_once, ExactlyOnce { received: 1, sent: 1, released: 2 });
        assert_eq!(
            session.subscriptions,
            [SubscriptionReport { filter: "a/#".into(), qos: QoS::AtLeastOnce }]
        );
        let will = session.will.as_ref().unwrap();
        assert_eq!((will.topic.as_str(), will.payload_bytes, will.due_at), ("gone", 3, Some(2_000)));
    }

    #[test]
    fn who_is_named_in_the_row_of_a_message_waits_for_it() {
        let mut inventory = Inventory::default();
        put(&mut inventory, Table::Sessions, &5_u64.to_be_bytes(), session("lamp"));
        let mut bytes = 0;
        for (number, session) in [(1_u64, 5), (2, 9)] {
            let (qos, retain) = (QoS::AtLeastOnce, false);
            let reference = OwnReference { session, place: number, qos, retain, id: 0, packet_id: None };
            let row = message_for("a", b"1", Some(reference));
            bytes = row.len() as u64;
            put(&mut inventory, Table::Messages, &number.to_be_bytes(), row);
        }
        let report = inventory.finish();
        assert_eq!(report.sessions[0].waiting, Amount { messages: 1, bytes });
        assert_eq!((report.messages, report.loose_rows), (Amount { messages: 1, bytes }, 1));
    }

    #[test]
    fn what_belongs_to_nothing_is_counted_apart() {
        let mut inventory = Inventory::default();
        put(&mut inventory, Table::Sessions, &1_u64.to_be_bytes(), session("lamp"));
        put(&mut inventory, Table::Sessions, &2_u64.to_be_bytes(), session("lamp"));
        put(&mut inventory, Table::Received, &key_of(1, &1_u16.to_be_bytes()), Vec::new());
        put(&mut inventory, Table::Received, &key_of(9, &1_u16.to_be_bytes()), Vec::new());
        put(&mut inventory, Table::Messages, &1_u64.to_be_bytes(), message("a", b"1"));
        for serial in [1, 2] {
            let key = key_of(serial, &1_u64.to_be_bytes());
            put(&mut inventory, Table::References, &key, reference(8, QoS::AtLeastOnce, None));
        }
        let report = inventory.finish();
        // Of the older session its row, what it received and waits for; of no session one; two without the other side.
        assert_eq!((report.sessions.len(), report.loose_rows), (1, 6));
        assert_eq!(report.messages, Amount::default());
    }

    #[test]
    fn the_largest_retained_messages_are_named() {
        let mut inventory = Inventory::default();
        let payload: &'static [u8] = &[7; 64];
        for number in 0..20_u8 {
            let topic = format!("t/{number:02}");
            let row = message(&topic, &payload[..usize::from(number)]);
            put(&mut inventory, Table::Retained, topic.as_bytes(), row);
        }
        let report = inventory.finish();
        assert_eq!(report.retained.messages, 20);
        let topics: Vec<_> = report.largest_retained.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!((topics.len(), topics[0], topics[9]), (LARGEST_MAX, "t/19", "t/10"));
        assert!(report.largest_retained[0].1 > report.largest_retained[9].1);
    }

    #[test]
    fn a_row_that_is_not_what_was_written_is_told_and_left_out() {
        let mut inventory = Inventory::default();
        for table in Table::ALL {
            let told = inventory.insert(table, b"odd", Bytes::from_static(b"x")).unwrap_err();
            assert_eq!(told.table, table);
        }
        assert_eq!(inventory.finish(), Report::default());
    }
}
