//! The acknowledgements of a client, for messages either way.

use hearth_protocol::packet::{Packet, PublishAck};
use hearth_protocol::{ReasonCode, Time};

use super::Shard;
use crate::ids::ConnectionId;

impl Shard {
    /// A client that took over a session acknowledges what it never got, at times: what nothing waits for is
    /// let be.
    pub(super) fn on_puback(&mut self, now: Time, session: u32, ack: &PublishAck) {
        if self.sessions[session].flow_mut().outbound.handle_puback(ack.packet_id).is_ok() {
            self.send_queue(now, session);
        }
    }

    pub(super) fn on_pubrec(&mut self, now: Time, id: ConnectionId, session: u32, ack: &PublishAck) {
        let outbound = &mut self.sessions[session].flow_mut().outbound;
        let packet_id = ack.packet_id;
        if ack.reason.is_failure() {
            // The client will not take it: the flow is over [MQTT-4.3.3-4].
            if outbound.handle_pubrec_failed(packet_id).is_ok() {
                self.send_queue(now, session);
            }
            return;
        }
        let reason = match outbound.handle_pubrec(packet_id) {
            Ok(_) => ReasonCode::Success,
            Err(_) => ReasonCode::PacketIdentifierNotFound,
        };
        self.send(id, &Packet::PubRel(PublishAck::new(packet_id, reason)));
    }

    pub(super) fn on_pubrel(&mut self, id: ConnectionId, session: u32, ack: &PublishAck) {
        let reason = match self.sessions[session].flow_mut().inbound.release(ack.packet_id) {
            true => ReasonCode::Success,
            false => ReasonCode::PacketIdentifierNotFound,
        };
        self.send(id, &Packet::PubComp(PublishAck::new(ack.packet_id, reason)));
    }

    pub(super) fn on_pubcomp(&mut self, now: Time, session: u32, ack: &PublishAck) {
        if self.sessions[session].flow_mut().outbound.handle_pubcomp(ack.packet_id).is_ok() {
            self.send_queue(now, session);
        }
    }
}
