//! How busy the broker's door is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer of `/api/v1/door`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// MQTT connections now.
    pub connections: u64,
    /// How many connections were turned away, or had to wait, since the start; by the name of the setting that did it.
    /// Only settings that did are named.
    pub refused: BTreeMap<String, u64>,
}
