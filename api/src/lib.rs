//! The shapes that Hearth's REST interface, configuration and web app share.
//!
//! Everything travels as JSON with names in snake case. A reader must bear fields that it does not know.

mod door;
mod health;
mod history;
mod info;
mod inspection;
mod problem;
mod readiness;
mod tree;

pub use door::Door;
pub use health::{Health, HealthState};
pub use history::{History, HistorySeries, HistorySeriesList};
pub use info::{Info, Listener, ListenerKind};
pub use inspection::{
    Inspection, StoredAmount, StoredFile, StoredFlows, StoredSession, StoredSessionState, StoredSubscription,
    StoredTopic, StoredTotals, StoredWill,
};
pub use problem::Problem;
pub use readiness::{Readiness, ReadyState, Shard, ShardState, StoreState};
pub use tree::{TreeFound, TreeNode, TreeRow, TreeValue, TreeWindow};

/// Paths of the resources, relative to the folder that the web app is served from: a proxy may put that anywhere.
pub mod path {
    /// [`Health`](super::Health).
    pub const HEALTH: &str = "healthz";
    /// [`Readiness`](super::Readiness).
    pub const READINESS: &str = "readyz";
    /// [`Info`](super::Info).
    pub const INFO: &str = "api/v1/info";
    /// [`Door`](super::Door).
    pub const DOOR: &str = "api/v1/door";
    /// [`History`](super::History); a failure is a [`Problem`](super::Problem).
    pub const HISTORY: &str = "api/v1/history";
    /// [`HistorySeriesList`](super::HistorySeriesList).
    pub const HISTORY_SERIES: &str = "api/v1/history/series";
    /// MQTT over WebSocket.
    pub const MQTT: &str = "mqtt";
}
