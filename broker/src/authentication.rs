//! Finding out who a client is: the questions for the driver, its answers, and what is held in between.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use hearth_protocol::packet::{Connect, ConnectProperties};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{ReasonCode, Text, Time};

use crate::access::Identity;
use crate::message::detached_will;

/// Who is this client? Holds at most `credentials_bytes_max` bytes of what the client sent, in memory of its own.
#[derive(Debug)]
pub struct AuthRequest {
    /// The session that the client wants, or has.
    pub client_id: Text,
    /// Where it comes from; `None` when it authenticates again, which the first time has answered.
    pub address: Option<SocketAddr>,
    /// What it shows.
    pub evidence: Evidence,
}

/// What a client shows to be believed.
pub enum Evidence {
    /// User name and password of a CONNECT without an authentication method.
    Password {
        /// The name.
        user_name: Option<Text>,
        /// Any bytes.
        password: Option<Bytes>,
    },
    /// The start of an exchange: of CONNECT, or of the AUTH that asks to authenticate again.
    Begin {
        /// The method.
        method: Text,
        /// Its first data; some methods let the server begin.
        data: Option<Bytes>,
    },
    /// The answer to a challenge.
    Answer {
        /// The method.
        method: Text,
        /// The data.
        data: Option<Bytes>,
        /// What came with the challenge.
        exchange: Exchange,
    },
}

/// What an authenticator wants to see again with the answer to its challenge. It is dropped with the connection.
pub struct Exchange(Box<dyn Any + Send>);

/// What an authenticator says to an [`AuthRequest`].
#[derive(Debug)]
pub enum AuthStep {
    /// It is who it says.
    Allow {
        /// Who.
        identity: Identity,
        /// The method's last data for the client.
        data: Option<Bytes>,
    },
    /// The client has to answer a challenge first; only with a method.
    Continue {
        /// The challenge.
        data: Bytes,
        /// For the request that brings the answer.
        exchange: Exchange,
    },
    /// It is not, or it cannot be found out.
    Deny {
        /// What the client is told: one of CONNACK's failures.
        reason: ReasonCode,
        /// What the operator is told and the client is not, which must not learn which names there are.
        detail: String,
    },
}

/// How far the authentication of a connection is.
#[derive(Debug)]
pub(crate) struct Authentication {
    /// The method of CONNECT, which every AUTH must name [MQTT-4.12.0-5]; `None` with user name and password.
    pub(crate) method: Option<Text>,
    /// `None` while nothing is asked.
    pub(crate) pending: Option<Pending>,
}

/// An authentication under way.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) purpose: Purpose,
    pub(crate) turn: Turn,
}

/// What an authentication is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// To be let in.
    Admission(Box<Applicant>),
    /// An open connection authenticates again.
    Renewal {
        /// When patience ends. That of an admission ends with the time to CONNECT.
        until: Time,
    },
}

/// Who has to say something.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The authenticator, through the driver.
    Authenticator,
    /// The client has a challenge.
    Client(Exchange),
}

/// A CONNECT that is not accepted yet.
#[derive(Debug)]
pub(crate) struct Applicant {
    pub(crate) connect: Connect,
    pub(crate) client_id: Text,
    pub(crate) is_assigned: bool,
}

impl Authentication {
    /// Of a connection that is open and may authenticate again.
    pub(crate) fn over(method: &Text) -> Self {
        Self { method: Some(method.detached()), pending: None }
    }
}

impl Exchange {
    /// Holds the state of an exchange until the client has answered.
    pub fn new(state: impl Any + Send) -> Self {
        Self(Box::new(state))
    }

    /// The state, if it is of this type.
    pub fn take<T: Any>(self) -> Option<T> {
        self.0.downcast().ok().map(|state| *state)
    }
}

impl Evidence {
    /// Bytes that the client sent.
    pub(crate) fn bytes(&self) -> usize {
        let len = |data: &Option<Bytes>| data.as_ref().map_or(0, Bytes::len);
        match self {
            Self::Password { user_name, password } => {
                user_name.as_ref().map_or(0, |name| name.len()) + len(password)
            }
            Self::Begin { method, data } | Self::Answer { method, data, .. } => method.len() + len(data),
        }
    }

    /// The same in memory of its own.
    pub(crate) fn detached(self) -> Self {
        let copy = |data: Option<Bytes>| data.as_deref().map(Bytes::copy_from_slice);
        match self {
            Self::Password { user_name, password } => {
                Self::Password { user_name: user_name.as_ref().map(Text::detached), password: copy(password) }
            }
            Self::Begin { method, data } => Self::Begin { method: method.detached(), data: copy(data) },
            Self::Answer { method, data, exchange } => {
                Self::Answer { method: method.detached(), data: copy(data), exchange }
            }
        }
    }
}

impl Applicant {
    /// Keeps of a CONNECT what is needed when it is accepted, in memory of its own: neither its credentials, which
    /// are with the authenticator, nor its user properties, which nobody reads.
    pub(crate) fn new(connect: &Connect, client_id: Text, is_assigned: bool) -> Self {
        let properties = &connect.properties;
        let properties = ConnectProperties {
            session_expiry: properties.session_expiry,
            receive_maximum: properties.receive_maximum,
            packet_size_max: properties.packet_size_max,
            topic_alias_maximum: properties.topic_alias_maximum,
            request_response_information: properties.request_response_information,
            request_problem_information: properties.request_problem_information,
            user_properties: UserProperties::default(),
            authentication_method: properties.authentication_method.as_ref().map(Text::detached),
            authentication_data: None,
        };
        let connect = Connect {
            version: connect.version,
            bridge: connect.bridge,
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            client_id: if is_assigned { Text::EMPTY } else { client_id.clone() },
            will: connect.will.as_ref().map(detached_will),
            user_name: None,
            password: None,
            properties,
        };
        Self { connect, client_id, is_assigned }
    }
}

/// Without what is secret.
impl fmt::Debug for Evidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user_name, .. } => {
                formatter.debug_struct("Password").field("user_name", user_name).finish_non_exhaustive()
            }
            Self::Begin { method, .. } => {
                formatter.debug_struct("Begin").field("method", method).finish_non_exhaustive()
            }
            Self::Answer { method, .. } => {
                formatter.debug_struct("Answer").field("method", method).finish_non_exhaustive()
            }
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Exchange").finish_non_exhaustive()
    }
}
