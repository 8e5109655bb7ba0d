//! MQTT over WebSocket: the upgrade, after which the socket leaves HTTP for its shard.

use std::net::SocketAddr;
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

use super::door::{Door, Visitor};
use super::handshake::{Acceptance, Rejection, check};
use crate::config::AllowedOrigins;
use crate::socket::Socket;

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
    ConnectInfo(address): ConnectInfo<Option<SocketAddr>>,
    mut request: Request,
) -> Response {
    let checked = check(request.method(), request.headers(), &gate.allowed_origins);
    let admitted = checked.and_then(|acceptance| {
        let permit = gate.door.place_now().ok_or(Rejection::Crowded)?;
        Ok((acceptance, permit))
    });
    match admitted {
        Ok((acceptance, permit)) => {
            let is_forwarded = is_forwarded(request.headers());
            let upgrading = hyper::upgrade::on(&mut request);
            let door = gate.door.clone();
            gate.door.spawn(async move {
                match upgrading.await {
                    Ok(upgraded) => take_over(&door, upgraded, address, is_forwarded, permit).await,
                    Err(error) => tracing::debug!(?address, %error, "a WebSocket ended in its handshake"),
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
    address: Option<SocketAddr>,
    is_forwarded: bool,
    permit: OwnedSemaphorePermit,
) {
    match upgraded.downcast::<TokioIo<Socket>>() {
        Ok(parts) => {
            let socket = parts.io.into_inner();
            let bytes = BytesMut::from(parts.read_buf);
            let transport = Transport::WebSocket;
            door.receive(Visitor { socket, bytes, address, is_forwarded, transport, permit }).await;
        }
        // Only a listener that serves HTTP on something else than a `Socket` could bring this about.
        Err(_) => tracing::error!(?address, "an upgraded connection is no socket and is dropped"),
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
