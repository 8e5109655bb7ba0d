//! A bounded run of the fuzz targets of the broker.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that meets an error fails and tells its input"
)]

#[path = "../../fuzz/inputs.rs"]
mod inputs;

use hearth_broker::generate;

#[test]
fn whatever_clients_send_and_however_shards_are_delayed_bounds_hold_and_nothing_is_left() {
    let messages = inputs::run("shard", 150, 1_500, generate::shards);
    assert!(messages > 1_000, "{messages} messages are no test");
}

#[test]
fn filters_match_as_a_naive_reading_of_the_standard_says() {
    let targets = inputs::run("topics", 1_500, 400, generate::topics);
    assert!(targets > 1_000, "{targets} targets are no test");
}
