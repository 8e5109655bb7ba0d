//! Random packets and damaged bytes from a seed, for tests and fuzzers; behind the feature `generate`.

mod damage;
mod packets;
mod random;

pub use damage::{damage, malformed_input};
pub use packets::packet;
pub use random::Random;
