//! A message from a client: kept, routed, acknowledged.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hearth_protocol::connection::ProtocolError;
use hearth_protocol::packet::{Packet, PacketId, Publish, PublishAck, PublishProperties};
use hearth_protocol::property::PayloadFormat;
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicName};

use super::Shard;
use super::carry::Way;
use super::deliver::Delivered;
use super::share::Dispatched;
use crate::access::Decision;
use crate::delivery::Outgoing;
use crate::durable::Table;
use crate::effect::{DropReason, Event};
use crate::faults::{self, Fault};
use crate::ids::ConnectionId;
use crate::limits::Limit;
use crate::message::Message;
use crate::refusal::Refusal;
use crate::sparkplug;
use crate::system::is_reserved;

impl Shard {
    pub(super) fn on_publish(&mut self, now: Time, id: ConnectionId, session: u32, publish: &Publish) {
        self.stats.published[publish.qos as usize] += 1;
        self.stats.payload_bytes_in[publish.qos as usize] += publish.payload.len() as u64;
        let outcome = match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let inbound = &mut self.sessions[session].flow_mut().inbound;
                if !inbound.begin(packet_id) && !faults::has(Fault::DuplicateRouted) {
                    // It came before and is held: acknowledged again, routed no more [MQTT-4.3.3-10].
                    self.await_what_was_changed(session);
                    self.reply(now, id, Packet::PubRec(PublishAck::success(packet_id)));
                    return;
                }
                if self.refuses_unrouted(id, session) {
                    self.sessions[session].flow_mut().inbound.release(packet_id);
                    let ack = PublishAck::new(packet_id, ReasonCode::QuotaExceeded);
                    return self.reply(now, id, Packet::PubRec(ack));
                }
                let held = self.sessions[session].flow_mut().inbound.len();
                self.keep_flow(session, Table::Received, packet_id, true);
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
            self.acknowledge(now, id, session, publish.qos, packet_id, outcome);
        }
    }

    /// Whether a QoS 2 message of a session that is kept is refused before anybody gets it, as the disk takes nothing: what comes
    /// again then is the first that anybody gets. Behind others, which wait for the disk, it waits too.
    fn refuses_unrouted(&self, id: ConnectionId, session: u32) -> bool {
        let session = &self.sessions[session];
        let is_first = self.connection(id).is_some_and(|connection| connection.held == 0);
        self.shared.is_store_failing()
            && session.has_rows()
            && session.version.is_v5()
            && is_first
            && !faults::has(Fault::RefusedRouted)
    }

    /// PUBACK or PUBREC. A refused QoS 2 message is over with its PUBREC (4.3.3).
    fn acknowledge(
        &mut self,
        now: Time,
        id: ConnectionId,
        session: u32,
        qos: QoS,
        packet_id: PacketId,
        outcome: Result<ReasonCode, Refusal>,
    ) {
        let packet = match qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => Packet::PubAck,
            QoS::ExactlyOnce => Packet::PubRec,
        };
        let refusal = match outcome {
            Ok(reason) => {
                self.reply(now, id, packet(PublishAck::new(packet_id, reason)));
                return;
            }
            Err(refusal) => refusal,
        };
        if qos == QoS::ExactlyOnce && self.sessions[session].version.is_v5() {
            self.sessions[session].flow_mut().inbound.release(packet_id);
            self.keep_flow(session, Table::Received, packet_id, false);
        }
        let reason = refusal.reason;
        let ack = |properties| packet(PublishAck { packet_id, reason, properties });
        self.answer_with(now, id, Some(refusal.detail), ack);
    }

    /// Decides about a message and passes it on; what its publisher is told.
    fn take_message(&mut self, now: Time, session: u32, publish: &Publish) -> Result<ReasonCode, Refusal> {
        let topic = publish.topic.as_str();
        if let Some(limit) = self.shared.limits.exceeded_by_topic(topic) {
            self.limited(session, limit);
            return Err(Refusal::limit(ReasonCode::TopicNameInvalid, limit));
        }
        if let Some(properties) = &publish.properties {
            self.check_properties(session, properties, &publish.payload)?;
        }
        let publisher = &self.sessions[session];
        if is_reserved(&publish.topic) {
            self.count_drop_of(session, DropReason::ReservedTopic);
            return Err(Refusal::new(ReasonCode::NotAuthorized, "$SYS and $hearth are the broker's own"));
        }
        if self.shared.access.publish(publisher.subject(), &publish.topic) == Decision::Deny {
            self.count_drop_of(session, DropReason::Denied);
            return Err(Refusal::new(ReasonCode::NotAuthorized, "access rules refuse to publish here"));
        }
        let serial = publisher.serial;
        if self.shared.options.sparkplug_certificates {
            self.keep_certificate(now, serial, publish)?;
        }
        let outgoing = Outgoing::of_packet(publish, serial, now);
        if publish.retain
            && let Err(limit) = self.retain(now, &outgoing.message(&self.account))
        {
            self.sessions[session].count_drop(DropReason::RetainedFull);
            self.limited(session, limit);
            return Err(Refusal::limit(ReasonCode::QuotaExceeded, limit));
        }
        let way = self.way_of(session, publish.qos);
        self.route(now, outgoing, &way).map_err(|limit| {
            // The subscribers have counted it.
            self.tell_limit(session, limit);
            Refusal::limit(ReasonCode::QuotaExceeded, limit)
        })
    }

    /// Keeps a birth certificate of Sparkplug where those look for it who come later; nobody else publishes there.
    fn keep_certificate(&mut self, now: Time, publisher: u64, publish: &Publish) -> Result<(), Refusal> {
        if sparkplug::is_kept(&publish.topic) {
            let detail = "$sparkplug/certificates is where the broker keeps birth certificates";
            return Err(Refusal::new(ReasonCode::NotAuthorized, detail));
        }
        let kept = sparkplug::certificate(&publish.topic);
        // A name that is too long for others is too long for this one.
        let kept = kept.filter(|kept| self.shared.limits.exceeded_by_topic(kept.as_str()).is_none());
        if let Some(kept) = kept {
            let message = Message { retain: true, ..Message::detached(kept, publish, publisher, now) };
            let message = Arc::new(message.charged(&self.account));
            self.retain_own(now, &message);
            // Who takes this one is nothing that the publisher of the other is told.
            let hold = self.hold.take();
            let _told_to_nobody = self.route(now, Outgoing::of_message(&message), &Way::Plain);
            self.hold = hold;
        }
        Ok(())
    }

    /// What the properties of a message must keep beside the rules of the standard.
    fn check_properties(
        &mut self,
        session: u32,
        properties: &PublishProperties,
        payload: &[u8],
    ) -> Result<(), Refusal> {
        if properties.user_properties.bytes() > self.shared.limits.user_property_bytes_max {
            self.limited(session, Limit::UserPropertyBytes);
            return Err(Refusal::limit(ReasonCode::QuotaExceeded, Limit::UserPropertyBytes));
        }
        let is_text = properties.payload_format == Some(PayloadFormat::Utf8);
        if is_text && self.shared.options.check_payload_format && std::str::from_utf8(payload).is_err() {
            self.count_drop_of(session, DropReason::PayloadFormat);
            let detail = "the payload is not UTF-8, which its payload format indicator says (3.3.2.3.2)";
            return Err(Refusal::new(ReasonCode::PayloadFormatInvalid, detail));
        }
        Ok(())
    }

    /// Publishes a retained message of the broker itself; one that is retained already goes to nobody again.
    pub fn handle_own_message(&mut self, now: Time, topic: TopicName, payload: Bytes) {
        if self.shared.retained.has(&topic, &payload) {
            return;
        }
        let message = Message {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            retain: true,
            properties: None,
            publisher: 0,
            expires_at: None,
            kept: Mutex::default(),
            charge: None,
        };
        let message = message.charged(&self.account);
        self.publish_message(now, &Arc::new(message), &Way::Plain);
    }

    /// A message of the broker itself, or for a client that is gone.
    pub(super) fn publish_message(&mut self, now: Time, message: &Arc<Message>, way: &Way) {
        if message.retain {
            self.retain_own(now, message);
        }
        // Nobody is there to be told that every subscriber is full; each has counted it.
        let _told_to_nobody = self.route(now, Outgoing::of_message(message), way);
    }

    /// Retains a message whose publisher is not to be told when there is no room.
    fn retain_own(&mut self, now: Time, message: &Arc<Message>) {
        let Err(limit) = self.retain(now, message) else { return };
        self.stats.limited[limit.as_index()] += 1;
        if self.own_limits_told.insert(limit) {
            self.event(Event::Limited { client_id: Text::EMPTY, address: None, limit: limit.name() });
        }
    }

    /// Puts a message into the retained store, before anybody is looked up: see `interest`.
    fn retain(&mut self, now: Time, message: &Arc<Message>) -> Result<(), Limit> {
        let stored = self.shared.retained.store(message, now);
        match stored {
            Ok(()) => self.keep_retained(message),
            Err(_) => self.count_drop(DropReason::RetainedFull),
        }
        stored
    }

    /// Delivers to the sessions here and tells the other shards; or the bound that every session has met.
    fn route(&mut self, now: Time, outgoing: Outgoing<'_>, way: &Way) -> Result<ReasonCode, Limit> {
        let route = self.router.route(&self.shared.interest, &self.shared.groups, outgoing.topic);
        let outgoing = outgoing.on_route(&route);
        let mut delivered = self.deliver(now, &route, &outgoing);
        // Other shards of which each may take it.
        let mut takers = 0;
        for group in &route.groups {
            match self.dispatch(now, group, &outgoing, 0, way) {
                Dispatched::Given => delivered.add(Ok(())),
                Dispatched::Assigned => takers += 1,
                // What QoS 0 members miss, the publisher is not to be told, as with other subscriptions.
                Dispatched::Refused if !group.keeps(outgoing.qos) => delivered.add(Ok(())),
                Dispatched::Refused => {
                    self.stats.limited[Limit::QueuedMessages.as_index()] += 1;
                    delivered.add(Err(Limit::QueuedMessages));
                }
            }
        }
        for to in route.shards.iter().filter(|_| !faults::has(Fault::NeighboursNotTold)) {
            self.stats.forwarded += 1;
            takers += 1;
            self.send_to(now, to, &outgoing, way);
        }
        if let Some(hold) = self.hold.filter(|_| delivered.taken == 0 && takers > 0) {
            self.holds.ask_takers(hold, takers, delivered.met);
        }
        let is_for_nobody_else = delivered.taken == 0 && takers == 0;
        let refused = delivered.met.filter(|_| is_for_nobody_else);
        if let Some(tally) = &mut self.tally
            && (refused.is_none() || outgoing.retain)
        {
            tally.count(now, &route, outgoing.payload, outgoing.retain);
        }
        if let Some(limit) = refused {
            // Its publisher is told that it was not taken.
            return Err(limit);
        }
        if let Some(tap) = &mut self.tap {
            tap.on_message(outgoing.topic.as_str(), outgoing.payload);
        }
        Ok(if is_for_nobody_else { ReasonCode::NoMatchingSubscribers } else { ReasonCode::Success })
    }

    /// Delivers a message of another shard; what becomes of it here is counted here.
    pub(super) fn deliver_forwarded(&mut self, now: Time, message: &Arc<Message>) -> Delivered {
        let route = self.router.route(&self.shared.interest, &self.shared.groups, &message.topic);
        self.deliver(now, &route, &Outgoing::of_message(message))
    }
}
