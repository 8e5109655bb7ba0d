//! What a client tells its driver.

use std::time::Duration;

use crate::packet::{AuthProperties, ConnAckProperties, Disconnect, Publish};
use crate::{ReasonCode, Text};

/// Names one request of this client, to find its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(super) u64);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The server took the connection.
    Connected {
        /// It still has the session; if not, subscriptions must be made again.
        session_present: bool,
        /// Its terms, and the last data of the authentication; default before version 5.
        properties: Box<ConnAckProperties>,
    },
    /// The server did not take the connection; or it must not be asked, and nothing was sent.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// In words for people, if it gave any.
        reason_string: Option<Text>,
        /// The server to use instead, with the reasons "use another server" and "server moved" (4.11).
        server_reference: Option<Text>,
    },
    /// The server wants the next step of the authentication: `answer_challenge`, or `disconnect` where its data shows
    /// that the server is not the right one.
    Challenge {
        /// The server's data, and words for people.
        properties: Box<AuthProperties>,
    },
    /// What `reauthenticate` began is over, and the server is content. If it is not, it disconnects.
    Reauthenticated {
        /// The server's last data, by which some methods prove who the server is.
        properties: Box<AuthProperties>,
    },
    /// A message came. QoS 2 comes once, QoS 1 may come again.
    Message(Publish),
    /// What became of a message: QoS 0 was handed to the transport, QoS 1 and 2 were taken over or refused.
    Published {
        /// From `publish`.
        token: Token,
        /// 0x10 means that nobody listens; 0x80 and above that it was refused.
        reason: ReasonCode,
        /// In words for people, if the server gave any.
        reason_string: Option<Text>,
    },
    /// The server answered SUBSCRIBE.
    Subscribed {
        /// From `subscribe`.
        token: Token,
        /// One for each subscription.
        reasons: Vec<ReasonCode>,
    },
    /// The server answered UNSUBSCRIBE.
    Unsubscribed {
        /// From `unsubscribe`.
        token: Token,
        /// One for each filter in version 5, none before.
        reasons: Vec<ReasonCode>,
    },
    /// The server answered a PINGREQ.
    Pong {
        /// From the ping to its answer.
        round_trip: Duration,
    },
    /// The server said that it ends the connection.
    Disconnected(Disconnect),
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// QoS 0 is not kept for later.
    #[error("not connected: a QoS 0 message is not kept for later")]
    NotConnected,
    /// `queue_max` messages wait already.
    #[error("{0} messages wait already; no more are kept")]
    QueueFull(usize),
    /// The topic is empty or an alias was given: aliases are the client's own business.
    #[error("a message needs a topic, and the client chooses aliases itself")]
    Topic,
    /// Subscription identifiers come from the server only [MQTT-3.3.4-6].
    #[error("a message carries subscription identifiers, which only a server may send")]
    SubscriptionId,
}

/// Why a SUBSCRIBE or UNSUBSCRIBE was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no connection to send it on.
    #[error("not connected")]
    NotConnected,
    /// All packet identifiers are in use.
    #[error("65,535 packets wait for their acknowledgement; no identifier is free")]
    NoPacketId,
    /// The server said in CONNACK that it takes no such subscription.
    #[error("the server does not take this: {0}")]
    Unsupported(ReasonCode),
    /// The packet cannot be written.
    #[error("the packet has no filter, or is larger than the server takes")]
    Unsendable,
}

/// Why a step of authentication was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no connection, or the server has not taken it yet.
    #[error("not connected")]
    NotConnected,
    /// [MQTT-4.12.0-7].
    #[error("CONNECT named no authentication method; set one in the options and connect again")]
    NoMethod,
    /// The server waits for no answer.
    #[error("the server has sent no challenge that waits for an answer")]
    NotChallenged,
    /// One exchange is under way (4.12.1).
    #[error("an authentication is under way already; wait until it is over")]
    UnderWay,
    /// The packet cannot be written [MQTT-3.2.2-15].
    #[error("the authentication data is larger than a packet holds or the server takes")]
    Unsendable,
}
