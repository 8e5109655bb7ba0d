//! The way of a connection from its listener to what serves it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use hearth_broker::Transport;
use tokio::io::AsyncReadExt;
use tokio::time::timeout_at;

use super::accept::{Accepted, Acceptor};
use super::door::{Caller, Door, FIRST_READ_BYTES, Visitor};
use super::farewell;
use super::first_byte::{Speech, TLS_REFUSAL, speech};
use super::http::HttpService;
use super::proxy_header::{Parsed, Spoken, parse};
use crate::admission::Barrier;
use crate::config::TrustedProxies;
use crate::socket::Socket;

/// What a listener leads to.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    door: Door,
    service: Service,
    /// Those who say for whom they connect.
    proxies: Option<Arc<TrustedProxies>>,
}

/// Why a connection does not get to its service.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("it ended before it said anything")]
    Ended,
    #[error("no PROXY header that can be believed: {0}")]
    ProxyHeader(&'static str),
    #[error("too many come too fast")]
    Flood,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is served behind a listener.
#[derive(Clone, Debug)]
pub(crate) enum Service {
    /// MQTT, without WebSocket.
    Mqtt,
    /// HTTP.
    Http(HttpService),
    /// Both, told apart by what comes first.
    One(HttpService),
}

/// Where a connection goes.
#[derive(Clone, Copy, Debug)]
enum Way<'a> {
    Mqtt,
    Http(&'a HttpService),
    /// It speaks TLS, where nobody does.
    Tls,
}

impl Entrance {
    pub(crate) fn new(door: Door, service: Service, proxies: Option<Arc<TrustedProxies>>) -> Self {
        Self { door, service, proxies }
    }

    /// The door of its clients.
    pub(super) const fn door(&self) -> &Door {
        &self.door
    }

    /// Whether it is one of those who say for whom they connect.
    pub(super) fn is_proxy(&self, address: Option<SocketAddr>) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| proxies.trusts(address))
    }

    /// The client id of a connection that begins with these bytes; `None` for what is no CONNECT, or not enough of one.
    pub(super) fn client_id<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        match (&self.service, speech(*bytes.first()?)) {
            (Service::Mqtt, _) | (Service::One(_), Speech::Mqtt) => self.door.client_id(bytes),
            (Service::Http(_), _) | (Service::One(_), Speech::Http | Speech::Tls) => None,
        }
    }

    /// Accepts connections until the broker stops.
    pub(crate) async fn serve(self, acceptor: Acceptor) {
        let accepting = async {
            loop {
                let Accepted { socket, address } = acceptor.accept().await;
                let Some(standing) = self.door.arrive(address).await else { continue };
                let deadline = self.door.deadline();
                let transport = transport_of(&socket);
                let bytes = BytesMut::new();
                let caller = Caller { address, is_forwarded: false };
                let visitor = Visitor { socket, bytes, caller, transport, standing, deadline };
                self.door.spawn(self.clone().attend(visitor));
            }
        };
        self.door.stop().run_until_cancelled(accepting).await;
    }

    /// Brings a connection to its service, and to its end.
    pub(super) async fn attend(self, mut visitor: Visitor) {
        let (address, deadline) = (visitor.caller.address, visitor.deadline);
        let introducing = timeout_at(deadline, self.introduce(&mut visitor));
        let way = match self.door.stop().run_until_cancelled(introducing).await {
            Some(Ok(Ok(way))) => way,
            Some(Ok(Err(lost))) => {
                if matches!(lost, Lost::ProxyHeader(_)) {
                    self.door.admission().refuse(Barrier::ProxyHeader, address, None);
                }
                return tracing::debug!(?address, %lost, "a connection did not get in");
            }
            Some(Err(_)) => return self.door.admission().refuse(Barrier::ConnectTime, address, None),
            None => return,
        };
        match way {
            Way::Mqtt => self.door.receive(visitor).await,
            Way::Http(http) => http.serve(visitor).await,
            Way::Tls => {
                self.door.admission().refuse(Barrier::Tls, visitor.caller.address, None);
                if let Err(error) = farewell::send(visitor.socket, TLS_REFUSAL).await {
                    tracing::debug!(?address, %error, "nobody was there to be told that there is no TLS");
                }
            }
        }
    }

    /// Finds out who it really is, whether too many come from there, and what it speaks where that is open.
    async fn introduce(&self, visitor: &mut Visitor) -> Result<Way<'_>, Lost> {
        self.identify(visitor).await?;
        match &self.service {
            Service::Mqtt => Ok(Way::Mqtt),
            Service::Http(http) => Ok(Way::Http(http)),
            Service::One(http) => match visitor.read_speech().await? {
                Speech::Mqtt => Ok(Way::Mqtt),
                Speech::Http => Ok(Way::Http(http)),
                Speech::Tls => Ok(Way::Tls),
            },
        }
    }

    async fn identify(&self, visitor: &mut Visitor) -> Result<(), Lost> {
        if self.is_proxy(visitor.caller.address) {
            match visitor.read_proxy_header().await? {
                Spoken::For(address) => {
                    visitor.caller = Caller { address: Some(address), is_forwarded: true };
                }
                Spoken::ForUnix => visitor.caller = Caller { address: None, is_forwarded: true },
                // No bound of an address is meant for a proxy.
                Spoken::ForSomebody => {
                    visitor.caller.is_forwarded = true;
                    return Ok(());
                }
                Spoken::Itself => return Ok(()),
            }
        }
        self.door.arrive_from(visitor).then_some(()).ok_or(Lost::Flood)
    }
}

impl Visitor {
    async fn read_proxy_header(&mut self) -> Result<Spoken, Lost> {
        loop {
            match parse(&self.bytes) {
                Parsed::Header(len, spoken) => {
                    self.bytes.advance(len);
                    return Ok(spoken);
                }
                Parsed::Bad(reason) => return Err(Lost::ProxyHeader(reason)),
                Parsed::NeedMore => self.read_some().await?,
            }
        }
    }

    async fn read_speech(&mut self) -> Result<Speech, Lost> {
        loop {
            match self.bytes.first() {
                Some(&first) => return Ok(speech(first)),
                None => self.read_some().await?,
            }
        }
    }

    async fn read_some(&mut self) -> Result<(), Lost> {
        self.bytes.reserve(FIRST_READ_BYTES);
        match self.socket.read_buf(&mut self.bytes).await? {
            0 => Err(Lost::Ended),
            _ => Ok(()),
        }
    }
}

fn transport_of(socket: &Socket) -> Transport {
    match socket {
        Socket::Tcp(_) => Transport::Tcp,
        #[cfg(unix)]
        Socket::Unix(_) => Transport::Unix,
    }
}
