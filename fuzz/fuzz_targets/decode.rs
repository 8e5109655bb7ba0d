//! What the decoder takes, the encoder writes, and the decoder takes again as the same packet.
#![no_main]

use hearth_protocol::Version;
use hearth_protocol::generate::decode_encode_decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let version = [Version::V31, Version::V311, Version::V5][usize::from(input.0 % 3)];
    decode_encode_decode(input.1, version);
});
