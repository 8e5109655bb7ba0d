//! What a peer did that it must not.

use std::borrow::Cow;

use crate::ReasonCode;
use crate::codec::DecodeError;

/// A peer broke a rule: its connection ends with the reason code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ProtocolError {
    /// For DISCONNECT, or for CONNACK when the connection is not open yet.
    pub reason: ReasonCode,
    /// Which field or packet, and the clause.
    pub detail: Cow<'static, str>,
}

impl ProtocolError {
    /// A broken rule.
    pub fn new(reason: ReasonCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<DecodeError> for ProtocolError {
    fn from(error: DecodeError) -> Self {
        Self { reason: error.reason(), detail: error.to_string().into() }
    }
}
