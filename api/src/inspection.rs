//! What outlives the broker's process, as it lies on the disk.

use serde::{Deserialize, Serialize};

/// What `hearth inspect --json` prints. Times are in milliseconds since 1970; bytes of messages are those of their rows: topic,
/// payload, properties, and some twenty more each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The database.
    pub database: String,
    /// The version of its format.
    pub format: u32,
    /// Whether a Hearth uses its folder now.
    pub in_use: bool,
    /// When this was read.
    pub read_at: u64,
    /// The database and the files beside it, by name.
    pub files: Vec<StoredFile>,
    /// Sums over all of it.
    pub totals: StoredTotals,
    /// The sessions, by client identifier.
    pub sessions: Vec<StoredSession>,
    /// The largest retained messages, ten at most, the largest first.
    pub largest_retained: Vec<StoredTopic>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Sums over a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTotals {
    /// Sessions.
    pub sessions: u64,
    /// Subscriptions of them.
    pub subscriptions: u64,
    /// Messages that wait or are under way, each once, however many sessions need it.
    pub messages: StoredAmount,
    /// Retained messages.
    pub retained: StoredAmount,
    /// Rows that are not what was written; the next start sets them aside.
    pub damaged_rows: u64,
    /// Rows that earlier starts have set aside.
    pub set_aside_rows: u64,
    /// Rows that belong to nothing; the next start removes them.
    pub loose_rows: u64,
}

/// So many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAmount {
    /// How many.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// The client identifier.
    pub client_id: String,
    /// The user whose it is.
    pub user: Option<String>,
    /// The version of its last connection: `3.1`, `3.1.1` or `5.0`.
    pub version: String,
    /// Whether its client is there.
    pub state: StoredSessionState,
    /// Since when it is away.
    pub away_since: Option<u64>,
    /// How long it outlives its connection; none: for ever.
    pub expiry_seconds: Option<u32>,
    /// When it ends unless its client comes back; none while that is not known, or for ever.
    pub expires_at: Option<u64>,
    /// What it subscribes to, by filter.
    pub subscriptions: Vec<StoredSubscription>,
    /// Messages that have not gone out to it.
    pub waiting: StoredAmount,
    /// Messages that have a packet identifier, and were not acknowledged.
    pub under_way: StoredAmount,
    /// Where its QoS 2 messages stand.
    pub qos2: StoredFlows,
    /// Its will.
    pub will: Option<StoredWill>,
}

/// Whether the client of a session is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredSessionState {
    /// It is connected.
    Connected,
    /// It is not.
    Away,
    /// It was when the broker ended; from the next start on it is away.
    Interrupted,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSubscription {
    /// The filter, with the group of a shared one.
    pub filter: String,
    /// The highest QoS that it brings.
    pub qos: u8,
}

/// How many QoS 2 messages of a session stand where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFlows {
    /// From the client: PUBREL has yet to come.
    pub received: u64,
    /// To the client: PUBREC has yet to come.
    pub sent: u64,
    /// To the client: PUBCOMP has yet to come.
    pub released: u64,
}

/// A will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredWill {
    /// Where it goes.
    pub topic: String,
    /// With which QoS.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// Bytes of its payload.
    pub payload_bytes: u64,
    /// When it goes out; none while its client is connected.
    pub due_at: Option<u64>,
}

/// A topic with a retained message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTopic {
    /// The topic.
    pub topic: String,
    /// Bytes of the message.
    pub bytes: u64,
}
