//! The past of a topic.

use serde::{Deserialize, Serialize};

/// The answer of `/api/v1/history`.
///
/// Parameters: `topic`; `field`, a JSON pointer (RFC 6901), or nothing for payloads that are values themselves; `from` and
/// `to`, both included, in RFC 3339 or milliseconds since 1970, without them the last day; `points`, how many are wanted at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The topic that was asked for.
    pub topic: String,
    /// The field, as it is listed; empty: the payload itself.
    pub field: String,
    /// Milliseconds since 1970.
    pub from: i64,
    /// As `from`.
    pub to: i64,
    /// How many values there are in this time. When they are more than the points below, those are the first, the
    /// smallest, the largest and the last of each of as many pieces of the time.
    pub count: u64,
    /// Milliseconds since 1970 and the value, by time.
    pub points: Vec<(i64, f64)>,
}

/// The answer of `/api/v1/history/series`.
///
/// Parameter: `filter`, a topic filter; without it, all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistorySeriesList {
    /// By topic, then by field.
    pub series: Vec<HistorySeries>,
}

/// What is known of the values of one topic's field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistorySeries {
    /// The topic.
    pub topic: String,
    /// A JSON pointer; empty: the payload itself.
    pub field: String,
    /// How many values there are.
    pub count: u64,
    /// When the first came, in milliseconds since 1970.
    pub first: i64,
    /// When the last came.
    pub last: i64,
}
