//! The network: two streams of bytes for each connection, which come late, in pieces, or not at all.

use std::collections::BTreeMap;

use bytes::BytesMut;
use hearth_protocol::packet::Publish;
use hearth_protocol::{TopicName, Version};

use crate::ConnectionId;

/// A transport between a client and a shard.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) shard: usize,
    pub(super) id: ConnectionId,
    /// Whether each end still uses it.
    pub(super) client_is_open: bool,
    pub(super) server_is_open: bool,
    /// Bytes to the server, and whether there will be no more.
    pub(super) up: BytesMut,
    pub(super) up_ended: bool,
    /// Bytes to the client, and whether there will be no more.
    pub(super) down: BytesMut,
    pub(super) down_ended: bool,
    /// Bytes that fit into `down`.
    pub(super) capacity: usize,
    /// The client does not read.
    pub(super) is_stalled: bool,
    /// What the server has read and not used: the start of a packet. `seen` is the same for the model.
    pub(super) inbox: BytesMut,
    pub(super) seen: BytesMut,
    /// What follows in `seen` is no packet.
    pub(super) is_broken: bool,
    /// Bytes at the start of the shard's output that the model has seen, and the start of a packet among them.
    pub(super) tapped: usize,
    pub(super) told: BytesMut,
}

impl Link {
    pub(super) fn new(client: usize, shard: usize, id: ConnectionId, capacity: usize) -> Self {
        Self {
            client,
            shard,
            id,
            client_is_open: true,
            server_is_open: true,
            up: BytesMut::new(),
            up_ended: false,
            down: BytesMut::new(),
            down_ended: false,
            capacity,
            is_stalled: false,
            inbox: BytesMut::new(),
            seen: BytesMut::new(),
            is_broken: false,
            tapped: 0,
            told: BytesMut::new(),
        }
    }

    /// Whether anything may still happen on it.
    pub(super) const fn is_alive(&self) -> bool {
        self.client_is_open || self.server_is_open
    }

    /// The client's end is gone: the server finds out when it has read what is left.
    pub(super) fn close_client(&mut self) {
        self.client_is_open = false;
        self.up_ended = true;
        self.down.clear();
    }

    /// The server's end is gone.
    pub(super) fn close_server(&mut self) {
        self.server_is_open = false;
        self.down_ended = true;
        self.up.clear();
        if !self.client_is_open {
            self.down.clear();
        }
    }
}

/// The topic aliases of one direction.
#[derive(Debug, Default)]
pub(super) struct Aliases(BTreeMap<u16, TopicName>);

impl Aliases {
    /// Fills in the topic of a message; whether there is one.
    pub(super) fn resolve(&mut self, publish: &mut Publish) -> bool {
        let Some(alias) = publish.properties.as_mut().and_then(|properties| properties.topic_alias.take())
        else {
            return !publish.topic.as_str().is_empty();
        };
        if !publish.topic.as_str().is_empty() {
            self.0.insert(alias, publish.topic.clone());
            return true;
        }
        let Some(topic) = self.0.get(&alias) else { return false };
        publish.topic = topic.clone();
        true
    }
}

/// The version that bytes are read with before CONNECT has named one.
pub(super) const UNKNOWN: Version = Version::V311;
