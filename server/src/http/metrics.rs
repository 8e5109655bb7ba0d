//! `/metrics`: what the broker has counted, for Prometheus and whoever reads OpenMetrics.

use std::time::Duration;

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::healthz::NO_STORE;
use crate::auth::Policies;
use crate::figures::Instruments;
use crate::listener::Caller;
use crate::metrics;

/// How long the shards may take to answer: half of the ten seconds that Prometheus waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// The text is OpenMetrics 1.0, which Prometheus reads since version 2.5 and tells by this.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What the resource needs; cheap to clone.
#[derive(Clone, Debug)]
struct Meter {
    instruments: Instruments,
    policies: Policies,
}

/// The resource.
pub(crate) fn metrics(instruments: Instruments, policies: Policies) -> MethodRouter {
    get(show).with_state(Meter { instruments, policies })
}

/// Tells all, to somebody who would be let in as a client without a name.
async fn show(State(meter): State<Meter>, caller: Option<Extension<ConnectInfo<Caller>>>) -> Response {
    let is_local = caller.is_some_and(|Extension(ConnectInfo(caller))| caller.is_local());
    if !meter.policies.admit_unnamed(is_local) {
        let error = "metrics are shown to those who may connect without a name (auth.anonymous); \
                     let the collector run on this machine\n";
        return (StatusCode::FORBIDDEN, NO_STORE, error).into_response();
    }
    let Some(figures) = meter.instruments.read(PATIENCE).await else {
        let error = "a shard does not say what it has counted; /readyz tells which one\n";
        return (StatusCode::SERVICE_UNAVAILABLE, NO_STORE, error).into_response();
    };
    ([(CONTENT_TYPE, OPEN_METRICS)], NO_STORE, metrics::text(&figures)).into_response()
}
