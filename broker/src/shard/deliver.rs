//! Messages to sessions: sent at once, or kept until there is room.

use std::sync::Arc;

use hearth_protocol::connection::TopicNaming;
use hearth_protocol::packet::{Packet, PacketId, PublishAck};
use hearth_protocol::session::Redelivery;
use hearth_protocol::{QoS, Time};

use super::{Shard, mark_dirty};
use crate::delivery::{Delivery, Outgoing};
use crate::effect::{DropReason, Event};
use crate::encoding::{Form, Own};
use crate::faults::{self, Fault};
use crate::held::{Account, Pressure};
use crate::limits::Limit;
use crate::message::Message;
use crate::router::{Audience, Choice, Group, Route, Target};
use crate::session::NextReplayed;

/// What became of a message here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    /// Sessions that got it or will.
    pub(super) taken: usize,
    /// The bound that the first session met which had no room for it.
    pub(super) met: Option<Limit>,
}

/// A message for one session.
#[derive(Clone, Copy)]
struct Addressed<'a> {
    outgoing: &'a Outgoing<'a>,
    session: u32,
    /// Of this delivery: the lower one of the message's and the subscription's.
    qos: QoS,
    retain: bool,
    ids: &'a [u32],
    /// The group whose member the session is, where that is why.
    group: Option<&'a Arc<Group>>,
}

impl<'a> Addressed<'a> {
    fn new(outgoing: &'a Outgoing<'a>, route: &'a Route, target: &Target) -> Self {
        Self {
            outgoing,
            session: target.session,
            qos: target.qos.min(outgoing.qos),
            retain: outgoing.retain && target.retain_as_published,
            ids: route.ids_of(target),
            group: None,
        }
    }

    /// The same message as something to hold.
    fn delivery(&self, account: &Arc<Account>) -> Delivery {
        Delivery {
            message: self.outgoing.message(account),
            qos: self.qos,
            retain: self.retain,
            ids: self.ids.into(),
            group: self.group.cloned(),
            kept: None,
        }
    }
}

impl Delivered {
    /// Counts one session in.
    pub(super) fn add(&mut self, outcome: Result<(), Limit>) {
        match outcome {
            Ok(()) => self.taken += 1,
            Err(limit) => {
                self.met.get_or_insert(limit);
            }
        }
    }
}

impl Shard {
    /// Gives a message to its targets. Encodes it once for all that get the same bytes.
    pub(super) fn deliver(&mut self, now: Time, route: &Route, outgoing: &Outgoing<'_>) -> Delivered {
        let mut delivered = Delivered::default();
        self.encodings.clear(&mut self.outputs.tape);
        for target in &route.targets {
            if target.audience != Audience::All && !faults::has(Fault::NoLocalIgnored) {
                let is_own = self.sessions[target.session].serial == outgoing.publisher;
                if is_own != (target.audience == Audience::Own) {
                    continue;
                }
            }
            let addressed = Addressed::new(outgoing, route, target);
            let outcome = match addressed.qos {
                QoS::AtMostOnce => {
                    // A client that is away or does not read loses it; its publisher is not to be told.
                    self.deliver_at_most_once(now, addressed);
                    Ok(())
                }
                QoS::AtLeastOnce | QoS::ExactlyOnce => self.deliver_acknowledged(now, addressed),
            };
            delivered.add(outcome);
        }
        delivered
    }

    /// Gives a message to the member of a group that was chosen; whether it was sent or waits.
    pub(super) fn deliver_shared(
        &mut self,
        now: Time,
        group: &Arc<Group>,
        choice: Choice,
        outgoing: &Outgoing<'_>,
    ) -> bool {
        let Choice { session, options, .. } = choice;
        let id = [options.id];
        let addressed = Addressed {
            outgoing,
            session: session.index,
            qos: options.qos.min(outgoing.qos),
            retain: outgoing.retain && options.retain_as_published,
            ids: if options.id == 0 { &[] } else { &id },
            group: Some(group),
        };
        match addressed.qos {
            QoS::AtMostOnce => self.deliver_at_most_once(now, addressed),
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.deliver_acknowledged(now, addressed).is_ok(),
        }
    }

    /// Shows something of the live tree to a session, if its client keeps up; whether it was sent.
    pub(super) fn deliver_view(&mut self, now: Time, session: u32, id: u32, message: &Arc<Message>) -> bool {
        let owner = &self.sessions[session];
        let Some(connection) = owner.connection.filter(|_| !owner.is_waiting()) else { return false };
        let place = &self.connections[connection as usize];
        // A quarter, so that it never takes the room of messages.
        let has_room = place.is_greeted && place.output_len() < self.shared.limits.output_bytes_max / 4;
        if !has_room || self.refuses_for(Some(connection)) {
            return false;
        }
        self.encodings.clear(&mut self.outputs.tape);
        let id = [id];
        let addressed = Addressed {
            outgoing: &Outgoing::of_message(message),
            session,
            qos: QoS::AtMostOnce,
            retain: false,
            ids: if id == [0] { &[] } else { &id },
            group: None,
        };
        self.write(now, connection, addressed, None, false);
        true
    }

    /// Whether the session got it, or it waits behind retained messages.
    fn deliver_at_most_once(&mut self, now: Time, addressed: Addressed<'_>) -> bool {
        let session = &self.sessions[addressed.session];
        let Some(connection) = session.connection else { return false };
        if session.is_waiting() {
            return self.enqueue(addressed, None).is_ok();
        }
        let place = &mut self.connections[connection as usize];
        if !place.is_greeted {
            // It is as good as away until its CONNACK goes out.
            return false;
        }
        if place.output_len() >= self.shared.limits.output_bytes_max {
            let was_dropping = std::mem::replace(&mut place.is_dropping, true);
            self.on_dropped(addressed.session, DropReason::OutputFull, Limit::OutputBytes, was_dropping);
            return false;
        }
        if self.refuses_for(Some(connection)) {
            let was_dropping =
                std::mem::replace(&mut self.connections[connection as usize].is_dropping, true);
            self.on_dropped(addressed.session, DropReason::MemoryFull, Limit::HeldBytes, was_dropping);
            return false;
        }
        self.write(now, connection, addressed, None, false);
        true
    }

    /// The session takes it: under way, or waiting; or it meets a bound.
    fn deliver_acknowledged(&mut self, now: Time, addressed: Addressed<'_>) -> Result<(), Limit> {
        let bytes_max = self.under_way_bytes_max();
        let session = &self.sessions[addressed.session];
        let output_bytes_max = self.shared.limits.output_bytes_max;
        let connection = session.connection.filter(|connection| {
            let place = &self.connections[*connection as usize];
            let is_ready = place.is_greeted && place.output_len() < output_bytes_max;
            is_ready && !self.refuses_for(Some(*connection))
        });
        let session = &mut self.sessions[addressed.session];
        match connection {
            Some(connection) if session.is_clear(bytes_max) => {
                if session.is_kept {
                    return self.deliver_kept(now, connection, addressed);
                }
                let delivery = addressed.delivery(&self.account);
                let Some(packet_id) = session.flow_mut().outbound.begin(addressed.qos, delivery) else {
                    return self.enqueue(addressed, None);
                };
                self.write(now, connection, addressed, Some(packet_id), false);
                Ok(())
            }
            Some(_) | None => self.enqueue(addressed, None),
        }
    }

    /// Sends a message to a session that outlives the process, if the session takes it.
    fn deliver_kept(&mut self, now: Time, connection: u32, addressed: Addressed<'_>) -> Result<(), Limit> {
        let mut delivery = addressed.delivery(&self.account);
        self.keep(addressed.session, &mut delivery);
        let outbound = &mut self.sessions[addressed.session].flow_mut().outbound;
        let Some(packet_id) = outbound.begin(addressed.qos, delivery.clone()) else {
            return self.enqueue(addressed, Some(delivery));
        };
        self.write_row(addressed.session, &delivery, Some(packet_id));
        if self.hold_publish(connection, addressed.session, &delivery, packet_id) {
            self.sessions[addressed.session].flow_mut().begin_unsent(packet_id);
        } else {
            self.write(now, connection, addressed, Some(packet_id), false);
        }
        Ok(())
    }

    /// Puts a message behind the others that wait, if there is room. `kept` is the same message with its place among
    /// the rows of the session, if it has one.
    fn enqueue(&mut self, addressed: Addressed<'_>, kept: Option<Delivery>) -> Result<(), Limit> {
        let limits = &self.shared.limits;
        let queue = &mut self.sessions[addressed.session].flow_mut().queue;
        let bytes = addressed.outgoing.bytes();
        let exceeded = queue.exceeded(bytes, limits.queued_messages_max, limits.queued_bytes_max);
        let refused = exceeded.map(|limit| (DropReason::QueueFull, limit)).or_else(|| {
            let is_refused = self.gauge.pressure() == Pressure::Refusing;
            is_refused.then_some((DropReason::MemoryFull, Limit::HeldBytes))
        });
        if let Some((reason, limit)) = refused {
            let was_dropping = std::mem::replace(&mut queue.is_dropping, true);
            self.on_dropped(addressed.session, reason, limit, was_dropping);
            if let Some(delivery) = kept {
                self.let_go(self.sessions[addressed.session].serial, &delivery);
            }
            return Err(limit);
        }
        queue.is_dropping = false;
        let delivery = match kept {
            Some(delivery) => delivery,
            None => {
                let mut delivery = addressed.delivery(&self.account);
                self.keep(addressed.session, &mut delivery);
                delivery
            }
        };
        self.write_row(addressed.session, &delivery, None);
        self.sessions[addressed.session].flow_mut().queue.push(delivery);
        self.queued += 1;
        Ok(())
    }

    /// Writes a message to its session's connection. One that is larger than the client takes counts as if it
    /// had been sent and acknowledged [MQTT-3.1.2-25].
    fn write(
        &mut self,
        now: Time,
        connection: u32,
        addressed: Addressed<'_>,
        packet_id: Option<PacketId>,
        dup: bool,
    ) {
        let Addressed { outgoing, qos, retain, ids, session, group: _ } = addressed;
        let place = &mut self.connections[connection as usize];
        // A message that is sent again names its topic: the alias of its first time is another connection's.
        let naming = if dup { TopicNaming::Topic } else { place.name(outgoing.topic.as_str()) };
        let form = Form { version: self.sessions[session].version, qos, retain, ids, naming };
        let size_max = place.packet_size_max();
        let encoded = self.encodings.encode(&mut self.outputs.tape, outgoing, form, now);
        let Some(encoded) = encoded.filter(|encoded| encoded.len() <= size_max) else {
            place.revoke(naming);
            self.count_drop_of(session, DropReason::PacketTooLarge);
            self.forget(session, packet_id);
            return;
        };
        let len = encoded.len();
        self.outputs.put(&mut place.output, &encoded, Own { qos, packet_id, dup });
        self.stats.delivered[qos as usize] += 1;
        self.stats.packets_out += 1;
        self.stats.bytes_out += len as u64;
        self.stats.payload_bytes_out[qos as usize] += outgoing.payload.len() as u64;
        mark_dirty(&mut self.dirty, place, connection);
    }

    /// Ends the flow of a message that cannot be sent.
    pub(super) fn forget(&mut self, session: u32, packet_id: Option<PacketId>) {
        let Some(packet_id) = packet_id else { return };
        let flow = self.sessions[session].flow_mut();
        flow.end_unsent(packet_id);
        let abandoned = flow.outbound.abandon(packet_id);
        debug_assert!(abandoned.is_ok(), "the identifier was given out for this message");
        if let Ok(delivery) = abandoned {
            self.let_go(self.sessions[session].serial, &delivery);
        }
    }

    /// Sends what waits for a session, as far as its connection has room.
    pub(super) fn send_queue(&mut self, now: Time, index: u32) {
        if self.sessions[index].has_waiting() {
            self.send_waiting(now, index);
        }
        self.tell_room(index);
    }

    /// What has to be sent again goes first.
    fn send_waiting(&mut self, now: Time, index: u32) {
        let Some(connection) = self.sessions[index].connection else { return };
        if !self.connections[connection as usize].is_greeted {
            return;
        }
        let output_bytes_max = self.shared.limits.output_bytes_max;
        let bytes_max = self.under_way_bytes_max();
        while self.connections[connection as usize].output_len() < output_bytes_max {
            if self.sessions[index].flow().is_none() {
                return;
            }
            let flow = self.sessions[index].flow_mut();
            if let Some(redelivery) = flow.outbound.poll_redelivery() {
                let (packet_id, delivery) = match redelivery {
                    Redelivery::Publish { packet_id, message, .. } => (packet_id, Some(message.clone())),
                    Redelivery::PubRel { packet_id } => (packet_id, None),
                };
                self.redeliver(now, connection, index, packet_id, delivery);
                continue;
            }
            if flow.outbound.is_redelivering() {
                return;
            }
            match flow.next_replayed(&self.shared.retained, now, bytes_max) {
                NextReplayed::Waits => return,
                NextReplayed::Message(delivery) => {
                    self.send_delivery(now, connection, index, delivery);
                    continue;
                }
                NextReplayed::None => {}
            }
            let Some(front) = flow.queue.front() else { return };
            if front.qos > QoS::AtMostOnce && !flow.outbound.has_room(bytes_max) {
                return;
            }
            if let Some(delivery) = flow.queue.pop() {
                self.queued -= 1;
                self.send_delivery(now, connection, index, delivery);
            }
        }
    }

    /// Sends a PUBLISH again, or the PUBREL of one that the client has taken over [MQTT-4.4.0-1].
    fn redeliver(
        &mut self,
        now: Time,
        connection: u32,
        index: u32,
        packet_id: PacketId,
        delivery: Option<Delivery>,
    ) {
        if let Some(delivery) = delivery {
            if !self.hold_publish(connection, index, &delivery, packet_id) {
                self.write_again(now, connection, index, &delivery, packet_id);
            }
        } else if let Some(id) = self.connection_id(connection) {
            // It may not be on disk that PUBREC came, if CONNACK went out while the disk took nothing.
            let outer = self.hold.take();
            self.begin_hold();
            self.await_what_was_changed(index);
            self.reply(now, id, Packet::PubRel(PublishAck::success(packet_id)));
            self.hold = outer;
        }
    }

    fn send_delivery(&mut self, now: Time, connection: u32, index: u32, mut delivery: Delivery) {
        if delivery.message.is_expired(now) {
            self.count_drop_of(index, DropReason::Expired);
            self.let_go(self.sessions[index].serial, &delivery);
            return;
        }
        if delivery.kept.is_none() {
            // A retained message, which had no row while it waited.
            self.keep(index, &mut delivery);
        }
        let packet_id = match delivery.qos {
            QoS::AtMostOnce => None,
            qos @ (QoS::AtLeastOnce | QoS::ExactlyOnce) => {
                self.sessions[index].flow_mut().outbound.begin(qos, delivery.clone())
            }
        };
        self.write_row(index, &delivery, packet_id);
        match packet_id.filter(|id| self.hold_publish(connection, index, &delivery, *id)) {
            Some(id) => self.sessions[index].flow_mut().begin_unsent(id),
            None => self.write_delivery(now, connection, index, &delivery, packet_id, false),
        }
    }

    /// Writes a message that has had its identifier for a while: as one that comes again, unless it never went out
    /// [MQTT-3.3.1-1].
    pub(super) fn write_again(
        &mut self,
        now: Time,
        connection: u32,
        session: u32,
        delivery: &Delivery,
        packet_id: PacketId,
    ) {
        let is_first = self.sessions[session].flow_mut().end_unsent(packet_id);
        if is_first && delivery.message.is_expired(now) {
            // It was on its way to the disk for longer than it was to live [MQTT-3.3.2-5].
            self.count_drop_of(session, DropReason::Expired);
            return self.forget(session, Some(packet_id));
        }
        self.write_delivery(now, connection, session, delivery, Some(packet_id), !is_first);
    }

    fn write_delivery(
        &mut self,
        now: Time,
        connection: u32,
        session: u32,
        delivery: &Delivery,
        packet_id: Option<PacketId>,
        dup: bool,
    ) {
        self.encodings.clear(&mut self.outputs.tape);
        let outgoing = Outgoing::of_message(&delivery.message);
        let Delivery { qos, retain, ids, group, .. } = delivery;
        let (ids, group) = (ids.as_slice(), group.as_ref());
        let addressed = Addressed { outgoing: &outgoing, session, qos: *qos, retain: *retain, ids, group };
        self.write(now, connection, addressed, packet_id, dup);
    }

    fn on_dropped(&mut self, session: u32, reason: DropReason, limit: Limit, was_dropping: bool) {
        self.count_drop_of(session, reason);
        self.stats.limited[limit.as_index()] += 1;
        if !was_dropping {
            let client_id = self.sessions[session].client_id.clone();
            self.event(Event::Dropping { client_id, reason, limit: limit.name() });
        }
    }
}
