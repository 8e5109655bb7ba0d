//! Takes connections from a listener, through whatever errors the system has for it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// How long a listener rests after an error that is not the fault of one connection: without file
/// descriptors or memory, trying again at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(100);

/// The next connection, however long that takes. Nothing is lost when the future is dropped.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut failures = 0_u32;
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                if failures > 0 {
                    tracing::info!(failures, "connections are accepted again");
                }
                return accepted;
            }
            Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "a connection was gone"),
            Err(error) => {
                // Said once, not ten times a second for as long as it lasts.
                if failures == 0 {
                    tracing::warn!(%error, "no connection can be accepted; trying on");
                }
                failures = failures.saturating_add(1);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
