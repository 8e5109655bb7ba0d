//! The server's end, made of the machines that a broker uses.

use std::collections::{HashSet, VecDeque};

use super::super::*;
use super::number_of;
use crate::connection::{ServerConnection, ServerTerms};
use crate::generate::Random;
use crate::packet::SubAck;
use crate::session::Redelivery;

pub(super) struct Server {
    /// What the session keeps.
    outbound: Outbound<Publish>,
    inbound: Inbound,
    pub(super) queue: VecDeque<Publish>,
    has_session: bool,
    /// What the connection keeps.
    connection: Option<ServerConnection>,
    /// Acknowledgements that the server takes its time for, in order.
    acknowledgements: VecDeque<Packet>,
    /// QoS 1 and 2 messages of this connection that the client cannot know to be through.
    unacknowledged: HashSet<PacketId>,
    receive_maximum: u16,
    pub(super) output: BytesMut,
    /// Numbers of the messages that it took over.
    pub(super) received: Vec<u32>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            outbound: Outbound::new(u16::MAX),
            inbound: Inbound::new(),
            queue: VecDeque::new(),
            has_session: false,
            connection: None,
            acknowledgements: VecDeque::new(),
            unacknowledged: HashSet::new(),
            receive_maximum: u16::MAX,
            output: BytesMut::new(),
            received: Vec::new(),
        }
    }

    /// A transport is up; the next connection gets this receive maximum.
    pub(super) fn handle_open(&mut self, receive_maximum: u16) {
        self.receive_maximum = receive_maximum;
        self.connection = Some(ServerConnection::new(1 << 16));
    }

    pub(super) fn handle_close(&mut self) {
        self.connection = None;
        self.acknowledgements.clear();
        self.unacknowledged.clear();
        self.output.clear();
    }

    /// Loses its memory between two connections.
    pub(super) fn forget(&mut self) {
        self.has_session = false;
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.connection.as_ref()?.poll_timeout()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outbound.is_empty()
            && self.inbound.is_empty()
            && self.queue.is_empty()
            && self.unacknowledged.is_empty()
    }

    pub(super) fn handle_input(&mut self, now: Time, input: &mut BytesMut) {
        while let Some(connection) = &mut self.connection {
            let Some(packet) = connection.next_packet(now, input).unwrap() else { break };
            self.on_packet(now, packet);
        }
    }

    /// Sends some of what waits; whatever it is, it stays in order.
    pub(super) fn send_waiting(&mut self, random: &mut Random) {
        if self.connection.as_ref().is_none_or(|connection| connection.peer().is_none()) {
            return;
        }
        while !random.one_in(3) {
            let Some(packet) = self.acknowledgements.pop_front() else { break };
            if let Packet::PubAck(ack) | Packet::PubComp(ack) = &packet {
                self.unacknowledged.remove(&ack.packet_id);
            }
            self.send(&packet);
        }
        while let Some(redelivery) = self.outbound.poll_redelivery() {
            let packet = match redelivery {
                Redelivery::PubRel { packet_id } => Packet::PubRel(PublishAck::success(packet_id)),
                Redelivery::Publish { packet_id, message, .. } => {
                    again(Publish { packet_id: Some(packet_id), ..message.clone() })
                }
            };
            self.send(&packet);
        }
        while self.outbound.has_room()
            && let Some(publish) = self.queue.pop_front()
        {
            let packet_id = self.outbound.begin(publish.qos, publish.clone());
            self.send(&Packet::Publish(Publish { packet_id, ..publish }));
        }
    }

    fn on_packet(&mut self, now: Time, packet: Packet) {
        match packet {
            Packet::Connect(connect) => self.on_connect(now, &connect),
            Packet::Publish(publish) => self.on_publish(&publish),
            Packet::PubAck(ack) => drop(self.outbound.handle_puback(ack.packet_id).unwrap()),
            Packet::PubRec(ack) => {
                self.outbound.handle_pubrec(ack.packet_id).unwrap();
                self.acknowledgements.push_back(Packet::PubRel(PublishAck::success(ack.packet_id)));
            }
            Packet::PubRel(ack) => {
                self.inbound.release(ack.packet_id);
                self.acknowledgements.push_back(Packet::PubComp(PublishAck::success(ack.packet_id)));
            }
            // It may come twice: for the PUBREL of the redelivery, and for the one after a PUBREC that came again.
            Packet::PubComp(ack) => drop(self.outbound.handle_pubcomp(ack.packet_id)),
            Packet::PingReq => self.send(&Packet::PingResp),
            Packet::Subscribe(subscribe) => {
                let reasons = vec![ReasonCode::Success; subscribe.subscriptions.len()];
                let (packet_id, properties) = (subscribe.packet_id, Default::default());
                self.send(&Packet::SubAck(SubAck { packet_id, reasons, properties }));
            }
            Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => panic!("the client does not send this: {packet:?}"),
        }
    }

    fn on_connect(&mut self, now: Time, connect: &crate::packet::Connect) {
        let connection = self.connection.as_mut().unwrap();
        connection.accept(
            now,
            connect,
            ServerTerms { keep_alive: connect.keep_alive, topic_alias_maximum: 0 },
        );
        let window = connection.peer().unwrap().receive_maximum;
        let session_present = std::mem::replace(&mut self.has_session, true) && !connect.clean_start;
        let properties = match connect.version {
            Version::V5 => {
                ConnAckProperties { receive_maximum: Some(self.receive_maximum), ..Default::default() }
            }
            Version::V31 | Version::V311 => {
                // These have no receive maximum.
                self.receive_maximum = u16::MAX;
                ConnAckProperties::default()
            }
        };
        // Version 3.1 has no place for it.
        let is_told = session_present && connect.version > Version::V31;
        self.send(&connack(is_told, ReasonCode::Success, properties));
        if session_present {
            self.outbound.handle_resume(window);
        } else {
            self.inbound.clear();
            let lost: Vec<Publish> = self.outbound.clear().map(|(_, publish)| publish).collect();
            lost.into_iter().rev().for_each(|publish| self.queue.push_front(publish));
            self.outbound.set_window(window);
        }
    }

    fn on_publish(&mut self, publish: &Publish) {
        let Some(packet_id) = publish.packet_id else {
            self.received.push(number_of(publish));
            return;
        };
        assert!(!publish.dup || self.has_session);
        self.unacknowledged.insert(packet_id);
        assert!(self.unacknowledged.len() <= usize::from(self.receive_maximum), "[MQTT-3.3.4-7]");
        let ack = PublishAck::success(packet_id);
        if publish.qos == QoS::AtLeastOnce {
            self.received.push(number_of(publish));
            self.acknowledgements.push_back(Packet::PubAck(ack));
            return;
        }
        if self.inbound.begin(packet_id) {
            self.received.push(number_of(publish));
        }
        self.acknowledgements.push_back(Packet::PubRec(ack));
    }

    fn send(&mut self, packet: &Packet) {
        let version = self.connection.as_ref().and_then(ServerConnection::version).unwrap();
        codec::encode(packet, version, &mut self.output).unwrap();
    }
}
