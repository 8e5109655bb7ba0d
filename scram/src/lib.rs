//! SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides of the exchange and what a server keeps, without I/O.
//!
//! A client begins with [`ClientExchange::new`]; a server reads that with [`ClientFirst::parse`], looks up the
//! [`Verifier`] of the user and goes on with [`ClientFirst::challenge`]. Salts and nonces are parameters: whoever
//! calls has the randomness.

mod client;
mod error;
mod message;
mod prepare;
mod server;
mod verifier;

pub use client::{ClientExchange, ClientFinish};
pub use error::ScramError;
pub use prepare::prepared;
pub use server::{ClientFirst, ServerExchange};
pub use verifier::{Verifier, VerifierError};

/// The name of the method, as CONNECT and AUTH carry it.
pub const METHOD: &str = "SCRAM-SHA-256";

/// The fewest iterations that either side should take (RFC 7677, section 4).
pub const ITERATIONS_MIN: u32 = 4096;

/// The most iterations that a client does for a server: some seconds on a small machine. A server that asks for more
/// wants to keep it busy.
pub const ITERATIONS_MAX: u32 = 2_000_000;

/// A SHA-256 digest.
type Digest = [u8; 32];
