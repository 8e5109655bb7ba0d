//! Who may do what: asked on every path.

use hearth_protocol::packet::Connect;
use hearth_protocol::{TopicFilter, TopicName};

use crate::connection::Peer;

/// The answer to a question of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// Decides on connections, publications and subscriptions, of clients and of the broker for them.
pub trait Access: Send + Sync {
    /// Whether the client may connect.
    fn connect(&self, peer: &Peer, connect: &Connect) -> Decision;

    /// Whether the client may publish to the topic; asked for wills too.
    fn publish(&self, client_id: &str, topic: &TopicName) -> Decision;

    /// Whether the client may subscribe to the filter.
    fn subscribe(&self, client_id: &str, filter: &TopicFilter) -> Decision;
}

/// Everybody may do everything: what a broker on loopback starts with.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Access for AllowAll {
    fn connect(&self, _: &Peer, _: &Connect) -> Decision {
        Decision::Allow
    }

    fn publish(&self, _: &str, _: &TopicName) -> Decision {
        Decision::Allow
    }

    fn subscribe(&self, _: &str, _: &TopicFilter) -> Decision {
        Decision::Allow
    }
}
