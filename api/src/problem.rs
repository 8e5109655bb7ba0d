//! Why a request has no other answer.

use serde::{Deserialize, Serialize};

/// The answer to a request that cannot be served; the status of HTTP says of what kind it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong and what to do, for a person.
    pub error: String,
    /// The parameter of the request that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}
