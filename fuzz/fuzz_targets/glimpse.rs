//! What the door sees of a CONNECT beside what the decoder reads.
#![no_main]

#[path = "../../server/src/listener/client_id.rs"]
mod client_id;

#[path = "../../server/src/fuzz/glimpse.rs"]
mod body;

mod listener {
    pub(crate) use crate::client_id;
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    body::glimpse_at(tape);
});
