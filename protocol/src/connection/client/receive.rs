//! What the client makes of the server's packets.

use bytes::BytesMut;

use super::terms::Granted;
use super::{Client, ClientEvent, Open, Phase, Released, RequestKind, Sent, Session};
use crate::codec;
use crate::connection::ProtocolError;
use crate::connection::alias::{InboundAliases, OutboundAliases};
use crate::packet::{ConnAck, ConnAckProperties, Packet, PacketId, Publish, PublishAck};
use crate::{QoS, ReasonCode, Time, Version};

impl Client {
    /// Takes the whole packets off `input` and leaves the start of one that is not whole.
    ///
    /// # Errors
    /// The server broke a rule: write `take_output`, then close the transport.
    pub fn handle_input(&mut self, now: Time, input: &mut BytesMut) -> Result<(), ProtocolError> {
        loop {
            if matches!(self.phase, Phase::Closed | Phase::Closing) {
                input.clear();
                return Ok(());
            }
            let packet = match codec::decode(input, self.asked.version(), self.asked.packet_size_max) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.give_up(now, error.into())),
            };
            if let Err(error) = self.on_packet(now, packet) {
                return Err(self.give_up(now, error));
            }
        }
    }

    fn on_packet(&mut self, now: Time, packet: Packet) -> Result<(), ProtocolError> {
        self.check_properties(&packet)?;
        match &mut self.phase {
            Phase::Open(open) => open.last_received = now,
            Phase::Connecting(_) | Phase::Closed | Phase::Closing => {
                if let Packet::ConnAck(connack) = packet {
                    return self.on_connack(now, *connack);
                }
                let Packet::Auth(auth) = packet else {
                    return Err(unexpected(&packet, "before CONNACK [MQTT-3.2.0-1]"));
                };
                return self.on_auth(auth);
            }
        }
        match packet {
            Packet::Publish(publish) => self.on_publish(now, publish),
            Packet::PubAck(ack) => self.on_puback(now, ack),
            Packet::PubRec(ack) => self.on_pubrec(now, ack),
            Packet::PubRel(ack) => self.on_pubrel(now, &ack),
            Packet::PubComp(ack) => {
                self.on_pubcomp(now, &ack);
                Ok(())
            }
            Packet::SubAck(suback) => {
                self.on_answer(suback.packet_id, RequestKind::Subscribe, suback.reasons)
            }
            Packet::UnsubAck(unsuback) => {
                self.on_answer(unsuback.packet_id, RequestKind::Unsubscribe, unsuback.reasons)
            }
            Packet::PingResp => {
                self.on_pong(now);
                Ok(())
            }
            Packet::Disconnect(disconnect) if self.asked.version().is_v5() => {
                self.phase = Phase::Closing;
                self.events.push_back(ClientEvent::Disconnected(disconnect));
                Ok(())
            }
            Packet::Auth(auth) => self.on_auth(auth),
            other @ (Packet::ConnAck(_)
            | Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_)) => Err(unexpected(&other, "which no server sends here (2.1.2)")),
        }
    }

    fn on_connack(&mut self, now: Time, connack: ConnAck) -> Result<(), ProtocolError> {
        if connack.reason.is_failure() {
            self.phase = Phase::Closing;
            let ConnAckProperties { reason_string, server_reference, .. } = connack.properties;
            let reason = connack.reason;
            self.events.push_back(ClientEvent::Refused { reason, reason_string, server_reference });
            return Ok(());
        }
        self.check_connack(&connack)?;
        let properties = connack.properties;
        if let Some(client_id) = &properties.assigned_client_id
            && self.options.client_id.is_empty()
        {
            self.options.client_id = client_id.clone();
        }
        let granted = Granted::of(&self.asked, &properties);
        self.session =
            if self.asked.lasts_with(&properties) { Session::Lasting } else { Session::Connection };
        // CONNACK of 3.1 does not tell: a second try of what is under way suits both cases.
        let is_untold = self.asked.version() == Version::V31 && !self.asked.connect.clean_start;
        let session_present = connack.session_present;
        self.events.push_back(ClientEvent::Connected { session_present, properties: Box::new(properties) });
        if session_present || is_untold {
            self.outbound.handle_resume(granted.receive_maximum);
        } else {
            self.start_over();
            self.outbound.set_window(granted.receive_maximum);
        }
        self.inherited = self.inbound.clone();
        self.phase = Phase::Open(Open {
            granted,
            authentication: None,
            last_sent: now,
            last_received: now,
            pinged: None,
            aliases_in: InboundAliases::new(self.asked.topic_alias_maximum),
            aliases_out: OutboundAliases::new(granted.topic_alias_maximum, self.options.topic_aliases_max),
            inbound_max: self.inbound.len() + usize::from(self.asked.receive_maximum),
        });
        self.send_waiting(now);
        Ok(())
    }

    /// The server has no session: what it did not take over is new again, what it did take over is through.
    fn start_over(&mut self) {
        self.inbound.clear();
        self.events.extend(self.released.drain(..).map(Released::published));
        let unacknowledged: Vec<Sent> = self.outbound.clear().map(|(_, sent)| sent).collect();
        for sent in unacknowledged.into_iter().rev() {
            self.queue.push_front(sent);
        }
    }

    fn on_publish(&mut self, now: Time, mut publish: Publish) -> Result<(), ProtocolError> {
        let Phase::Open(open) = &mut self.phase else { return Ok(()) };
        open.aliases_in.resolve(&mut publish)?;
        let inbound_max = open.inbound_max;
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => {
                self.send(now, &Packet::PubAck(PublishAck::success(packet_id)));
            }
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let is_new = self.inbound.begin(packet_id);
                let is_inherited = self.inherited.release(packet_id);
                if self.inbound.len() > inbound_max {
                    // It is not taken, so that it is new if it comes again on another connection [MQTT-4.3.3-8].
                    self.inbound.release(packet_id);
                    let detail = "PUBLISH: more QoS 2 messages than the receive maximum [MQTT-3.3.4-9]";
                    return Err(ProtocolError::new(ReasonCode::ReceiveMaximumExceeded, detail));
                }
                self.send(now, &Packet::PubRec(PublishAck::success(packet_id)));
                // A server that sends again on a new connection says so [MQTT-3.3.1-1]. If it does not, it has forgotten
                // the identifier: the session that CONNACK told of, if it did, is younger than the one known here.
                if !is_new && (publish.dup || !is_inherited) {
                    return Ok(());
                }
            }
            (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => {}
        }
        self.events.push_back(ClientEvent::Message(publish));
        Ok(())
    }

    fn on_puback(&mut self, now: Time, ack: PublishAck) -> Result<(), ProtocolError> {
        let sent = self.outbound.handle_puback(ack.packet_id).map_err(|error| stray("PUBACK", &error))?;
        self.events.push_back(sent.published(ack.reason, ack.properties.reason_string));
        self.send_waiting(now);
        Ok(())
    }

    fn on_pubrec(&mut self, now: Time, ack: PublishAck) -> Result<(), ProtocolError> {
        let packet_id = ack.packet_id;
        if ack.reason.is_failure() {
            let sent =
                self.outbound.handle_pubrec_failed(packet_id).map_err(|error| stray("PUBREC", &error))?;
            self.events.push_back(sent.published(ack.reason, ack.properties.reason_string));
            self.send_waiting(now);
            return Ok(());
        }
        let answer = match self.outbound.handle_pubrec(packet_id) {
            Ok(Some(sent)) => {
                let reason_string = ack.properties.reason_string;
                self.released.push_back(Released {
                    packet_id,
                    token: sent.token,
                    reason: ack.reason,
                    reason_string,
                });
                PublishAck::success(packet_id)
            }
            Ok(None) => PublishAck::success(packet_id),
            // The flow goes on so that the server can let go of the identifier (3.6.2.1).
            Err(_) => PublishAck::new(packet_id, ReasonCode::PacketIdentifierNotFound),
        };
        self.send(now, &Packet::PubRel(answer));
        Ok(())
    }

    fn on_pubrel(&mut self, now: Time, ack: &PublishAck) -> Result<(), ProtocolError> {
        self.inherited.release(ack.packet_id);
        let reason = match self.inbound.release(ack.packet_id) {
            true => ReasonCode::Success,
            false => ReasonCode::PacketIdentifierNotFound,
        };
        self.send(now, &Packet::PubComp(PublishAck::new(ack.packet_id, reason)));
        Ok(())
    }

    fn on_pubcomp(&mut self, now: Time, ack: &PublishAck) {
        if self.outbound.handle_pubcomp(ack.packet_id).is_err() {
            // A PUBREC that came twice was answered twice, and so is the PUBREL.
            return;
        }
        // PUBCOMPs come in the order of the PUBRELs: the search ends at the first.
        let place = self.released.iter().position(|released| released.packet_id == ack.packet_id);
        if let Some(released) = place.and_then(|place| self.released.remove(place)) {
            self.events.push_back(released.published());
        }
        self.send_waiting(now);
    }

    fn on_answer(
        &mut self,
        packet_id: PacketId,
        kind: RequestKind,
        reasons: Vec<ReasonCode>,
    ) -> Result<(), ProtocolError> {
        let place =
            self.requests.iter().position(|request| request.packet_id == packet_id && request.kind == kind);
        let Some(request) = place.and_then(|place| self.requests.remove(place)) else {
            let detail =
                format!("an answer came to no request: packet identifier {packet_id} (3.9.2, 3.11.2)");
            return Err(ProtocolError::new(ReasonCode::ProtocolError, detail));
        };
        self.outbound.finish_request(packet_id).map_err(|error| stray("SUBACK or UNSUBACK", &error))?;
        let token = request.token;
        let counted = kind == RequestKind::Subscribe || self.asked.version().is_v5();
        if counted && reasons.len() != request.count {
            let detail = "an answer has not one reason code for each filter [MQTT-3.8.4-6], [MQTT-3.11.3-2]";
            return Err(ProtocolError::new(ReasonCode::ProtocolError, detail));
        }
        self.events.push_back(match kind {
            RequestKind::Subscribe => ClientEvent::Subscribed { token, reasons },
            RequestKind::Unsubscribe => ClientEvent::Unsubscribed { token, reasons },
        });
        Ok(())
    }

    fn on_pong(&mut self, now: Time) {
        if let Phase::Open(open) = &mut self.phase
            && let Some(pinged) = open.pinged.take()
        {
            self.events.push_back(ClientEvent::Pong { round_trip: now.saturating_since(pinged) });
        }
    }
}

fn unexpected(packet: &Packet, when: &str) -> ProtocolError {
    ProtocolError::new(ReasonCode::ProtocolError, format!("{} came {when}", packet.packet_type()))
}

fn stray(packet: &str, error: &crate::session::UnknownPacketId) -> ProtocolError {
    ProtocolError::new(ReasonCode::ProtocolError, format!("{packet}: {error} (4.3)"))
}
