//! What the broker is.

use serde::{Deserialize, Serialize};

/// The answer of `/api/v1/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Version of the broker, such as `0.1.0`.
    pub version: String,
    /// Whole seconds since it started.
    pub uptime_seconds: u64,
    /// Threads that serve clients.
    pub shards: u16,
    /// Where it listens, in the order of the settings.
    pub listeners: Vec<Listener>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// What it serves.
    pub kind: ListenerKind,
    /// Address and port, such as `127.0.0.1:1883` or `[::1]:1883`.
    pub address: String,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerKind {
    /// MQTT over TCP.
    Mqtt,
    /// The web app, and MQTT over WebSocket at `/mqtt`.
    Http,
    /// MQTT over WebSocket at any path.
    Ws,
    /// All of it on one port: MQTT over TCP, the web app, and MQTT over WebSocket at `/mqtt`.
    One,
}
