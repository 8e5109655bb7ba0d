//! The client's side: the machine that the web app, the demo devices and bridges share, against a server that a test plays.
//!
//! Packets, bytes and time go in, packets and events come out, without a socket. A clause about what a client must not send
//! is shown by asking the machine for just that.

mod acknowledgements;
mod authentication;
mod connack;
mod connect;
mod delivery;
mod disconnect;
mod errors;
mod flow_control;
mod format;
mod ordering;
mod publish;
mod requests;
mod strings;
mod topics;
mod transport;
mod websocket;

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{decode, encode};
use hearth_protocol::connection::{Client, ClientEvent, ClientOptions, ProtocolError, PublishError, Token};
use hearth_protocol::packet::{
    ConnAck, ConnAckProperties, ConnectProperties, Disconnect, Packet, PacketId, Publish, PublishAck,
};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicName, Version};

use super::VERSIONS;
use crate::wire::{message, text};

/// A client, and the server that a test plays.
struct Stage {
    client: Client,
    now: Time,
}

impl Stage {
    /// Nothing happened yet.
    fn new(options: ClientOptions) -> Self {
        Self { client: Client::new(options), now: Time::from_millis(1_000) }
    }

    /// The transport is up; CONNECT waits to be read.
    fn connecting(options: ClientOptions) -> Self {
        let mut stage = Self::new(options);
        stage.client.handle_open(stage.now);
        stage
    }

    /// The server took the client, and everything up to that was read.
    #[track_caller]
    fn open(options: ClientOptions, granted: ConnAckProperties) -> Self {
        let mut stage = Self::new(options);
        stage.connect(false, granted);
        stage
    }

    /// As `open`, on no terms.
    #[track_caller]
    fn open_plain(version: Version) -> Self {
        Self::open(options(version), ConnAckProperties::default())
    }

    /// A new transport, which the server takes; gives what came with CONNECT and behind it, and what the client told.
    #[track_caller]
    fn connect(
        &mut self,
        session_present: bool,
        granted: ConnAckProperties,
    ) -> (Vec<Packet>, Vec<ClientEvent>) {
        self.client.handle_close(self.now);
        self.client.handle_open(self.now);
        let mut packets = self.heard();
        self.say(&connack(session_present, granted)).expect("the client goes on");
        packets.extend(self.heard());
        (packets, self.events())
    }

    /// The server sends a packet.
    fn say(&mut self, packet: &Packet) -> Result<(), ProtocolError> {
        let mut bytes = BytesMut::new();
        encode(packet, self.version(), &mut bytes).expect("a test's packet can be encoded");
        self.client.handle_input(self.now, &mut bytes)
    }

    /// The server sends a packet that it may send.
    #[track_caller]
    fn tell(&mut self, packet: &Packet) {
        self.say(packet).expect("the client goes on");
    }

    /// The server sends bytes.
    fn say_bytes(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.client.handle_input(self.now, &mut BytesMut::from(bytes))
    }

    /// The server sends what the client must end the connection over; gives the error.
    #[track_caller]
    fn refused(&mut self, bytes: &[u8]) -> ProtocolError {
        let error = self.say_bytes(bytes).expect_err("the client ends the connection");
        self.assert_over();
        error
    }

    /// The client lets go of the connection, and nothing more goes out on it but what was said already.
    #[track_caller]
    fn assert_over(&mut self) {
        assert!(self.client.is_closing() && !self.client.is_connected());
        let farewell = self.heard();
        assert!(matches!(farewell[..], [] | [Packet::Disconnect(_)]), "{farewell:?}");
        let late = self.client.publish(self.now, message("late", b"", QoS::AtMostOnce));
        assert_eq!(late, Err(PublishError::NotConnected));
        self.client.ping(self.now);
        assert_eq!(self.heard(), []);
    }

    /// What the client wrote since it was asked last.
    fn heard(&mut self) -> Vec<Packet> {
        let mut bytes = self.client.take_output().unwrap_or_default();
        let version = self.version();
        let packets = std::iter::from_fn(|| {
            decode(&mut bytes, version, usize::MAX).expect("the client sends well-formed packets")
        })
        .collect();
        assert!(bytes.is_empty(), "the client sends whole packets");
        packets
    }

    /// The same as bytes.
    fn heard_bytes(&mut self) -> Vec<u8> {
        self.client.take_output().unwrap_or_default().to_vec()
    }

    /// What the client told since it was asked last.
    fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// The messages among them.
    fn messages(&mut self) -> Vec<Publish> {
        let message = |event| match event {
            ClientEvent::Message(publish) => Some(publish),
            _ => None,
        };
        self.events().into_iter().filter_map(message).collect()
    }

    /// The driver asks for a message to be sent.
    #[track_caller]
    fn publish(&mut self, publish: Publish) -> Token {
        self.client.publish(self.now, publish).expect("the client takes the message")
    }

    /// Time goes by, and the timer with it.
    fn pass(&mut self, duration: Duration) -> Result<(), ProtocolError> {
        self.now = self.now.saturating_add(duration);
        match self.client.poll_timeout() {
            Some(due) if due <= self.now => self.client.handle_timeout(self.now),
            Some(_) | None => Ok(()),
        }
    }

    fn version(&self) -> Version {
        self.client.options().version
    }
}

/// A client whose session lasts.
fn options(version: Version) -> ClientOptions {
    let properties = ConnectProperties { session_expiry: Some(3600), ..ConnectProperties::default() };
    ClientOptions { version, clean_start: false, properties, ..ClientOptions::new(text("conformance")) }
}

fn connack(session_present: bool, properties: ConnAckProperties) -> Packet {
    Packet::ConnAck(Box::new(ConnAck { session_present, reason: ReasonCode::Success, properties }))
}

fn id(packet_id: u16) -> PacketId {
    NonZeroU16::new(packet_id).expect("an identifier is not 0")
}

fn ok(packet_id: u16) -> PublishAck {
    PublishAck::success(id(packet_id))
}

/// A message with its packet identifier, as it goes over the wire.
fn numbered(packet_id: u16, publish: Publish) -> Packet {
    Packet::Publish(Publish { packet_id: NonZeroU16::new(packet_id), ..publish })
}

/// The same for the second time.
fn again(packet_id: u16, publish: Publish) -> Packet {
    numbered(packet_id, Publish { dup: true, ..publish })
}

fn goodbye(reason: ReasonCode) -> Packet {
    Packet::Disconnect(Disconnect::new(reason))
}

/// Every QoS above 0.
const ACKNOWLEDGED: [QoS; 2] = [QoS::AtLeastOnce, QoS::ExactlyOnce];
