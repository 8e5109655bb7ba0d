//! What clients send and what they make of what comes.

use bytes::BytesMut;
use hearth_protocol::connection::client::ClientEvent;
use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, ReasonCode, TopicFilter};

use super::clients::{Actor, WITNESS};
use super::invariants::Invariant;
use super::model::key_of;
use super::network::Link;
use super::store::Store;
use super::world::World;

impl World {
    pub(super) fn send_raw(&mut self, client: usize, packet: &Packet) {
        let Actor::Raw(raw) = &self.clients[client].actor else { return };
        if let Some(link) = self.clients[client].link
            && raw.is_connected
        {
            let bytes = raw.encode(packet);
            self.send_bytes(link, &bytes);
        }
    }

    pub(super) fn send_bytes(&mut self, link: usize, bytes: &[u8]) {
        let at = &mut self.links[link];
        if !at.up_ended && at.server_is_open {
            at.up.extend_from_slice(bytes);
        }
    }

    /// The client has lost its transport, or leaves it.
    pub(super) fn close_client(&mut self, link: usize) {
        let Link { client, .. } = self.links[link];
        self.links[link].close_client();
        if self.clients[client].link == Some(link) {
            self.clients[client].link = None;
            if let Actor::Machine(machine) = &mut self.clients[client].actor {
                machine.client.handle_close(self.now);
            }
        }
    }

    pub(super) fn on_client_end(&mut self, link: usize) {
        self.close_client(link);
    }

    pub(super) fn on_client_input(&mut self, link: usize, bytes: &mut BytesMut) {
        let Link { client, .. } = self.links[link];
        if self.clients[client].link != Some(link) {
            // A script that began again does not listen to what it had before.
            return;
        }
        let now = self.now;
        let objection = match &mut self.clients[client].actor {
            Actor::Machine(machine) => {
                machine.inbox.extend_from_slice(bytes);
                let result = machine.client.handle_input(now, &mut machine.inbox);
                result.err().map(|error| error.to_string())
            }
            Actor::Raw(raw) => raw.receive(bytes).err(),
        };
        if let Some(objection) = objection {
            let detail = format!("client {client} objects to what it was sent: {objection}");
            self.model.fail(Invariant::ConnectionsEndForAReason, detail);
        }
        self.on_client_output(client);
    }

    pub(super) fn on_client_time(&mut self, client: usize) {
        let now = self.now;
        let Actor::Machine(machine) = &mut self.clients[client].actor else { return };
        if machine.client.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        let is_over = machine.client.handle_timeout(now).is_err();
        self.on_client_output(client);
        if is_over && let Some(link) = self.clients[client].link {
            self.note(|| format!("client {client} gives link {link} up"));
            self.close_client(link);
        }
    }

    /// Takes what a client machine wants to send, and what it has to tell.
    pub(super) fn on_client_output(&mut self, client: usize) {
        let link = self.clients[client].link;
        let Actor::Machine(machine) = &mut self.clients[client].actor else { return };
        if let (Some(bytes), Some(link)) = (machine.client.take_output(), link) {
            self.send_bytes(link, &bytes);
        }
        let Actor::Machine(machine) = &mut self.clients[client].actor else { return };
        let mut must_subscribe = false;
        while let Some(event) = machine.client.poll_event() {
            match event {
                ClientEvent::Message(publish) if publish.qos == QoS::ExactlyOnce => {
                    *machine.heard.entry(key_of(&publish)).or_default() += 1;
                }
                ClientEvent::Published { token, reason, .. } => {
                    let Some(key) = machine.sent.remove(&token) else { continue };
                    let may_fail = self.store.as_ref().is_some_and(Store::may_fail);
                    if reason.is_failure() && !(may_fail && reason == ReasonCode::QuotaExceeded) {
                        let detail = format!("client {client} was told of {key}: {reason}");
                        self.model.fail(Invariant::AcknowledgedIsDelivered, detail);
                    }
                }
                ClientEvent::Connected { session_present, .. } => {
                    must_subscribe = !session_present;
                    let session = link.and_then(|link| self.model.session_of(link));
                    machine.is_mistaken |=
                        session_present && machine.session.is_some() && machine.session != session;
                    machine.session = session;
                }
                ClientEvent::Refused { reason, .. } => {
                    let detail = format!("client {client} was refused: {reason}");
                    self.model.fail(Invariant::ConnectionsEndForAReason, detail);
                }
                ClientEvent::Message(_)
                | ClientEvent::Subscribed { .. }
                | ClientEvent::Unsubscribed { .. }
                | ClientEvent::Pong { .. }
                | ClientEvent::Challenge { .. }
                | ClientEvent::Reauthenticated { .. }
                | ClientEvent::Disconnected(_) => {}
            }
        }
        if must_subscribe && client == WITNESS {
            self.subscribe_to_all(client);
        }
    }

    pub(super) fn subscribe_to_all(&mut self, client: usize) {
        let Actor::Machine(machine) = &mut self.clients[client].actor else { return };
        let filter = TopicFilter::try_from("#").unwrap();
        let subscription = hearth_protocol::packet::Subscription::new(filter, QoS::ExactlyOnce);
        let token = machine.client.subscribe(self.now, vec![subscription], Default::default());
        assert!(token.is_ok(), "it is connected: {token:?}");
        self.on_client_output(client);
    }
}
