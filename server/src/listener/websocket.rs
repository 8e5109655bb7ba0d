//! MQTT over WebSocket: the upgrade, after which the socket leaves HTTP for its shard.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::BytesMut;
use hearth_broker::Transport;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::door::{Caller, Door, Standing, Visitor};
use super::handshake::{Acceptance, Rejection, check};
use super::http_socket::HttpSocket;
use crate::admission::Barrier;
use crate::config::AllowedOrigins;

/// Lets WebSocket connections in; the state of the [`upgrade`] handler.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    door: Door,
    allowed_origins: Arc<AllowedOrigins>,
}

impl Gate {
    pub(crate) fn new(door: Door, allowed_origins: AllowedOrigins) -> Self {
        Self { door, allowed_origins: Arc::new(allowed_origins) }
    }
}

/// Serves WebSocket at any path.
pub(crate) fn router(gate: Gate) -> Router {
    Router::new().fallback(any(upgrade)).with_state(gate)
}

/// Answers the handshake of an MQTT client and takes its socket from HTTP.
pub(crate) async fn upgrade(
    State(gate): State<Gate>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    mut request: Request,
) -> Response {
    let caller = Caller { is_forwarded: caller.is_forwarded || is_forwarded(request.headers()), ..caller };
    let address = caller.address;
    let checked = check(request.method(), request.headers(), &gate.allowed_origins);
    let admitted = checked.and_then(|acceptance| match gate.door.place_now() {
        Some(place) => Ok((acceptance, place)),
        None => {
            gate.door.admission().refuse(Barrier::HalfOpen, address, None);
            Err(Rejection::Crowded)
        }
    });
    match admitted {
        Ok((acceptance, place)) => {
            let upgrading = hyper::upgrade::on(&mut request);
            let door = gate.door.clone();
            gate.door.spawn(async move {
                let deadline = door.deadline();
                match door.stop().run_until_cancelled(timeout_at(deadline, upgrading)).await {
                    Some(Ok(Ok(upgraded))) => take_over(&door, upgraded, caller, place, deadline).await,
                    Some(Ok(Err(error))) => {
                        tracing::debug!(?address, %error, "a WebSocket ended in its handshake");
                    }
                    Some(Err(_)) => door.admission().refuse(Barrier::ConnectTime, address, None),
                    None => {}
                }
            });
            switching_protocols(&acceptance)
        }
        Err(rejection) => {
            tracing::debug!(?address, %rejection, "a WebSocket was rejected");
            reject(&rejection)
        }
    }
}

async fn take_over(
    door: &Door,
    upgraded: Upgraded,
    caller: Caller,
    place: OwnedSemaphorePermit,
    deadline: Instant,
) {
    match upgraded.downcast::<TokioIo<HttpSocket>>() {
        Ok(parts) => {
            let (socket, ahead) = parts.io.into_inner().into_parts();
            // hyper's bytes are older.
            let mut bytes = BytesMut::from(parts.read_buf);
            bytes.unsplit(ahead);
            let (transport, standing) = (Transport::WebSocket, Standing::Waiting(place));
            door.receive(Visitor { socket, bytes, caller, transport, standing, deadline }).await;
        }
        // Only a listener that serves HTTP on something else than an `HttpSocket` could bring this about.
        Err(_) => tracing::error!(?caller, "an upgraded connection is no socket and is dropped"),
    }
}

/// Whether a proxy says that it asks for somebody else. What it says is not believed, but whoever comes through it is not
/// on this machine because the proxy is.
fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
}

fn switching_protocols(acceptance: &Acceptance) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // Base64 is always a header value.
    if let Ok(key) = HeaderValue::from_str(&acceptance.accept_key) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(subprotocol) = acceptance.subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    response
}

fn reject(rejection: &Rejection) -> Response {
    let mut response = (rejection.status(), format!("{rejection}\n")).into_response();
    if rejection.status() == StatusCode::UPGRADE_REQUIRED {
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}
