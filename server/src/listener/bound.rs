//! Sockets that are bound and not yet served.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel keeps until they are accepted. It cuts this to its own bound
/// (`net.core.somaxconn`), which is the one to raise for a larger storm.
const BACKLOG: u32 = 4096;

/// What a listener serves; the text is the one of the ready lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MQTT over TCP.
    Mqtt,
    /// The web app, with MQTT over WebSocket at `/mqtt`.
    Http,
    /// MQTT over WebSocket at any path.
    Ws,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Http => "http",
            Self::Ws => "ws",
        })
    }
}

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {kind}: {}", reason(source, *kind))]
pub struct BindError {
    kind: Kind,
    address: SocketAddr,
    source: io::Error,
}

fn reason(error: &io::Error, kind: Kind) -> String {
    let advice = format!("choose another one with --{kind}, or turn it off with --{kind} none");
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        format!("another program uses this port; stop it, or {advice}")
    } else if kind == io::ErrorKind::AddrNotAvailable {
        format!("this machine does not have that address; {advice}")
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("ports below 1024 need rights that this user lacks; {advice}")
    } else {
        format!("{error}; {advice}")
    }
}

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
}

impl Bound {
    /// Binds `address`; port 0 becomes a free one.
    ///
    /// # Errors
    /// The address is taken, not there, or not allowed.
    pub(crate) fn bind(kind: Kind, address: SocketAddr) -> Result<Self, BindError> {
        listen(address)
            .and_then(|listener| Ok(Self { kind, address: listener.local_addr()?, listener }))
            .map_err(|source| BindError { kind, address, source })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the last run to time out. Elsewhere than on Unix this
    // would let another program take a port that is in use.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let first = Bound::bind(Kind::Mqtt, "127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(first.address.port(), 0);
        let error = Bound::bind(Kind::Mqtt, first.address).unwrap_err().to_string();
        let expected = format!("cannot listen on {} for mqtt: another program uses this port", first.address);
        assert!(error.starts_with(&expected) && error.contains("--mqtt none"), "{error}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_in_words() {
        // 192.0.2.0/24 is for documentation and no machine's own (RFC 5737).
        let error = Bound::bind(Kind::Ws, "192.0.2.1:0".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("does not have that address") && error.contains("--ws"), "{error}");
    }
}
