//! `/api/v1/info`: what this broker is.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use hearth_api::Info;

use super::healthz::NO_STORE;
use super::{Shards, Status};

/// Tells version, uptime and listeners.
pub(super) async fn show<S: Shards>(State(status): State<Status<S>>) -> impl IntoResponse {
    let info = Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: status.started.elapsed().as_secs(),
        shards: status.shards.count(),
        listeners: status.listeners.to_vec(),
    };
    (NO_STORE, Json(info))
}
