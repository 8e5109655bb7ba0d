//! Whether the broker serves clients.

use serde::{Deserialize, Serialize};

/// The answer of `/readyz`: status 200 when ready, else 503.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// The whole.
    pub state: ReadyState,
    /// Each shard, in the order of their numbers.
    pub shards: Vec<Shard>,
    /// What outlives the process.
    pub store: StoreState,
}

/// The state of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// There is none: nothing outlives the process.
    Off,
    /// It takes what it is given.
    Writing,
    /// It takes nothing for now.
    Failing,
}

/// The state of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// Clients are served.
    Ready,
    /// Some shard does not answer: its clients wait.
    Stuck,
    /// The store cannot be written: messages that would have to be kept are not acknowledged, everything else goes on.
    StoreFailing,
    /// The broker is stopping: clients should go elsewhere.
    Stopping,
}

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its number, from 0.
    pub number: u16,
    /// Its state.
    pub state: ShardState,
}

/// The state of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardState {
    /// It answered.
    Serving,
    /// It did not answer in time.
    Silent,
}
