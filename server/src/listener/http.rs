//! Serves HTTP/1.1 in a way that lets an upgraded socket leave.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::accept::{Accepted, Acceptor};
use crate::socket::Socket;

/// How long the head of a request may take, and how long a connection may be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes of a request's head, and of what is buffered for a slow reader: more than any browser sends.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// HTTP connections at once, to each listener: a page opens up to six, WebSockets no longer count when upgraded.
const CONNECTIONS_MAX: usize = 1024;

/// How long a request may still take when the broker stops.
const STOP_MAX: Duration = Duration::from_secs(1);

/// Serves `router` until `stop`; connections are tasks of `tasks`.
pub(crate) async fn serve(acceptor: Acceptor, router: Router, tasks: TaskTracker, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let accepting = async {
        // Nobody closes the semaphore, so that this ends only by the stop.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let Accepted { socket, address } = acceptor.accept().await;
            let connection = serve_connection(socket, address, router.clone(), stop.clone());
            tasks.spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    stop.run_until_cancelled(accepting).await;
}

async fn serve_connection(
    socket: Socket,
    address: Option<SocketAddr>,
    router: Router,
    stop: CancellationToken,
) {
    if let Err(error) = socket.set_nodelay() {
        tracing::debug!(?address, %error, "a connection was gone before its first request");
        return;
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        answer(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(STOP_MAX, connection).await {
                Ok(ended) => ended,
                Err(_) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?address, %error, "an HTTP connection ended badly");
    }
}

async fn answer(mut router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    router.call(request).await
}
