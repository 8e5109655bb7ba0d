//! What outlives a connection: packet identifiers and the QoS 1 and 2 messages under way.

mod inbound;
mod outbound;

pub use inbound::Inbound;
pub use outbound::{Outbound, Redelivery, UnknownPacketId};
