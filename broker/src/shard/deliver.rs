//! Messages to sessions: sent at once, or kept until there is room.

use std::collections::VecDeque;
use std::sync::Arc;

use hearth_protocol::packet::{Packet, PacketId, PublishAck};
use hearth_protocol::session::Redelivery;
use hearth_protocol::{QoS, Time};

use super::{Shard, lend_buffer, mark_dirty};
use crate::delivery::{Delivery, Outgoing};
use crate::effect::{DropReason, Event};
use crate::encoding::Form;
use crate::ids::ConnectionId;
use crate::router::{Route, Target};
use crate::session::Resend;

/// What became of a message here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    /// Sessions that got it or will.
    pub(super) taken: usize,
    /// Sessions that had no room for it.
    pub(super) refused: usize,
}

impl Shard {
    /// Gives a message to its targets. Encodes it once for all that get the same bytes.
    pub(super) fn deliver(&mut self, now: Time, route: &Route, outgoing: &Outgoing<'_>) -> Delivered {
        let mut delivered = Delivered::default();
        self.encodings.clear();
        for target in &route.targets {
            let session = &self.sessions[target.session as usize];
            if target.no_local && session.serial == outgoing.publisher {
                continue;
            }
            match target.qos.min(outgoing.qos) {
                QoS::AtMostOnce => {
                    delivered.taken += 1;
                    self.deliver_at_most_once(now, route, target, outgoing);
                }
                qos @ (QoS::AtLeastOnce | QoS::ExactlyOnce) => {
                    if self.deliver_acknowledged(now, qos, route, target, outgoing) {
                        delivered.taken += 1;
                    } else {
                        delivered.refused += 1;
                    }
                }
            }
        }
        delivered
    }

    fn deliver_at_most_once(&mut self, now: Time, route: &Route, target: &Target, outgoing: &Outgoing<'_>) {
        let session = &mut self.sessions[target.session as usize];
        let Some(connection) = session.connection else { return };
        if session.queue.is_replaying() {
            // Behind the retained messages, one of which may be older than this.
            self.enqueue(QoS::AtMostOnce, route, target, outgoing);
            return;
        }
        let connection = &mut self.connections[connection as usize];
        if connection.output.len() >= self.shared.limits.output_bytes_max {
            let was_dropping = std::mem::replace(&mut connection.is_dropping, true);
            self.on_dropped(target.session, DropReason::OutputFull, was_dropping);
            return;
        }
        self.write(now, QoS::AtMostOnce, None, route, target, outgoing);
    }

    /// Whether the session took it: under way, or waiting.
    fn deliver_acknowledged(
        &mut self,
        now: Time,
        qos: QoS,
        route: &Route,
        target: &Target,
        outgoing: &Outgoing<'_>,
    ) -> bool {
        let session = &mut self.sessions[target.session as usize];
        let has_output = session.connection.is_some_and(|connection| {
            self.connections[connection as usize].output.len() < self.shared.limits.output_bytes_max
        });
        if !has_output || session.has_waiting() || !session.outbound.has_room() {
            return self.enqueue(qos, route, target, outgoing);
        }
        let delivery = delivery(qos, route, target, outgoing);
        let Some(packet_id) = session.outbound.begin(qos, delivery) else { return false };
        if !self.write(now, qos, Some(packet_id), route, target, outgoing) {
            self.forget(target.session, qos, packet_id);
        }
        true
    }

    /// Puts a message behind the others that wait; whether there is room.
    fn enqueue(&mut self, qos: QoS, route: &Route, target: &Target, outgoing: &Outgoing<'_>) -> bool {
        let limits = &self.shared.limits;
        let queue = &mut self.sessions[target.session as usize].queue;
        let bytes = outgoing.payload.len() + outgoing.topic.as_str().len();
        if !queue.has_room(bytes, limits.queued_messages_max, limits.queued_bytes_max) {
            let was_dropping = std::mem::replace(&mut queue.is_dropping, true);
            self.on_dropped(target.session, DropReason::QueueFull, was_dropping);
            return false;
        }
        queue.is_dropping = false;
        queue.push(delivery(qos, route, target, outgoing));
        true
    }

    /// Writes a message to the target's connection; false when it is larger than the client takes, which then
    /// counts as if it had been sent [MQTT-3.1.2-25].
    fn write(
        &mut self,
        now: Time,
        qos: QoS,
        packet_id: Option<PacketId>,
        route: &Route,
        target: &Target,
        outgoing: &Outgoing<'_>,
    ) -> bool {
        let session = &self.sessions[target.session as usize];
        let form = Form {
            version: session.version,
            qos,
            retain: outgoing.retain && target.retain_as_published,
            ids: route.ids_of(target),
        };
        let Some(id) = session.connection.and_then(|index| self.connection_id(index)) else { return false };
        self.write_form(now, id, form, packet_id, false, outgoing)
    }

    fn write_form(
        &mut self,
        now: Time,
        id: ConnectionId,
        form: Form<'_>,
        packet_id: Option<PacketId>,
        dup: bool,
        outgoing: &Outgoing<'_>,
    ) -> bool {
        let connection = &mut self.connections[id.as_index()];
        let size_max = connection.protocol.peer().map_or(usize::MAX, |peer| peer.packet_size_max);
        let encoded = self.encodings.encode(outgoing, form, now).filter(|encoded| encoded.len() <= size_max);
        let Some(encoded) = encoded else {
            self.count_drop(DropReason::PacketTooLarge);
            return false;
        };
        lend_buffer(&mut self.buffers, &mut connection.output);
        encoded.write(&mut connection.output, form.qos, packet_id, dup);
        self.stats.delivered[form.qos as usize] += 1;
        mark_dirty(&mut self.dirty, connection, id);
        true
    }

    /// Sends what waits for a session, as far as its connection has room.
    pub(super) fn send_queue(&mut self, now: Time, session_index: u32) {
        if !self.resend(now, session_index) {
            return;
        }
        loop {
            let session = &mut self.sessions[session_index as usize];
            let Some(connection) = session.connection else { return };
            let Some(front) = session.queue.front() else { return };
            let is_full =
                self.connections[connection as usize].output.len() >= self.shared.limits.output_bytes_max;
            let is_acknowledged = front.qos > QoS::AtMostOnce;
            if is_full || (is_acknowledged && !session.outbound.has_room()) {
                return;
            }
            let Some(delivery) = session.queue.pop() else { return };
            if delivery.message.is_expired(now) {
                self.count_drop(DropReason::Expired);
                continue;
            }
            self.send_delivery(now, session_index, delivery);
        }
    }

    fn send_delivery(&mut self, now: Time, session_index: u32, delivery: Delivery) {
        let session = &mut self.sessions[session_index as usize];
        let Some(connection) = session.connection else { return };
        let (qos, message) = (delivery.qos, Arc::clone(&delivery.message));
        let (retain, ids, version) = (delivery.retain, delivery.ids.clone(), session.version);
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => session.outbound.begin(qos, delivery),
        };
        let Some(id) = self.connection_id(connection) else { return };
        let form = Form { version, qos, retain, ids: ids.as_slice() };
        self.encodings.clear();
        let sent = self.write_form(now, id, form, packet_id, false, &Outgoing::of_message(&message));
        if let Some(packet_id) = packet_id
            && !sent
        {
            self.forget(session_index, qos, packet_id);
        }
    }

    /// Notes what the session's last connection left unacknowledged, to be sent again in order
    /// [MQTT-4.4.0-1].
    pub(super) fn begin_resending(&mut self, session_index: u32) {
        let session = &mut self.sessions[session_index as usize];
        let again = session.outbound.redeliver().map(|redelivery| match redelivery {
            Redelivery::Publish { packet_id, .. } => Resend::Publish(packet_id),
            Redelivery::PubRel { packet_id } => Resend::PubRel(packet_id),
        });
        session.resends = again.collect();
    }

    /// Sends again what has to be, as far as its connection has room; whether all of it is sent.
    fn resend(&mut self, now: Time, session_index: u32) -> bool {
        loop {
            let session = &mut self.sessions[session_index as usize];
            let Some(&resend) = session.resends.front() else { return true };
            let Some(id) = session.connection.and_then(|index| self.connection_id(index)) else {
                return false;
            };
            let session = &mut self.sessions[session_index as usize];
            let is_full = self.connections[id.as_index()].output.len() >= self.shared.limits.output_bytes_max;
            let may_go = match resend {
                Resend::Publish(_) => session.may_resend(),
                Resend::PubRel(_) => true,
            };
            if is_full || !may_go {
                return false;
            }
            session.resends.pop_front();
            if session.resends.is_empty() {
                session.resends = VecDeque::new();
            }
            match resend {
                Resend::PubRel(packet_id) => self.send(id, &Packet::PubRel(PublishAck::success(packet_id))),
                Resend::Publish(packet_id) => self.resend_publish(now, id, session_index, packet_id),
            }
        }
    }

    fn resend_publish(&mut self, now: Time, id: ConnectionId, session_index: u32, packet_id: PacketId) {
        let session = &self.sessions[session_index as usize];
        // A client that acknowledges from memory, before it is sent again, has had it.
        let Some(delivery) = session.outbound.message(packet_id).cloned() else { return };
        let Delivery { qos, retain, ref ids, .. } = delivery;
        let form = Form { version: session.version, qos, retain, ids: ids.as_slice() };
        self.encodings.clear();
        let outgoing = Outgoing::of_message(&delivery.message);
        if !self.write_form(now, id, form, Some(packet_id), true, &outgoing) {
            self.forget(session_index, delivery.qos, packet_id);
        }
    }

    /// Ends the flow of a message that cannot be sent.
    fn forget(&mut self, session: u32, qos: QoS, packet_id: PacketId) {
        let outbound = &mut self.sessions[session as usize].outbound;
        let known = match qos {
            QoS::ExactlyOnce => outbound.handle_pubrec_failed(packet_id).is_ok(),
            QoS::AtMostOnce | QoS::AtLeastOnce => outbound.handle_puback(packet_id).is_ok(),
        };
        debug_assert!(known, "the identifier was given out for this message");
    }

    fn on_dropped(&mut self, session: u32, reason: DropReason, was_dropping: bool) {
        self.count_drop(reason);
        if !was_dropping {
            let client_id = self.sessions[session as usize].client_id.clone();
            self.event(Event::Dropping { client_id, reason });
        }
    }
}

fn delivery(qos: QoS, route: &Route, target: &Target, outgoing: &Outgoing<'_>) -> Delivery {
    Delivery {
        message: outgoing.message(),
        qos,
        retain: outgoing.retain && target.retain_as_published,
        is_replay: false,
        ids: route.ids_of(target).into(),
    }
}
