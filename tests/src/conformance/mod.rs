//! The numbered requirements of MQTT 3.1.1 and 5.0, each shown by a test that names it.
//!
//! Directly above a test stand the clauses that it shows, one line for a version and a side; `cargo xtask conformance` reads
//! these lines, runs the tests and writes `docs/conformance.md`. Which clauses there are, and whom each binds, stands in
//! `tests/conformance`. A test must fail when one of its clauses is broken.

mod broker;
mod client;
mod clock;
mod packets;
mod raw;

mod acknowledgements;
mod auth;
mod client_id;
mod connack;
mod connect;
mod disconnect;
mod errors;
mod flow_control;
mod format;
mod keep_alive;
mod ordering;
mod ping;
mod publish;
mod publish_properties;
mod qos_flows;
mod redelivery;
mod retained;
mod session_state;
mod sessions;
mod shared_subscriptions;
mod strings;
mod subscribe;
mod subscription_ids;
mod terms;
mod topics;
mod unsubscribe;
mod websocket;
mod wills;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth_protocol::packet::{Connect, Packet};
use hearth_protocol::{ReasonCode, Version};

use self::raw::RawConnect;
use crate::wire::Wire;

/// The versions whose clauses are numbered.
pub const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

/// A client id or topic that no other test has: the tests of a module share a broker.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A connection of a new client with a clean start and nothing else.
#[track_caller]
pub fn client(broker: SocketAddr, version: Version) -> Wire {
    Wire::connect(broker, crate::wire::connect(version, &unique("c"))).0
}

/// A connection that sends these bytes first.
#[track_caller]
pub fn greet(broker: SocketAddr, version: Version, bytes: &[u8]) -> Wire {
    let mut wire = Wire::open(broker, version);
    wire.send_bytes(bytes);
    wire
}

/// Sends bytes as a new client after its CONNACK; the broker must close. What it said before that, if anything.
#[track_caller]
pub fn closed_by(broker: SocketAddr, version: Version, bytes: &[u8]) -> Option<Packet> {
    let mut wire = greet(broker, version, &RawConnect::new(version, &unique("c")).bytes());
    assert!(matches!(wire.next(), Packet::ConnAck(answer) if !answer.reason.is_failure()));
    wire.send_bytes(bytes);
    wire.wait_for_end()
}

/// Whether a CONNECT that is malformed was answered by the end alone, or in version 5 by saying so before it.
pub fn is_refusal(version: Version, last: Option<&Packet>) -> bool {
    match last {
        None => true,
        Some(Packet::ConnAck(answer)) => version.is_v5() && answer.reason == ReasonCode::MalformedPacket,
        Some(_) => false,
    }
}

/// A CONNECT whose session is resumed if there is one, and which outlives its connection.
pub fn persistent(version: Version, client_id: &str) -> Connect {
    let mut connect = Connect { clean_start: false, ..crate::wire::connect(version, client_id) };
    connect.properties.session_expiry = version.is_v5().then_some(3600);
    connect
}
