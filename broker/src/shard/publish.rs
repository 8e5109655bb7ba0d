//! A message from a client: kept, routed, acknowledged.

use std::sync::Arc;

use hearth_protocol::connection::ProtocolError;
use hearth_protocol::packet::{Packet, PacketId, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Time};

use super::Shard;
use crate::access::Decision;
use crate::delivery::Outgoing;
use crate::effect::{DropReason, Effect, Event, Forward};
use crate::ids::ConnectionId;
use crate::limits::Limit;
use crate::message::Message;
use crate::system::is_reserved;

impl Shard {
    pub(super) fn on_publish(&mut self, now: Time, id: ConnectionId, session: u32, publish: &Publish) {
        self.stats.published[publish.qos as usize] += 1;
        let reason = match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let inbound = &mut self.sessions[session].flow_mut().inbound;
                if !inbound.begin(packet_id) {
                    // It came before and is held: acknowledged again, routed no more [MQTT-4.3.3-10].
                    self.send(id, &Packet::PubRec(PublishAck::success(packet_id)));
                    return;
                }
                let held = inbound.len();
                // Versions before 5 know no such bound and end at the number of packet identifiers.
                let is_v5 = self.sessions[session].version.is_v5();
                if is_v5 && held > usize::from(self.shared.limits.inflight_max) {
                    let detail =
                        "PUBLISH: more QoS 2 messages are under way than receive maximum [MQTT-3.3.4-7]";
                    let error = ProtocolError::new(ReasonCode::ReceiveMaximumExceeded, detail);
                    self.on_violation(now, id, &error);
                    return;
                }
                self.take_message(now, session, publish)
            }
            (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => {
                self.take_message(now, session, publish)
            }
        };
        if let Some(packet_id) = publish.packet_id {
            self.acknowledge(id, session, publish.qos, packet_id, reason);
        }
    }

    /// PUBACK or PUBREC. A refused QoS 2 message is over with its PUBREC (4.3.3).
    fn acknowledge(
        &mut self,
        id: ConnectionId,
        session: u32,
        qos: QoS,
        packet_id: PacketId,
        reason: ReasonCode,
    ) {
        let ack = PublishAck::new(packet_id, reason);
        if qos == QoS::AtLeastOnce {
            self.send(id, &Packet::PubAck(ack));
            return;
        }
        let session = &mut self.sessions[session];
        if reason.is_failure() && session.version.is_v5() {
            session.flow_mut().inbound.release(packet_id);
        }
        self.send(id, &Packet::PubRec(ack));
    }

    /// Decides about a message and passes it on; what its publisher is told.
    fn take_message(&mut self, now: Time, session: u32, publish: &Publish) -> ReasonCode {
        let topic = publish.topic.as_str();
        if let Some(limit) = self.shared.limits.exceeded_by_topic(topic) {
            self.limited(session, limit);
            return ReasonCode::TopicNameInvalid;
        }
        let publisher = &self.sessions[session];
        if is_reserved(&publish.topic) {
            self.count_drop(DropReason::ReservedTopic);
            return ReasonCode::NotAuthorized;
        }
        if self.shared.access.publish(publisher.subject(), &publish.topic) == Decision::Deny {
            self.count_drop(DropReason::Denied);
            return ReasonCode::NotAuthorized;
        }
        let outgoing = Outgoing::of_packet(publish, publisher.serial, now);
        if publish.retain && !self.retain(now, &outgoing.message()) {
            self.limited(session, Limit::Retained);
            return ReasonCode::QuotaExceeded;
        }
        self.route(now, outgoing)
    }

    /// A message of the broker itself, or for a client that is gone.
    pub(super) fn publish_message(&mut self, now: Time, message: &Arc<Message>) {
        if message.retain && !self.retain(now, message) {
            self.event(Event::Limited {
                client_id: hearth_protocol::Text::EMPTY,
                limit: Limit::Retained.name(),
            });
        }
        self.route(now, Outgoing::of_message(message));
    }

    /// Whether the store took it. Stored before anybody is looked up: see `interest`.
    fn retain(&mut self, now: Time, message: &Arc<Message>) -> bool {
        let stored = self.shared.retained.store(message, now).is_ok();
        if !stored {
            self.count_drop(DropReason::RetainedFull);
        }
        stored
    }

    /// Delivers to the sessions here and tells the other shards.
    fn route(&mut self, now: Time, outgoing: Outgoing<'_>) -> ReasonCode {
        let route = self.router.route(&self.shared.interest, &self.shared.groups, outgoing.topic);
        let outgoing = outgoing.on_route(&route);
        let mut delivered = self.deliver(now, &route, &outgoing);
        for group in &route.groups {
            let is_taken = self.dispatch(now, group, &outgoing, 0);
            delivered.taken += usize::from(is_taken);
            delivered.refused += usize::from(!is_taken);
        }
        for to in route.shards.iter() {
            self.stats.forwarded += 1;
            self.effects.push_back(Effect::Forward { to, forward: Forward::Message(outgoing.message()) });
        }
        if delivered.refused > 0 && delivered.taken == 0 && route.shards.is_empty() {
            ReasonCode::QuotaExceeded
        } else if delivered.taken == 0 && delivered.refused == 0 && route.shards.is_empty() {
            ReasonCode::NoMatchingSubscribers
        } else {
            ReasonCode::Success
        }
    }

    pub(super) fn deliver_forwarded(&mut self, now: Time, message: &Arc<Message>) {
        let route = self.router.route(&self.shared.interest, &self.shared.groups, &message.topic);
        // What becomes of it here is counted here; its publisher was answered on its own shard.
        let _delivered = self.deliver(now, &route, &Outgoing::of_message(message));
    }
}
