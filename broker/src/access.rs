//! Who may come in, and who may do what: asked on every path.

use std::sync::Arc;

use hearth_protocol::packet::Connect;
use hearth_protocol::{ReasonCode, TopicFilter, TopicName};

use crate::connection::Peer;

/// The answer to a question of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// Who a client has shown to be, and whom its session belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `None`: nobody was asked, the client is anonymous.
    pub user_name: Option<Arc<str>>,
}

/// A client as access rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its session.
    pub client_id: &'a str,
    /// Whom the session belongs to.
    pub identity: &'a Identity,
}

/// The first answer to a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may connect, and is this.
    Allow(Identity),
    /// It may not connect.
    Deny {
        /// What the client is told: one of CONNACK's failures.
        reason: ReasonCode,
        /// What client and operator are told: which rule it is.
        detail: String,
    },
    /// It has to be authenticated: an [`Effect::Authenticate`](crate::Effect::Authenticate) goes out, and
    /// [`Shard::handle_authenticated`](crate::Shard::handle_authenticated) has the outcome.
    Ask,
}

/// Decides on connections, publications and subscriptions, of clients and of the broker for them.
pub trait Access: Send + Sync {
    /// Whether the client may connect. It is called by the shard between two packets, so that what takes time is to
    /// be asked for. A CONNECT with an authentication method is never allowed without that: a method that is not
    /// known is denied with [`ReasonCode::BadAuthenticationMethod`] [MQTT-4.12.0-1].
    fn connect(&self, peer: &Peer, connect: &Connect) -> Admission;

    /// Whether a client that is connected may stay, when the rules have changed; `is_local` is what [`Peer::is_local`]
    /// said of its connection. Rules that never change let all stay.
    fn remains(&self, _subject: Subject<'_>, _is_local: bool) -> Decision {
        Decision::Allow
    }

    /// Whether the client may publish to the topic; asked for wills too.
    fn publish(&self, subject: Subject<'_>, topic: &TopicName) -> Decision;

    /// Whether the client may subscribe to the filter.
    fn subscribe(&self, subject: Subject<'_>, filter: &TopicFilter) -> Decision;

    /// Whether the client may see every topic that the filter matches in the live tree: that it is there, how often it has messages,
    /// how its payloads begin. The filter is a topic, or a topic with `/#` behind it, or `#`. Rules by which a client may subscribe to
    /// more than it then gets must answer by what it gets.
    fn see(&self, subject: Subject<'_>, filter: &TopicFilter) -> Decision {
        self.subscribe(subject, filter)
    }
}

/// Everybody may do everything, without a name.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Admission {
    /// The denial of an authentication method that nobody knows.
    pub fn unknown_method(method: &str) -> Self {
        // The client chose it: what is quoted is bounded and stays in its line.
        let method: String = method.chars().take(64).flat_map(char::escape_debug).collect();
        Self::Deny {
            reason: ReasonCode::BadAuthenticationMethod,
            detail: format!("authentication method: `{method}` is not supported [MQTT-4.12.0-1]"),
        }
    }
}

impl Access for AllowAll {
    fn connect(&self, _: &Peer, connect: &Connect) -> Admission {
        match &connect.properties.authentication_method {
            Some(method) => Admission::unknown_method(method),
            None => Admission::Allow(Identity::default()),
        }
    }

    fn publish(&self, _: Subject<'_>, _: &TopicName) -> Decision {
        Decision::Allow
    }

    fn subscribe(&self, _: Subject<'_>, _: &TopicFilter) -> Decision {
        Decision::Allow
    }
}
