//! Sockets that are bound and not yet served.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::time::Duration;

use tokio::net::TcpSocket;

use super::accept::Acceptor;
#[cfg(unix)]
use super::socket_file::{self, SocketFileError};
use crate::config::{Config, Kind, ListenAddress};

/// Connections that the kernel keeps until they are accepted. It cuts this to its own bound
/// (`net.core.somaxconn`), which is the one to raise for a larger storm.
const BACKLOG: u32 = 4096;

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {kind}: {}", reason(source, *kind))]
pub struct BindError {
    kind: Kind,
    address: ListenAddress,
    source: ListenError,
}

#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error(transparent)]
    Tcp(io::Error),
    #[cfg(unix)]
    #[error(transparent)]
    Unix(SocketFileError),
    #[cfg(not(unix))]
    #[error("this system has no unix sockets")]
    NoUnix,
}

fn reason(error: &ListenError, kind: Kind) -> String {
    let advice = format!("choose another one with --{kind}, or turn it off with --{kind} none");
    match error {
        ListenError::Tcp(error) => tcp_reason(error, &advice),
        #[cfg(unix)]
        ListenError::Unix(error) => unix_reason(error, &advice),
        #[cfg(not(unix))]
        ListenError::NoUnix => format!("{error}; {advice}"),
    }
}

fn tcp_reason(error: &io::Error, advice: &str) -> String {
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

#[cfg(unix)]
fn unix_reason(error: &SocketFileError, advice: &str) -> String {
    match error {
        SocketFileError::Live => format!("another program listens there; stop it, or {advice}"),
        SocketFileError::Occupied => format!("there is a file that is no socket; move it away, or {advice}"),
        SocketFileError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("its folder is not there; make it, or {advice}")
        }
        SocketFileError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("this user may not make or reach the file; give it the right, or {advice}")
        }
        SocketFileError::Io(error) if error.kind() == io::ErrorKind::InvalidInput => {
            format!("the path is longer than a socket's may be; use a shorter one, or {advice}")
        }
        SocketFileError::Io(error) => format!("{error}; {advice}"),
    }
}

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) kind: Kind,
    pub(crate) address: ListenAddress,
    pub(crate) acceptor: Acceptor,
}

impl Bound {
    /// Binds `address`; port 0 becomes a free one.
    ///
    /// # Errors
    /// The address is taken, not there, or not allowed.
    pub(crate) async fn bind(
        kind: Kind,
        address: &ListenAddress,
        config: &Config,
    ) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddress::Tcp(address) => listen(*address, config).map_err(ListenError::Tcp),
            #[cfg(unix)]
            ListenAddress::Unix(path) => socket_file::listen(path, config.unix_permissions, BACKLOG)
                .await
                .map(|(listener, _file)| (address.clone(), Acceptor::Unix { listener, _file }))
                .map_err(ListenError::Unix),
            #[cfg(not(unix))]
            ListenAddress::Unix(_) => Err(ListenError::NoUnix),
        };
        match bound {
            Ok((address, acceptor)) => Ok(Self { kind, address, acceptor }),
            Err(source) => Err(BindError { kind, address: address.clone(), source }),
        }
    }
}

fn listen(address: SocketAddr, config: &Config) -> io::Result<(ListenAddress, Acceptor)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the last run to time out. Elsewhere than on Unix this
    // would let another program take a port that is in use.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    notice_the_dead(&socket, config.door.unreachable_seconds_max)?;
    #[cfg(not(unix))]
    let _not_here = config;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    Ok((listener.local_addr()?.into(), Acceptor::Tcp(listener)))
}

/// Makes TCP give up peers that are gone. Connections get this from the socket that they were accepted on, so that none
/// of them costs a system call for it.
#[cfg(unix)]
fn notice_the_dead(socket: &TcpSocket, unreachable_seconds_max: u16) -> io::Result<()> {
    /// Questions without an answer in the second half of the time.
    const QUESTIONS: u32 = 4;
    use rustix::net::sockopt;
    let half = u32::from(unreachable_seconds_max) / 2;
    sockopt::set_socket_keepalive(socket, true)?;
    #[cfg(not(target_os = "macos"))]
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(u64::from(half)))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(u64::from(half.div_ceil(QUESTIONS))))?;
    sockopt::set_tcp_keepcnt(socket, QUESTIONS)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(socket, u32::from(unreachable_seconds_max) * 1000)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Machine;

    async fn bind(kind: Kind, address: &str) -> Result<Bound, BindError> {
        let address = match address.strip_prefix("unix:") {
            Some(path) => ListenAddress::Unix(path.into()),
            None => address.parse::<SocketAddr>().unwrap().into(),
        };
        let machine = Machine { cores: 1, has_ipv6_loopback: false, memory_bytes: None };
        Bound::bind(kind, &address, &Config::defaults(&machine)).await
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let first = bind(Kind::Mqtt, "127.0.0.1:0").await.unwrap();
        assert_ne!(first.address.tcp().unwrap().port(), 0);
        let error = bind(Kind::Mqtt, &first.address.to_string()).await.unwrap_err().to_string();
        let expected = format!("cannot listen on {} for mqtt: another program uses this port", first.address);
        assert!(error.starts_with(&expected) && error.contains("--mqtt none"), "{error}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_in_words() {
        // 192.0.2.0/24 is for documentation and no machine's own (RFC 5737).
        let error = bind(Kind::Ws, "192.0.2.1:0").await.unwrap_err().to_string();
        assert!(error.contains("does not have that address") && error.contains("--ws"), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_unix_socket_that_cannot_be_had_is_explained() {
        let long = format!("unix:/tmp/{}", "x".repeat(200));
        for (address, expected) in [
            ("unix:/no/such/folder/hearth.sock", "its folder is not there"),
            ("unix:/", "there is a file that is no socket"),
            (&long, "the path is longer"),
        ] {
            let error = bind(Kind::Mqtt, address).await.unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("--mqtt none"), "{address}: {error}");
        }
    }
}
