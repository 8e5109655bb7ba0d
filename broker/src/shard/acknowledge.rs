//! The acknowledgements of a client, for messages either way.

use hearth_protocol::packet::{Packet, PacketId, PublishAck};
use hearth_protocol::{ReasonCode, Time};

use super::Shard;
use crate::durable::Table;
use crate::faults::{self, Fault};
use crate::ids::ConnectionId;

impl Shard {
    /// A client that took over a session acknowledges what it never got, at times: what nothing waits for is
    /// let be.
    pub(super) fn on_puback(&mut self, now: Time, session: u32, ack: &PublishAck) {
        let flow = self.sessions[session].flow_mut();
        if !flow.is_unsent(ack.packet_id)
            && let Ok(delivery) = flow.outbound.handle_puback(ack.packet_id)
        {
            self.let_go(self.sessions[session].serial, &delivery);
            self.send_queue(now, session);
        }
    }

    pub(super) fn on_pubrec(&mut self, now: Time, id: ConnectionId, session: u32, ack: &PublishAck) {
        let flow = self.sessions[session].flow_mut();
        let packet_id = ack.packet_id;
        let is_unsent = flow.is_unsent(packet_id);
        let outbound = &mut flow.outbound;
        if ack.reason.is_failure() {
            // The client will not take it: the flow is over [MQTT-4.3.3-4].
            if !is_unsent && let Ok(delivery) = outbound.handle_pubrec_failed(packet_id) {
                self.let_go(self.sessions[session].serial, &delivery);
                self.send_queue(now, session);
            }
            return;
        }
        let known = if is_unsent { None } else { outbound.handle_pubrec(packet_id).ok() };
        match known {
            Some(delivery) => {
                if let Some(delivery) = delivery {
                    self.keep_flow(session, Table::Released, packet_id, true);
                    self.let_go(self.sessions[session].serial, &delivery);
                } else {
                    self.await_what_was_changed(session);
                }
                self.reply(now, id, Packet::PubRel(PublishAck::success(packet_id)));
            }
            None => {
                let detail =
                    "PUBREC: no QoS 2 message is under way to the client with this packet identifier";
                self.answer_unknown(now, id, packet_id, detail, Packet::PubRel);
            }
        }
    }

    pub(super) fn on_pubrel(&mut self, now: Time, id: ConnectionId, session: u32, ack: &PublishAck) {
        if faults::has(Fault::InboundIdKept)
            || self.sessions[session].flow_mut().inbound.release(ack.packet_id)
        {
            self.keep_flow(session, Table::Received, ack.packet_id, false);
            self.reply(now, id, Packet::PubComp(PublishAck::success(ack.packet_id)));
        } else {
            // It may have come before, and the answer to that may have gone with its connection.
            self.await_what_was_changed(session);
            let detail = "PUBREL: no QoS 2 message of the client is held under this packet identifier";
            self.answer_unknown(now, id, ack.packet_id, detail, Packet::PubComp);
        }
    }

    /// Goes on with a flow that is not known, so that the other side comes to its end (4.3.3).
    fn answer_unknown(
        &mut self,
        now: Time,
        id: ConnectionId,
        packet_id: PacketId,
        detail: &str,
        packet: fn(PublishAck) -> Packet,
    ) {
        let reason = ReasonCode::PacketIdentifierNotFound;
        self.answer_with(now, id, Some(detail), |properties| {
            packet(PublishAck { packet_id, reason, properties })
        });
    }

    pub(super) fn on_pubcomp(&mut self, now: Time, session: u32, ack: &PublishAck) {
        if faults::has(Fault::OutboundIdKept) {
            return;
        }
        if self.sessions[session].flow_mut().outbound.handle_pubcomp(ack.packet_id).is_ok() {
            self.keep_flow(session, Table::Released, ack.packet_id, false);
            self.send_queue(now, session);
        }
    }
}
