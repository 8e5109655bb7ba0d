//! The rows of a store, read back: what a broker begins with after it had stopped, whichever way.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hearth_protocol::packet::{PacketId, Publish};
use hearth_protocol::{QoS, Text, Time, TopicFilter};

use super::carried::{self, Carried, CarriedRow};
use super::journal::{Change, Table};
use super::row::{self, MessageRow, ReferenceRow, SessionRow, SubscriptionRow};
use super::value::{RowBytes, Value};
use crate::ids::ShardId;
use crate::message::Message;
use crate::router::SubscriptionOptions;
use crate::shared::Shared;

/// Everything that a store holds.
#[derive(Debug, Default)]
pub struct Image {
    sessions: BTreeMap<u64, Parts>,
    messages: HashMap<u64, MessageRow>,
    references: BTreeMap<(u64, u64), Waiting>,
    /// Each with the time of day when it expires.
    retained: Vec<(Arc<Message>, Option<u64>)>,
    carried: BTreeMap<Carried, CarriedRow>,
    serial_max: u64,
    message_max: u64,
}

/// What a session waits for or has not acknowledged.
#[derive(Debug)]
struct Waiting {
    row: ReferenceRow,
    /// It stands in the row of the message.
    is_with_message: bool,
}

/// A row that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Where it stands.
    pub table: Table,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of the table {:?} cannot be read: {}", self.table, self.problem)
    }
}

impl std::error::Error for BadRow {}

/// A session as it was.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) serial: u64,
    pub(crate) row: SessionRow,
    pub(crate) subscriptions: Vec<(TopicFilter, SubscriptionOptions)>,
    /// In their order.
    pub(crate) deliveries: Vec<RestoredDelivery>,
    pub(crate) received: Vec<PacketId>,
    pub(crate) released: Vec<PacketId>,
}

/// A message that a session waits for or has not acknowledged.
#[derive(Debug)]
pub(crate) struct RestoredDelivery {
    /// Its place in the session's order.
    pub(crate) place: u64,
    pub(crate) row: ReferenceRow,
    /// It stands in the row of the message.
    pub(crate) is_with_message: bool,
    pub(crate) message: Arc<Message>,
}

impl Image {
    /// Takes a row, in any order.
    ///
    /// # Errors
    /// It is not what was written; the rest is of use without it.
    pub fn insert(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<(), BadRow> {
        self.take(table, key, value).map_err(|problem| BadRow { table, problem })
    }

    fn take(&mut self, table: Table, key: &[u8], value: Bytes) -> Result<(), &'static str> {
        match table {
            Table::Sessions => {
                let serial = number(key)?;
                let row = SessionRow::decode(value)?;
                self.session(serial).row = Some(row);
            }
            Table::Subscriptions => {
                let (serial, filter) = split(key)?;
                let filter = row::filter(Bytes::copy_from_slice(filter))?;
                let SubscriptionRow(options) = SubscriptionRow::decode(value)?;
                self.session(serial).subscriptions.push((filter, options));
            }
            Table::Messages => {
                let message = number(key)?;
                self.message_max = self.message_max.max(message);
                let row = MessageRow::decode(value)?;
                if let Some(reference) = row.reference {
                    let at = (reference.session, reference.place);
                    let row = reference.as_row(message);
                    self.references.insert(at, Waiting { row, is_with_message: true });
                }
                self.messages.insert(message, row);
            }
            Table::References => {
                let (serial, place) = split(key)?;
                let row = ReferenceRow::decode(value)?;
                self.references.insert((serial, number(place)?), Waiting { row, is_with_message: false });
            }
            Table::Received => {
                let (serial, id) = split(key)?;
                self.session(serial).received.push(packet_id(id)?);
            }
            Table::Released => {
                let (serial, id) = split(key)?;
                self.session(serial).released.push(packet_id(id)?);
            }
            Table::Retained => {
                let MessageRow { publish, publisher, expires_at, .. } = MessageRow::decode(value)?;
                self.retained.push((Arc::new(message_of(publish, publisher, None)), expires_at));
            }
            Table::Carried => {
                self.carried.insert(Carried::of_key(key)?, CarriedRow::decode(value)?);
            }
        }
        Ok(())
    }

    fn session(&mut self, serial: u64) -> &mut Parts {
        self.serial_max = self.serial_max.max(serial & SERIAL_MASK);
        self.sessions.entry(serial).or_default()
    }

    /// How many sessions, messages that wait, and retained messages there are.
    pub fn counts(&self) -> [usize; 3] {
        [self.sessions.len(), self.references.len(), self.retained.len()]
    }

    /// The retained messages that have not expired go into the store that the shards share; the sessions into the shards
    /// that they live on now. To be called before there are shards. Also which rows belong to nothing, to be deleted.
    pub fn restore(mut self, shared: &Shared) -> (Vec<ShardImage>, Vec<Change>) {
        let mut orphans = Vec::new();
        let mut retained = Vec::with_capacity(self.retained.len());
        for (mut message, expires_at) in std::mem::take(&mut self.retained) {
            // Nobody else has it yet.
            if let Some(message) = Arc::get_mut(&mut message) {
                message.expires_at = expires_at.map(|at| shared.time_of(at));
                message.charge_to(shared.account(ShardId::new(0)));
            }
            if message.is_expired(Time::ZERO) {
                orphans.push(Change::Delete(Table::Retained, message.topic.as_str().as_bytes().into()));
            } else {
                retained.push(message);
            }
        }
        shared.retained.restore(retained);
        shared.set_message_number(self.message_max);
        let serial_max = self.serial_max;
        let new_image = || ShardImage { serial_max, sessions: Vec::new() };
        let mut images: Vec<ShardImage> = (0..shared.shard_count().get()).map(|_| new_image()).collect();
        for session in self.take_sessions(shared, &mut orphans) {
            let shard = shared.shard_of(&session.row.client_id);
            images[shard.as_index()].sessions.push(session);
        }
        (images, orphans)
    }

    /// Who has a message as the member of a group: one, even if it was on its way from one to another. Who may have sent it
    /// to its client counts more, then who has it later.
    fn chosen_members(&self) -> HashMap<(u64, TopicFilter), (bool, (u64, u64))> {
        let mut chosen = HashMap::new();
        for (at, Waiting { row, .. }) in &self.references {
            let Some(group) = &row.group else { continue };
            let rank = (row.packet_id.is_some(), *at);
            let best = chosen.entry((row.message, group.clone())).or_insert(rank);
            *best = rank.max(*best);
        }
        chosen
    }

    /// The number of each client's session that counts.
    fn newest_sessions(&self) -> HashMap<Text, u64> {
        let of_client =
            |(serial, parts): (&u64, &Parts)| Some((parts.row.as_ref()?.client_id.clone(), *serial));
        self.sessions.iter().filter_map(of_client).collect()
    }

    /// The sessions, oldest first.
    fn take_sessions(&mut self, shared: &Shared, orphans: &mut Vec<Change>) -> Vec<Restored> {
        let newest = self.newest_sessions();
        let chosen = self.chosen_members();
        let mut used: HashMap<u64, Arc<Message>> = HashMap::new();
        let mut restored = Vec::new();
        let mut references = std::mem::take(&mut self.references);
        let mut dropped = Vec::new();
        for (serial, parts) in std::mem::take(&mut self.sessions) {
            let later = references.split_off(&(serial + 1, 0));
            let own = std::mem::replace(&mut references, later);
            let Parts { row, subscriptions, received, mut released } = parts;
            let Some(row) = row.filter(|row| newest.get(&row.client_id) == Some(&serial)) else {
                let key = RowBytes::from(serial.to_be_bytes());
                orphans.push(Change::Delete(Table::Sessions, key.clone()));
                let tables = [Table::Subscriptions, Table::Received, Table::Released, Table::References];
                orphans.extend(tables.map(|table| Change::DeleteAll(table, key.clone())));
                dropped.extend(own);
                continue;
            };
            let mut deliveries = Vec::new();
            for (at, waiting) in own {
                let Waiting { row, is_with_message } = &waiting;
                let held = match used.get(&row.message) {
                    Some(held) => Some(Arc::clone(held)),
                    None => self.messages.remove(&row.message).map(|found| {
                        let held = Arc::new(message(shared, found));
                        used.insert(row.message, Arc::clone(&held));
                        held
                    }),
                };
                let is_chosen = row.group.as_ref().is_none_or(|group| {
                    chosen.get(&(row.message, group.clone())).is_some_and(|(_, best)| *best == at)
                });
                // A client may have what was sent to it, and has to hear the end of that however late it is.
                let is_over = |held: &Message| held.is_expired(Time::ZERO) && row.packet_id.is_none();
                match held.filter(|held| is_chosen && at.0 == serial && !is_over(held)) {
                    Some(message) => {
                        take_reference(&message, row.message);
                        let (place, is_with_message) = (at.1, *is_with_message);
                        deliveries.push(RestoredDelivery {
                            place,
                            row: waiting.row,
                            is_with_message,
                            message,
                        });
                    }
                    None => {
                        // If there is a client, it may know it by its identifier, which is not free until PUBCOMP.
                        let is_known = at.0 == serial && row.qos == QoS::ExactlyOnce;
                        if let Some(id) = row.packet_id.filter(|_| is_known) {
                            let key = key_of(at.0, &id.get().to_be_bytes());
                            orphans.push(Change::Put(Table::Released, key, Vec::new().into()));
                            released.push(id);
                        }
                        dropped.push((at, waiting));
                    }
                }
            }
            restored.push(Restored { serial, row, subscriptions, deliveries, received, released });
        }
        let arrivals = self.deliver_carried(shared, &mut restored, &mut used);
        dropped.extend(references);
        let is_held = |number: &u64| used.get(number).is_some_and(|message| Arc::strong_count(message) > 1);
        let read = std::mem::take(&mut self.messages).into_keys().chain(used.keys().copied());
        let unheld = read.filter(|number| !is_held(number));
        let unheld = unheld.map(|number| Change::Delete(Table::Messages, number.to_be_bytes().into()));
        let unheld: Vec<_> = unheld.collect();
        orphans.extend(dropped.into_iter().filter_map(|(at, waiting)| ended(shared, at, &waiting, &used)));
        // Those are the rows of messages too, which stay for others alone.
        orphans.extend(unheld);
        // In a place that was that of something dropped.
        orphans.extend(arrivals);
        restored
    }

    /// What was on its way from shard to shard goes to whom it was for; the changes that this makes.
    fn deliver_carried(
        &mut self,
        shared: &Shared,
        restored: &mut [Restored],
        used: &mut HashMap<u64, Arc<Message>>,
    ) -> Vec<Change> {
        let (messages, mut changes) = (&mut self.messages, Vec::new());
        carried::deliver(std::mem::take(&mut self.carried), restored, &mut changes, |number| {
            if let Some(found) = messages.remove(&number) {
                used.insert(number, Arc::new(message(shared, found)));
            }
            used.get(&number).filter(|message| !message.is_expired(Time::ZERO)).map(Arc::clone)
        });
        changes
    }
}

/// What puts an end to what a session waits for, at this place; `None` where nothing of it is left in any case.
fn ended(
    shared: &Shared,
    (of, place): (u64, u64),
    waiting: &Waiting,
    messages: &HashMap<u64, Arc<Message>>,
) -> Option<Change> {
    if !waiting.is_with_message {
        return Some(Change::Delete(Table::References, key_of(of, &place.to_be_bytes())));
    }
    let number = waiting.row.message;
    let message = messages.get(&number)?;
    let expires_at = message.expires_at.map(|at| shared.day_time(at));
    let value = Value::message(Arc::clone(message), expires_at, None);
    Some(Change::Put(Table::Messages, number.to_be_bytes().into(), value))
}

/// What of an [`Image`] is one shard's.
#[derive(Debug)]
pub struct ShardImage {
    /// The highest number of a session, without the shard.
    pub(crate) serial_max: u64,
    pub(crate) sessions: Vec<Restored>,
}

/// The part of a session's number that counts; the rest names the shard that has given it out.
const SERIAL_MASK: u64 = (1 << 48) - 1;

fn message(shared: &Shared, row: MessageRow) -> Message {
    let expires_at = row.expires_at.map(|at| shared.time_of(at));
    message_of(row.publish, row.publisher, expires_at).charged(shared.account(ShardId::new(0)))
}

fn message_of(publish: Publish, publisher: u64, expires_at: Option<Time>) -> Message {
    let Publish { topic, payload, qos, retain, properties, .. } = publish;
    let kept = Mutex::default();
    Message { topic, payload, qos, retain, properties, publisher, expires_at, kept, charge: None }
}

pub(super) fn take_reference(message: &Message, number: u64) {
    let mut kept = message.kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.number = number;
    kept.references += 1;
    kept.is_collected = true;
}

/// What was read of a session so far.
#[derive(Debug, Default)]
struct Parts {
    row: Option<SessionRow>,
    subscriptions: Vec<(TopicFilter, SubscriptionOptions)>,
    received: Vec<PacketId>,
    released: Vec<PacketId>,
}

/// The key of a row that belongs to a session.
pub(crate) fn key_of(serial: u64, rest: &[u8]) -> RowBytes {
    RowBytes::concat(&[&serial.to_be_bytes(), rest])
}

pub(super) fn number(key: &[u8]) -> Result<u64, &'static str> {
    key.try_into().map(u64::from_be_bytes).map_err(|_| "its key")
}

pub(super) fn split(key: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let (serial, rest) = key.split_at_checked(8).ok_or("its key")?;
    Ok((number(serial)?, rest))
}

pub(super) fn packet_id(key: &[u8]) -> Result<PacketId, &'static str> {
    let id = key.try_into().map(u16::from_be_bytes).map_err(|_| "its key")?;
    PacketId::new(id).ok_or("its key")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hearth_protocol::{QoS, TopicName, Version};

    use super::super::row::OwnReference;
    use super::*;
    use crate::ids::ShardCount;
    use crate::limits::Limits;

    const LIVING: u64 = 5;
    const GONE: u64 = 9;

    fn message_for(session: u64) -> Bytes {
        let message = Message {
            topic: TopicName::try_from("a").unwrap(),
            payload: Bytes::from_static(b"1"),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: None,
            publisher: 0,
            expires_at: None,
            kept: Mutex::default(),
            charge: None,
        };
        let (qos, retain) = (QoS::AtLeastOnce, false);
        let reference = OwnReference { session, place: 1, qos, retain, id: 0, packet_id: None };
        Value::message(Arc::new(message), None, Some(reference)).to_vec().into()
    }

    fn image() -> Image {
        let mut image = Image::default();
        let session = SessionRow {
            client_id: Text::try_from("lamp").unwrap(),
            user_name: None,
            version: Version::V5,
            expiry_seconds: 60,
            ended_at: None,
            will: None,
            will_due: None,
        };
        image.insert(Table::Sessions, &LIVING.to_be_bytes(), session.encode().into()).unwrap();
        image
    }

    fn restored(image: Image) -> (usize, BTreeSet<(Table, u64, bool)>) {
        let shared = Shared::new(ShardCount::new(std::num::NonZeroU16::MIN), Limits::default(), [1, 2]);
        let (shards, changes) = image.restore(&shared);
        let deliveries = shards[0].sessions.iter().map(|session| session.deliveries.len()).sum();
        let changes = changes.into_iter().map(|change| match change {
            Change::Put(table, key, _) => (table, number(&key).unwrap(), true),
            Change::Delete(table, key) => (table, number(&key).unwrap(), false),
            Change::DeleteAll(table, key) => panic!("{table:?}, {key:?}"),
        });
        (deliveries, changes.collect())
    }

    #[test]
    fn a_message_stays_for_the_session_that_its_row_names() {
        let mut image = image();
        image.insert(Table::Messages, &1_u64.to_be_bytes(), message_for(LIVING)).unwrap();
        image.insert(Table::Messages, &2_u64.to_be_bytes(), message_for(GONE)).unwrap();
        assert_eq!(restored(image), (1, [(Table::Messages, 2, false)].into()));
    }

    #[test]
    fn a_row_that_names_a_session_that_is_gone_is_written_anew_for_others() {
        let mut image = image();
        image.insert(Table::Messages, &1_u64.to_be_bytes(), message_for(GONE)).unwrap();
        let other = ReferenceRow {
            message: 1,
            qos: QoS::AtLeastOnce,
            retain: false,
            ids: Vec::new(),
            group: None,
            packet_id: None,
        };
        let key = key_of(LIVING, &7_u64.to_be_bytes());
        image.insert(Table::References, &key, other.encode().to_vec().into()).unwrap();
        assert_eq!(restored(image), (1, [(Table::Messages, 1, true)].into()));
    }
}
