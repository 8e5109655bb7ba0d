//! What the `http` listeners serve: the web app, the resources about the broker, and the way to MQTT.
//!
//! The serving loop is the listener's: it bounds the head of a request in time and bytes. No resource here reads a body.

mod accept_encoding;
mod door;
mod healthz;
mod history;
mod history_query;
mod info;
#[cfg(test)]
mod inline_script;
mod metrics;
mod readyz;
mod security;
mod status;
mod unknown_path;
mod web_app;

use axum::routing::{MethodRouter, get};
use axum::{Router, middleware};

pub(crate) use history::Past;
pub(crate) use metrics::metrics;
pub(crate) use status::{Shards, Status};

use crate::config::WebBrokers;

use security::Policy;
use web_app::WebApp;

/// The router of an `http` listener; `mqtt` answers at `/mqtt` and `metrics` at `/metrics`.
///
/// Everything lies at fixed places below `/`. A proxy may serve it below another path, since the web app asks by
/// relative addresses alone.
pub(crate) fn router<S: Shards>(
    mqtt: MethodRouter,
    status: Status<S>,
    past: Past,
    metrics: MethodRouter,
    brokers: &WebBrokers,
) -> Router {
    router_of(WebApp::embedded(), Policy::embedded(brokers), mqtt, status, past, metrics)
}

fn router_of<S: Shards>(
    web_app: WebApp,
    policy: Policy,
    mqtt: MethodRouter,
    status: Status<S>,
    past: Past,
    metrics: MethodRouter,
) -> Router {
    let past = Router::new()
        .route("/api/v1/history", get(history::show))
        .route("/api/v1/history/series", get(history::list))
        .with_state(past);
    Router::new()
        .route("/healthz", get(healthz::show))
        .route("/readyz", get(readyz::show::<S>))
        .route("/api/v1/info", get(info::show::<S>))
        .route("/api/v1/door", get(door::show::<S>))
        .with_state(status)
        .merge(past)
        .route("/metrics", metrics)
        .route("/mqtt", mqtt)
        .fallback(move |request| async move { web_app.answer(&request) })
        .layer(middleware::from_fn_with_state(policy, security::guard))
}

#[cfg(test)]
mod tests;
