//! A connection as the shard sees it.

use std::net::SocketAddr;

use hearth_protocol::Text;
use hearth_protocol::connection::server::ServerConnection;
use hearth_protocol::connection::{OutboundAliases, TopicNaming};

use crate::authentication::{Applicant, Authentication, Purpose};
use crate::ids::ConnectionId;
use crate::output::Output;

/// Who is on the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address, where the transport has one.
    pub address: Option<SocketAddr>,
    /// Whether it is on the broker's own machine, as far as that can be known.
    pub is_local: bool,
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
    /// A unix socket.
    Unix,
    /// WebSocket, binary frames.
    WebSocket,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) generation: u32,
    pub(crate) protocol: ServerConnection,
    /// Until CONNECT is accepted.
    pub(crate) peer: Option<Box<Peer>>,
    /// What is left of `peer` then: [`Peer::is_local`].
    pub(crate) is_local: bool,
    /// Index of the session, once CONNECT was accepted.
    pub(crate) session: Option<u32>,
    /// While the client has to show who it is, and as long as it may show it again.
    pub(crate) authentication: Option<Box<Authentication>>,
    /// Names of topics that were told to the client, where it takes any.
    pub(crate) aliases: Option<Box<OutboundAliases>>,
    /// Lent while there is something to write; see [`Outputs`](crate::output::Outputs).
    pub(crate) output: Option<Box<Output>>,
    pub(crate) is_dirty: bool,
    /// Bytes of the output that the shard has entered into its account: what the socket has not taken.
    pub(crate) backlog: usize,
    /// Set when it is not read because of [`Pressure`](crate::Pressure), until it is read again.
    pub(crate) is_paused: bool,
    /// Set when the shard is done with it and the driver has not taken the output yet.
    pub(crate) is_closed: bool,
    /// Set while QoS 0 messages are dropped, so that it is told once.
    pub(crate) is_dropping: bool,
    /// Whether CONNACK went out, before which nothing may [MQTT-3.2.0-1].
    pub(crate) is_greeted: bool,
    /// Answers that wait for the disk.
    pub(crate) held: u32,
    /// Messages that wait for the disk.
    pub(crate) held_publishes: u32,
}

impl Connection {
    /// Whether it is the one with this id, and the shard is not done with it.
    pub(crate) const fn is(&self, id: ConnectionId) -> bool {
        self.generation == id.generation && !self.is_closed
    }

    /// How the next message names its topic to the client.
    pub(crate) fn name(&mut self, topic: &str) -> TopicNaming {
        self.aliases.as_mut().map_or(TopicNaming::Topic, |aliases| aliases.name(topic))
    }

    /// The message that was to be the first with an alias did not go out.
    pub(crate) fn revoke(&mut self, naming: TopicNaming) {
        if let (TopicNaming::TopicAndAlias(alias), Some(aliases)) = (naming, &mut self.aliases) {
            aliases.revoke(alias);
        }
    }

    /// Bytes that wait to be written.
    pub(crate) fn output_len(&self) -> usize {
        self.output.as_ref().map_or(0, |output| output.len())
    }

    /// Largest packet that the client takes.
    pub(crate) fn packet_size_max(&self) -> usize {
        self.protocol.peer().map_or(usize::MAX, |peer| peer.packet_size_max)
    }

    /// The CONNECT that waits to be accepted.
    pub(crate) fn applicant(&self) -> Option<&Applicant> {
        match &self.authentication.as_ref()?.pending.as_ref()?.purpose {
            Purpose::Admission(applicant) => Some(applicant),
            Purpose::Renewal { .. } => None,
        }
    }

    /// Whether nothing that the client sends is looked at before its CONNECT is accepted or refused.
    pub(crate) fn is_held(&self) -> bool {
        self.applicant().is_some_and(|applicant| applicant.connect.properties.authentication_method.is_none())
    }
}
