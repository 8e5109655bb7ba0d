//! Takes connections from a listener, through whatever errors the system has for it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::lookout::Lookout;
#[cfg(unix)]
use super::socket_file::SocketFile;
use crate::socket::Socket;

/// How long a listener rests after an error that is not the fault of one connection: without file
/// descriptors or memory, trying again at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Acceptor {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket.
    #[cfg(unix)]
    Unix {
        /// Closed first, so that a file without a listener is one that nobody holds.
        listener: UnixListener,
        /// Goes with the listener.
        _file: SocketFile,
    },
}

/// A connection that was accepted and has not said anything.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    /// Who is on the other end; a unix socket does not tell.
    pub(crate) address: Option<SocketAddr>,
}

impl Acceptor {
    /// The next connection, however long that takes. Nothing is lost when the future is dropped.
    pub(crate) async fn accept(&self) -> Accepted {
        let mut failures = 0_u32;
        loop {
            match self.try_accept().await {
                Ok(accepted) => {
                    if failures > 0 {
                        tracing::info!(failures, "connections are accepted again");
                    }
                    return accepted;
                }
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone")
                }
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

    /// The same, to be watched by a shard.
    ///
    /// # Errors
    /// The system does not let it go.
    pub(super) fn into_lookout(self) -> io::Result<Lookout> {
        match self {
            Self::Tcp(listener) => Ok(Lookout::Tcp(mio::net::TcpListener::from_std(listener.into_std()?))),
            #[cfg(unix)]
            Self::Unix { listener, _file } => {
                let listener = mio::net::UnixListener::from_std(listener.into_std()?);
                Ok(Lookout::Unix { listener, _file })
            }
        }
    }

    async fn try_accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (socket, address) = listener.accept().await?;
                Ok(Accepted { socket: Socket::Tcp(socket), address: Some(address) })
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let (socket, _) = listener.accept().await?;
                Ok(Accepted { socket: Socket::Unix(socket), address: None })
            }
        }
    }
}

/// Whether the next connection may be accepted all the same.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
