//! What a server may and may not send, in every state of the client.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    hearth_protocol::generate::client(tape);
});
