//! What a broker holds and takes at most: each bound with its default and its reason.

use std::time::Duration;

use hearth_protocol::ReasonCode;

/// The bounds of a broker. All count what the name says; `bytes` are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet from a client, fixed header included. 16 MiB: firmware images pass, and a client's claim
    /// cannot make the broker hold the 256 MiB that the standard allows.
    pub packet_bytes_max: usize,
    /// Longest client identifier. 256: more than any device uses, and ids are held for each session.
    pub client_id_bytes_max: usize,
    /// User name with password, or the data of an authentication method, in one packet. 8 KiB: the tokens of identity
    /// providers fit, and they are held for clients that nobody knows yet.
    pub credentials_bytes_max: usize,
    /// Longest topic name or filter. 4,096: paths of real plants stay below 300.
    pub topic_bytes_max: usize,
    /// Most levels of a topic name or filter. 128: matching costs a step for each.
    pub topic_levels_max: usize,
    /// Subscriptions of one session. 10,000: a panel that lists every device one by one still fits.
    pub subscriptions_per_session_max: usize,
    /// Of those, subscriptions to the live tree. 128: a page shows as many open branches at most, and each is looked at several
    /// times a second.
    pub views_per_session_max: usize,
    /// Subscriptions to the live tree of all sessions. 4,096: hundreds of pages; each may hold what it was shown, 100 KiB at most.
    pub views_max: usize,
    /// Filters in one SUBSCRIBE or UNSUBSCRIBE. 1,000: bounds the work of one packet.
    pub filters_per_packet_max: usize,
    /// QoS 1 and 2 messages that a client may have under way to the broker, and the broker to a client whose
    /// own bound is higher. 1,024: fills a long link, and bounds what must be sent again after a cut.
    pub inflight_max: u16,
    /// QoS 1 and 2 messages that wait for one session. 100,000: a night of a busy sensor network.
    pub queued_messages_max: usize,
    /// Bytes of topics, payloads and properties that wait for one session; as many, and one message more, may be under way
    /// to it. 64 MiB.
    pub queued_bytes_max: usize,
    /// Bytes on their way to one connection above which QoS 0 messages for it are dropped and others wait.
    /// As much of what it has published may wait for the disk to go to other shards, before it is read no further.
    /// 1 MiB: a second of a fast client, and 1,000 stuck ones cost a gigabyte, not more.
    pub output_bytes_max: usize,
    /// Bytes that all shards together hold for clients, each message once, and what refers to them. From there on
    /// publishers are not read; see [`Pressure`](crate::Pressure). 1 GiB; the server takes half of its machine's memory.
    pub held_bytes_max: usize,
    /// Retained messages. 1,000,000.
    pub retained_messages_max: usize,
    /// Bytes of topics, payloads and properties of retained messages. 1 GiB.
    pub retained_bytes_max: usize,
    /// Topic aliases that a client may use on one connection. 64: each holds a topic name.
    pub topic_alias_max: u16,
    /// Highest topic alias that the broker uses towards a client, if the client allows as many. 32: the topics of a
    /// chatty connection; each is held once more.
    pub topic_alias_out_max: u16,
    /// Bytes of the user properties of one packet, on the wire: five a pair beside its name and value. 16 KiB: far above
    /// what tracing headers take, and they are copied to every subscriber.
    pub user_property_bytes_max: usize,
    /// Bytes of topic, payload and properties of a will. 64 KiB: it is held for as long as its client is connected.
    pub will_bytes_max: usize,
    /// Wills that one shard holds. 100,000: one for each connection.
    pub wills_per_shard_max: usize,
    /// Seconds that a transport may be up without CONNECT, and an exchange of AUTH packets may take. 10: a device on a
    /// bad radio link needs seconds, not more.
    pub connect_seconds_max: u16,
    /// Connections of all shards together. 100,000: below the file descriptors of a large machine.
    pub connections_max: usize,
    /// Sessions of one shard, connected or not. 1,000,000: clients with ever new ids must not fill the memory within
    /// the time that sessions are kept.
    pub sessions_per_shard_max: usize,
    /// Shortest keep-alive in seconds; a shorter one, but not 0, becomes this in version 5. 1 leaves the client its
    /// will.
    pub keep_alive_min_seconds: u16,
    /// Longest keep-alive in seconds that is granted; 0 and more than this become this in version 5.
    /// 65,535 leaves the client its will.
    pub keep_alive_max_seconds: u16,
    /// Longest life of a session without a connection, in seconds. 7 days: what nobody comes back for must
    /// not be held for ever.
    pub session_expiry_max_seconds: u32,
    /// Topics whose subscribers are remembered per shard. 16,384: about 2 MiB.
    pub topic_cache_max: usize,
}

impl Limits {
    /// Bytes of a packet before the client is let in: of CONNECT, and of AUTH behind it. It follows from the bounds of
    /// what CONNECT has, and leaves room for four of the longest fields more, so that a client that exceeds one of the
    /// bounds is told which.
    pub fn connect_bytes_max(&self) -> usize {
        const SPARE: usize = 4 * (64 << 10);
        [
            self.client_id_bytes_max,
            self.credentials_bytes_max,
            self.will_bytes_max,
            self.user_property_bytes_max,
            SPARE,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
        .min(self.packet_bytes_max)
    }

    /// `connect_seconds_max` as a duration.
    pub fn connect_time_max(&self) -> Duration {
        Duration::from_secs(u64::from(self.connect_seconds_max))
    }

    /// The bound that a topic name or the pattern of a filter does not keep.
    pub(crate) fn exceeded_by_topic(&self, topic: &str) -> Option<Limit> {
        // A level takes a byte or more, but for the last one: short topics need no count.
        let may_have_too_many_levels = topic.len() >= self.topic_levels_max;
        if topic.len() > self.topic_bytes_max {
            Some(Limit::TopicBytes)
        } else if may_have_too_many_levels && topic.split('/').count() > self.topic_levels_max {
            Some(Limit::TopicLevels)
        } else {
            None
        }
    }
}

/// A bound that a client can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each stands for the field of `Limits` with its name")]
pub enum Limit {
    PacketBytes,
    ClientIdBytes,
    TopicBytes,
    TopicLevels,
    Subscriptions,
    FiltersPerPacket,
    Inflight,
    QueuedMessages,
    QueuedBytes,
    OutputBytes,
    HeldBytes,
    RetainedMessages,
    RetainedBytes,
    TopicAlias,
    UserPropertyBytes,
    WillBytes,
    Wills,
    ConnectTime,
    Connections,
    Sessions,
    CredentialsBytes,
    KeepAliveMin,
    KeepAliveMax,
    SessionExpiry,
    ViewsOfSession,
    Views,
}

/// A set of bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitSet(u32);

impl Limit {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 26] = [
        Self::PacketBytes,
        Self::ClientIdBytes,
        Self::TopicBytes,
        Self::TopicLevels,
        Self::Subscriptions,
        Self::FiltersPerPacket,
        Self::Inflight,
        Self::QueuedMessages,
        Self::QueuedBytes,
        Self::OutputBytes,
        Self::HeldBytes,
        Self::RetainedMessages,
        Self::RetainedBytes,
        Self::TopicAlias,
        Self::UserPropertyBytes,
        Self::WillBytes,
        Self::Wills,
        Self::ConnectTime,
        Self::Connections,
        Self::Sessions,
        Self::CredentialsBytes,
        Self::KeepAliveMin,
        Self::KeepAliveMax,
        Self::SessionExpiry,
        Self::ViewsOfSession,
        Self::Views,
    ];

    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// For a table by limit.
    pub const fn as_index(self) -> usize {
        self as usize
    }

    /// The setting that it stands for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PacketBytes => "packet_bytes_max",
            Self::ClientIdBytes => "client_id_bytes_max",
            Self::TopicBytes => "topic_bytes_max",
            Self::TopicLevels => "topic_levels_max",
            Self::Subscriptions => "subscriptions_per_session_max",
            Self::FiltersPerPacket => "filters_per_packet_max",
            Self::Inflight => "inflight_max",
            Self::QueuedMessages => "queued_messages_max",
            Self::QueuedBytes => "queued_bytes_max",
            Self::OutputBytes => "output_bytes_max",
            Self::HeldBytes => "held_bytes_max",
            Self::RetainedMessages => "retained_messages_max",
            Self::RetainedBytes => "retained_bytes_max",
            Self::TopicAlias => "topic_alias_max",
            Self::UserPropertyBytes => "user_property_bytes_max",
            Self::WillBytes => "will_bytes_max",
            Self::Wills => "wills_per_shard_max",
            Self::ConnectTime => "connect_seconds_max",
            Self::Connections => "connections_max",
            Self::Sessions => "sessions_per_shard_max",
            Self::CredentialsBytes => "credentials_bytes_max",
            Self::KeepAliveMin => "keep_alive_min_seconds",
            Self::KeepAliveMax => "keep_alive_max_seconds",
            Self::SessionExpiry => "session_expiry_max_seconds",
            Self::ViewsOfSession => "views_per_session_max",
            Self::Views => "views_max",
        }
    }

    /// What its client is told.
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::PacketBytes => "the packet has more bytes than packet_bytes_max",
            Self::ClientIdBytes => "client identifier: longer than client_id_bytes_max",
            Self::TopicBytes => "the topic is longer than topic_bytes_max",
            Self::TopicLevels => "the topic has more levels than topic_levels_max",
            Self::Subscriptions => "the session has subscriptions_per_session_max subscriptions",
            Self::FiltersPerPacket => "the packet has more filters than filters_per_packet_max",
            Self::Inflight => "more messages are under way than inflight_max",
            Self::QueuedMessages => "every subscriber has queued_messages_max messages waiting",
            Self::QueuedBytes => "every subscriber has queued_bytes_max bytes waiting",
            Self::HeldBytes => "the broker holds held_bytes_max bytes for its clients",
            Self::OutputBytes => "more than output_bytes_max bytes are on their way",
            Self::RetainedMessages => "there are retained_messages_max retained messages",
            Self::RetainedBytes => "there are retained_bytes_max bytes of retained messages",
            Self::TopicAlias => "the topic alias is above topic_alias_max",
            Self::UserPropertyBytes => "the user properties have more bytes than user_property_bytes_max",
            Self::WillBytes => "the will has more bytes than will_bytes_max",
            Self::Wills => "the broker holds wills_per_shard_max wills",
            Self::ConnectTime => "CONNECT and its login took longer than connect_seconds_max",
            Self::Connections => "there are connections_max connections",
            Self::Sessions => "there are sessions_per_shard_max sessions",
            Self::CredentialsBytes => "the credentials have more bytes than credentials_bytes_max",
            Self::KeepAliveMin => "the keep-alive is below keep_alive_min_seconds",
            Self::KeepAliveMax => "the keep-alive is above keep_alive_max_seconds",
            Self::SessionExpiry => "the session expiry is above session_expiry_max_seconds",
            Self::ViewsOfSession => "the session has views_per_session_max subscriptions to the live tree",
            Self::Views => "there are views_max subscriptions to the live tree",
        }
    }

    /// The bound that a client has met when its connection ends for this reason.
    pub(crate) const fn of_violation(reason: ReasonCode) -> Option<Self> {
        if matches!(reason, ReasonCode::PacketTooLarge) {
            Some(Self::PacketBytes)
        } else if matches!(reason, ReasonCode::ReceiveMaximumExceeded) {
            Some(Self::Inflight)
        } else if matches!(reason, ReasonCode::TopicAliasInvalid) {
            Some(Self::TopicAlias)
        } else {
            None
        }
    }
}

impl LimitSet {
    pub(crate) const EMPTY: Self = Self(0);

    /// Whether it was not in the set before.
    pub(crate) const fn insert(&mut self, limit: Limit) -> bool {
        let bit = 1 << limit as u8;
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 16 << 20,
            client_id_bytes_max: 256,
            credentials_bytes_max: 8 << 10,
            topic_bytes_max: 4096,
            topic_levels_max: 128,
            subscriptions_per_session_max: 10_000,
            views_per_session_max: 128,
            views_max: 4096,
            filters_per_packet_max: 1000,
            inflight_max: 1024,
            queued_messages_max: 100_000,
            queued_bytes_max: 64 << 20,
            output_bytes_max: 1 << 20,
            held_bytes_max: 1 << 30,
            retained_messages_max: 1_000_000,
            retained_bytes_max: 1 << 30,
            topic_alias_max: 64,
            topic_alias_out_max: 32,
            user_property_bytes_max: 16 << 10,
            will_bytes_max: 64 << 10,
            wills_per_shard_max: 100_000,
            connect_seconds_max: 10,
            connections_max: 100_000,
            sessions_per_shard_max: 1_000_000,
            keep_alive_min_seconds: 1,
            keep_alive_max_seconds: u16::MAX,
            session_expiry_max_seconds: 7 * 24 * 3600,
            topic_cache_max: 16_384,
        }
    }
}
