//! Connections as the model sees them: when they begin and when they must end.

use std::time::Duration;

use hearth_protocol::packet::{Connect, Disconnect, Packet, Publish};
use hearth_protocol::{QoS, ReasonCode, Time, Version};

use super::Model;
use super::promised::Open;
use super::session::Session;
use crate::shard::tests::simulation::network::Aliases;

/// A transport, from the broker's end.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: usize,
    opened: Time,
    /// Set by CONNECT.
    pub(super) session: Option<u64>,
    pub(super) version: Version,
    keep_alive: u16,
    last_packet: Time,
    pub(super) session_present: bool,
    pub(super) receive_max: usize,
    pub(super) is_over: bool,
    inbound: Aliases,
    pub(super) outbound: Aliases,
    /// What it has not been answered.
    pub(super) open: Open,
}

/// How long a transport may be up without CONNECT.
const CONNECT_MAX: Duration = Duration::from_secs(10);

impl Model {
    /// A transport is up; its number is the next one.
    pub(in super::super) fn on_open(&mut self, client: usize) {
        self.open.insert(self.connections.len());
        self.connections.push(Connection {
            client,
            opened: self.now,
            session: None,
            version: Version::V311,
            keep_alive: 0,
            last_packet: self.now,
            session_present: false,
            receive_max: usize::MAX,
            is_over: false,
            inbound: Aliases::default(),
            outbound: Aliases::default(),
            open: Open::default(),
        });
    }

    /// Whether CONNECT came, and the version it named.
    pub(in super::super) fn version(&self, link: usize) -> Option<Version> {
        let connection = &self.connections[link];
        connection.session.map(|_| connection.version)
    }

    /// The session of a connection.
    pub(in super::super) fn session_of(&self, link: usize) -> Option<u64> {
        self.connections[link].session
    }

    /// A packet reaches the shard.
    pub(in super::super) fn on_packet(&mut self, link: usize, packet: &Packet) {
        let connection = &mut self.connections[link];
        if connection.is_over {
            return;
        }
        let client = connection.client;
        if let Packet::Connect(connect) = packet {
            if connection.session.is_some() {
                return self.on_violation(link);
            }
            return self.on_connect(link, connect);
        }
        let Some(session) = connection.session else { return self.on_violation(link) };
        connection.last_packet = self.now;
        match packet {
            Packet::Publish(publish) => self.on_publish(link, session, publish),
            Packet::PubAck(ack) => self.on_puback(client, ack.packet_id.get()),
            Packet::PubRec(ack) => self.on_pubrec(client, ack.packet_id.get(), ack.reason.is_failure()),
            Packet::PubRel(ack) => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    session.held.remove(&ack.packet_id.get());
                }
            }
            Packet::PubComp(ack) => self.on_pubcomp(client, ack.packet_id.get()),
            Packet::Subscribe(subscribe) => {
                connection.open.subscribe(subscribe);
                self.on_subscribe(client, subscribe);
            }
            Packet::Unsubscribe(unsubscribe) => {
                connection.open.unsubscribe(unsubscribe);
                self.on_unsubscribe(client, unsubscribe);
            }
            Packet::PingReq => {}
            Packet::Disconnect(disconnect) => self.on_disconnect(link, disconnect),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp
            | Packet::Auth(_) => self.on_violation(link),
        }
    }

    fn on_connect(&mut self, link: usize, connect: &Connect) {
        let client = self.connections[link].client;
        if let Some(other) = self.sessions.get(&client).and_then(|session| session.link) {
            self.end_by_broker(other);
        }
        if connect.clean_start {
            self.end_session(client);
        }
        let session_present = self.sessions.contains_key(&client);
        if !session_present {
            self.sessions_begun += 1;
            self.sessions.insert(client, Session::new(self.sessions_begun, link));
        }
        let expiry = match connect.version {
            Version::V5 => connect.properties.session_expiry.unwrap_or(0),
            Version::V31 | Version::V311 if connect.clean_start => 0,
            Version::V31 | Version::V311 => u32::MAX,
        };
        let Some(session) = self.sessions.get_mut(&client) else { return };
        session.link = Some(link);
        session.link_last = link;
        session.expiry = expiry.min(self.terms.session_expiry_max);
        session.is_kept = session.expiry > 0;
        session.had_rows |= session.is_kept;
        session.expires_at = None;
        session.will.clone_from(&connect.will);
        session.will_due = None;
        session.packet_max = connect.properties.packet_size_max.map(|bytes| bytes as usize);
        let connection = &mut self.connections[link];
        connection.session = Some(session.number);
        connection.version = connect.version;
        connection.keep_alive = connect.keep_alive;
        connection.last_packet = self.now;
        connection.session_present = session_present;
        let receive_max = connect.properties.receive_maximum.unwrap_or(u16::MAX);
        connection.receive_max = usize::from(receive_max.min(self.terms.inflight_max));
    }

    fn on_publish(&mut self, link: usize, session: u64, publish: &Publish) {
        let connection = &mut self.connections[link];
        let client = connection.client;
        let mut publish = publish.clone();
        if !connection.inbound.resolve(&mut publish) {
            return self.on_violation(link);
        }
        if let (QoS::ExactlyOnce, Some(packet_id)) = (publish.qos, publish.packet_id)
            && let Some(session) = self.sessions.get_mut(&client)
        {
            if let Some(number) = session.held.get(&packet_id.get()) {
                connection.open.publish(&publish, *number);
                return;
            }
            session.held.insert(packet_id.get(), self.messages.len());
            session.promised.completed.remove(&packet_id.get());
            let is_bounded = connection.version.is_v5();
            if is_bounded && session.held.len() > usize::from(self.terms.inflight_max) {
                return self.on_violation(link);
            }
        }
        connection.open.publish(&publish, self.messages.len());
        self.take(client, session, &publish);
    }

    fn on_disconnect(&mut self, link: usize, disconnect: &Disconnect) {
        let client = self.connections[link].client;
        let Some(session) = self.sessions.get_mut(&client) else { return };
        if let Some(expiry) = disconnect.properties.session_expiry {
            if session.expiry == 0 && expiry > 0 {
                return self.on_violation(link);
            }
            session.expiry = expiry.min(self.terms.session_expiry_max);
        }
        if disconnect.reason == ReasonCode::Success {
            session.will = None;
        }
        self.end_by_broker(link);
    }

    /// The client has broken a rule.
    pub(in super::super) fn on_violation(&mut self, link: usize) {
        self.end_by_broker(link);
    }

    fn end_by_broker(&mut self, link: usize) {
        if !self.connections[link].is_over {
            self.closing.insert(link);
            self.end(link);
        }
    }

    /// The transport has ended.
    pub(in super::super) fn on_transport_end(&mut self, link: usize) {
        if !self.connections[link].is_over {
            self.end(link);
        }
    }

    fn end(&mut self, link: usize) {
        let connection = &mut self.connections[link];
        connection.is_over = true;
        let client = connection.client;
        self.open.remove(&link);
        self.ended.push(link);
        if self.sessions.get(&client).is_some_and(|session| session.link == Some(link)) {
            self.detach(client);
        }
    }

    /// The broker has closed a connection.
    pub(in super::super) fn on_closed(&mut self, link: usize) {
        self.closed.insert(link);
    }

    /// Time has passed for a shard: what is due there at `now` happens now.
    pub(in super::super) fn on_time(&mut self, now: Time, shard: usize) {
        self.now = now;
        for link in self.open.clone() {
            let connection = &self.connections[link];
            if self.shards[connection.client] != shard {
                continue;
            }
            let keep_alive = Duration::from_millis(u64::from(connection.keep_alive) * 1500);
            let due = match connection.session {
                None => Some(connection.opened.saturating_add(CONNECT_MAX)),
                Some(_) if keep_alive.is_zero() => None,
                Some(_) => Some(connection.last_packet.saturating_add(keep_alive)),
            };
            if due.is_some_and(|due| due <= now) {
                self.end_by_broker(link);
            }
        }
        let is_there = |client: &usize| self.shards[*client] == shard;
        for client in self.sessions.keys().copied().filter(is_there).collect::<Vec<_>>() {
            let Some(session) = self.sessions.get(&client).filter(|session| session.link.is_none()) else {
                continue;
            };
            let is_over = session.expires_at.is_some_and(|at| at <= now);
            if session.will_due.is_some_and(|at| at <= now) {
                self.publish_will(client);
            }
            if is_over {
                self.end_session(client);
            }
        }
    }
}
