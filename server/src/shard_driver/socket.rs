//! A connected stream socket that a shard watches, of whichever kind its listener is.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpStream;
#[cfg(unix)]
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt::set_socket_linger;

use crate::socket::Detached;

/// An enum and no boxed trait: a read or write costs one branch that is nearly always the same, and a socket at rest no
/// memory of its own.
#[derive(Debug)]
pub(super) enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl From<Detached> for Socket {
    fn from(detached: Detached) -> Self {
        match detached {
            Detached::Tcp(socket) => Self::Tcp(TcpStream::from_std(socket)),
            #[cfg(unix)]
            Detached::Unix(socket) => Self::Unix(UnixStream::from_std(socket)),
        }
    }
}

impl From<Socket> for Detached {
    fn from(socket: Socket) -> Self {
        match socket {
            Socket::Tcp(socket) => Self::Tcp(socket.into()),
            #[cfg(unix)]
            Socket::Unix(socket) => Self::Unix(socket.into()),
        }
    }
}

/// The same call on whichever socket it is.
macro_rules! forward {
    ($socket:expr, $method:ident, $($argument:expr),*) => {
        match $socket {
            Socket::Tcp(socket) => socket.$method($($argument),*),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.$method($($argument),*),
        }
    };
}

impl Socket {
    /// # Errors
    /// Nothing is there now ([`io::ErrorKind::WouldBlock`]), or the peer is gone.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        forward!(self, read, bytes)
    }

    /// # Errors
    /// The socket is full ([`io::ErrorKind::WouldBlock`]), or the peer is gone.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        forward!(self, write, bytes)
    }

    /// # Errors
    /// Those of [`Socket::write`].
    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        forward!(self, write_vectored, slices)
    }

    /// Lets the peer see the end of what it is sent.
    ///
    /// # Errors
    /// The peer is gone.
    pub(super) fn close_write(&self) -> io::Result<()> {
        forward!(self, shutdown, Shutdown::Write)
    }

    /// Makes the drop of the socket throw away what the peer has not taken, so that the kernel does not go on to hold
    /// it. A unix socket always does so.
    ///
    /// # Errors
    /// The peer is gone.
    pub(super) fn abort_when_dropped(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => Ok(set_socket_linger(socket, Some(Duration::ZERO))?),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
        }
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        forward!(self, register, registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        forward!(self, reregister, registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        forward!(self, deregister, registry)
    }
}
