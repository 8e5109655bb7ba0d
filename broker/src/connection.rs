//! A connection as the shard sees it.

use std::net::SocketAddr;

use hearth_protocol::Text;
use hearth_protocol::connection::server::ServerConnection;

use crate::output::Output;

/// Who is on the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address, where the transport has one.
    pub address: Option<SocketAddr>,
    /// How it comes.
    pub transport: Transport,
    /// A fresh random id, for a CONNECT that leaves the choice to the server.
    pub assigned_client_id: Text,
}

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// WebSocket, binary frames.
    WebSocket,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) generation: u32,
    pub(crate) protocol: ServerConnection,
    pub(crate) peer: Box<Peer>,
    /// Index of the session, once CONNECT was accepted.
    pub(crate) session: Option<u32>,
    pub(crate) output: Output,
    pub(crate) is_dirty: bool,
    /// Set when the shard is done with it and the driver has not taken the output yet.
    pub(crate) is_closed: bool,
    /// Set while QoS 0 messages are dropped, so that it is told once.
    pub(crate) is_dropping: bool,
}
