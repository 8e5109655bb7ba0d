//! What a shard has counted since it began.

use std::collections::BTreeMap;

use hearth_protocol::ReasonCode;

use crate::dropped::ClientDrops;
use crate::effect::DropReason;
use crate::held::Pressure;
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
    /// Bytes that this shard holds for clients now.
    pub held_bytes: usize,
    /// What it does about what all of them hold.
    pub pressure: Pressure,
    /// How often a publisher had to wait because of that.
    pub paused: u64,
    /// The sessions here of which the most was dropped.
    pub most_dropped: Vec<ClientDrops>,
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
    /// Bytes of the payloads that came in, by QoS.
    pub payload_bytes_in: [u64; 3],
    /// Bytes of the payloads put into an output, by QoS.
    pub payload_bytes_out: [u64; 3],
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
    /// Connections that a packet against the rules has ended, by what the client was told.
    pub protocol_errors: ReasonCounts,
    /// CONNECTs that were refused, by what the client was told, or would have been if its version had a word for it.
    pub refused: ReasonCounts,
}

/// How often something happened for which reason. There are as many entries as reasons that occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonCounts {
    by_byte: BTreeMap<u8, (ReasonCode, u64)>,
}

impl ReasonCounts {
    /// Counts one.
    pub fn add(&mut self, reason: ReasonCode) {
        self.by_byte.entry(reason.byte()).or_insert((reason, 0)).1 += 1;
    }

    /// Those that occurred, in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = (ReasonCode, u64)> {
        self.by_byte.values().copied()
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }
}
