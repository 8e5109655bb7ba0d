//! Rows of the store for what a session must not lose with the process.

use std::rc::Rc;
use std::sync::{Arc, MutexGuard, PoisonError};

use hearth_protocol::packet::PacketId;
use hearth_protocol::{QoS, Text, Time, TopicFilter};

use super::Shard;
use crate::delivery::{Delivery, KeptApart, KeptDelivery};
use crate::durable::{
    Batch, Change, Entry, Hold, OwnReference, ReferenceRow, RowBytes, SessionRow, SubscriptionRow, Table,
    Value, key_of,
};
use crate::effect::{Effect, Forward, Unneeded};
use crate::faults::{self, Fault};
use crate::message::{Kept, Message};
use crate::router::SubscriptionOptions;
use crate::system::is_reserved;

/// Bytes above which a message's row is not written anew for each thing that changes for a session: that stands in a row of
/// its own then.
const WITH_MESSAGE_BYTES_MAX: usize = 512;

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
            let session = &self.sessions[index];
            let is_new = session.flow().is_none() && session.subscriptions_len() == 0;
            debug_assert!(was_kept || is_new, "what was not kept has ended with its connection");
            self.write_session(now, index);
        } else if was_kept {
            let session = &mut self.sessions[index];
            session.was_kept = true;
            let serial = session.serial;
            let rows = session.take_rows();
            self.delete_session(serial);
            for delivery in rows {
                self.let_go(serial, &delivery);
            }
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
        let key = session.serial.to_be_bytes().into();
        self.append(Change::Put(Table::Sessions, key, row.encode().into()));
    }

    /// Removes every row of a session but those of its messages.
    fn delete_session(&mut self, serial: u64) {
        let key = RowBytes::from(serial.to_be_bytes());
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
            Some(options) => Change::Put(Table::Subscriptions, key, SubscriptionRow(options).encode().into()),
            None => Change::Delete(Table::Subscriptions, key),
        });
    }

    /// Writes down that a QoS 2 flow stands at a packet identifier, in one direction; or no more.
    pub(super) fn keep_flow(&mut self, index: u32, table: Table, packet_id: PacketId, stands: bool) {
        let session = &self.sessions[index];
        if !session.is_kept {
            // A flow as it was before may be on disk until the end of the session is.
            return self.await_what_was_changed(index);
        }
        let key = key_of(session.serial, &packet_id.get().to_be_bytes());
        self.append(if stands {
            Change::Put(table, key, Vec::new().into())
        } else {
            Change::Delete(table, key)
        });
    }

    /// What is going on now changes nothing that has not been changed before, by a packet whose answer may have gone with its
    /// connection: it waits for what that waited for.
    pub(super) fn await_what_was_changed(&mut self, index: u32) {
        let Some(hold) = self.hold.filter(|_| self.sessions[index].has_rows()) else { return };
        let Some(batch) = self.journal.last_uncommitted() else { return };
        self.holds.add_change(hold, batch);
        if batch == self.journal.open_batch() {
            // Nobody may take that back.
            self.journal.mark();
        }
    }

    /// The batch that the row of a delivery was written in last, if it has one.
    pub(super) fn batch_of_row(&self, delivery: &Delivery) -> Option<u64> {
        delivery.kept.as_ref()?;
        // What was read from the disk is there.
        Some(self.entry_of_row(delivery).map_or(0, Entry::batch))
    }

    /// What waits for the row of a delivery, as long as nobody has collected that.
    pub(super) fn hold_of_row(&self, delivery: &Delivery) -> Option<Hold> {
        self.journal.hold_of(self.entry_of_row(delivery)?)
    }

    /// Where this process has written the row of a delivery last, if it has.
    fn entry_of_row(&self, delivery: &Delivery) -> Option<Entry> {
        match delivery.kept.as_ref()? {
            KeptDelivery::WithMessage(_) => {
                let kept = lock(&delivery.message);
                kept.written.filter(|(shard, _)| *shard == self.id).map(|(_, written)| written)
            }
            KeptDelivery::Apart(kept) => kept.written.get(),
        }
    }

    /// The retained store has changed at this topic: what waits now waits for that too.
    pub(super) fn keep_retained(&mut self, message: &Message) {
        if !self.journal.is_on() || is_reserved(&message.topic) {
            return;
        }
        if let Some(hold) = self.hold.filter(|_| !faults::has(Fault::RetainedNotAwaited)) {
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
        let session = &mut self.sessions[index];
        session.place_next += 1;
        let place = session.place_next;
        let message = Arc::clone(&delivery.message);
        delivery.kept = Some(if self.is_first(delivery) {
            KeptDelivery::WithMessage(place)
        } else {
            KeptDelivery::Apart(Rc::new(KeptApart::new(place, self.keep_message(&message))))
        });
    }

    /// Whether nobody needs the message before this session, and it stands in the message's row from now on.
    fn is_first(&self, delivery: &Delivery) -> bool {
        let is_plain = delivery.group.is_none() && delivery.ids.as_slice().len() <= 1;
        let mut kept = lock(&delivery.message);
        let is_first = kept.references == 0 && is_plain && delivery.message.bytes() <= WITH_MESSAGE_BYTES_MAX;
        if is_first {
            *kept = Kept { number: self.shared.next_message_number(), references: 1, ..Kept::default() };
        }
        is_first
    }

    /// Writes down that a session waits for a message, or under which identifier it went out.
    pub(super) fn write_row(&mut self, index: u32, delivery: &Delivery, packet_id: Option<PacketId>) {
        let session = self.sessions[index].serial;
        let Delivery { qos, retain, .. } = *delivery;
        match &delivery.kept {
            None => {}
            Some(KeptDelivery::WithMessage(place)) => {
                let id = delivery.ids.as_slice().first().copied().unwrap_or(0);
                let reference = OwnReference { session, place: *place, qos, retain, id, packet_id };
                self.write_message(&delivery.message, &mut lock(&delivery.message), Some(reference));
            }
            Some(KeptDelivery::Apart(kept)) => {
                let ids = delivery.ids.as_slice().to_vec();
                let group = delivery.group.as_ref().map(|group| group.filter().clone());
                let row = ReferenceRow { message: kept.message, qos, retain, ids, group, packet_id };
                let key = key_of(session, &kept.place.to_be_bytes());
                let change = Change::Put(Table::References, key, row.encode().into());
                let (written, is_collected) = self.rewrite(kept.written.get(), change);
                kept.written.set(Some(written));
                kept.is_collected.set(kept.is_collected.get() || is_collected);
            }
        }
    }

    /// The session needs the message no more.
    pub(super) fn let_go(&mut self, serial: u64, delivery: &Delivery) {
        match &delivery.kept {
            None => {}
            Some(KeptDelivery::WithMessage(_)) => {
                let mut kept = lock(&delivery.message);
                kept.references -= 1;
                if kept.references == 0 {
                    self.end_message(&mut kept);
                } else {
                    self.write_message(&delivery.message, &mut kept, None);
                }
            }
            Some(KeptDelivery::Apart(kept)) => {
                let is_taken_back = kept.written.take().is_some_and(|written| self.take_back(written));
                if !is_taken_back || kept.is_collected.get() {
                    self.append(Change::Delete(Table::References, key_of(serial, &kept.place.to_be_bytes())));
                }
                self.let_go_of_message(&delivery.message);
            }
        }
    }

    /// The number of a message's row, which is written with the first reference to it.
    pub(super) fn keep_message(&mut self, message: &Arc<Message>) -> u64 {
        let mut kept = lock(message);
        if kept.references == 0 {
            *kept = Kept { number: self.shared.next_message_number(), ..Kept::default() };
            self.write_message(message, &mut kept, None);
        }
        kept.references += 1;
        kept.number
    }

    /// Writes the row of a message down as it is now, with the session that stands in it.
    fn write_message(&mut self, message: &Arc<Message>, kept: &mut Kept, reference: Option<OwnReference>) {
        let expires_at = message.expires_at.map(|at| self.shared.day_time(at));
        let value = Value::message(Arc::clone(message), expires_at, reference);
        let change = Change::Put(Table::Messages, kept.number.to_be_bytes().into(), value);
        // Whoever stands in it is of the shard that writes it.
        let before = kept.written.filter(|(shard, _)| *shard == self.id).map(|(_, written)| written);
        let (written, is_collected) = self.rewrite(before, change);
        kept.written = Some((self.id, written));
        kept.is_collected |= is_collected;
    }

    pub(super) fn let_go_of_message(&mut self, message: &Message) {
        let mut kept = lock(message);
        kept.references -= 1;
        if kept.references == 0 {
            self.end_message(&mut kept);
        } else if faults::has(Fault::RowGoesEarly) {
            self.append(Change::Delete(Table::Messages, kept.number.to_be_bytes().into()));
        }
    }

    /// Nobody needs a message any more.
    fn end_message(&mut self, kept: &mut Kept) {
        let (number, is_collected) = (kept.number, kept.is_collected);
        match kept.written.take() {
            Some((to, written)) if to != self.id => {
                // That shard's journal may still hold the row: a deletion from here could come to the disk before it.
                let forward = Forward::Unneeded(Unneeded { number, written, is_collected });
                self.effects.push_back(Effect::Forward { to, forward });
            }
            Some((_, written)) => self.delete_message(number, Some(written), is_collected),
            None => self.delete_message(number, None, is_collected),
        }
    }

    /// Another shard was the last one to need a message whose row is written here.
    pub(super) fn handle_unneeded(&mut self, unneeded: Unneeded) {
        let Unneeded { number, written, is_collected } = unneeded;
        self.delete_message(number, Some(written), is_collected);
    }

    fn delete_message(&mut self, number: u64, written: Option<Entry>, is_collected: bool) {
        let is_taken_back = written.is_some_and(|written| self.take_back(written));
        if !is_taken_back || is_collected {
            self.append(Change::Delete(Table::Messages, number.to_be_bytes().into()));
        }
    }

    /// Enters a change in the place of the one before of the same row, if that was not collected; and whether it was. Who
    /// waited for the row as it was waits for it as it is.
    fn rewrite(&mut self, before: Option<Entry>, change: Change) -> (Entry, bool) {
        let Some(before) = before else { return (self.append(change), false) };
        match self.journal.replace(before, change) {
            Ok(()) => (before, false),
            Err(change) => (self.append(change), true),
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

fn lock(message: &Message) -> MutexGuard<'_, Kept> {
    message.kept.lock().unwrap_or_else(PoisonError::into_inner)
}
