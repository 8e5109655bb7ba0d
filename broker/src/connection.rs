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
    /// Until CONNECT is accepted.
    pub(crate) peer: Option<Box<Peer>>,
    /// Index of the session, once CONNECT was accepted.
    pub(crate) session: Option<u32>,
    /// Lent while there is something to write; see [`Outputs`](crate::output::Outputs).
    pub(crate) output: Option<Box<Output>>,
    pub(crate) is_dirty: bool,
    /// Set when the shard is done with it and the driver has not taken the output yet.
    pub(crate) is_closed: bool,
    /// Set while QoS 0 messages are dropped, so that it is told once.
    pub(crate) is_dropping: bool,
}

impl Connection {
    /// Bytes that wait to be written.
    pub(crate) fn output_len(&self) -> usize {
        self.output.as_ref().map_or(0, |output| output.len())
    }

    /// Largest packet that the client takes.
    pub(crate) fn packet_size_max(&self) -> usize {
        self.protocol.peer().map_or(usize::MAX, |peer| peer.packet_size_max)
    }
}
