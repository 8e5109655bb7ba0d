//! Messages that were on their way from shard to shard when the process died.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use foldhash::quality::FixedState;
use hearth_protocol::{QoS, TopicFilter};

use super::image::{Restored, RestoredDelivery, key_of, take_reference};
use super::journal::{Change, Table};
use super::row::{Problem, ReferenceRow, filter};
use crate::ids::ShardId;
use crate::message::Message;

/// Names the row of a message on its way: the number of the message, the shard, and the filter of the group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Carried(Arc<[u8]>);

/// Such a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarriedRow {
    pub(crate) placement: Placement,
}

/// Which shard each session was on: another process chooses others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) hash_key: u64,
    pub(crate) shards: u16,
}

impl Carried {
    pub(crate) fn new(message: u64, to: ShardId, group: Option<&TopicFilter>) -> Self {
        let mut key = message.to_be_bytes().to_vec();
        // There are fewer shards than 16 bits count.
        key.extend_from_slice(&(to.as_index() as u16).to_be_bytes());
        key.extend_from_slice(group.map_or("", |group| group.as_str()).as_bytes());
        Self(key.into())
    }

    pub(super) fn of_key(key: &[u8]) -> Result<Self, Problem> {
        let carried = Self(key.into());
        carried.parts().map(|_| carried)
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.0
    }

    /// The number of the message.
    pub(super) fn message(&self) -> Result<u64, Problem> {
        self.parts().map(|(message, ..)| message)
    }

    /// Message, shard and group.
    fn parts(&self) -> Result<(u64, u16, Option<TopicFilter>), Problem> {
        let mut key = Bytes::copy_from_slice(&self.0);
        let message = key.try_get_u64().map_err(|_| "its key")?;
        let shard = key.try_get_u16().map_err(|_| "its key")?;
        let group = if key.is_empty() { None } else { Some(filter(key)?) };
        Ok((message, shard, group))
    }
}

impl CarriedRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_u64(self.placement.hash_key);
        bytes.put_u16(self.placement.shards);
        bytes
    }

    pub(super) fn decode(mut row: Bytes) -> Result<Self, Problem> {
        let hash_key = row.try_get_u64().map_err(|_| "its length")?;
        let shards = row.try_get_u16().map_err(|_| "its length")?;
        if shards == 0 || !row.is_empty() {
            return Err("its length");
        }
        Ok(Self { placement: Placement { hash_key, shards } })
    }
}

impl Placement {
    /// The shard of a client.
    pub(crate) fn shard_of(self, client_id: &str) -> u16 {
        let mut hasher = FixedState::with_seed(self.hash_key).build_hasher();
        hasher.write(client_id.as_bytes());
        // Below the count, which fits.
        (hasher.finish() % u64::from(self.shards)) as u16
    }
}

/// Gives what was on its way to the sessions that it was for; `find` gives a message by its number.
pub(super) fn deliver(
    carried: BTreeMap<Carried, CarriedRow>,
    restored: &mut [Restored],
    changes: &mut Vec<Change>,
    mut find: impl FnMut(u64) -> Option<Arc<Message>>,
) {
    for (carried, row) in carried {
        changes.push(Change::Delete(Table::Carried, carried.key().into()));
        let Ok((number, shard, group)) = carried.parts() else { continue };
        let Some(message) = find(number) else { continue };
        for session in restored.iter_mut() {
            let wanted = match &group {
                Some(group) => of_member(session, group, number, &message),
                None if row.placement.shard_of(&session.row.client_id) == shard => {
                    of_subscriber(session, number, &message)
                }
                None => None,
            };
            let Some(wanted) = wanted else { continue };
            push(session, wanted, &message, changes);
            if group.is_some() {
                break;
            }
        }
    }
}

fn push(session: &mut Restored, row: ReferenceRow, message: &Arc<Message>, changes: &mut Vec<Change>) {
    let place = session.deliveries.iter().map(|delivery| delivery.place).max().unwrap_or(0) + 1;
    let key = key_of(session.serial, &place.to_be_bytes());
    changes.push(Change::Put(Table::References, key, row.encode().into()));
    take_reference(message, row.message);
    session.deliveries.push(RestoredDelivery {
        place,
        row,
        is_with_message: false,
        message: Arc::clone(message),
    });
}

fn of_member(
    session: &Restored,
    group: &TopicFilter,
    number: u64,
    message: &Message,
) -> Option<ReferenceRow> {
    let (filter, options) = session.subscriptions.iter().find(|(filter, _)| filter == group)?;
    let qos = options.qos.min(message.qos);
    (qos > QoS::AtMostOnce).then(|| ReferenceRow {
        message: number,
        qos,
        retain: message.retain && options.retain_as_published,
        ids: if options.id == 0 { Vec::new() } else { vec![options.id] },
        group: Some(filter.clone()),
        packet_id: None,
    })
}

/// One copy for all subscriptions of a session that match.
fn of_subscriber(session: &Restored, number: u64, message: &Message) -> Option<ReferenceRow> {
    let is_own = message.publisher == session.serial;
    let matching: Vec<_> = session
        .subscriptions
        .iter()
        .filter(|(filter, options)| {
            filter.shared().is_none() && filter.matches(&message.topic) && !(options.no_local && is_own)
        })
        .map(|(_, options)| options)
        .collect();
    let qos = matching.iter().map(|options| options.qos).max()?.min(message.qos);
    let mut ids: Vec<u32> = matching.iter().map(|options| options.id).filter(|id| *id > 0).collect();
    ids.sort_unstable();
    (qos > QoS::AtMostOnce).then(|| ReferenceRow {
        message: number,
        qos,
        retain: message.retain && matching.iter().any(|options| options.retain_as_published),
        ids,
        group: None,
        packet_id: None,
    })
}
