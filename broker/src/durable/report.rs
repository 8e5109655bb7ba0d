//! What the rows of a store amount to, for a person to look at: sizes and counts, no payloads.

use hearth_protocol::{QoS, Version};

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The sessions, by client identifier.
    pub sessions: Vec<SessionReport>,
    /// The messages that sessions wait for or have not acknowledged, each once.
    pub messages: Amount,
    /// The retained messages.
    pub retained: Amount,
    /// The largest of them, by topic, the largest first.
    pub largest_retained: Vec<(String, u64)>,
    /// Rows that belong to nothing; the next start removes them.
    pub loose_rows: u64,
}

/// So many messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub messages: u64,
    /// Their bytes as they are stored: topic, payload, properties, and some twenty more each.
    pub bytes: u64,
}

impl Amount {
    pub(super) const fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// Its client identifier.
    pub client_id: String,
    /// The user whose it is.
    pub user_name: Option<String>,
    /// The version of its last connection.
    pub version: Version,
    /// Seconds that it outlives its connection; `u32::MAX` is for ever.
    pub expiry_seconds: u32,
    /// When its connection ended, in milliseconds since 1970; `None` while there is one, or was when the broker ended.
    pub ended_at: Option<u64>,
    /// Its subscriptions, by filter.
    pub subscriptions: Vec<SubscriptionReport>,
    /// Messages that have not gone out.
    pub waiting: Amount,
    /// Messages that have a packet identifier, and were not acknowledged.
    pub under_way: Amount,
    /// Where its QoS 2 messages stand.
    pub exactly_once: ExactlyOnce,
    /// Its will.
    pub will: Option<WillReport>,
}

/// How many QoS 2 messages of a session stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExactlyOnce {
    /// From the client, which has yet to release them.
    pub received: u64,
    /// To the client, which has yet to say that it has them.
    pub sent: u64,
    /// To the client, which has them and has yet to say that the flow is over.
    pub released: u64,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionReport {
    /// The filter, with the group of a shared one.
    pub filter: String,
    /// The highest QoS that it brings.
    pub qos: QoS,
}

/// A will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WillReport {
    /// Where it goes.
    pub topic: String,
    /// With which QoS.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// Bytes of its payload.
    pub payload_bytes: u64,
    /// When it goes out, in milliseconds since 1970; `None` while the connection stands.
    pub due_at: Option<u64>,
}
