//! CONNECT: a client and its session.

use std::time::Duration;

use bytes::Bytes;
use hearth_protocol::connection::server::ServerTerms;
use hearth_protocol::connection::{OutboundAliases, ProtocolError};
use hearth_protocol::packet::{ConnAck, ConnAckProperties, Connect, Packet, Will};
use hearth_protocol::property::PayloadFormat;
use hearth_protocol::{ReasonCode, Text, Time, TopicName, Version};

use super::Shard;
use super::timers::Timer;
use crate::access::{Admission, Decision, Identity, Subject};
use crate::authentication::Authentication;
use crate::effect::{Closer, Effect, EndReason, Event};
use crate::faults::{self, Fault};
use crate::ids::ConnectionId;
use crate::limits::{Limit, LimitSet};
use crate::message::detached_will;
use crate::session::{LastWill, Session};
use crate::sparkplug;
use crate::system::is_reserved;

/// A client on its way in.
pub(super) struct Entrant<'a> {
    pub(super) connect: &'a Connect,
    pub(super) client_id: Text,
    /// Whether the server chose the client id.
    pub(super) is_assigned: bool,
    pub(super) identity: Identity,
}

impl Shard {
    pub(super) fn on_connect(&mut self, now: Time, id: ConnectionId, connect: &Connect) {
        let checked = self.client_id(id, connect).and_then(|(client_id, is_assigned)| {
            self.check_connect(connect, &client_id)?;
            Ok((client_id, is_assigned))
        });
        let (client_id, is_assigned) = match checked {
            Ok(chosen) => chosen,
            Err(objection) => return self.object(id, connect, objection),
        };
        // Before CONNECT was accepted the peer is known.
        let Some(peer) = self.peer(id) else { return };
        match self.shared.access.connect(peer, connect) {
            Admission::Allow(identity) => {
                let entrant = Entrant { connect, client_id, is_assigned, identity };
                self.admit(now, id, entrant, None);
            }
            Admission::Deny { reason, detail } => self.refuse(id, Some(connect.version), reason, detail),
            Admission::Ask => self.ask_about(id, connect, client_id, is_assigned),
        }
    }

    /// Lets a client in whose identity is known; `data` is the last of its authentication.
    pub(super) fn admit(&mut self, now: Time, id: ConnectionId, entrant: Entrant<'_>, data: Option<Bytes>) {
        let connect = entrant.connect;
        if let Err(objection) = self.check_entrant(&entrant) {
            return self.object(id, connect, objection);
        }
        let is_assigned = entrant.is_assigned;
        self.begin_hold();
        let (session, session_present) = self.take_session(now, entrant);
        self.attach(now, id, session, connect);
        let connack = self.connack(connect, session, session_present, is_assigned, data);
        self.announce(id, session, session_present);
        self.tell_adjustments(connect, session, session_present);
        self.reply(now, id, Packet::ConnAck(Box::new(connack)));
        self.release_if_due(now);
    }

    /// The client id, and whether the server chose it.
    fn client_id(&self, id: ConnectionId, connect: &Connect) -> Result<(Text, bool), Objection> {
        let bytes_max = self.shared.limits.client_id_bytes_max;
        if connect.client_id.len() > bytes_max {
            return Err(Objection::Limit(ReasonCode::ClientIdentifierNotValid, Limit::ClientIdBytes));
        }
        if !connect.client_id.is_empty() {
            return Ok((connect.client_id.detached(), false));
        }
        let may_be_empty = match connect.version {
            Version::V31 => false,
            Version::V311 => connect.clean_start,
            Version::V5 => true,
        };
        let assigned = self.peer(id).map(|peer| peer.assigned_client_id.clone());
        match assigned.filter(|assigned| may_be_empty && !assigned.is_empty()) {
            Some(assigned) => Ok((assigned, true)),
            None => {
                let detail = "client identifier: is empty, and the session is to be kept [MQTT-3.1.3-8]";
                Err(Objection::rule(ReasonCode::ClientIdentifierNotValid, detail))
            }
        }
    }

    /// What can be said of a CONNECT without knowing who sent it.
    fn check_connect(&self, connect: &Connect, client_id: &str) -> Result<(), Objection> {
        if self.shared.shard_of(client_id) != self.id {
            // Two sessions of one id would not know of each other.
            let detail = "client identifier: the connection came to a shard that is not its own";
            return Err(Objection::rule(ReasonCode::ImplementationSpecificError, detail));
        }
        self.check_room(connect, client_id)?;
        connect.will.as_ref().map_or(Ok(()), |will| self.check_will(will))
    }

    /// Whether there is room for one more client, here or at all.
    fn check_room(&self, connect: &Connect, client_id: &str) -> Result<(), Objection> {
        let (limits, redirect) = (&self.shared.limits, &self.shared.options.redirect);
        if redirect.as_ref().is_some_and(|redirect| redirect.is_for_all) {
            return Err(Objection::rule(
                self.redirect_reason(),
                "every client is sent to another server (4.11)",
            ));
        }
        let quota = match redirect {
            Some(_) => self.redirect_reason(),
            None => ReasonCode::QuotaExceeded,
        };
        if self.shared.connections() > limits.connections_max {
            return Err(Objection::Limit(quota, Limit::Connections));
        }
        if self.sessions.len() >= limits.sessions_per_shard_max && self.sessions.find(client_id).is_none() {
            return Err(Objection::Limit(quota, Limit::Sessions));
        }
        if connect.properties.user_properties.bytes() > limits.user_property_bytes_max {
            return Err(Objection::Limit(ReasonCode::QuotaExceeded, Limit::UserPropertyBytes));
        }
        Ok(())
    }

    /// Whether the client may have the session that it asks for, and the will.
    fn check_entrant(&self, entrant: &Entrant<'_>) -> Result<(), Objection> {
        let Entrant { connect, client_id, identity, .. } = entrant;
        let owner = self.sessions.find(client_id).map(|session| &self.sessions[session].identity);
        if owner.is_some_and(|owner| owner.user_name.is_some() && owner != identity) {
            // Neither what waits for the other user nor its connection is this one's to take.
            let detail = "client identifier: its session belongs to another user";
            return Err(Objection::rule(ReasonCode::ClientIdentifierNotValid, detail));
        }
        let subject = Subject { client_id, identity };
        match &connect.will {
            Some(will) if self.shared.access.publish(subject, &will.topic) == Decision::Deny => {
                let detail = "will topic: access rules refuse this client to publish to it";
                Err(Objection::rule(ReasonCode::NotAuthorized, detail))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_will(&self, will: &Will) -> Result<(), Objection> {
        let limits = &self.shared.limits;
        if let Some(limit) = limits.exceeded_by_topic(will.topic.as_str()) {
            return Err(Objection::Limit(ReasonCode::TopicNameInvalid, limit));
        }
        if will.properties.user_properties.bytes() > limits.user_property_bytes_max {
            return Err(Objection::Limit(ReasonCode::QuotaExceeded, Limit::UserPropertyBytes));
        }
        if will_bytes(will) > limits.will_bytes_max {
            return Err(Objection::Limit(ReasonCode::PacketTooLarge, Limit::WillBytes));
        }
        if self.wills >= limits.wills_per_shard_max {
            return Err(Objection::Limit(ReasonCode::QuotaExceeded, Limit::Wills));
        }
        if is_reserved(&will.topic) {
            let detail = "will topic: $SYS and $hearth are the broker's own";
            return Err(Objection::rule(ReasonCode::TopicNameInvalid, detail));
        }
        if self.shared.options.sparkplug_certificates && sparkplug::is_kept(&will.topic) {
            let detail = "will topic: $sparkplug/certificates is where the broker keeps birth certificates";
            return Err(Objection::rule(ReasonCode::TopicNameInvalid, detail));
        }
        let is_text = will.properties.payload_format == Some(PayloadFormat::Utf8);
        let is_checked = is_text && self.shared.options.check_payload_format;
        if is_checked && std::str::from_utf8(&will.payload).is_err() {
            let detail = "will payload: is not UTF-8, which its payload format indicator says (3.1.3.2.3)";
            return Err(Objection::rule(ReasonCode::PayloadFormatInvalid, detail));
        }
        Ok(())
    }

    /// Refuses a CONNECT; a bound that was met is counted and told with the client's name.
    fn object(&mut self, id: ConnectionId, connect: &Connect, objection: Objection) {
        let (reason, detail) = match objection {
            Objection::Rule(error) => (error.reason, error.detail.to_string()),
            Objection::Limit(reason, limit) => {
                // An id that is too long is not for the log.
                let is_tellable = !matches!(limit, Limit::ClientIdBytes);
                let client_id = if is_tellable { connect.client_id.detached() } else { Text::EMPTY };
                self.limited_early(id, client_id, limit);
                (reason, limit.detail().to_owned())
            }
        };
        self.refuse(id, Some(connect.version), reason, detail);
    }

    /// The code that sends a client elsewhere (4.11).
    pub(super) fn redirect_reason(&self) -> ReasonCode {
        match &self.shared.options.redirect {
            Some(redirect) if redirect.is_permanent => ReasonCode::ServerMoved,
            Some(_) | None => ReasonCode::UseAnotherServer,
        }
    }

    /// The server that goes with a code that sends a client elsewhere.
    pub(super) fn server_reference(&self, reason: ReasonCode) -> Option<Text> {
        let is_redirect = matches!(reason, ReasonCode::UseAnotherServer | ReasonCode::ServerMoved);
        self.shared.options.redirect.as_ref().filter(|_| is_redirect).map(|redirect| redirect.server.clone())
    }

    /// The client's session, and whether it was there before. A connection that it has is ended first
    /// [MQTT-3.1.4-3].
    fn take_session(&mut self, now: Time, entrant: Entrant<'_>) -> (u32, bool) {
        let Entrant { connect, client_id, identity, .. } = entrant;
        let connection = self.sessions.find(&client_id).and_then(|session| self.sessions[session].connection);
        if let Some(id) = connection.and_then(|index| self.connection_id(index)) {
            self.end_connection(now, id, EndReason::TakenOver);
        }
        if let Some(session) = self.sessions.find(&client_id) {
            // What an anonymous client has subscribed to is not what a user wants to hear.
            let is_own = self.sessions[session].identity == identity;
            if is_own && (!connect.clean_start || faults::has(Fault::CleanStartIgnored)) {
                return (session, true);
            }
            self.end_session(now, session);
        }
        self.serial_next += 1;
        let session = Session::new(self.serial_next, client_id, identity, connect.version);
        (self.sessions.insert(session), false)
    }

    fn attach(&mut self, now: Time, id: ConnectionId, session_index: u32, connect: &Connect) {
        let limits = &self.shared.limits;
        let (inflight_max, expiry_max) = (limits.inflight_max, limits.session_expiry_max_seconds);
        let terms =
            ServerTerms { keep_alive: self.keep_alive(connect), topic_alias_maximum: limits.topic_alias_max };
        let Some(connection) = self.connections.get_mut(id.as_index()) else { return };
        connection.session = Some(session_index);
        let method = connect.properties.authentication_method.as_ref();
        connection.authentication = method.map(|method| Box::new(Authentication::over(method)));
        connection.protocol.accept(now, connect, terms);
        let alias_max = connection.protocol.peer().map_or(0, |peer| peer.topic_alias_maximum);
        let aliases = OutboundAliases::new(alias_max, limits.topic_alias_out_max);
        connection.aliases = (alias_max.min(limits.topic_alias_out_max) > 0).then(|| Box::new(aliases));
        let receive_maximum = connection.protocol.peer().map_or(u16::MAX, |peer| peer.receive_maximum);
        if let Some(deadline) = connection.protocol.poll_timeout() {
            self.timers.set(now, deadline, Timer::KeepAlive(id));
        }
        self.stats.connected += 1;
        self.stats.accepted += 1;
        let session = &mut self.sessions[session_index];
        session.connection = Some(id.index);
        session.version = connect.version;
        session.begin_connection(receive_maximum.min(inflight_max));
        session.limits_told = LimitSet::EMPTY;
        session.expiry_seconds = session_expiry(connect).min(expiry_max);
        session.expires_at = None;
        // A will that waited for its delay is not published: the session goes on [MQTT-3.1.3-9].
        let will = connect.will.as_ref().map(detached_will);
        self.set_will(session_index, will.map(|will| Box::new(LastWill { will, due: None })));
        self.keep_session(now, session_index);
        self.tell_room(session_index);
        self.resume_views(session_index);
    }

    /// Seconds of keep-alive that are granted; an upper bound that is not the widest one replaces 0 too.
    fn keep_alive(&self, connect: &Connect) -> u16 {
        let limits = &self.shared.limits;
        let (min, max) = (limits.keep_alive_min_seconds, limits.keep_alive_max_seconds);
        match connect.keep_alive {
            asked if !connect.version.is_v5() => asked,
            0 if max < u16::MAX => max,
            0 => 0,
            asked => asked.max(min).min(max),
        }
    }

    /// The response information that a client asked for (3.2.2.3.15): a topic that it alone is expected to use.
    fn response_information(&self, connect: &Connect, client_id: &str) -> Option<Text> {
        let prefix = &self.shared.options.response_topic;
        let is_asked = connect.properties.request_response_information == Some(true) && !prefix.is_empty();
        // A client id may hold what a topic name may not.
        let is_topic = !client_id.contains(['+', '#']);
        let topic = (is_asked && is_topic).then(|| format!("{prefix}/{client_id}"))?;
        Text::try_from(topic).ok()
    }

    fn connack(
        &self,
        connect: &Connect,
        session: u32,
        session_present: bool,
        is_assigned: bool,
        authentication_data: Option<Bytes>,
    ) -> ConnAck {
        let mut properties = ConnAckProperties::default();
        if connect.version.is_v5() {
            let limits = &self.shared.limits;
            let session = &self.sessions[session];
            let keep_alive = self.keep_alive(connect);
            let asked = session_expiry(connect);
            properties = ConnAckProperties {
                session_expiry: (session.expiry_seconds != asked).then_some(session.expiry_seconds),
                receive_maximum: Some(limits.inflight_max),
                packet_size_max: u32::try_from(limits.packet_bytes_max).ok(),
                assigned_client_id: is_assigned.then(|| session.client_id.clone()),
                topic_alias_maximum: Some(limits.topic_alias_max),
                response_information: self.response_information(connect, &session.client_id),
                server_keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
                authentication_method: connect.properties.authentication_method.clone(),
                authentication_data,
                ..ConnAckProperties::default()
            };
        }
        ConnAck { session_present, reason: ReasonCode::Success, properties }
    }

    /// Counts where the client did not get what it asked for; CONNACK has told it what it got instead.
    fn tell_adjustments(&mut self, connect: &Connect, session: u32, session_present: bool) {
        if !connect.version.is_v5() {
            // What an older version gets is nowhere said; and it did not ask for an expiry.
            return;
        }
        let (asked, granted) = (connect.keep_alive, self.keep_alive(connect));
        if asked != 0 && granted > asked {
            self.adjusted(session, Limit::KeepAliveMin, !session_present);
        } else if granted != asked {
            self.adjusted(session, Limit::KeepAliveMax, !session_present);
        }
        if self.sessions[session].expiry_seconds < session_expiry(connect) {
            self.adjusted(session, Limit::SessionExpiry, !session_present);
        }
    }

    /// A wish was cut to a bound: counted each time, told for a session that is new.
    pub(super) fn adjusted(&mut self, session: u32, limit: Limit, is_told: bool) {
        self.stats.limited[limit.as_index()] += 1;
        if is_told {
            let client_id = self.sessions[session].client_id.clone();
            self.event(Event::Adjusted { client_id, limit: limit.name() });
        }
    }

    fn announce(&mut self, id: ConnectionId, session: u32, session_present: bool) {
        // Nobody asks for it any more: an idle connection is small.
        let Some(peer) = self.open_connection(id).and_then(|connection| connection.peer.take()) else {
            return;
        };
        let session = &self.sessions[session];
        let event = Event::Connected {
            client_id: session.client_id.clone(),
            identity: session.identity.clone(),
            version: session.version,
            address: peer.address,
            transport: peer.transport,
            session_present,
        };
        self.event(event);
    }

    /// Answers a CONNECT with a refusal, where there was one whose version is known, and ends the connection.
    pub(super) fn refuse(
        &mut self,
        id: ConnectionId,
        version: Option<Version>,
        reason: ReasonCode,
        detail: String,
    ) {
        let told = Text::try_from(detail.as_str()).ok();
        self.end_with_connack(id, version, reason, told, detail);
    }

    /// The same for a client that is not told more than the reason.
    pub(super) fn turn_away(
        &mut self,
        id: ConnectionId,
        version: Version,
        reason: ReasonCode,
        detail: String,
    ) {
        self.end_with_connack(id, Some(version), reason, None, detail);
    }

    fn end_with_connack(
        &mut self,
        id: ConnectionId,
        version: Option<Version>,
        reason: ReasonCode,
        told: Option<Text>,
        detail: String,
    ) {
        self.stats.refused.add(reason);
        // A CONNECT of an unknown version is told so in the words of 3.1.1 [MQTT-3.1.2-2].
        let is_v5 = version.is_some_and(Version::is_v5);
        let is_answered = if version.is_none() {
            reason == ReasonCode::UnsupportedProtocolVersion
        } else {
            // Versions before 5 have few words, and where none fits there is no CONNACK [3.1.1: MQTT-3.2.2-6].
            is_v5 || reason.connect_return_code().is_some()
        };
        if is_answered {
            let mut connack =
                ConnAck { session_present: false, reason, properties: ConnAckProperties::default() };
            connack.properties.reason_string = told.filter(|_| is_v5);
            connack.properties.server_reference = self.server_reference(reason).filter(|_| is_v5);
            let mut packet = Packet::ConnAck(Box::new(connack.clone()));
            if connack.properties.reason_string.take().is_some() && !self.fits(id, &packet) {
                // Without the words it may fit [MQTT-3.2.2-19].
                packet = Packet::ConnAck(Box::new(connack));
            }
            self.send(id, &packet);
        }
        let address = self.peer(id).and_then(|peer| peer.address);
        self.event(Event::Refused { address, reason, detail });
        if let Some(connection) = self.open_connection(id) {
            connection.is_closed = true;
            self.stats.connections -= 1;
            self.shared.count_closed();
            self.effects.push_back(Effect::Close(id, Closer::Broker));
        }
    }
}

/// Why a CONNECT is refused.
enum Objection {
    Rule(ProtocolError),
    Limit(ReasonCode, Limit),
}

impl Objection {
    fn rule(reason: ReasonCode, detail: &'static str) -> Self {
        Self::Rule(ProtocolError::new(reason, detail))
    }
}

/// What a will takes as long as it is held.
fn will_bytes(will: &Will) -> usize {
    let Will { topic, payload, properties, .. } = will;
    let text = |text: Option<&Text>| text.map_or(0, |text| text.len());
    topic.as_str().len()
        + payload.len()
        + properties.user_properties.bytes()
        + text(properties.content_type.as_ref())
        + text(properties.response_topic.as_ref().map(TopicName::as_text))
        + properties.correlation_data.as_ref().map_or(0, Bytes::len)
}

/// Seconds that the client wants its session to outlive the connection. Before version 5, Clean Session 1 is
/// an end with the connection and 0 is no end.
fn session_expiry(connect: &Connect) -> u32 {
    match connect.version {
        Version::V5 => connect.properties.session_expiry.unwrap_or(0),
        Version::V31 | Version::V311 if connect.clean_start => 0,
        Version::V31 | Version::V311 => u32::MAX,
    }
}

/// How long from now a session without a connection lives.
pub(super) fn life(expiry_seconds: u32) -> Option<Duration> {
    (expiry_seconds != u32::MAX).then(|| Duration::from_secs(u64::from(expiry_seconds)))
}
