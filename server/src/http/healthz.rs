//! `/healthz`: the process lives.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use hearth_api::{Health, HealthState};

/// An answer of this moment only.
pub(super) const NO_STORE: [(axum::http::HeaderName, HeaderValue); 1] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// Says so. It asks nobody: a broker that is busy or stuck is still alive, and `/readyz` tells the difference.
pub(super) async fn show() -> impl IntoResponse {
    (NO_STORE, Json(Health { state: HealthState::Alive }))
}
