//! Random packets, damaged bytes, and what fuzzers run; behind the feature `generate`.
//!
//! A fuzz target is a function of a tape: bytes that are taken for choices one after the other, or, where it parses
//! bytes, for those. Tests run the same functions with seeded tapes, see `fuzz/inputs.rs`.

mod client_side;
mod damage;
mod identity;
mod packets;
mod random;
mod server_side;

pub use client_side::client;
pub use damage::{damage, malformed_input};
pub use identity::{decode_any, decode_encode_decode};
pub use packets::{client_packet, connect, packet};
pub use random::Random;
pub use server_side::server_connection;
