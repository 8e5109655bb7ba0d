//! The door: where a new connection waits until it is known which shard it belongs to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hearth_broker::Transport;
use hearth_protocol::packet::{Connect, Packet};
use hearth_protocol::{Version, codec};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client_id::{Glimpse, glimpse};
use super::farewell;
use crate::admission::{Admission, Barrier, Presence};
use crate::engine::{Arrival, Engine};
use crate::frames::Frames;
use crate::shard_driver::HandOver;
use crate::socket::Socket;

/// Bytes in which the client id must be seen. It stands behind the properties of CONNECT only; those of an
/// honest client take some hundred bytes, and this leaves room for a client id of the largest size as well.
const CONNECT_HEAD_BYTES_MAX: usize = 128 * 1024;

/// Those who are turned away and told why, at once. An answer takes a task, some memory and up to the time for
/// CONNECT, so that a flood beyond this is closed without a word.
const FAREWELLS_MAX: usize = 256;

/// First read: holds nearly every CONNECT.
pub(super) const FIRST_READ_BYTES: usize = 512;

/// The way into the engine, shared by all listeners.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    engine: Engine,
    admission: Arc<Admission>,
    connect_size_max: usize,
    connect_time_max: Duration,
    half_open: Arc<Semaphore>,
    farewells: Arc<Semaphore>,
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
}

/// A socket at the door.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) socket: Socket,
    /// What was read from it already.
    pub(crate) bytes: BytesMut,
    pub(crate) caller: Caller,
    pub(crate) transport: Transport,
    pub(crate) standing: Standing,
    /// When patience ends.
    pub(crate) deadline: Instant,
}

/// Who is on the other end, as far as sockets and proxies tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// What comes over a unix socket has none.
    pub(crate) address: Option<SocketAddr>,
    /// Whether a proxy stands between.
    pub(crate) is_forwarded: bool,
}

impl Caller {
    /// Whether it is on this machine, as far as that can be known. What has no address comes through a file.
    pub(crate) fn is_local(self) -> bool {
        let is_here = self.address.is_none_or(|address| address.ip().to_canonical().is_loopback());
        is_here && !self.is_forwarded
    }
}

/// What a visitor can expect.
#[derive(Debug)]
pub(crate) enum Standing {
    /// To be let in; with its place among those who have not said who they are.
    Waiting(OwnedSemaphorePermit),
    /// To be told why not; with its place among those who are.
    TurnedAway(Barrier, OwnedSemaphorePermit),
}

/// Why nobody knows who a visitor is.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("it ended before its client id came")]
    Ended,
    #[error("its client id is not in the first {CONNECT_HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Door {
    /// To be called inside of the runtime that is to run its tasks.
    pub(crate) fn new(
        engine: Engine,
        admission: Arc<Admission>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let limits = engine.limits();
        Self {
            connect_size_max: limits.connect_bytes_max(),
            connect_time_max: limits.connect_time_max(),
            half_open: Arc::new(Semaphore::new(admission.limits().half_open_max.min(Semaphore::MAX_PERMITS))),
            farewells: Arc::new(Semaphore::new(FAREWELLS_MAX)),
            engine,
            admission,
            tasks,
            runtime: Handle::current(),
            stop,
        }
    }

    /// Cancelled when the broker stops.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The book of connections.
    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// When a connection that comes now must have said who it is.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.connect_time_max
    }

    /// Runs `visit`, which watches [`Door::stop`] itself, as a task. From any thread.
    pub(crate) fn spawn(&self, visit: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(visit, &self.runtime);
    }

    /// Which shard an arrival belongs to, and what that needs to serve it.
    pub(super) fn place(&self, client_id: Option<&str>, arrival: Arrival) -> (usize, HandOver) {
        self.engine.place(client_id, arrival)
    }

    /// Gives a connection to its shard.
    pub(super) fn hand_over(&self, shard: usize, hand_over: HandOver) {
        self.engine.hand_over(shard, hand_over);
    }

    /// The client id in the first bytes of a connection, if all that is before it is there and as it should be.
    pub(super) fn client_id<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        match glimpse(bytes, self.connect_size_max) {
            Glimpse::ClientId(client_id) => Some(client_id),
            Glimpse::NeedMore | Glimpse::Unusable => None,
        }
    }

    /// Receives a connection that was accepted just now, as soon as there is room for it; `None` for one that is
    /// closed without a word.
    pub(crate) async fn arrive(&self, address: Option<SocketAddr>) -> Option<Standing> {
        if let Err(barrier) = self.admission.arrive() {
            return self.turn_away(barrier, address);
        }
        if let Some(place) = self.place_now() {
            return Some(Standing::Waiting(place));
        }
        // It waits, and behind it the others in the system's queue: they are late and not lost.
        self.admission.refuse(Barrier::HalfOpen, address, None);
        Arc::clone(&self.half_open).acquire_owned().await.ok().map(Standing::Waiting)
    }

    /// Counts a visitor whose address is known for sure. False for one that is to be closed without a word.
    pub(super) fn arrive_from(&self, visitor: &mut Visitor) -> bool {
        let address = visitor.caller.address;
        match (&visitor.standing, self.admission.arrive_from(address)) {
            (Standing::Waiting(_), Err(barrier)) => match self.turn_away(barrier, address) {
                Some(standing) => {
                    visitor.standing = standing;
                    true
                }
                None => false,
            },
            (Standing::Waiting(_), Ok(())) | (Standing::TurnedAway(..), _) => true,
        }
    }

    /// A place at the door, if there is one now.
    pub(crate) fn place_now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.half_open).try_acquire_owned().ok()
    }

    /// Room to tell somebody that it is turned away, and why; `None` when too many are told already.
    pub(super) fn turn_away(&self, barrier: Barrier, address: Option<SocketAddr>) -> Option<Standing> {
        match Arc::clone(&self.farewells).try_acquire_owned() {
            Ok(place) => Some(Standing::TurnedAway(barrier, place)),
            Err(_) => {
                self.admission.refuse(barrier, address, None);
                None
            }
        }
    }

    /// Waits for the client id and lets the visitor in, or tells it why not; until its deadline or the broker's stop.
    pub(crate) async fn receive(&self, mut visitor: Visitor) {
        let (address, deadline) = (visitor.caller.address, visitor.deadline);
        let mut payload = Payload::new(visitor.transport);
        let finding = timeout_at(deadline, self.find_client_id(&mut visitor, &mut payload));
        match self.stop.run_until_cancelled(finding).await {
            Some(Ok(Ok(client_id))) => self.decide(client_id.as_deref(), visitor, payload).await,
            Some(Ok(Err(lost))) => tracing::debug!(?address, %lost, "a connection did not get past the door"),
            Some(Err(_)) => self.admission.refuse(Barrier::ConnectTime, address, None),
            None => {}
        }
    }

    async fn find_client_id(
        &self,
        visitor: &mut Visitor,
        payload: &mut Payload,
    ) -> Result<Option<String>, Lost> {
        loop {
            match payload.see(&visitor.bytes, |bytes| detached(glimpse(bytes, self.connect_size_max))) {
                Glimpse::ClientId(client_id) => return Ok(Some(client_id)),
                Glimpse::Unusable => return Ok(None),
                Glimpse::NeedMore => visitor.read_more().await?,
            }
        }
    }

    async fn decide(&self, client_id: Option<&str>, mut visitor: Visitor, payload: Payload) {
        let address = visitor.caller.address;
        if let Standing::Waiting(_) = &visitor.standing {
            let barrier = match self.admission.enter(address) {
                Ok(presence) => return self.let_in(client_id, presence, visitor),
                Err(barrier) => barrier,
            };
            let Some(standing) = self.turn_away(barrier, address) else { return };
            visitor.standing = standing;
        }
        if let Standing::TurnedAway(barrier, _) = visitor.standing {
            self.admission.refuse(barrier, address, client_id);
            let telling = timeout_at(visitor.deadline, self.tell(barrier, visitor, payload));
            if let Some(Ok(Err(lost))) = self.stop.run_until_cancelled(telling).await {
                tracing::debug!(?address, %lost, "nobody was there to be turned away");
            }
        }
    }

    fn let_in(&self, client_id: Option<&str>, presence: Option<Presence>, visitor: Visitor) {
        let Visitor { socket, bytes, caller, transport, standing, .. } = visitor;
        let (address, is_local) = (caller.address, caller.is_local());
        match socket.ensure_nodelay().and_then(|()| socket.detach()) {
            Ok(socket) => {
                let bytes = bytes.freeze();
                let arrival = Arrival { socket, bytes, address, is_local, transport, standing, presence };
                let (shard, hand_over) = self.place(client_id, arrival);
                self.hand_over(shard, hand_over);
            }
            Err(error) => tracing::debug!(?address, %error, "a connection was gone before it was let in"),
        }
    }

    /// Reads all of CONNECT, so that it can be answered in the words of its version, and answers.
    async fn tell(&self, barrier: Barrier, mut visitor: Visitor, mut payload: Payload) -> Result<(), Lost> {
        let connect = loop {
            match payload.see(&visitor.bytes, |bytes| read_connect(bytes, self.connect_size_max)) {
                Answerable::Yes(connect) => break connect,
                Answerable::NotYet => visitor.read_more().await?,
                Answerable::Never => return Ok(()),
            }
        };
        let Some(connack) = farewell::connack(&connect, barrier) else { return Ok(()) };
        let bytes = match &mut payload {
            Payload::Plain => connack,
            Payload::Framed { frames, .. } => farewell::framed(frames, &connack),
        };
        Ok(farewell::send(visitor.socket, &bytes).await?)
    }
}

impl Visitor {
    async fn read_more(&mut self) -> Result<(), Lost> {
        if self.bytes.len() > CONNECT_HEAD_BYTES_MAX {
            return Err(Lost::HeadTooLong);
        }
        self.bytes.reserve(FIRST_READ_BYTES);
        match self.socket.read_buf(&mut self.bytes).await? {
            0 => Err(Lost::Ended),
            _ => Ok(()),
        }
    }
}

/// The same apart from the bytes.
fn detached(glimpse: Glimpse<&str>) -> Glimpse<String> {
    match glimpse {
        Glimpse::ClientId(client_id) => Glimpse::ClientId(client_id.to_owned()),
        Glimpse::NeedMore => Glimpse::NeedMore,
        Glimpse::Unusable => Glimpse::Unusable,
    }
}

/// Whether a CONNECT can be answered.
enum Answerable {
    Yes(Box<Connect>),
    NotYet,
    Never,
}

fn read_connect(bytes: &[u8], packet_size_max: usize) -> Answerable {
    match codec::decode(&mut BytesMut::from(bytes), Version::V5, packet_size_max) {
        Ok(Some(Packet::Connect(connect))) => Answerable::Yes(connect),
        Ok(None) => Answerable::NotYet,
        Ok(Some(_)) | Err(_) => Answerable::Never,
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
        is_over: bool,
    },
}

impl Payload {
    fn new(transport: Transport) -> Self {
        match transport {
            Transport::Tcp | Transport::Unix => Self::Plain,
            Transport::WebSocket => {
                Self::Framed { frames: Box::default(), seen: 0, bytes: BytesMut::new(), is_over: false }
            }
        }
    }

    /// What `look` makes of the MQTT bytes in `raw`, which is what it saw the last time and more. Of a WebSocket that
    /// broke a rule it sees what can never be a packet.
    fn see<T>(&mut self, raw: &[u8], look: impl Fn(&[u8]) -> T) -> T {
        /// Packet type 0 is forbidden (2.1.2).
        const NO_PACKET: &[u8] = &[0];
        match self {
            Self::Plain => look(raw),
            Self::Framed { frames, seen, bytes, is_over } => {
                let start = bytes.len();
                bytes.extend_from_slice(&raw[*seen..]);
                *seen = raw.len();
                *is_over = *is_over || frames.unwrap(bytes, start).is_err();
                if *is_over { look(NO_PACKET) } else { look(bytes) }
            }
        }
    }
}
