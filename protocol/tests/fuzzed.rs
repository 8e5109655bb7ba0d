//! A bounded run of the fuzz targets that need nothing but the protocol.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that meets an error fails and tells its input"
)]

#[path = "../../fuzz/inputs.rs"]
mod inputs;

use hearth_protocol::generate;

#[test]
fn every_packet_that_was_ever_found_is_decoded_encoded_and_decoded_the_same() {
    // Random bytes are hardly ever a packet; `generated.rs` has damaged ones.
    inputs::run("decode", 10_000, 30, generate::decode_any);
}

#[test]
fn a_server_connection_lets_through_what_its_state_allows_and_nothing_else() {
    let taken = inputs::run("server", 8_000, 1_000, generate::server_connection);
    assert!(taken > 40_000, "{taken} packets are no test");
}

#[test]
fn a_client_keeps_to_its_window_and_tells_the_fate_of_every_message_once() {
    let events = inputs::run("client", 2_000, 1_000, generate::client);
    assert!(events > 20_000, "{events} events are no test");
}
