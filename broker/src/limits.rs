//! What a broker holds and takes at most: each bound with its default and its reason.

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
    /// Filters in one SUBSCRIBE or UNSUBSCRIBE. 1,000: bounds the work of one packet.
    pub filters_per_packet_max: usize,
    /// QoS 1 and 2 messages that a client may have under way to the broker, and the broker to a client whose
    /// own bound is higher. 1,024: fills a long link, and bounds what must be sent again after a cut.
    pub inflight_max: u16,
    /// QoS 1 and 2 messages that wait for one session. 100,000: a night of a busy sensor network.
    pub queued_messages_max: usize,
    /// Bytes of payload and topic that wait for one session. 64 MiB.
    pub queued_bytes_max: usize,
    /// Bytes on their way to one connection above which QoS 0 messages for it are dropped and others wait.
    /// 1 MiB: a second of a fast client, and 1,000 stuck ones cost a gigabyte, not more.
    pub output_bytes_max: usize,
    /// Retained messages. 1,000,000.
    pub retained_messages_max: usize,
    /// Bytes of payload and topic of retained messages. 1 GiB.
    pub retained_bytes_max: usize,
    /// Topic aliases that a client may use on one connection. 64: each holds a topic name.
    pub topic_alias_max: u16,
    /// Connections of one shard. 100,000: below the file descriptors of a large machine.
    pub connections_per_shard_max: usize,
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

/// A bound that one client can meet again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Limit {
    TopicBytes,
    TopicLevels,
    FiltersPerPacket,
    Subscriptions,
    Retained,
}

/// A set of bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitSet(u8);

impl Limit {
    /// The setting, or the settings, that it stands for.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TopicBytes => "topic_bytes_max",
            Self::TopicLevels => "topic_levels_max",
            Self::FiltersPerPacket => "filters_per_packet_max",
            Self::Subscriptions => "subscriptions_per_session_max",
            Self::Retained => "retained_messages_max or retained_bytes_max",
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
            filters_per_packet_max: 1000,
            inflight_max: 1024,
            queued_messages_max: 100_000,
            queued_bytes_max: 64 << 20,
            output_bytes_max: 1 << 20,
            retained_messages_max: 1_000_000,
            retained_bytes_max: 1 << 30,
            topic_alias_max: 64,
            connections_per_shard_max: 100_000,
            keep_alive_max_seconds: u16::MAX,
            session_expiry_max_seconds: 7 * 24 * 3600,
            topic_cache_max: 16_384,
        }
    }
}
