//! Serves HTTP/1.1 in a way that lets an upgraded socket leave.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tower_service::Service;

use super::door::{Caller, Door, Standing, Visitor};
use super::farewell;
use super::http_socket::HttpSocket;
use crate::admission::Barrier;

/// Bytes of a request's head, and of what is buffered for a slow reader: more than any browser sends.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// How long a request may still take when the broker stops.
const STOP_MAX: Duration = Duration::from_secs(1);

/// What somebody gets for whom there is no room, without a look at the request.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 58\r\n\r\n\
    Too many connections at the moment; try again in a second\n";

/// HTTP with one router; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HttpService {
    router: Router,
    places: Arc<Semaphore>,
    door: Door,
}

impl HttpService {
    /// `places` bound the connections of all services together.
    pub(crate) fn new(router: Router, places: Arc<Semaphore>, door: Door) -> Self {
        Self { router, places, door }
    }

    /// Serves a connection to its end.
    pub(crate) async fn serve(&self, visitor: Visitor) {
        let Visitor { socket, bytes, caller, standing, .. } = visitor;
        let address = caller.address;
        let (barrier, _farewell) = match standing {
            Standing::Waiting(place) => match Arc::clone(&self.places).try_acquire_owned() {
                Ok(_place) => {
                    // A place at the door is for those who have not said anything.
                    drop(place);
                    let patience = seconds(self.door.admission().limits().http_write_seconds_max);
                    return self.serve_connection(HttpSocket::new(socket, bytes, patience), caller).await;
                }
                Err(_) => match self.door.turn_away(Barrier::HttpConnections, address) {
                    Some(Standing::TurnedAway(barrier, farewell)) => (barrier, farewell),
                    Some(Standing::Waiting(_)) | None => return,
                },
            },
            Standing::TurnedAway(barrier, farewell) => (barrier, farewell),
        };
        self.door.admission().refuse(barrier, address, None);
        if let Err(error) = farewell::send(socket, BUSY).await {
            tracing::debug!(?address, %error, "nobody was there to be turned away");
        }
    }

    async fn serve_connection(&self, socket: HttpSocket, caller: Caller) {
        let address = caller.address;
        if let Err(error) = socket.ensure_nodelay() {
            tracing::debug!(?address, %error, "a connection was gone before its first request");
            return;
        }
        let in_request = socket.in_request();
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(caller));
            answer(router.clone(), request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(seconds(self.door.admission().limits().http_head_seconds_max))
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.door.stop().cancelled() => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(STOP_MAX, connection).await {
                    Ok(ended) => ended,
                    Err(_) => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            self.on_bad_end(&error, &in_request, address);
        }
    }

    fn on_bad_end(&self, error: &hyper::Error, in_request: &AtomicBool, address: Option<SocketAddr>) {
        let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut) {
            self.door.admission().refuse(Barrier::HttpWriteTime, address, None);
        } else if error.is_timeout() && in_request.load(Ordering::Relaxed) {
            // Who is idle between two requests, as every browser is, does nothing wrong.
            self.door.admission().refuse(Barrier::HttpHeadTime, address, None);
        } else {
            tracing::debug!(?address, %error, "an HTTP connection ended badly");
        }
    }
}

fn seconds(seconds: u16) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

async fn answer(mut router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    router.call(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_without_a_look_at_the_request_is_whole() {
        let text = std::str::from_utf8(BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
