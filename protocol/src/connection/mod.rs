//! One network connection: what a peer may send when, and what both sides agreed on.

mod alias;
mod backoff;
pub mod client;
mod error;
pub mod server;

pub use backoff::Backoff;
pub use error::ProtocolError;
