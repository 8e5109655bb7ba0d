//! The end of connections, of sessions, and what wills do then.

use std::sync::Arc;
use std::time::Duration;

use hearth_protocol::packet::{Disconnect, Packet};
use hearth_protocol::{ReasonCode, Time};

use super::Shard;
use super::connect::life;
use crate::access::Decision;
use crate::connection::Connection;
use crate::effect::{Closer, DropReason, Effect, EndReason, Event};
use crate::faults::{self, Fault};
use crate::ids::ConnectionId;
use crate::limits::Limit;
use crate::message::Message;
use crate::router::Group;
use crate::session::{Flow, LastWill, Session};

impl Shard {
    /// The transport has ended.
    pub fn handle_closed(&mut self, now: Time, id: ConnectionId) {
        if self.connection(id).is_some() {
            self.close(now, id, EndReason::Lost);
            // The driver knows that it is over: nobody takes the output.
            self.connections.remove(id.as_index());
        }
        self.release_if_due(now);
    }

    /// Says goodbye to all clients and ends their connections; sessions and wills are treated as after any
    /// other end that the server chose.
    pub fn handle_shutdown(&mut self, now: Time) {
        let connections: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| !connection.is_closed)
            .map(|(index, Connection { generation, .. })| ConnectionId {
                index: index as u32,
                generation: *generation,
            })
            .collect();
        for id in connections {
            self.end_connection(now, id, EndReason::Shutdown);
        }
        self.release_if_due(now);
    }

    /// The rules of access have changed: whom they do not want any more is sent away.
    pub fn handle_access_changed(&mut self, now: Time) {
        let unwanted: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                connection.session.is_some_and(|session| {
                    let subject = self.sessions[session].subject();
                    self.shared.access.remains(subject, connection.is_local) == Decision::Deny
                })
            })
            .map(|(index, Connection { generation, .. })| ConnectionId {
                index: index as u32,
                generation: *generation,
            })
            .collect();
        for id in unwanted {
            let detail = "the rules that hold now would not let it in".to_owned();
            self.end_connection(now, id, EndReason::NotAuthorized { detail });
        }
    }

    pub(super) fn on_disconnect(
        &mut self,
        now: Time,
        id: ConnectionId,
        session_index: u32,
        disconnect: &Disconnect,
    ) {
        let session = &mut self.sessions[session_index];
        if let Some(expiry) = disconnect.properties.session_expiry {
            if session.expiry_seconds == 0 && expiry > 0 {
                let detail = "DISCONNECT: a session expiry above 0 after CONNECT asked for 0 (3.14.2.2.2)";
                let reason = ReasonCode::ProtocolError;
                return self.end_connection(
                    now,
                    id,
                    EndReason::Violation { reason, detail: detail.to_owned() },
                );
            }
            let expiry_max = self.shared.limits.session_expiry_max_seconds;
            session.expiry_seconds = expiry.min(expiry_max);
            if expiry > expiry_max {
                self.adjusted(session_index, Limit::SessionExpiry, false);
            }
        }
        if disconnect.reason == ReasonCode::Success && !faults::has(Fault::WillAfterGoodbye) {
            // An orderly end takes the will back [MQTT-3.14.4-3].
            self.set_will(session_index, None);
        }
        self.finish(now, id, EndReason::Disconnect(disconnect.reason));
    }

    /// The server ends a connection: version 5 clients are told why.
    pub(super) fn end_connection(&mut self, now: Time, id: ConnectionId, end: EndReason) {
        let Some(connection) = self.connection(id) else { return };
        let is_v5 = connection.session.is_some()
            && connection.is_greeted
            && connection.protocol.version().is_some_and(|version| version.is_v5());
        let reason = match &end {
            EndReason::KeepAlive => Some(ReasonCode::KeepAliveTimeout),
            EndReason::TakenOver => Some(ReasonCode::SessionTakenOver),
            EndReason::Violation { reason, .. } => Some(disconnect_reason(*reason)),
            EndReason::NotAuthorized { .. } => Some(ReasonCode::NotAuthorized),
            EndReason::Shutdown => Some(match self.shared.options.redirect {
                Some(_) => self.redirect_reason(),
                None => ReasonCode::ServerShuttingDown,
            }),
            EndReason::Disconnect(_) | EndReason::Lost => None,
        };
        if let Some(reason) = reason.filter(|_| is_v5) {
            let mut disconnect = Disconnect::new(reason);
            disconnect.properties.server_reference = self.server_reference(reason);
            if let EndReason::Violation { detail, .. } = &end {
                disconnect.properties.reason_string = detail.as_str().try_into().ok();
            }
            if !self.send(id, &Packet::Disconnect(disconnect)) {
                // Without the words it may fit [MQTT-3.14.2-3].
                self.send(id, &Packet::Disconnect(Disconnect::new(reason)));
            }
        }
        self.finish(now, id, end);
    }

    /// Ends a connection and asks the driver to close it.
    pub(super) fn finish(&mut self, now: Time, id: ConnectionId, end: EndReason) {
        let closer = match end {
            EndReason::Disconnect(_) => Closer::Client,
            EndReason::Lost
            | EndReason::KeepAlive
            | EndReason::TakenOver
            | EndReason::Violation { .. }
            | EndReason::NotAuthorized { .. }
            | EndReason::Shutdown => Closer::Broker,
        };
        self.close(now, id, end);
        self.effects.push_back(Effect::Close(id, closer));
    }

    /// Parts a connection from its session.
    fn close(&mut self, now: Time, id: ConnectionId, end: EndReason) {
        let Some(connection) = self.open_connection(id) else { return };
        connection.is_closed = true;
        let (session, backlog) = (connection.session.take(), std::mem::take(&mut connection.backlog));
        self.backlog -= backlog;
        self.stats.connections -= 1;
        self.shared.count_closed();
        let client_id = session.map(|session| self.sessions[session].client_id.clone());
        self.event(Event::Ended { client_id, end });
        if let Some(session) = session {
            self.detach(now, session);
        }
    }

    /// A session goes on without a connection, or ends.
    fn detach(&mut self, now: Time, index: u32) {
        self.stats.connected -= 1;
        self.sessions[index].connection = None;
        self.pause_views(index);
        self.with_queue(index, Session::end_connection);
        let session = &mut self.sessions[index];
        let expiry = life(session.expiry_seconds);
        session.expires_at = expiry.map(|life| now.saturating_add(life));
        let delay = session.will.as_ref().map(|last| last.will.properties.delay.unwrap_or(0));
        let may_wait = session.expiry_seconds > 0 && !faults::has(Fault::WillDelayIgnored);
        if let Some(delay) = delay.filter(|delay| *delay > 0 && may_wait) {
            let at = now.saturating_add(Duration::from_secs(u64::from(delay)));
            // It goes out with the end of the session at the latest (3.1.3.2.2).
            let at = session.expires_at.map_or(at, |expires_at| at.min(expires_at));
            if let Some(last) = &mut session.will {
                last.due = Some(at);
            }
        } else {
            self.publish_will(now, index);
        }
        if self.sessions[index].expiry_seconds == 0 {
            self.end_session(now, index);
        } else {
            self.tell_room(index);
            self.keep_session(now, index);
            let others = self.with_queue(index, |session| session.take_shared(Group::has_connected));
            self.pass_on(now, self.sessions[index].serial, others);
            self.watch_session(now, index);
        }
    }

    /// Forgets a session and its subscriptions. A will that still waits goes out.
    pub(super) fn end_session(&mut self, now: Time, index: u32) {
        if faults::has(Fault::WillForgotten) {
            self.set_will(index, None);
        }
        self.publish_will(now, index);
        let mut session = self.sessions.remove(index);
        self.queued -= session.queued();
        for place in session.subscriptions.as_slice() {
            self.router.unsubscribe(&self.shared.interest, *place, index);
        }
        self.forget_views(index);
        for group in session.shares.iter().flat_map(|shares| &shares.groups) {
            self.leave(session.id(index), group);
        }
        let others = session.take_shared(|_| true);
        if session.is_kept {
            self.let_go_of_session(session.serial);
        }
        for delivery in session.flow().into_iter().flat_map(Flow::deliveries) {
            self.let_go(session.serial, delivery);
        }
        self.event(Event::SessionEnded { client_id: session.client_id });
        self.pass_on(now, session.serial, others);
    }

    /// Gives a session another will; the one that it had.
    pub(super) fn set_will(&mut self, index: u32, will: Option<Box<LastWill>>) -> Option<Box<LastWill>> {
        self.wills += usize::from(will.is_some());
        let before = std::mem::replace(&mut self.sessions[index].will, will);
        self.wills -= usize::from(before.is_some());
        before
    }

    /// Publishes the will, if there is one, to whom its owner may publish now.
    pub(super) fn publish_will(&mut self, now: Time, index: u32) {
        let Some(last) = self.set_will(index, None) else { return };
        let (session, will) = (&self.sessions[index], last.will);
        if self.shared.access.publish(session.subject(), &will.topic) == Decision::Deny {
            self.count_drop_of(index, DropReason::Denied);
            return;
        }
        let way = self.way_of_will(index, will.qos);
        let message = Arc::new(Message::of_will(will, session.serial, now).charged(&self.account));
        self.publish_message(now, &message, &way);
    }
}

/// The code for DISCONNECT: a few that decoding yields belong in other packets only.
fn disconnect_reason(reason: ReasonCode) -> ReasonCode {
    match reason.byte() {
        0x80..=0x83 | 0x87 | 0x89 | 0x8B | 0x8D..=0x90 | 0x93..=0xA2 => reason,
        _ => ReasonCode::ProtocolError,
    }
}
