//! Several clients on one to three shards, with messages that are late between them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    hearth_broker::generate::shards(tape);
});
