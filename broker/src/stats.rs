//! What a shard has counted since it began.

use crate::effect::DropReason;
use crate::limits::Limit;

/// Counters of one shard, which only rise; and, where it says so, what there is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Open connections now.
    pub connections: usize,
    /// Clients whose CONNECT was accepted and that are here now.
    pub connected: usize,
    /// Sessions now, connected or not.
    pub sessions: usize,
    /// Subscriptions now.
    pub subscriptions: usize,
    /// Shared ones among them.
    pub shared_subscriptions: usize,
    /// Wills that are held now.
    pub wills: usize,
    /// QoS 1 and 2 messages that wait for a session or its acknowledgement now.
    pub waiting: usize,
    /// Bytes of those messages; one that waits for several sessions counts for each.
    pub waiting_bytes: usize,
    /// Connections that were opened.
    pub opened: u64,
    /// CONNECTs that were accepted.
    pub accepted: u64,
    /// Sessions that ended because nobody came back for them.
    pub sessions_expired: u64,
    /// Control packets that came in.
    pub packets_in: u64,
    /// Control packets put into an output.
    pub packets_out: u64,
    /// Bytes of the packets that came in.
    pub bytes_in: u64,
    /// Bytes of the packets put into an output.
    pub bytes_out: u64,
    /// Bytes of the payloads that came in.
    pub payload_bytes_in: u64,
    /// Bytes of the payloads put into an output.
    pub payload_bytes_out: u64,
    /// PUBLISH packets that came in, by QoS.
    pub published: [u64; 3],
    /// Messages put into an output, by QoS.
    pub delivered: [u64; 3],
    /// Messages sent to other shards.
    pub forwarded: u64,
    /// Deliveries that did not take place, by reason.
    pub dropped: [u64; DropReason::COUNT],
    /// What was refused because of a bound, by [`Limit`].
    pub limited: [u64; Limit::COUNT],
    /// Connections that a packet against the rules has ended.
    pub protocol_errors: u64,
    /// CONNECTs that were refused.
    pub refused: u64,
}
