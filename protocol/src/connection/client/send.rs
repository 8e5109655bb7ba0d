//! What the client sends: messages within the server's terms, and requests.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::terms::Granted;
use super::{
    Client, ClientEvent, IDLE_QUEUE_LEN, Open, Phase, PublishError, Released, Request, RequestError,
    RequestKind, Sent, Token,
};
use crate::codec::{self, PublishHead};
use crate::connection::alias::TopicNaming;
use crate::packet::{
    Packet, PacketId, Publish, PublishAck, Subscribe, SubscribeProperties, Subscription, Unsubscribe,
    UnsubscribeProperties,
};
use crate::session::Redelivery;
use crate::{QoS, ReasonCode, Text, Time, TopicFilter, Version};

/// DUP in the first byte.
const V31_DUP: u8 = 0b1000;

impl Client {
    /// Sends a message; its `packet_id` and `dup` are the client's to choose. QoS 1 and 2 wait while there is
    /// no connection or no room in the server's window; `Published` tells what became of it.
    ///
    /// # Errors
    /// It was not taken; nothing will be told of it.
    pub fn publish(&mut self, now: Time, publish: Publish) -> Result<Token, PublishError> {
        let properties = publish.properties.as_ref();
        let is_aliased = properties.is_some_and(|properties| properties.topic_alias.is_some());
        if is_aliased || publish.topic.as_str().is_empty() {
            return Err(PublishError::Topic);
        }
        if properties.is_some_and(|properties| !properties.subscription_ids.is_empty()) {
            return Err(PublishError::SubscriptionId);
        }
        let publish = Publish { dup: false, packet_id: None, ..publish };
        if publish.qos == QoS::AtMostOnce {
            return self.publish_at_most_once(now, &publish);
        }
        if self.queue.len() >= self.options.queue_max {
            return Err(PublishError::QueueFull(self.queue.len()));
        }
        let token = self.token();
        self.queue.push_back(Sent { token, publish });
        self.send_waiting(now);
        Ok(token)
    }

    fn publish_at_most_once(&mut self, now: Time, publish: &Publish) -> Result<Token, PublishError> {
        let Phase::Open(open) = &mut self.phase else { return Err(PublishError::NotConnected) };
        let written = write(&mut self.output, self.asked.version(), open, publish, None);
        if written.is_ok() {
            open.last_sent = now;
        }
        let reason = written.err().unwrap_or_default();
        let token = self.token();
        self.events.push_back(ClientEvent::Published { token, reason, reason_string: None });
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
        if let Some(error) = self.objection(&packet, count) {
            // The identifier was taken a line above.
            let _known = self.outbound.finish_request(packet_id);
            return Err(error);
        }
        let token = self.token();
        self.requests.push_back(Request { packet_id, token, kind, count });
        self.send(now, &packet);
        Ok(token)
    }

    /// Sends what the window has room for: first again what the last connection left, then the queue.
    pub(super) fn send_waiting(&mut self, now: Time) {
        self.redeliver(now);
        self.send_queue(now);
    }

    /// Sends again, in order, what the last connection left unacknowledged [MQTT-4.4.0-1].
    fn redeliver(&mut self, now: Time) {
        let Phase::Open(open) = &mut self.phase else { return };
        let (version, output) = (self.asked.version(), &mut self.output);
        // All PUBRELs come first, in the order of their messages; that of their PUBRECs may be another [MQTT-4.6.0-4].
        let mut released = self.released.iter().map(|released| released.packet_id);
        while let Some(redelivery) = self.outbound.poll_redelivery() {
            let (packet_id, written) = match redelivery {
                Redelivery::PubRel { packet_id } => {
                    let packet_id = released.next().unwrap_or(packet_id);
                    let pubrel = Packet::PubRel(PublishAck::success(packet_id));
                    let start = output.len();
                    let written = codec::encode(&pubrel, version, output);
                    if version == Version::V31
                        && let Some(first) = output.get_mut(start)
                    {
                        // In 3.1 a PUBREL that comes again says so too (3.1, 2.1).
                        *first |= V31_DUP;
                    }
                    (packet_id, written.map_err(|_| ReasonCode::PacketTooLarge))
                }
                Redelivery::Publish { packet_id, message, .. } => {
                    let publish = &message.publish;
                    (packet_id, write_again(output, version, &open.granted, publish, packet_id))
                }
            };
            match written {
                Ok(()) => open.last_sent = now,
                Err(reason) => {
                    let abandoned = self.outbound.abandon(packet_id).ok();
                    self.events.extend(abandoned.map(|sent| sent.published(reason, None)));
                }
            }
        }
    }

    fn send_queue(&mut self, now: Time) {
        let Phase::Open(open) = &mut self.phase else { return };
        let (version, output) = (self.asked.version(), &mut self.output);
        while self.outbound.has_room() {
            let Some(sent) = self.queue.pop_front() else { break };
            // There is room, so there is an identifier, and the message is found under it.
            let Some(packet_id) = self.outbound.begin(sent.publish.qos, sent) else { break };
            let Some(sent) = self.outbound.message(packet_id) else { break };
            match write(output, version, open, &sent.publish, Some(packet_id)) {
                Ok(()) => open.last_sent = now,
                Err(reason) => {
                    let abandoned = self.outbound.abandon(packet_id).ok();
                    self.events.extend(abandoned.map(|sent| sent.published(reason, None)));
                }
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > IDLE_QUEUE_LEN {
            self.queue = VecDeque::new();
        }
    }

    /// Why a request of `count` filters cannot be sent.
    fn objection(&self, packet: &Packet, count: usize) -> Option<RequestError> {
        let Phase::Open(open) = &self.phase else { return Some(RequestError::NotConnected) };
        if let Packet::Subscribe(subscribe) = packet
            && let Some(reason) = open.granted.objection_to_subscribe(subscribe)
        {
            return Some(RequestError::Unsupported(reason));
        }
        let len = codec::encoded_len(packet, self.asked.version());
        let fits = count > 0 && len.is_ok_and(|len| len <= open.granted.packet_size_max);
        (!fits).then_some(RequestError::Unsendable)
    }

    /// Puts a packet into the output that the server's terms do not forbid.
    pub(super) fn send(&mut self, now: Time, packet: &Packet) {
        if codec::encode(packet, self.asked.version(), &mut self.output).is_ok()
            && let Phase::Open(open) = &mut self.phase
        {
            open.last_sent = now;
        }
    }
}

impl Sent {
    /// What became of it.
    pub(super) const fn published(&self, reason: ReasonCode, reason_string: Option<Text>) -> ClientEvent {
        ClientEvent::Published { token: self.token, reason, reason_string }
    }
}

impl Released {
    /// What became of it, once PUBCOMP came or need not come any more.
    pub(super) fn published(self) -> ClientEvent {
        let Self { token, reason, reason_string, .. } = self;
        ClientEvent::Published { token, reason, reason_string }
    }
}

/// Puts a message into the output for the first time; or says why the server would not take it, and writes nothing.
fn write(
    output: &mut BytesMut,
    version: Version,
    open: &mut Open,
    publish: &Publish,
    packet_id: Option<PacketId>,
) -> Result<(), ReasonCode> {
    let topic = publish.topic.as_str();
    let naming = match open.granted.objection_to_publish(publish) {
        Some(reason) => return Err(reason),
        None => open.aliases_out.name(topic),
    };
    let (named, topic_alias) = naming.fields(topic);
    let head = PublishHead { packet_id, topic: named, topic_alias, ..head_of(publish) };
    let written = append(output, version, &open.granted, &head, &publish.payload);
    if let (Err(_), TopicNaming::TopicAndAlias(alias)) = (written, naming) {
        // A new alias makes the packet longer, and it may fit without.
        open.aliases_out.revoke(alias);
        let head = PublishHead { packet_id, ..head_of(publish) };
        return append(output, version, &open.granted, &head, &publish.payload);
    }
    written
}

/// Puts a message into the output that an older connection carried before. It names its topic in full: aliases ended
/// with that connection [MQTT-3.3.2-7].
fn write_again(
    output: &mut BytesMut,
    version: Version,
    granted: &Granted,
    publish: &Publish,
    packet_id: PacketId,
) -> Result<(), ReasonCode> {
    if let Some(reason) = granted.objection_to_publish(publish) {
        return Err(reason);
    }
    let head = PublishHead { dup: true, packet_id: Some(packet_id), ..head_of(publish) };
    append(output, version, granted, &head, &publish.payload)
}

/// What stands before the payload of a message without an identifier and an alias.
fn head_of(publish: &Publish) -> PublishHead<'_> {
    PublishHead {
        dup: false,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic.as_str(),
        packet_id: None,
        properties: publish.properties.as_deref(),
        message_expiry: None,
        topic_alias: None,
        subscription_ids: &[],
        payload_len: publish.payload.len(),
    }
}

/// Puts the packet into the output without a copy in between, if the server takes one of its size [MQTT-3.2.2-15].
fn append(
    output: &mut BytesMut,
    version: Version,
    granted: &Granted,
    head: &PublishHead<'_>,
    payload: &[u8],
) -> Result<(), ReasonCode> {
    let start = output.len();
    codec::encode_publish_head(head, version, output).map_err(|_| ReasonCode::PacketTooLarge)?;
    if output.len() - start + payload.len() > granted.packet_size_max {
        output.truncate(start);
        return Err(ReasonCode::PacketTooLarge);
    }
    output.extend_from_slice(payload);
    Ok(())
}
