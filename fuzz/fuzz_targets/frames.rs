//! MQTT in WebSocket frames, of a good client and of any other.
#![no_main]

#[path = "../../server/src/frames.rs"]
#[allow(dead_code, reason = "the server uses more of it")]
mod frames;

#[path = "../../server/src/fuzz/frames.rs"]
mod body;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    body::frames(tape);
});
