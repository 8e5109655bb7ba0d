//! Whether the process lives.

use serde::{Deserialize, Serialize};

/// The answer of `/healthz`; that there is one says it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always `alive`.
    pub state: HealthState,
}

/// The state of a process that can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It answers.
    Alive,
}
