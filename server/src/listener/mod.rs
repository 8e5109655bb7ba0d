//! What listens, and how a connection gets from there to its shard.

mod accept;
mod bound;
pub(crate) mod client_id;
mod door;
mod handshake;
pub(crate) mod http;
pub(crate) mod mqtt;
#[cfg(unix)]
mod socket_file;
pub(crate) mod websocket;

pub(crate) use bound::Bound;
pub use bound::{BindError, Kind};
pub(crate) use door::Door;
