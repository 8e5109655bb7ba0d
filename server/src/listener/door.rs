//! The door: where a new connection waits until it is known which shard it belongs to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hearth_broker::Transport;
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client_id::{Glimpse, glimpse};
use crate::engine::{Arrival, Engine};
use crate::frames::Frames;
use crate::socket::Socket;

/// How long a connection may take to say its client id. A device on a bad radio link needs seconds, not more.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes in which the client id must be seen. It stands behind the properties of CONNECT only; those of an
/// honest client take some hundred bytes, and this leaves room for a client id of the largest size as well.
const CONNECT_HEAD_BYTES_MAX: usize = 128 * 1024;

/// Connections that may be at the door at once: a storm of reconnecting devices passes in milliseconds each,
/// and those that never speak hold at most this many file descriptors.
const HALF_OPEN_MAX: usize = 4096;

/// First read: holds nearly every CONNECT.
const FIRST_READ_BYTES: usize = 512;

/// The way into the engine, shared by all listeners.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    engine: Engine,
    packet_size_max: usize,
    half_open: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A socket at the door.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) socket: Socket,
    /// What was read from it already.
    pub(crate) bytes: BytesMut,
    pub(crate) address: Option<SocketAddr>,
    /// Whether somebody else is behind that address, of whom a proxy tells.
    pub(crate) is_forwarded: bool,
    pub(crate) transport: Transport,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Visitor {
    /// Whether it is on this machine, as far as that can be known. What has no address comes through a file.
    fn is_local(&self) -> bool {
        let is_here = self.address.is_none_or(|address| address.ip().to_canonical().is_loopback());
        is_here && !self.is_forwarded
    }
}

/// Why a visitor did not get in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it ended before its client id came")]
    Ended,
    #[error("its client id is not in the first {CONNECT_HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Door {
    pub(crate) fn new(
        engine: Engine,
        packet_size_max: usize,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { engine, packet_size_max, half_open: Arc::new(Semaphore::new(HALF_OPEN_MAX)), tasks, stop }
    }

    /// Cancelled when the broker stops.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// A place at the door, as soon as there is one.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.half_open).acquire_owned().await.ok()
    }

    /// A place at the door, if there is one now.
    pub(crate) fn place_now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.half_open).try_acquire_owned().ok()
    }

    /// Runs `visit`, which ends with [`Door::receive`], as a task that the broker's stop ends.
    pub(crate) fn spawn(&self, visit: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                done = tokio::time::timeout(CONNECT_TIME_MAX, visit) => {
                    if done.is_err() {
                        tracing::debug!("a connection did not say its client id in time");
                    }
                }
            }
        });
    }

    /// Waits for the client id and lets the visitor in.
    pub(crate) async fn receive(&self, mut visitor: Visitor) {
        let address = visitor.address;
        let outcome = match self.find_client_id(&mut visitor).await {
            Ok(client_id) => self.let_in(client_id.as_deref(), visitor),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = outcome {
            tracing::debug!(?address, %refusal, "a connection did not get past the door");
        }
    }

    async fn find_client_id(&self, visitor: &mut Visitor) -> Result<Option<String>, Refusal> {
        let mut payload = Payload::new(visitor.transport);
        loop {
            match payload.see(&visitor.bytes, self.packet_size_max) {
                Glimpse::ClientId(client_id) => return Ok(Some(client_id.to_owned())),
                Glimpse::Unusable => return Ok(None),
                Glimpse::NeedMore => {}
            }
            if visitor.bytes.len() > CONNECT_HEAD_BYTES_MAX {
                return Err(Refusal::HeadTooLong);
            }
            visitor.bytes.reserve(FIRST_READ_BYTES);
            if visitor.socket.read_buf(&mut visitor.bytes).await? == 0 {
                return Err(Refusal::Ended);
            }
        }
    }

    fn let_in(&self, client_id: Option<&str>, visitor: Visitor) -> Result<(), Refusal> {
        let is_local = visitor.is_local();
        let Visitor { socket, bytes, address, transport, permit, .. } = visitor;
        socket.set_nodelay()?;
        let socket = socket.detach()?;
        let bytes = bytes.freeze();
        let arrival = Arrival { socket, bytes, address, is_local, transport, permit };
        self.engine.hand_over(client_id, arrival);
        Ok(())
    }
}

/// The MQTT bytes of a visitor, as far as they came.
enum Payload {
    Plain,
    /// Unwrapped on a copy: the shard gets the frames as they came.
    Framed {
        frames: Box<Frames>,
        seen: usize,
        bytes: BytesMut,
    },
}

impl Payload {
    fn new(transport: Transport) -> Self {
        match transport {
            Transport::Tcp | Transport::Unix => Self::Plain,
            Transport::WebSocket => Self::Framed { frames: Box::default(), seen: 0, bytes: BytesMut::new() },
        }
    }

    fn see<'a>(&'a mut self, raw: &'a [u8], packet_size_max: usize) -> Glimpse<'a> {
        match self {
            Self::Plain => glimpse(raw, packet_size_max),
            Self::Framed { frames, seen, bytes } => {
                let start = bytes.len();
                bytes.extend_from_slice(&raw[*seen..]);
                *seen = raw.len();
                if frames.unwrap(bytes, start).is_err() {
                    return Glimpse::Unusable;
                }
                glimpse(bytes, packet_size_max)
            }
        }
    }
}
