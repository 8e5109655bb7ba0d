//! The other end of a connection: what came from the broker must be what a broker may send it.

use std::collections::{HashMap, VecDeque};

use bytes::BytesMut;
use hearth_protocol::packet::{Auth, Connect, Packet, PacketId, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Text, TopicName, Version, codec};

use crate::ids::ConnectionId;

/// A connection as its client knows it.
pub(super) struct Peer {
    pub(super) shard: usize,
    pub(super) id: ConnectionId,
    pub(super) version: Version,
    /// It reads nothing for now.
    pub(super) is_stalled: bool,
    /// Sent, and not taken by the shard yet.
    pub(super) input: BytesMut,
    /// What a good client would answer next.
    pub(super) owed: VecDeque<Packet>,
    /// It sent bytes of which nobody knows whether they acknowledge something.
    pub(super) is_wild: bool,
    received: BytesMut,
    phase: Phase,
    packet_size_max: usize,
    receive_maximum: u16,
    under_way: HashMap<PacketId, UnderWay>,
    /// The method of its CONNECT.
    method: Option<Text>,
    /// What the broker's aliases stand for.
    topics: HashMap<u16, TopicName>,
    topic_alias_maximum: u16,
    /// PUBLISH packets that came.
    pub(super) messages: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    AwaitConnAck,
    Open,
    /// The broker has said goodbye.
    Over,
}

/// What became of a message so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UnderWay {
    /// It came with QoS 1.
    Sent1,
    /// It came with QoS 2.
    Sent2,
    /// PUBREC went out.
    Released,
}

impl Peer {
    pub(super) fn new(shard: usize, id: ConnectionId, connect: &Connect, inflight_max: u16) -> Self {
        let properties = &connect.properties;
        Self {
            shard,
            id,
            version: connect.version,
            is_stalled: false,
            input: BytesMut::new(),
            owed: VecDeque::new(),
            is_wild: false,
            received: BytesMut::new(),
            phase: Phase::AwaitConnAck,
            packet_size_max: properties.packet_size_max.map_or(usize::MAX, |bytes| bytes as usize),
            receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX).min(inflight_max),
            under_way: HashMap::new(),
            method: properties.authentication_method.clone(),
            topics: HashMap::new(),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            messages: 0,
        }
    }

    /// Sends a packet.
    pub(super) fn send(&mut self, packet: &Packet) {
        if codec::encode(packet, self.version, &mut self.input).is_err() {
            return;
        }
        let under_way = |id: &PacketId| self.under_way.get(id).copied();
        match packet {
            Packet::PubAck(ack) if under_way(&ack.packet_id) == Some(UnderWay::Sent1) => {
                self.under_way.remove(&ack.packet_id);
            }
            Packet::PubComp(ack) if under_way(&ack.packet_id) == Some(UnderWay::Released) => {
                self.under_way.remove(&ack.packet_id);
            }
            Packet::PubRec(ack) if under_way(&ack.packet_id) == Some(UnderWay::Sent2) => {
                if ack.reason.is_failure() {
                    self.under_way.remove(&ack.packet_id);
                } else {
                    self.under_way.insert(ack.packet_id, UnderWay::Released);
                }
            }
            Packet::PubAck(_)
            | Packet::PubComp(_)
            | Packet::PubRec(_)
            | Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Publish(_)
            | Packet::PubRel(_)
            | Packet::Subscribe(_)
            | Packet::SubAck(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_)
            | Packet::PingReq
            | Packet::PingResp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => {}
        }
    }

    /// Sends bytes that may be anything.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) {
        self.is_wild = true;
        self.input.extend_from_slice(bytes);
    }

    /// Takes bytes of the broker; they may end within a packet.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        loop {
            let before = self.received.len();
            match codec::decode(&mut self.received, self.version, usize::MAX) {
                Ok(Some(packet)) => self.on_packet(packet, before - self.received.len()),
                Ok(None) => return,
                Err(error) => panic!("the broker sent a malformed packet: {error}"),
            }
        }
    }

    /// The broker has closed: nothing may be left half said.
    pub(super) fn end(&self) {
        assert!(self.received.is_empty(), "the last packet is not whole");
    }

    fn on_packet(&mut self, packet: Packet, len: usize) {
        assert!(len <= self.packet_size_max, "{len} bytes are more than the client takes");
        match (self.phase, &packet) {
            (Phase::AwaitConnAck, Packet::ConnAck(connack)) => {
                self.phase = if connack.reason.is_failure() { Phase::Over } else { Phase::Open };
            }
            (Phase::AwaitConnAck, Packet::Auth(auth)) => self.on_auth(auth),
            (Phase::AwaitConnAck | Phase::Over, _) => panic!("{packet:?} came while {:?}", self.phase),
            (Phase::Open, _) => self.on_open(packet),
        }
    }

    fn on_open(&mut self, packet: Packet) {
        match packet {
            Packet::Publish(publish) => self.on_publish(&publish),
            Packet::PubRel(ack) => {
                // It may come late, when the identifier is free again: an unknown one is not counted.
                if ack.reason == ReasonCode::Success
                    && let Some(under_way) = self.under_way.get_mut(&ack.packet_id)
                {
                    *under_way = UnderWay::Released;
                }
                self.owed.push_back(Packet::PubComp(PublishAck::success(ack.packet_id)));
            }
            Packet::PubRec(ack) if !ack.reason.is_failure() => {
                self.owed.push_back(Packet::PubRel(PublishAck::success(ack.packet_id)));
            }
            Packet::Auth(auth) => self.on_auth(&auth),
            Packet::Disconnect(_) if self.version.is_v5() => self.phase = Phase::Over,
            Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => {}
            Packet::ConnAck(_)
            | Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_) => panic!("a broker may not send {packet:?} here"),
        }
    }

    fn on_auth(&mut self, auth: &Auth) {
        assert!(self.method.is_some(), "no method was named");
        assert_eq!(auth.properties.authentication_method, self.method);
        if auth.reason == ReasonCode::ContinueAuthentication {
            self.owed.push_back(Packet::Auth(auth.clone()));
        }
    }

    fn on_publish(&mut self, publish: &Publish) {
        self.messages += 1;
        let is_named = !publish.topic.as_str().is_empty();
        if let Some(alias) = publish.properties.as_ref().and_then(|properties| properties.topic_alias) {
            assert!(alias <= self.topic_alias_maximum, "alias {alias} was not granted");
            if is_named {
                self.topics.insert(alias, publish.topic.clone());
            }
            assert!(self.topics.contains_key(&alias), "alias {alias} stands for nothing");
        } else {
            assert!(is_named, "a message has a topic");
        }
        let Some(packet_id) = publish.packet_id else { return };
        let (state, ack) = match publish.qos {
            QoS::AtLeastOnce => (UnderWay::Sent1, Packet::PubAck(PublishAck::success(packet_id))),
            QoS::AtMostOnce | QoS::ExactlyOnce => {
                (UnderWay::Sent2, Packet::PubRec(PublishAck::success(packet_id)))
            }
        };
        let before = self.under_way.insert(packet_id, state);
        if !self.is_wild {
            assert!(before.is_none(), "identifier {packet_id} is in use");
            let under_way = self.under_way.len();
            assert!(under_way <= usize::from(self.receive_maximum), "{under_way} messages are under way");
        }
        self.owed.push_back(ack);
    }
}
