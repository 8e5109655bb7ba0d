//! SUBACK: what became of each subscription.

use super::{PacketId, ReasonProperties};
use crate::ReasonCode;

/// The answer to SUBSCRIBE (MQTT 5.0, 3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubAck {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each subscription, in its order: a granted QoS or a failure. In version 3 the codec writes
    /// every failure as 0x80.
    pub reasons: Vec<ReasonCode>,
    /// Version 5 only; default before.
    pub properties: ReasonProperties,
}
