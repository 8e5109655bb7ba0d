//! What a shard wants done outside of it.

use std::net::SocketAddr;
use std::sync::Arc;

use hearth_protocol::{ReasonCode, Text, Version};

use crate::access::Identity;
use crate::authentication::AuthRequest;
use crate::connection::Transport;
use crate::durable::{Carried, Entry};
use crate::held::Pressure;
use crate::ids::{ConnectionId, ShardId};
use crate::limits::Limit;
use crate::message::Message;
use crate::router::{Choice, Group};
use crate::shard::ViewChange;

/// Who ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    /// The client has said DISCONNECT, behind which it sends nothing [MQTT-3.14.4-2].
    Client,
    /// The broker: the client may be sending, and is to see what it is told.
    Broker,
}

/// Something for the driver to do.
#[derive(Debug)]
pub enum Effect {
    /// Take the output, flush it and close the transport; the id means nothing to the shard any more.
    Close(ConnectionId, Closer),
    /// Hand this to another shard, in order.
    Forward {
        /// Which one.
        to: ShardId,
        /// What.
        forward: Forward,
    },
    /// Find out who a client is, and call [`Shard::handle_authenticated`](crate::Shard::handle_authenticated).
    Authenticate {
        /// Whose answer it is.
        connection: ConnectionId,
        /// What is to be found out.
        request: Box<AuthRequest>,
    },
    /// Somebody begins to look at the live tree or ends it.
    View(ViewChange),
    /// Something for log and counters.
    Event(Event),
}

/// What goes from shard to shard: one entry a message, however many subscribers the other one has.
#[derive(Clone, Debug)]
pub enum Forward {
    /// A message to deliver to the shard's own sessions.
    Message(Arc<Message>, Option<Awaited>),
    /// The same with a row in the store, which goes when the message has arrived.
    Carried(Box<Consignment>),
    /// A message for one of the shard's sessions, whose turn it is in its group.
    Shared(Box<Assigned>),
    /// A message that no member of the shard took, back with the shard that had assigned it and awaits word of it.
    Returned(Box<Assigned>),
    /// All that the shard has sent `from` and awaits word of is on disk there, up to a number.
    Receipt {
        /// Who says it.
        from: ShardId,
        /// See [`Awaited`].
        up_to: u64,
    },
    /// One thing that the shard has sent `from` and awaits word of needs no disk, though others before it do.
    Done {
        /// Who says it.
        from: ShardId,
        /// See [`Awaited`].
        number: u64,
    },
    /// What needs the disk of something that the shard has sent `from` cannot be written now; word of it comes when it was.
    Unkept {
        /// Who says it.
        from: ShardId,
        /// See [`Awaited`].
        number: u64,
    },
    /// No session there has taken what the shard has sent `from` and awaits word of. That word comes behind this one.
    Untaken {
        /// Who says it.
        from: ShardId,
        /// See [`Awaited`].
        number: u64,
        /// The bound that the first session met which wanted it; `None` if nobody did any more.
        met: Option<Limit>,
    },
    /// A message that the shard has written a row for is nobody's any more.
    Unneeded(Unneeded),
}

/// The row of a message, for the shard that writes it: deleted by another one, it could be deleted first and written then.
#[derive(Clone, Copy, Debug)]
pub struct Unneeded {
    /// Of the row.
    pub(crate) number: u64,
    pub(crate) written: Entry,
    /// Whether it may be on disk as it was before that.
    pub(crate) is_collected: bool,
}

/// Word that a shard awaits of something that it forwards: a [`Forward::Receipt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    pub(crate) from: ShardId,
    /// Counts what `from` has sent to one shard and awaits word of.
    pub(crate) number: u64,
}

/// A message that has a row in the store while it is on its way.
#[derive(Clone, Debug)]
pub struct Consignment {
    pub(crate) message: Arc<Message>,
    pub(crate) carried: Carried,
}

/// A message with the member of a group that is to get it.
#[derive(Clone, Debug)]
pub struct Assigned {
    pub(crate) message: Arc<Message>,
    pub(crate) group: Arc<Group>,
    pub(crate) choice: Choice,
    /// How often it was passed on because a member had no room.
    pub(crate) hops: u8,
    pub(crate) awaited: Option<Awaited>,
    /// Its row on the way, where it has one.
    pub(crate) carried: Option<Carried>,
}

impl Forward {
    /// What it counts against a bound of bytes: topic, payload and properties.
    pub fn bytes(&self) -> usize {
        self.message().map_or(0, Message::bytes)
    }

    /// What it carries, if that is a message.
    pub(crate) fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message, _) => Some(message),
            Self::Carried(consignment) => Some(&consignment.message),
            Self::Shared(assigned) | Self::Returned(assigned) => Some(&assigned.message),
            Self::Receipt { .. }
            | Self::Done { .. }
            | Self::Unkept { .. }
            | Self::Untaken { .. }
            | Self::Unneeded(_) => None,
        }
    }
}

/// Something that an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client is connected.
    Connected {
        /// Its id.
        client_id: Text,
        /// Who it is.
        identity: Identity,
        /// Its version.
        version: Version,
        /// Where it comes from.
        address: Option<SocketAddr>,
        /// How it comes.
        transport: Transport,
        /// Whether it found its session.
        session_present: bool,
    },
    /// An open connection has shown again who it is.
    Reauthenticated {
        /// Its client id.
        client_id: Text,
    },
    /// A CONNECT was answered with a refusal.
    Refused {
        /// Where it comes from.
        address: Option<SocketAddr>,
        /// Why.
        reason: ReasonCode,
        /// Which field or bound.
        detail: String,
    },
    /// A connection is over.
    Ended {
        /// Its client id; `None` before CONNECT.
        client_id: Option<Text>,
        /// Why.
        end: EndReason,
    },
    /// A session was forgotten.
    SessionEnded {
        /// Its client id.
        client_id: Text,
    },
    /// Deliveries to a client did not take place. Told once when it begins; the counters have the rest.
    Dropping {
        /// Whose messages.
        client_id: Text,
        /// Why.
        reason: DropReason,
        /// The name of the setting that it has met.
        limit: &'static str,
    },
    /// Something was refused because of a bound.
    Limited {
        /// Who met it; empty where that is not known, or longer than may be.
        client_id: Text,
        /// Where it comes from, if it was not let in.
        address: Option<SocketAddr>,
        /// The name of the setting.
        limit: &'static str,
    },
    /// What is held for clients has come to a bound, or is below it again.
    Pressure {
        /// What is done about it from now on.
        pressure: Pressure,
        /// Bytes that are held.
        held: usize,
        /// The name of the setting.
        limit: &'static str,
    },
    /// A client asked for more than a bound and got what the bound allows. Told once a session; the counters have the
    /// rest.
    Adjusted {
        /// Who asked.
        client_id: Text,
        /// The name of the setting.
        limit: &'static str,
    },
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The client said goodbye.
    Disconnect(ReasonCode),
    /// The transport ended without a word.
    Lost,
    /// Nothing came for one and a half times the keep-alive.
    KeepAlive,
    /// The same client id connected again.
    TakenOver,
    /// The client broke a rule.
    Violation {
        /// The code that it was told.
        reason: ReasonCode,
        /// Which rule.
        detail: String,
    },
    /// The client was to show again who it is, and did not.
    NotAuthorized {
        /// What was wrong.
        detail: String,
    },
    /// The broker stops.
    Shutdown,
}

/// Why a delivery did not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// QoS 0, and more than `output_bytes_max` wait for the connection.
    OutputFull,
    /// More than `queued_messages_max` or `queued_bytes_max` wait for the session.
    QueueFull,
    /// `held_bytes_max` is reached, and the client is not ready for the message.
    MemoryFull,
    /// The packet would be larger than the client takes [MQTT-3.1.2-24].
    PacketTooLarge,
    /// The message expired before it could be delivered [MQTT-3.3.2-5].
    Expired,
    /// A client published to a topic that is the broker's.
    ReservedTopic,
    /// Access was denied.
    Denied,
    /// There are `retained_messages_max` messages, or `retained_bytes_max` bytes of them.
    RetainedFull,
    /// The payload is not what its payload format indicator says.
    PayloadFormat,
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::OutputFull,
        Self::QueueFull,
        Self::MemoryFull,
        Self::PacketTooLarge,
        Self::Expired,
        Self::ReservedTopic,
        Self::Denied,
        Self::RetainedFull,
        Self::PayloadFormat,
    ];

    /// Its name in counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutputFull => "output_full",
            Self::QueueFull => "queue_full",
            Self::MemoryFull => "memory_full",
            Self::PacketTooLarge => "packet_too_large",
            Self::Expired => "expired",
            Self::ReservedTopic => "reserved_topic",
            Self::Denied => "denied",
            Self::RetainedFull => "retained_full",
            Self::PayloadFormat => "payload_format",
        }
    }

    /// For a table by reason.
    pub const fn as_index(self) -> usize {
        self as usize
    }
}
