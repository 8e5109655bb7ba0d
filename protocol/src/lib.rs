//! MQTT 3.1, 3.1.1 and 5.0 without I/O: no sockets, no clock, no randomness.
//!
//! Imports point one way: leaf types, then [`packet`], then [`codec`] and [`session`], then [`connection`].

pub mod codec;
pub mod connection;
#[cfg(feature = "generate")]
pub mod generate;
pub mod packet;
pub mod property;
pub mod qos;
pub mod query;
pub mod reason;
pub mod session;
pub mod text;
pub mod time;
pub mod topic;
pub mod version;

pub use packet::Packet;
pub use qos::QoS;
pub use query::Query;
pub use reason::ReasonCode;
pub use text::Text;
pub use time::Time;
pub use topic::{TopicFilter, TopicName};
pub use version::Version;
