//! What fuzzers and tests run of the server's own parsers: WebSocket frames, and the glimpse at a CONNECT.
//!
//! The fuzz targets take these files as they are, beside the parsers, so that they need none of the server's
//! dependencies.

mod frames;
mod glimpse;

#[path = "../../../fuzz/inputs.rs"]
mod inputs;

#[test]
fn frames_carry_any_bytes_and_no_frame_of_a_peer_does_harm() {
    let bytes = inputs::run("frames", 3_000, 600, frames::frames);
    assert!(bytes > 50_000, "{bytes} bytes are no test");
}

#[test]
fn the_door_sees_the_client_id_that_the_decoder_will_see() {
    let seen = inputs::run("glimpse", 6_000, 300, glimpse::glimpse_at);
    assert!(seen > 1_000, "{seen} client ids are no test");
}
