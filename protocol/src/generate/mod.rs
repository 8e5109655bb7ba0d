//! Random packets and damaged bytes from a seed, for tests and fuzzers; behind the feature `generate`.

mod damage;
mod identity;
mod packets;
mod random;

pub use damage::{damage, malformed_input};
pub use identity::decode_encode_decode;
pub use packets::packet;
pub use random::Random;
