//! What a client may and may not send, in every state of the server's connection.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    hearth_protocol::generate::server_connection(tape);
});
