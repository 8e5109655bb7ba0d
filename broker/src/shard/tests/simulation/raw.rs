//! A client that speaks by a script of its own and keeps few rules.

use std::collections::VecDeque;

use bytes::BytesMut;
use hearth_protocol::codec;
use hearth_protocol::generate::Random;
use hearth_protocol::packet::{Packet, PacketId, Publish, PublishAck};
use hearth_protocol::{QoS, Version};

use super::network::Aliases;
use super::profile::Profile;

/// A client that says what it wants, or nothing.
pub(super) struct Raw {
    version: Version,
    inbox: BytesMut,
    aliases: Aliases,
    /// What it should answer.
    owed: VecDeque<Packet>,
    /// The QoS 2 message that it sent last.
    sent: Option<Publish>,
    packet_id_next: u16,
    pub(super) is_connected: bool,
}

impl Raw {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            inbox: BytesMut::new(),
            aliases: Aliases::default(),
            owed: VecDeque::new(),
            sent: None,
            packet_id_next: 0,
            is_connected: false,
        }
    }

    /// Begins a connection: its first bytes.
    pub(super) fn open(
        &mut self,
        profile: &Profile,
        random: &mut Random,
        last_words: Option<String>,
    ) -> BytesMut {
        *self = Self { packet_id_next: self.packet_id_next, ..Self::new(self.version) };
        self.encode(&Packet::Connect(Box::new(profile.connect(random, last_words))))
    }

    /// The same for a connection after which nothing will be kept.
    pub(super) fn open_to_leave(&mut self, profile: &Profile, random: &mut Random) -> BytesMut {
        *self = Self::new(self.version);
        let mut connect = profile.connect(random, None);
        connect.clean_start = true;
        connect.properties.session_expiry = None;
        self.encode(&Packet::Connect(Box::new(connect)))
    }

    pub(super) fn encode(&self, packet: &Packet) -> BytesMut {
        let mut bytes = BytesMut::new();
        codec::encode(packet, self.version, &mut bytes).unwrap();
        bytes
    }

    /// Takes what came; an error when it is not what a broker may send.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.inbox.extend_from_slice(bytes);
        loop {
            let packet = codec::decode(&mut self.inbox, self.version, usize::MAX);
            let Some(packet) = packet.map_err(|error| error.to_string())? else { return Ok(()) };
            let ack = |packet_id: Option<PacketId>| PublishAck::success(packet_id.unwrap_or(PacketId::MIN));
            match packet {
                Packet::ConnAck(_) => self.is_connected = true,
                Packet::Publish(mut publish) => {
                    if !self.aliases.resolve(&mut publish) {
                        return Err(format!("an alias that stands for nothing: {publish:?}"));
                    }
                    match publish.qos {
                        QoS::AtMostOnce => {}
                        QoS::AtLeastOnce => self.owed.push_back(Packet::PubAck(ack(publish.packet_id))),
                        QoS::ExactlyOnce => self.owed.push_back(Packet::PubRec(ack(publish.packet_id))),
                    }
                }
                Packet::PubRec(of) => self.owed.push_back(Packet::PubRel(PublishAck::success(of.packet_id))),
                Packet::PubRel(of) => self.owed.push_back(Packet::PubComp(PublishAck::success(of.packet_id))),
                Packet::PubAck(_)
                | Packet::PubComp(_)
                | Packet::SubAck(_)
                | Packet::UnsubAck(_)
                | Packet::PingResp
                | Packet::Disconnect(_) => {}
                Packet::Connect(_)
                | Packet::Subscribe(_)
                | Packet::Unsubscribe(_)
                | Packet::PingReq
                | Packet::Auth(_) => return Err(format!("no broker sends {packet:?}")),
            }
        }
    }

    /// Answers the next of what it was asked.
    pub(super) fn answer(&mut self) -> Option<Packet> {
        let packet = self.owed.pop_front()?;
        // From here on its identifier would stand for another message.
        if matches!(packet, Packet::PubRel(_)) {
            self.sent = None;
        }
        Some(packet)
    }

    /// Never answers one of the things that it was asked.
    pub(super) fn forget(&mut self, random: &mut Random) {
        if !self.owed.is_empty() {
            self.owed.remove(random.below(self.owed.len()));
        }
    }

    pub(super) const fn packet_id(&mut self) -> PacketId {
        self.packet_id_next = self.packet_id_next % 1000 + 1;
        match PacketId::new(self.packet_id_next) {
            Some(packet_id) => packet_id,
            None => PacketId::MIN,
        }
    }

    /// Sends a message under an identifier of its own.
    pub(super) fn publish(&mut self, message: Publish) -> Packet {
        let packet_id = (message.qos > QoS::AtMostOnce).then(|| self.packet_id());
        let publish = Publish { packet_id, ..message };
        if publish.qos == QoS::ExactlyOnce {
            self.sent = Some(publish.clone());
        }
        Packet::Publish(publish)
    }

    /// Sends its last QoS 2 message once more.
    pub(super) fn publish_again(&mut self) -> Option<Packet> {
        self.sent.clone().map(|publish| Packet::Publish(Publish { dup: true, ..publish }))
    }
}
