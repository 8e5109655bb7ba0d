//! `/api/v1/door`: who is in, and who was turned away.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use hearth_api::Door;

use super::healthz::NO_STORE;
use super::{Shards, Status};

/// Tells connections and refusals.
pub(super) async fn show<S: Shards>(State(status): State<Status<S>>) -> impl IntoResponse {
    let refused = status.admission.refusals().filter(|(_, count)| *count > 0);
    let door = Door {
        connections: status.shards.connections(),
        refused: refused.map(|(setting, count)| (setting.to_owned(), count)).collect(),
    };
    (NO_STORE, Json(door))
}
