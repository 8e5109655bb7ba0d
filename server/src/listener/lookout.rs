//! A listening socket that a shard watches itself.

use std::io;
use std::net::SocketAddr;

use mio::event::Source;
use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};

#[cfg(unix)]
use super::socket_file::SocketFile;
use crate::socket::Detached;

/// A listener of MQTT. TCP has one for each shard on the same port, where the system shares connections out among them.
#[derive(Debug)]
pub(crate) enum Lookout {
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

impl Lookout {
    /// A connection that waits, and who is on its other end: a unix socket does not tell.
    ///
    /// # Errors
    /// Nobody waits ([`io::ErrorKind::WouldBlock`]), the one who did is gone, or the system has no room for it.
    pub(super) fn accept(&self) -> io::Result<(Detached, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, address) = listener.accept()?;
                Ok((Detached::Tcp(socket.into()), Some(address)))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let (socket, _) = listener.accept()?;
                Ok((Detached::Unix(socket.into()), None))
            }
        }
    }
}

/// The same call on whichever listener it is.
macro_rules! forward {
    ($lookout:expr, $method:ident, $($argument:expr),*) => {
        match $lookout {
            Lookout::Tcp(listener) => listener.$method($($argument),*),
            #[cfg(unix)]
            Lookout::Unix { listener, .. } => listener.$method($($argument),*),
        }
    };
}

impl Source for Lookout {
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
