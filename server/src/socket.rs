//! A connected stream socket, of whichever kind its listener is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hearth_broker::Transport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A socket that the runtime of this thread watches, until a shard has it.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A non-blocking socket that no runtime watches: how it moves from one thread to another.
#[derive(Debug)]
pub(crate) enum Detached {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// A unix socket.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Socket {
    /// Takes the socket from its runtime.
    ///
    /// # Errors
    /// The system does not let it go.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Tcp(socket) => socket.into_std().map(Detached::Tcp),
            #[cfg(unix)]
            Self::Unix(socket) => socket.into_std().map(Detached::Unix),
        }
    }

    /// Gives the socket to the runtime of this thread.
    ///
    /// # Errors
    /// There is no runtime, or the system cannot watch it.
    pub(crate) fn attach(detached: Detached) -> io::Result<Self> {
        match detached {
            Detached::Tcp(socket) => TcpStream::from_std(socket).map(Self::Tcp),
            #[cfg(unix)]
            Detached::Unix(socket) => UnixStream::from_std(socket).map(Self::Unix),
        }
    }

    /// Sees to it that small packets are sent at once, where the transport would wait for more. On Unix a connection has that
    /// from its listener.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn ensure_nodelay(&self) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            #[cfg(not(unix))]
            Self::Tcp(socket) => socket.set_nodelay(true),
        }
    }
}

impl Detached {
    /// How it carries bytes; a WebSocket is known only later.
    pub(crate) fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            #[cfg(unix)]
            Self::Unix(_) => Transport::Unix,
        }
    }
}

/// The same call on whichever socket it is.
macro_rules! forward {
    ($socket:expr, $method:ident, $($argument:expr),*) => {
        match $socket.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).$method($($argument),*),
            #[cfg(unix)]
            Socket::Unix(socket) => Pin::new(socket).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, poll_read, context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, poll_write, context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write_vectored, context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown, context)
    }
}
