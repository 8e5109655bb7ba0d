//! Filters, topics and shared subscriptions beside a naive oracle.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tape: &[u8]| {
    hearth_broker::generate::topics(tape);
});
