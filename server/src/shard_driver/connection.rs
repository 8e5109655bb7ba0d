//! One socket of a shard, with what has to be remembered between turns.

use std::io::{self, IoSlice};

use bytes::BytesMut;
use hearth_broker::{Closer, ConnectionId, Output, Sending};
use hearth_protocol::Time;
use mio::event::Event;

use super::appetite::Appetite;
use super::socket::Socket;
use crate::admission::Presence;
use crate::frames::{FrameEnd, Frames};

/// Pieces of output that one system call takes. More would only matter to a socket whose output is many
/// large shared payloads, and those fill its buffer before.
const SLICES_MAX: usize = 32;

/// Whether a read that finds less than it asked for has found all that there is, so that the system tells of what comes next.
/// Where it tells once, it does so when a socket had been read empty, and only there a short read is as good as one that
/// finds nothing.
const SHORT_READ_IS_LAST: bool = cfg!(unix);

/// A socket and its state. Nothing here is large: most of the time most connections are idle.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    _presence: Option<Presence>,
    /// Present for WebSocket.
    frames: Option<Box<Frames>>,
    /// There may be something to read.
    is_readable: bool,
    /// The system has told that the peer sends no more, and does not tell it again.
    is_read_closed: bool,
    has_ended: bool,
    /// The start of a packet whose end has not come. Holds no memory while empty.
    pub(super) partial: BytesMut,
    pub(super) phase: Phase,
    /// The last write did not take everything: the system tells when the socket can take more.
    pub(super) write_blocked: bool,
    /// On the driver's list of connections to be read.
    pub(super) due: bool,
    /// On the driver's list of connections that are not read because the shard does not want input.
    pub(super) paused: bool,
    /// How much it is read at once.
    pub(super) appetite: Appetite,
}

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Phase {
    /// The shard knows it under this id.
    Open(ConnectionId),
    /// The shard is done with it; what it left to send goes out, then our side is closed.
    Flushing {
        /// What it left to send.
        output: Box<Output>,
        /// When patience ends.
        until: Time,
        /// Who ended it.
        closer: Closer,
    },
    /// Our side is closed; the peer is given time to see all before its unread bytes would reset the connection.
    Lingering {
        /// When patience ends.
        until: Time,
    },
}

/// What reading a socket gave.
#[derive(Debug)]
pub(super) enum Received {
    /// Nothing now; the system tells when there is.
    Blocked,
    /// This many bytes were added.
    Bytes(usize),
    /// The peer sends no more, in good order or not.
    Ended(Option<io::Error>),
}

/// What writing to a socket gave.
#[derive(Debug)]
pub(super) enum Sent {
    /// Everything is with the kernel.
    All,
    /// The socket is full; the system tells when it is not.
    Blocked,
    /// The peer is gone.
    Failed(io::Error),
}

impl Connection {
    /// One whose socket the system has just begun to watch: it tells of what is there already.
    pub(super) fn new(socket: Socket, is_websocket: bool, presence: Option<Presence>, phase: Phase) -> Self {
        Self {
            socket,
            _presence: presence,
            frames: is_websocket.then(Box::default),
            is_readable: false,
            is_read_closed: false,
            has_ended: false,
            partial: BytesMut::new(),
            phase,
            write_blocked: false,
            due: false,
            paused: false,
            appetite: Appetite::default(),
        }
    }

    /// The system has something to tell of the socket; whether it may be read now.
    pub(super) fn on_ready(&mut self, event: &Event) -> bool {
        self.is_read_closed |= event.is_read_closed() || event.is_error();
        self.is_readable |= event.is_readable() || self.is_read_closed;
        self.is_readable
    }

    /// Whether the peer's end was read, behind which nothing comes.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether nothing that matters can come any more: the client has said so, and everything up to that was read. A WebSocket has
    /// its own goodbye, which the client may be sending.
    pub(super) fn may_close(&self, closer: Closer) -> bool {
        let is_over = match closer {
            Closer::Client => self.frames.is_none(),
            Closer::Broker => false,
        };
        is_over && !self.is_readable
    }

    /// The WebSocket layer, where there is one.
    pub(super) fn frames(&mut self) -> Option<&mut Frames> {
        self.frames.as_deref_mut()
    }

    /// Whether a read may find something. If not, the system tells when it may.
    pub(super) const fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Reads what the socket has and `buffer` holds.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => {
                    self.has_ended = true;
                    return Received::Ended(None);
                }
                Ok(len) => {
                    let is_last = SHORT_READ_IS_LAST && len < buffer.len();
                    self.is_readable = self.is_read_closed || !is_last;
                    return Received::Bytes(len);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Received::Blocked;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Received::Ended(Some(error)),
            }
        }
    }

    /// Takes the WebSocket layer off the bytes of `buffer` from `start` on.
    pub(super) fn unwrap(&mut self, buffer: &mut BytesMut, start: usize) -> Result<(), FrameEnd> {
        match &mut self.frames {
            Some(frames) => frames.unwrap(buffer, start),
            None => Ok(()),
        }
    }

    /// Whether the WebSocket layer has bytes to send that are not output of the shard.
    pub(super) fn has_pending(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.has_pending())
    }

    /// Writes until all of `output` is sent or the socket is full.
    pub(super) fn send(&mut self, mut output: Sending<'_>) -> Sent {
        loop {
            let result = match output.only_chunk() {
                Some([]) if self.frames.is_none() => return Sent::All,
                Some(bytes) if self.frames.is_none() => self.socket.write(bytes),
                Some(_) | None => match self.write_pieces(&output) {
                    Some(result) => result,
                    None => return Sent::All,
                },
            };
            match result {
                Ok(0) => return Sent::Failed(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let payload = self.frames.as_mut().map_or(written, |frames| frames.advance(written));
                    output.advance(payload);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.write_blocked = true;
                    return Sent::Blocked;
                }
                Err(error) => return Sent::Failed(error),
            }
        }
    }

    /// Writes once what is more than one piece, or in frames; `None`: there is nothing.
    fn write_pieces(&mut self, output: &Sending<'_>) -> Option<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let (own, follows) = match &mut self.frames {
            Some(frames) => frames.wrap(output.len()),
            None => (&[][..], output.len()),
        };
        let used = gather(&mut slices, own, output);
        Some(match &slices[..used] {
            [] => return None,
            slices if follows < output.len() => write_first(&mut self.socket, slices, own.len() + follows),
            [one] => self.socket.write(one),
            several => self.socket.write_vectored(several),
        })
    }

    /// Makes the drop of the socket a reset, so that the kernel does not go on to hold what a peer does not read.
    pub(super) fn abort(&self) {
        if let Err(error) = self.socket.abort_when_dropped() {
            tracing::debug!(%error, "a socket was gone before it was reset");
        }
    }

    /// Closes our side. An error means that the peer is gone, which ends the connection as well.
    pub(super) fn close_write(&self) -> io::Result<()> {
        self.socket.close_write()
    }
}

/// Fills `slices` with `own` and then the output's chunks; how many slices are used.
fn gather<'a>(slices: &mut [IoSlice<'a>], own: &'a [u8], output: &'a Sending<'_>) -> usize {
    let first = usize::from(!own.is_empty());
    if first == 1 {
        slices[0] = IoSlice::new(own);
    }
    first + output.chunks(&mut slices[first..])
}

/// Writes at most the first `len` bytes of `slices`. A frame that has begun ends where its header said,
/// though the output has grown since.
#[cold]
fn write_first(socket: &mut Socket, slices: &[IoSlice<'_>], mut len: usize) -> io::Result<usize> {
    let mut first = [IoSlice::new(&[]); SLICES_MAX];
    let mut used = 0;
    for (slice, first) in slices.iter().zip(&mut first) {
        if len == 0 {
            break;
        }
        let taken = slice.len().min(len);
        *first = IoSlice::new(&slice[..taken]);
        len -= taken;
        used += 1;
    }
    socket.write_vectored(&first[..used])
}
