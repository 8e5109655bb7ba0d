//! Rows of the store for what a session must not lose with the process.

use std::rc::Rc;
use std::sync::PoisonError;

use hearth_protocol::packet::PacketId;
use hearth_protocol::{QoS, Text, Time, TopicFilter};

use super::Shard;
use crate::delivery::{Delivery, KeptDelivery};
use crate::durable::{
    Batch, Change, Entry, MessageRow, ReferenceRow, SessionRow, SubscriptionRow, Table, key_of,
};
use crate::effect::{Effect, Forward, Unneeded};
use crate::message::{Kept, Message};
use crate::router::SubscriptionOptions;
use crate::system::is_reserved;

impl Shard {
    /// Whether there is something for the disk.
    pub fn wants_commit(&self) -> bool {
        self.journal.is_pending()
    }

    /// What has come together for the disk. [`Shard::handle_committed`] is due once it is there, and what
    /// [`Shared::take_retained_changes`](crate::Shared::take_retained_changes) gives after this with it.
    pub fn poll_batch(&mut self) -> Option<Batch> {
        self.journal.collect()
    }

    /// Sets whether what a session gets from now on must survive the process, and writes the session down as it is.
    pub(super) fn keep_session(&mut self, now: Time, index: u32) {
        let session = &mut self.sessions[index];
        let is_kept = self.journal.is_on() && session.expiry_seconds > 0;
        let was_kept = std::mem::replace(&mut session.is_kept, is_kept);
        if was_kept != is_kept {
            self.shared.count_kept(self.id, is_kept);
        }
        if is_kept {
            self.write_session(now, index);
        } else if was_kept {
            self.delete_session(self.sessions[index].serial);
        }
    }

    fn write_session(&mut self, now: Time, index: u32) {
        let session = &self.sessions[index];
        let last = session.will.as_deref();
        let row = SessionRow {
            client_id: session.client_id.clone(),
            user_name: session.identity.user_name.as_ref().and_then(|name| Text::try_from(&**name).ok()),
            version: session.version,
            expiry_seconds: session.expiry_seconds,
            ended_at: session.connection.is_none().then(|| self.shared.day_time(now)).map(|now| {
                // It may be written down anew long after that.
                let end = session.expires_at.map(|at| self.shared.day_time(at));
                end.map_or(now, |end| end.saturating_sub(u64::from(session.expiry_seconds) * 1000))
            }),
            will: last.map(|last| last.will.clone()),
            will_due: last.and_then(|last| last.due).map(|at| self.shared.day_time(at)),
        };
        let key = session.serial.to_be_bytes().to_vec();
        self.append(Change::Put(Table::Sessions, key, row.encode()));
    }

    /// Removes every row of a session but those of its messages.
    fn delete_session(&mut self, serial: u64) {
        let key = serial.to_be_bytes().to_vec();
        self.append(Change::Delete(Table::Sessions, key.clone()));
        for table in [Table::Subscriptions, Table::Received, Table::Released] {
            self.append(Change::DeleteAll(table, key.clone()));
        }
    }

    /// The session is over, and out of the table of sessions already.
    pub(super) fn let_go_of_session(&mut self, serial: u64) {
        self.shared.count_kept(self.id, false);
        self.delete_session(serial);
    }

    /// Writes a subscription down; `None`: it is no more.
    pub(super) fn keep_subscription(
        &mut self,
        index: u32,
        filter: &TopicFilter,
        options: Option<SubscriptionOptions>,
    ) {
        let session = &self.sessions[index];
        if !session.is_kept {
            return;
        }
        let key = key_of(session.serial, filter.as_str().as_bytes());
        self.append(match options {
            Some(options) => Change::Put(Table::Subscriptions, key, SubscriptionRow(options).encode()),
            None => Change::Delete(Table::Subscriptions, key),
        });
    }

    /// Writes down that a QoS 2 flow stands at a packet identifier, in one direction; or no more.
    pub(super) fn keep_flow(&mut self, index: u32, table: Table, packet_id: PacketId, stands: bool) {
        let session = &self.sessions[index];
        if !session.is_kept {
            return;
        }
        let key = key_of(session.serial, &packet_id.get().to_be_bytes());
        self.append(if stands { Change::Put(table, key, Vec::new()) } else { Change::Delete(table, key) });
    }

    /// Takes back that a QoS 2 message of a client came; whether nothing of that may be on disk.
    pub(super) fn take_flow_back(&mut self, index: u32, packet_id: PacketId) -> bool {
        let session = &self.sessions[index];
        let key = key_of(session.serial, &packet_id.get().to_be_bytes());
        !session.is_kept || self.journal.take_back_row(Table::Received, &key)
    }

    /// The retained store has changed at this topic: what waits now waits for that too.
    pub(super) fn keep_retained(&mut self, message: &Message) {
        if !self.journal.is_on() || is_reserved(&message.topic) {
            return;
        }
        if let Some(hold) = self.hold {
            self.holds.add_change(hold, self.journal.open_batch());
        }
        self.journal.mark();
    }

    /// Gives a QoS 1 or 2 message a place among the rows of its session, if that has any; the row is written by
    /// [`Shard::write_row`].
    pub(super) fn keep(&mut self, index: u32, delivery: &mut Delivery) {
        if !self.sessions[index].is_kept || delivery.qos == QoS::AtMostOnce {
            return;
        }
        let message = self.keep_message(&delivery.message);
        let session = &mut self.sessions[index];
        session.place_next += 1;
        delivery.kept = Some(Rc::new(KeptDelivery::new(session.place_next, message)));
    }

    /// Writes down that a session waits for a message, or under which identifier it went out.
    pub(super) fn write_row(&mut self, index: u32, delivery: &Delivery, packet_id: Option<PacketId>) {
        let Some(kept) = &delivery.kept else { return };
        let row = ReferenceRow {
            message: kept.message,
            qos: delivery.qos,
            retain: delivery.retain,
            ids: delivery.ids.as_slice().to_vec(),
            group: delivery.group.as_ref().map(|group| group.filter().clone()),
            packet_id,
        };
        let key = key_of(self.sessions[index].serial, &kept.place.to_be_bytes());
        let change = Change::Put(Table::References, key, row.encode());
        match kept.written.get() {
            // Who waited for the row as it was waits for it as it is.
            Some(written) if self.journal.replace(written, change.clone()) => {}
            Some(_) => {
                kept.is_collected.set(true);
                kept.written.set(Some(self.append(change)));
            }
            None => kept.written.set(Some(self.append(change))),
        }
    }

    /// The session needs the message no more.
    pub(super) fn let_go(&mut self, serial: u64, delivery: &Delivery) {
        let Some(kept) = &delivery.kept else { return };
        let is_taken_back = kept.written.take().is_some_and(|written| self.take_back(written));
        if !is_taken_back || kept.is_collected.get() {
            self.append(Change::Delete(Table::References, key_of(serial, &kept.place.to_be_bytes())));
        }
        self.let_go_of_message(&delivery.message);
    }

    /// The number of a message's row, which is written with the first reference to it.
    pub(super) fn keep_message(&mut self, message: &Message) -> u64 {
        let mut kept = message.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.references == 0 {
            let number = self.shared.next_message_number();
            let expires_at = message.expires_at.map(|at| self.shared.day_time(at));
            let row = MessageRow::encode(message, expires_at);
            let written = self.append(Change::Put(Table::Messages, number.to_be_bytes().to_vec(), row));
            *kept = Kept { number, references: 0, written: Some((self.id, written)) };
        }
        kept.references += 1;
        kept.number
    }

    pub(super) fn let_go_of_message(&mut self, message: &Message) {
        let mut kept = message.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.references -= 1;
        if kept.references > 0 {
            return;
        }
        let number = kept.number;
        match kept.written.take() {
            Some((to, written)) if to != self.id => {
                // That shard's journal may still hold the row: a deletion from here could come to the disk before it.
                let forward = Forward::Unneeded(Unneeded { number, written });
                self.effects.push_back(Effect::Forward { to, forward });
            }
            Some((_, written)) => self.delete_message(number, Some(written)),
            None => self.delete_message(number, None),
        }
    }

    /// Another shard was the last one to need a message whose row is written here.
    pub(super) fn handle_unneeded(&mut self, unneeded: Unneeded) {
        let Unneeded { number, written } = unneeded;
        self.delete_message(number, Some(written));
    }

    fn delete_message(&mut self, number: u64, written: Option<Entry>) {
        let is_taken_back = written.is_some_and(|written| self.take_back(written));
        if !is_taken_back {
            self.append(Change::Delete(Table::Messages, number.to_be_bytes().to_vec()));
        }
    }

    /// Enters a change, for which what is held now waits.
    pub(super) fn append(&mut self, change: Change) -> Entry {
        if let Some(hold) = self.hold {
            self.holds.add_change(hold, self.journal.open_batch());
        }
        self.journal.push(change, self.hold)
    }

    /// Takes a change back that nobody has collected; whether that was so.
    fn take_back(&mut self, written: Entry) -> bool {
        let Some(standing) = self.journal.take_back(written) else { return false };
        if let Some(hold) = standing.hold {
            self.holds.remove_change(hold);
            self.may_release = true;
        }
        true
    }
}
