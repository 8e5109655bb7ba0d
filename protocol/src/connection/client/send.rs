//! What the client sends: messages within the server's terms, and requests.

use super::{Client, ClientEvent, Phase, PublishError, Request, RequestError, RequestKind, Sent, Token};
use crate::codec;
use crate::packet::{
    Packet, PacketId, Publish, Subscribe, SubscribeProperties, Subscription, Unsubscribe,
    UnsubscribeProperties,
};
use crate::session::Redelivery;
use crate::{QoS, ReasonCode, Time, TopicFilter};

impl Client {
    /// Sends a message; its `packet_id` and `dup` are the client's to choose. QoS 1 and 2 wait while there is
    /// no connection or no room in the server's window; `Published` tells what became of it.
    ///
    /// # Errors
    /// It was not taken; nothing will be told of it.
    pub fn publish(&mut self, now: Time, publish: Publish) -> Result<Token, PublishError> {
        let aliased = publish.properties.as_ref().is_some_and(|properties| properties.topic_alias.is_some());
        if aliased || publish.topic.as_str().is_empty() {
            return Err(PublishError::Topic);
        }
        let publish = Publish { dup: false, packet_id: None, ..publish };
        if publish.qos == QoS::AtMostOnce {
            return self.publish_at_most_once(now, publish);
        }
        if self.queue.len() >= self.options.queue_max {
            return Err(PublishError::QueueFull(self.queue.len()));
        }
        let token = self.token();
        self.queue.push_back(Sent { token, publish });
        self.send_queue(now);
        Ok(token)
    }

    fn publish_at_most_once(&mut self, now: Time, publish: Publish) -> Result<Token, PublishError> {
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        let token = self.token();
        let packet = Packet::Publish(publish);
        let reason = match self.objection(&packet) {
            Some(reason) => reason,
            None => {
                self.send(now, &packet);
                ReasonCode::Success
            }
        };
        self.events.push_back(ClientEvent::Published { token, reason });
        Ok(token)
    }

    /// Asks for messages; `Subscribed` brings the answer.
    ///
    /// # Errors
    /// It was not sent.
    pub fn subscribe(
        &mut self,
        now: Time,
        subscriptions: Vec<Subscription>,
        properties: SubscribeProperties,
    ) -> Result<Token, RequestError> {
        let count = subscriptions.len();
        self.request(now, RequestKind::Subscribe, count, |packet_id| {
            Packet::Subscribe(Subscribe { packet_id, subscriptions, properties })
        })
    }

    /// Asks for no more messages; `Unsubscribed` brings the answer.
    ///
    /// # Errors
    /// It was not sent.
    pub fn unsubscribe(
        &mut self,
        now: Time,
        filters: Vec<TopicFilter>,
        properties: UnsubscribeProperties,
    ) -> Result<Token, RequestError> {
        let count = filters.len();
        self.request(now, RequestKind::Unsubscribe, count, |packet_id| {
            Packet::Unsubscribe(Unsubscribe { packet_id, filters, properties })
        })
    }

    fn request(
        &mut self,
        now: Time,
        kind: RequestKind,
        count: usize,
        packet: impl FnOnce(PacketId) -> Packet,
    ) -> Result<Token, RequestError> {
        if !self.is_connected() {
            return Err(RequestError::NotConnected);
        }
        let packet_id = self.outbound.begin_request().ok_or(RequestError::NoPacketId)?;
        let packet = packet(packet_id);
        if count == 0 || self.objection(&packet).is_some() {
            // The identifier was taken a line above.
            let _known = self.outbound.finish_request(packet_id);
            return Err(RequestError::Unsendable);
        }
        let token = self.token();
        self.requests.push(Request { packet_id, token, kind, count });
        self.send(now, &packet);
        Ok(token)
    }

    /// Sends from the queue what the window has room for.
    pub(super) fn send_queue(&mut self, now: Time) {
        while self.is_connected() && self.outbound.has_room() {
            let Some(sent) = self.queue.pop_front() else { return };
            let token = sent.token;
            // Checked with an identifier, which all have the same length.
            let mut packet =
                Packet::Publish(Publish { packet_id: Some(PacketId::MIN), ..sent.publish.clone() });
            if let Some(reason) = self.objection(&packet) {
                self.events.push_back(ClientEvent::Published { token, reason });
                continue;
            }
            if let Packet::Publish(publish) = &mut packet {
                publish.packet_id = self.outbound.begin(sent.publish.qos, sent);
            }
            self.send(now, &packet);
        }
    }

    /// Sends again, in order, what the last connection left unacknowledged [MQTT-4.4.0-1].
    pub(super) fn redeliver(&mut self, now: Time) {
        let mut packets = Vec::with_capacity(self.outbound.inflight_len());
        for redelivery in self.outbound.redeliver() {
            packets.push(match redelivery {
                Redelivery::Publish { packet_id, message, .. } => Packet::Publish(Publish {
                    dup: true,
                    packet_id: Some(packet_id),
                    ..message.publish.clone()
                }),
                Redelivery::PubRel { packet_id } => {
                    Packet::PubRel(crate::packet::PublishAck::success(packet_id))
                }
            });
        }
        for packet in packets {
            self.send(now, &packet);
        }
    }

    /// Why the server would not take the packet, by the terms of its CONNACK.
    fn objection(&self, packet: &Packet) -> Option<ReasonCode> {
        let Phase::Open(open) = &self.phase else { return None };
        if let Packet::Publish(publish) = packet {
            if publish.qos > open.qos_max {
                return Some(ReasonCode::QoSNotSupported);
            }
            if publish.retain && !open.retain_available {
                return Some(ReasonCode::RetainNotSupported);
            }
        }
        match codec::encoded_len(packet, self.options.version) {
            Ok(len) if len <= open.packet_size_max => None,
            Ok(_) | Err(_) => Some(ReasonCode::PacketTooLarge),
        }
    }

    /// Puts a packet that has no objection against it into the output.
    pub(super) fn send(&mut self, now: Time, packet: &Packet) {
        if codec::encode(packet, self.options.version, &mut self.output).is_ok()
            && let Phase::Open(open) = &mut self.phase
        {
            open.last_sent = now;
        }
    }
}
