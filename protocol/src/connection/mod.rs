//! One network connection: what a peer may send when, and what both sides agreed on.

mod alias;
mod backoff;
pub mod client;
mod error;
pub mod server;

pub use alias::{OutboundAliases, TopicNaming};
pub use backoff::Backoff;
pub use client::{AuthError, Client, ClientEvent, ClientOptions, PublishError, RequestError, Token};
pub use error::ProtocolError;
pub use server::{PeerTerms, ServerConnection, ServerTerms};
