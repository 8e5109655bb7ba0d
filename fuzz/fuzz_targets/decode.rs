//! What the decoder takes, the encoder writes, and the decoder takes again as the same packet.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    hearth_protocol::generate::decode_any(tape);
});
