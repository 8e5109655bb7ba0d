//! Sockets that are bound and not yet served.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::time::Duration;

use tokio::net::TcpSocket;

use super::accept::Acceptor;
use super::lookout::Lookout;
#[cfg(unix)]
use super::socket_file::{self, SocketFileError};
use crate::config::{Config, Kind, ListenAddress};

/// Connections that the kernel keeps until they are accepted. It cuts this to its own bound
/// (`net.core.somaxconn`), which is the one to raise for a larger storm.
const BACKLOG: u32 = 4096;

/// Whether several sockets may listen on one port, and the system shares its connections out among them. Elsewhere the last
/// one that listens gets all.
const SHARES_PORTS: bool = cfg!(target_os = "linux");

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
    pub(crate) listeners: Listeners,
}

/// Who takes its connections.
#[derive(Debug)]
pub(crate) enum Listeners {
    /// The runtime: for HTTP, which is served there.
    Runtime(Acceptor),
    /// The shards, one each, or fewer where one socket is all there can be.
    Shards(Vec<Lookout>),
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
        let is_for_shards = match kind {
            Kind::Mqtt | Kind::One => true,
            Kind::Http | Kind::Ws => false,
        };
        let count = if is_for_shards && SHARES_PORTS { usize::from(config.shards.max(1)) } else { 1 };
        let bound = match address {
            ListenAddress::Tcp(address) => listen(*address, count, config).map_err(ListenError::Tcp),
            #[cfg(unix)]
            ListenAddress::Unix(path) => socket_file::listen(path, config.unix_permissions, BACKLOG)
                .await
                .map(|(listener, _file)| (address.clone(), vec![Acceptor::Unix { listener, _file }]))
                .map_err(ListenError::Unix),
            #[cfg(not(unix))]
            ListenAddress::Unix(_) => Err(ListenError::NoUnix),
        };
        let bound = bound.and_then(|(address, acceptors)| {
            Ok((address, Listeners::new(acceptors, is_for_shards).map_err(ListenError::Tcp)?))
        });
        match bound {
            Ok((address, listeners)) => Ok(Self { kind, address, listeners }),
            Err(source) => Err(BindError { kind, address: address.clone(), source }),
        }
    }
}

impl Listeners {
    fn new(mut acceptors: Vec<Acceptor>, is_for_shards: bool) -> io::Result<Self> {
        if !is_for_shards && let Some(acceptor) = acceptors.pop() {
            return Ok(Self::Runtime(acceptor));
        }
        acceptors.into_iter().map(Acceptor::into_lookout).collect::<io::Result<_>>().map(Self::Shards)
    }
}

/// `count` listeners on one port, which is told where it was 0.
fn listen(address: SocketAddr, count: usize, config: &Config) -> io::Result<(ListenAddress, Vec<Acceptor>)> {
    // The first one is bound alone, so that a port that another program uses is told, and shared only then.
    let first = bind(address, false, config)?;
    let address = first.local_addr()?;
    #[cfg(target_os = "linux")]
    first.set_reuseport(count > 1)?;
    let mut sockets = vec![first];
    while sockets.len() < count {
        sockets.push(bind(address, true, config)?);
    }
    let listeners = sockets.into_iter().map(|socket| Ok(Acceptor::Tcp(socket.listen(BACKLOG)?)));
    Ok((address.into(), listeners.collect::<io::Result<_>>()?))
}

/// A socket with a port; all that connections have from the socket that they were accepted on is set here, so that none
/// of them costs a system call for it.
fn bind(address: SocketAddr, is_shared: bool, config: &Config) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(target_os = "linux")]
    socket.set_reuseport(is_shared)?;
    #[cfg(not(target_os = "linux"))]
    let _never = is_shared;
    #[cfg(unix)]
    socket.set_nodelay(true)?;
    // A restart must not wait for the connections of the last run to time out. Elsewhere than on Unix this
    // would let another program take a port that is in use.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    notice_the_dead(&socket, config.door.unreachable_seconds_max)?;
    #[cfg(not(unix))]
    let _not_here = config;
    socket.bind(address)?;
    Ok(socket)
}

/// Makes TCP give up peers that are gone.
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
    use crate::socket::Detached;

    async fn bind(kind: Kind, address: &str) -> Result<Bound, BindError> {
        bind_for(1, kind, address).await
    }

    async fn bind_for(cores: u16, kind: Kind, address: &str) -> Result<Bound, BindError> {
        let address = match address.strip_prefix("unix:") {
            Some(path) => ListenAddress::Unix(path.into()),
            None => address.parse::<SocketAddr>().unwrap().into(),
        };
        let machine = Machine { cores, has_ipv6_loopback: false, memory_bytes: None };
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

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_shards_share_a_port_among_them_and_with_nobody_else() {
        const SHARDS: u16 = 3;
        let bound = bind_for(SHARDS, Kind::One, "127.0.0.1:0").await.unwrap();
        let address = bound.address.tcp().unwrap();
        let Listeners::Shards(lookouts) = bound.listeners else { panic!("MQTT is taken by the shards") };
        let error = bind_for(SHARDS, Kind::Mqtt, &address.to_string()).await.unwrap_err().to_string();
        assert!(error.contains("another program uses this port"), "{error}");
        let clients: Vec<_> = (0..64).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let mut taken = 0;
        for lookout in &lookouts {
            let before = taken;
            while let Ok((socket, _)) = lookout.accept() {
                let Detached::Tcp(socket) = socket else { panic!("it is TCP") };
                assert!(socket.nodelay().unwrap(), "a connection has this from its listener");
                taken += 1;
            }
            // By chance one of them gets none once in 10^11 runs.
            assert!(taken > before);
        }
        assert_eq!((lookouts.len(), taken), (usize::from(SHARDS), clients.len()));
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
