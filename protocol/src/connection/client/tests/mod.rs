//! Packets and time in, packets and events out.

mod aliases;
mod authentication;
mod connection;
mod delivery;
mod goodbye;
mod pair;
mod requests;
mod violations;

use std::num::NonZeroU16;

use bytes::Bytes;

use super::*;
use crate::packet::{ConnAck, ConnAckProperties, ConnectProperties, Disconnect, PublishAck};
use crate::{QoS, Text, TopicName, Version};

/// A client and the server's end of its connection, as packets.
struct Bench {
    client: Client,
    now: Time,
}

impl Bench {
    /// Not connected.
    fn new(options: ClientOptions) -> Self {
        Self { client: Client::new(options), now: Time::from_millis(1_000) }
    }

    /// Connected, with nothing left to read.
    fn open(options: ClientOptions, properties: ConnAckProperties) -> Self {
        let mut bench = Self::new(options);
        bench.connect(false, properties);
        bench
    }

    fn open_default() -> Self {
        Self::open(options(), ConnAckProperties::default())
    }

    /// Opens the transport and lets the server accept; gives back the events and what was sent behind CONNECT.
    fn connect(
        &mut self,
        session_present: bool,
        properties: ConnAckProperties,
    ) -> (Vec<ClientEvent>, Vec<Packet>) {
        self.client.handle_open(self.now);
        assert!(matches!(self.sent()[..], [Packet::Connect(_)]));
        self.hear(&connack(session_present, ReasonCode::Success, properties)).unwrap();
        let mut events = self.events();
        assert!(matches!(events.remove(0), ClientEvent::Connected { .. }));
        (events, self.sent())
    }

    /// The transport ends, and the next one is accepted by a server that has the session or not.
    fn reconnect(&mut self, session_present: bool) -> (Vec<ClientEvent>, Vec<Packet>) {
        self.client.handle_close(self.now);
        self.connect(session_present, ConnAckProperties::default())
    }

    fn hear(&mut self, packet: &Packet) -> Result<(), ProtocolError> {
        let mut input = BytesMut::new();
        codec::encode(packet, self.client.asked.version(), &mut input).unwrap();
        self.client.handle_input(self.now, &mut input)
    }

    /// All that the client wrote.
    fn sent(&mut self) -> Vec<Packet> {
        let mut output = self.client.take_output().unwrap_or_default();
        let version = self.client.asked.version();
        let packets =
            std::iter::from_fn(|| codec::decode(&mut output, version, usize::MAX).unwrap()).collect();
        assert!(output.is_empty());
        packets
    }

    fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    fn publish(&mut self, qos: QoS, payload: &'static str) -> Token {
        self.client.publish(self.now, message(qos, payload)).unwrap()
    }

    /// Time passes; the timer goes off if it is due.
    fn pass(&mut self, millis: u64) -> Result<(), ProtocolError> {
        self.now = self.now.saturating_add(Duration::from_millis(millis));
        match self.client.poll_timeout() {
            Some(due) if due <= self.now => self.client.handle_timeout(self.now),
            Some(_) | None => Ok(()),
        }
    }
}

fn options() -> ClientOptions {
    let properties = ConnectProperties { session_expiry: Some(3600), ..ConnectProperties::default() };
    ClientOptions { clean_start: false, properties, ..ClientOptions::new(text("tester")) }
}

fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

fn id(id: u16) -> PacketId {
    NonZeroU16::new(id).unwrap()
}

fn message(qos: QoS, payload: &'static str) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::try_from("home/lamp").unwrap(),
        packet_id: None,
        payload: Bytes::from_static(payload.as_bytes()),
        properties: None,
    }
}

/// As the other side sees it.
fn publish(packet_id: u16, qos: QoS, payload: &'static str) -> Publish {
    Publish { packet_id: NonZeroU16::new(packet_id), ..message(qos, payload) }
}

fn again(publish: Publish) -> Packet {
    Packet::Publish(Publish { dup: true, ..publish })
}

fn ack(number: u16, reason: ReasonCode) -> PublishAck {
    PublishAck::new(id(number), reason)
}

fn ok(number: u16) -> PublishAck {
    PublishAck::success(id(number))
}

fn connack(session_present: bool, reason: ReasonCode, properties: ConnAckProperties) -> Packet {
    Packet::ConnAck(Box::new(ConnAck { session_present, reason, properties }))
}

fn published(token: Token, reason: ReasonCode) -> ClientEvent {
    ClientEvent::Published { token, reason, reason_string: None }
}

fn goodbye(reason: ReasonCode) -> Packet {
    Packet::Disconnect(Disconnect::new(reason))
}
