//! Who a client is: the exchange between it and the authenticator, before CONNACK and on an open connection.

use bytes::Bytes;
use hearth_protocol::connection::ProtocolError;
use hearth_protocol::packet::{Auth, AuthProperties, Connect, Packet};
use hearth_protocol::{ReasonCode, Text, Time};

use super::Shard;
use super::connect::Entrant;
use super::timers::Timer;
use crate::access::Identity;
use crate::authentication::{
    Applicant, AuthRequest, AuthStep, Authentication, Evidence, Exchange, Pending, Purpose, Turn,
};
use crate::effect::{Effect, EndReason, Event};
use crate::ids::ConnectionId;
use crate::limits::Limit;

impl Shard {
    /// What the authenticator says about a client that an [`Effect::Authenticate`] asked about. The driver then lets
    /// the shard have the input again that it has left.
    pub fn handle_authenticated(&mut self, now: Time, id: ConnectionId, step: AuthStep) {
        let Some(authentication) =
            self.open_connection(id).and_then(|connection| connection.authentication.as_mut())
        else {
            return;
        };
        let has_method = authentication.method.is_some();
        let is_awaited = |pending: &mut Pending| matches!(pending.turn, Turn::Authenticator);
        let Some(pending) = authentication.pending.take_if(is_awaited) else { return };
        match (step, pending.purpose) {
            (AuthStep::Allow { identity, data }, Purpose::Admission(applicant)) => {
                let Applicant { connect, client_id, is_assigned } = *applicant;
                let entrant = Entrant { connect: &connect, client_id, is_assigned, identity };
                self.admit(now, id, entrant, data);
            }
            (AuthStep::Allow { identity, data }, Purpose::Renewal { .. }) => {
                self.on_renewed(now, id, &identity, data);
            }
            (AuthStep::Continue { data, exchange }, purpose) if has_method => {
                self.challenge(now, id, purpose, data, exchange);
            }
            (AuthStep::Continue { .. }, Purpose::Admission(applicant)) => {
                // AUTH must not go to a client that named no method [MQTT-4.12.0-6].
                let detail = "the authenticator challenges a client that cannot answer".to_owned();
                let reason = ReasonCode::ImplementationSpecificError;
                self.turn_away(id, applicant.connect.version, reason, detail);
            }
            // Only a connection with a method authenticates again.
            (AuthStep::Continue { .. }, Purpose::Renewal { .. }) => {}
            (AuthStep::Deny { reason, detail }, Purpose::Admission(applicant)) => {
                self.turn_away(id, applicant.connect.version, reason, detail);
            }
            (AuthStep::Deny { detail, .. }, Purpose::Renewal { .. }) => {
                self.end_connection(now, id, EndReason::NotAuthorized { detail });
            }
        }
    }

    /// A CONNECT of which it has to be found out first who sent it.
    pub(super) fn ask_about(
        &mut self,
        id: ConnectionId,
        connect: &Connect,
        client_id: Text,
        is_assigned: bool,
    ) {
        let properties = &connect.properties;
        let evidence = match &properties.authentication_method {
            Some(method) => {
                Evidence::Begin { method: method.clone(), data: properties.authentication_data.clone() }
            }
            None => Evidence::Password {
                user_name: connect.user_name.clone(),
                password: connect.password.clone(),
            },
        };
        let bytes_max = self.shared.limits.credentials_bytes_max;
        if evidence.bytes() > bytes_max {
            let detail = format!("credentials: more than credentials_bytes_max, {bytes_max} bytes");
            self.limited_early(id, client_id, Limit::CredentialsBytes);
            return self.turn_away(id, connect.version, ReasonCode::BadUserNameOrPassword, detail);
        }
        let address = self.peer(id).and_then(|peer| peer.address);
        let applicant = Box::new(Applicant::new(connect, client_id.clone(), is_assigned));
        let Some(connection) = self.open_connection(id) else { return };
        connection.authentication = Some(Box::new(Authentication {
            method: applicant.connect.properties.authentication_method.clone(),
            pending: Some(Pending { purpose: Purpose::Admission(applicant), turn: Turn::Authenticator }),
        }));
        self.authenticate(id, AuthRequest { client_id, address, evidence: evidence.detached() });
    }

    pub(super) fn on_auth(&mut self, now: Time, id: ConnectionId, auth: &Auth) {
        if let Err(error) = self.take_auth(now, id, auth) {
            self.on_violation(now, id, &error);
        }
    }

    fn credentials_limited(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        match connection.session {
            Some(session) => self.limited(session, Limit::CredentialsBytes),
            None => {
                let applicant = connection.applicant();
                let client_id = applicant.map_or(Text::EMPTY, |applicant| applicant.client_id.clone());
                self.limited_early(id, client_id, Limit::CredentialsBytes);
            }
        }
    }

    /// An answer to a challenge, or the wish to authenticate again.
    fn take_auth(&mut self, now: Time, id: ConnectionId, auth: &Auth) -> Result<(), ProtocolError> {
        let bytes_max = self.shared.limits.credentials_bytes_max;
        let data = auth.properties.authentication_data.clone();
        if data.as_ref().is_some_and(|data| data.len() > bytes_max) {
            let detail = format!("AUTH: more than credentials_bytes_max, {bytes_max} bytes");
            self.credentials_limited(id);
            return Err(ProtocolError::new(ReasonCode::NotAuthorized, detail));
        }
        let Some(connection) = self.open_connection(id) else { return Ok(()) };
        let (session, is_admission) = (connection.session, connection.applicant().is_some());
        // `ServerConnection` lets AUTH through only where CONNECT named a method.
        let Some(authentication) = &mut connection.authentication else { return Ok(()) };
        if auth.properties.authentication_method != authentication.method {
            return Err(violation("AUTH: its method is not the one of CONNECT [MQTT-4.12.0-5]"));
        }
        let method = authentication.method.clone().unwrap_or_default();
        let is_answer = auth.reason == ReasonCode::ContinueAuthentication;
        let (purpose, evidence) = match (authentication.pending.take(), auth.reason) {
            (Some(Pending { purpose, turn: Turn::Client(exchange) }), _) if is_answer => {
                (purpose, Evidence::Answer { method, data, exchange })
            }
            (None, ReasonCode::ReAuthenticate) => {
                let until = now.saturating_add(self.shared.limits.connect_time_max());
                self.timers.set(now, until, Timer::Renewal(id));
                (Purpose::Renewal { until }, Evidence::Begin { method, data })
            }
            (pending, _) => {
                // Kept, so that it is known what the client takes when it is told.
                authentication.pending = pending;
                return Err(violation("AUTH: neither an answer nor a new start is due (4.12)"));
            }
        };
        let client_id = match (&purpose, session) {
            (Purpose::Admission(applicant), _) => applicant.client_id.clone(),
            (Purpose::Renewal { .. }, Some(session)) => self.sessions[session].client_id.clone(),
            (Purpose::Renewal { .. }, None) => Text::EMPTY,
        };
        let address = if is_admission { self.peer(id).and_then(|peer| peer.address) } else { None };
        self.wait(id, Pending { purpose, turn: Turn::Authenticator });
        self.authenticate(id, AuthRequest { client_id, address, evidence: evidence.detached() });
        Ok(())
    }

    /// Lets the client answer before it is decided.
    fn challenge(&mut self, now: Time, id: ConnectionId, purpose: Purpose, data: Bytes, exchange: Exchange) {
        self.wait(id, Pending { purpose, turn: Turn::Client(exchange) });
        self.send_auth(now, id, ReasonCode::ContinueAuthentication, Some(data));
    }

    /// A client on an open connection has shown again who it is.
    fn on_renewed(&mut self, now: Time, id: ConnectionId, identity: &Identity, data: Option<Bytes>) {
        let Some(session) = self.connection(id).and_then(|connection| connection.session) else { return };
        let session = &self.sessions[session];
        if session.identity != *identity {
            let detail = "authenticated again as another user than the one of the session".to_owned();
            return self.end_connection(now, id, EndReason::NotAuthorized { detail });
        }
        let client_id = session.client_id.clone();
        self.event(Event::Reauthenticated { client_id });
        self.send_auth(now, id, ReasonCode::Success, data);
    }

    /// Patience with a client that is not let in is over.
    pub(super) fn on_admission_due(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        let pending = connection.authentication.as_ref().and_then(|it| it.pending.as_ref());
        let (Some(version), Some(pending)) = (connection.protocol.version(), pending) else { return };
        let seconds = self.shared.limits.connect_seconds_max;
        let (reason, detail) = match pending.turn {
            Turn::Client(_) => (
                ReasonCode::NotAuthorized,
                format!("no answer to the challenge came within {seconds} s of the connection"),
            ),
            Turn::Authenticator => (
                ReasonCode::ServerBusy,
                format!("not authenticated within {seconds} s: there is too much to do"),
            ),
        };
        self.turn_away(id, version, reason, detail);
    }

    /// Patience with a client that authenticates again is over, if it is still at it.
    pub(super) fn on_renewal_due(&mut self, now: Time, id: ConnectionId) {
        let pending = self
            .connection(id)
            .and_then(|connection| connection.authentication.as_ref())
            .and_then(|authentication| authentication.pending.as_ref());
        let is_over = pending.is_some_and(|pending| match pending.purpose {
            Purpose::Renewal { until } => until <= now,
            Purpose::Admission(_) => false,
        });
        if is_over {
            let seconds = self.shared.limits.connect_seconds_max;
            let detail = format!("did not authenticate again within {seconds} s");
            self.end_connection(now, id, EndReason::NotAuthorized { detail });
        }
    }

    fn wait(&mut self, id: ConnectionId, pending: Pending) {
        let connection = self.open_connection(id);
        if let Some(authentication) = connection.and_then(|connection| connection.authentication.as_mut()) {
            authentication.pending = Some(pending);
        }
    }

    fn authenticate(&mut self, connection: ConnectionId, request: AuthRequest) {
        self.effects.push_back(Effect::Authenticate { connection, request: Box::new(request) });
    }

    fn send_auth(&mut self, now: Time, id: ConnectionId, reason: ReasonCode, data: Option<Bytes>) {
        let method = self
            .connection(id)
            .and_then(|connection| connection.authentication.as_ref())
            .and_then(|authentication| authentication.method.clone());
        let properties = AuthProperties {
            authentication_method: method,
            authentication_data: data,
            ..AuthProperties::default()
        };
        self.reply(now, id, Packet::Auth(Auth { reason, properties }));
    }
}

fn violation(detail: &'static str) -> ProtocolError {
    ProtocolError::new(ReasonCode::ProtocolError, detail)
}
