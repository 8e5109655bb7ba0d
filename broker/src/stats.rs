//! What a shard has counted since it began.

use crate::effect::DropReason;

/// Counters of one shard; they only rise, but for the four that say how many there are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Open connections now.
    pub connections: usize,
    /// Sessions now, connected or not.
    pub sessions: usize,
    /// Subscriptions now.
    pub subscriptions: usize,
    /// Shared ones among them.
    pub shared_subscriptions: usize,
    /// PUBLISH packets that came in, by QoS.
    pub published: [u64; 3],
    /// Messages put into an output, by QoS.
    pub delivered: [u64; 3],
    /// Messages sent to other shards.
    pub forwarded: u64,
    /// Deliveries that did not take place, by reason.
    pub dropped: [u64; DropReason::COUNT],
    /// What was refused because of one of the [`Limits`](crate::Limits).
    pub limited: u64,
    /// Connections that a packet against the rules has ended.
    pub protocol_errors: u64,
    /// CONNECTs that were refused.
    pub refused: u64,
}
