//! The client's part of enhanced authentication (MQTT 5.0, 4.12). What the data means is the driver's.

use bytes::Bytes;

use super::{AuthError, Client, ClientEvent, Phase, Turn};
use crate::codec;
use crate::connection::ProtocolError;
use crate::packet::{Auth, AuthProperties, Packet, PacketType};
use crate::{ReasonCode, Text, Time};

impl Client {
    /// Answers a [`ClientEvent::Challenge`]. The method is that of CONNECT [MQTT-4.12.0-5].
    ///
    /// # Errors
    /// It was not sent.
    pub fn answer_challenge(&mut self, now: Time, data: Option<Bytes>) -> Result<(), AuthError> {
        let is_challenged = match &self.phase {
            Phase::Connecting(turn) => *turn == Turn::Driver,
            Phase::Open(open) => open.authentication == Some(Turn::Driver),
            Phase::Closed | Phase::Closing => return Err(AuthError::NotConnected),
        };
        if !is_challenged {
            return Err(AuthError::NotChallenged);
        }
        self.send_auth(now, ReasonCode::ContinueAuthentication, data)
    }

    /// Authenticates once more on the open connection, by the method of its CONNECT [MQTT-4.12.1-1]; messages go on
    /// meanwhile. `Challenge` and `Reauthenticated` tell how it goes on; a server that is not content disconnects.
    ///
    /// # Errors
    /// It was not sent.
    pub fn reauthenticate(&mut self, now: Time, data: Option<Bytes>) -> Result<(), AuthError> {
        let Phase::Open(open) = &self.phase else { return Err(AuthError::NotConnected) };
        if open.authentication.is_some() {
            return Err(AuthError::UnderWay);
        }
        self.send_auth(now, ReasonCode::ReAuthenticate, data)
    }

    fn send_auth(&mut self, now: Time, reason: ReasonCode, data: Option<Bytes>) -> Result<(), AuthError> {
        let Some(method) = self.asked.method().cloned() else { return Err(AuthError::NoMethod) };
        let properties = AuthProperties {
            authentication_method: Some(method),
            authentication_data: data,
            ..AuthProperties::default()
        };
        let auth = Packet::Auth(Auth { reason, properties });
        let len = codec::encoded_len(&auth, self.asked.version()).map_err(|_| AuthError::Unsendable)?;
        match &mut self.phase {
            Phase::Open(open) if len > open.granted.packet_size_max => return Err(AuthError::Unsendable),
            Phase::Open(open) => open.authentication = Some(Turn::server(now)),
            Phase::Connecting(turn) => *turn = Turn::server(now),
            Phase::Closed | Phase::Closing => return Err(AuthError::NotConnected),
        }
        self.send(now, &auth);
        Ok(())
    }

    pub(super) fn on_auth(&mut self, auth: Auth) -> Result<(), ProtocolError> {
        self.check_method(PacketType::Auth, auth.properties.authentication_method.as_ref())?;
        let is_continued = auth.reason == ReasonCode::ContinueAuthentication;
        let properties = Box::new(auth.properties);
        match &mut self.phase {
            Phase::Connecting(turn @ Turn::Server { .. }) if is_continued => {
                *turn = Turn::Driver;
                self.events.push_back(ClientEvent::Challenge { properties });
            }
            Phase::Open(open) if matches!(open.authentication, Some(Turn::Server { .. })) => {
                if is_continued {
                    open.authentication = Some(Turn::Driver);
                    self.events.push_back(ClientEvent::Challenge { properties });
                } else if auth.reason == ReasonCode::Success {
                    open.authentication = None;
                    self.events.push_back(ClientEvent::Reauthenticated { properties });
                } else {
                    return Err(violation("AUTH: a reason code that only a client sends (3.15.2.1)"));
                }
            }
            Phase::Connecting(_) if !is_continued => {
                return Err(violation("AUTH: before CONNACK it can only continue [MQTT-4.12.0-2]"));
            }
            Phase::Connecting(_) | Phase::Open(_) | Phase::Closed | Phase::Closing => {
                return Err(violation("AUTH: it is not the turn of the server (4.12)"));
            }
        }
        Ok(())
    }

    /// Whether AUTH, or a CONNACK that takes the connection, names the method of CONNECT, and none if that named none.
    pub(super) fn check_method(
        &self,
        packet: PacketType,
        method: Option<&Text>,
    ) -> Result<(), ProtocolError> {
        let clause = match self.asked.method() {
            asked if asked == method && (asked.is_some() || packet == PacketType::ConnAck) => return Ok(()),
            Some(_) => "4.12.0-5",
            None => "4.12.0-6",
        };
        let detail = format!("{packet}: its authentication method is not that of CONNECT [MQTT-{clause}]");
        Err(ProtocolError::new(ReasonCode::ProtocolError, detail))
    }
}

fn violation(detail: &'static str) -> ProtocolError {
    ProtocolError::new(ReasonCode::ProtocolError, detail)
}
