//! Why the broker did not do what a client asked for.

use hearth_protocol::ReasonCode;

use crate::limits::Limit;

/// A reason code with the words for it, which go to the client where its version and its wishes let them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: ReasonCode,
    pub(crate) detail: &'static str,
}

impl Refusal {
    pub(crate) const fn new(reason: ReasonCode, detail: &'static str) -> Self {
        Self { reason, detail }
    }

    /// A bound was met.
    pub(crate) const fn limit(reason: ReasonCode, limit: Limit) -> Self {
        Self { reason, detail: limit.detail() }
    }
}
