//! What a broker holds and takes at most: each bound with its default and its reason.

/// The bounds of a broker. All count what the name says; `bytes` are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet from a client, fixed header included. 16 MiB: firmware images pass, and a client's claim
    /// cannot make the broker hold the 256 MiB that the standard allows.
    pub packet_bytes_max: usize,
    /// Longest client identifier. 256: more than any device uses, and ids are held for each session.
    pub client_id_bytes_max: usize,
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 16 << 20,
            client_id_bytes_max: 256,
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
