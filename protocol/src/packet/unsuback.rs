//! UNSUBACK: what became of each filter.

use super::{PacketId, ReasonProperties};
use crate::ReasonCode;

/// The answer to UNSUBSCRIBE (MQTT 5.0, 3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubAck {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter in version 5; empty on the wire before.
    pub reasons: Vec<ReasonCode>,
    /// Version 5 only; default before.
    pub properties: ReasonProperties,
}
