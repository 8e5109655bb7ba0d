//! One socket of a shard, with what has to be remembered between turns.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{BufMut, BytesMut};
use hearth_broker::{ConnectionId, Output, Sending};
use hearth_protocol::Time;
use tokio::io::AsyncWrite;

use super::appetite::Appetite;
use super::ready::{ConnectionWaker, ReadyList, waker};
use crate::admission::Presence;
use crate::frames::{FrameEnd, Frames};
use crate::socket::Socket;

/// Pieces of output that one system call takes. More would only matter to a socket whose output is many
/// large shared payloads, and those fill its buffer before.
const SLICES_MAX: usize = 32;

/// A socket and its state. Nothing here is large: most of the time most connections are idle.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    _presence: Option<Presence>,
    /// Present for WebSocket.
    frames: Option<Box<Frames>>,
    ready: Arc<ConnectionWaker>,
    waker: Waker,
    /// The start of a packet whose end has not come. Holds no memory while empty.
    pub(super) partial: BytesMut,
    pub(super) phase: Phase,
    /// The last write did not take everything: the socket says when it can take more.
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
    /// Nothing now; the waker will be called.
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
    /// The socket is full; the waker will be called.
    Blocked,
    /// The peer is gone.
    Failed(io::Error),
}

impl Connection {
    pub(super) fn new(
        socket: Socket,
        is_websocket: bool,
        presence: Option<Presence>,
        slot: usize,
        ready: &Arc<ReadyList>,
        phase: Phase,
    ) -> Self {
        let ready = ConnectionWaker::new(slot, Arc::clone(ready));
        Self {
            socket,
            _presence: presence,
            frames: is_websocket.then(Box::default),
            waker: waker(&ready),
            ready,
            partial: BytesMut::new(),
            phase,
            write_blocked: false,
            due: false,
            paused: false,
            appetite: Appetite::default(),
        }
    }

    /// Its waker's mark in the ready list.
    pub(super) fn ready(&self) -> &ConnectionWaker {
        &self.ready
    }

    /// The WebSocket layer, where there is one.
    pub(super) fn frames(&mut self) -> Option<&mut Frames> {
        self.frames.as_deref_mut()
    }

    /// Whether a read may find something. If not, the waker will be called.
    pub(super) fn is_readable(&mut self) -> bool {
        self.socket.poll_read_ready(&mut Context::from_waker(&self.waker)).is_ready()
    }

    /// Appends at most `len` bytes of the socket to `buffer`.
    pub(super) fn receive(&mut self, buffer: &mut BytesMut, len: usize) -> Received {
        let mut context = Context::from_waker(&self.waker);
        let socket = Pin::new(&mut self.socket);
        match tokio_util::io::poll_read_buf(socket, &mut context, &mut buffer.limit(len)) {
            Poll::Pending => Received::Blocked,
            Poll::Ready(Ok(0)) => Received::Ended(None),
            Poll::Ready(Ok(len)) => Received::Bytes(len),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Received::Bytes(0),
            Poll::Ready(Err(error)) => Received::Ended(Some(error)),
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
            let poll = match output.only_chunk() {
                Some(bytes) if self.frames.is_none() => {
                    if bytes.is_empty() {
                        return Sent::All;
                    }
                    let mut context = Context::from_waker(&self.waker);
                    Pin::new(&mut self.socket).poll_write(&mut context, bytes)
                }
                Some(_) | None => match self.write_pieces(&output) {
                    Some(poll) => poll,
                    None => return Sent::All,
                },
            };
            match poll {
                Poll::Ready(Ok(0)) => return Sent::Failed(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    let payload = self.frames.as_mut().map_or(written, |frames| frames.advance(written));
                    output.advance(payload);
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Sent::Failed(error),
                Poll::Pending => {
                    self.write_blocked = true;
                    return Sent::Blocked;
                }
            }
        }
    }

    /// Writes once what is more than one piece, or in frames; `None`: there is nothing.
    fn write_pieces(&mut self, output: &Sending<'_>) -> Option<Poll<io::Result<usize>>> {
        let mut context = Context::from_waker(&self.waker);
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let (own, follows) = match &mut self.frames {
            Some(frames) => frames.wrap(output.len()),
            None => (&[][..], output.len()),
        };
        let used = gather(&mut slices, own, output);
        let socket = Pin::new(&mut self.socket);
        Some(match &slices[..used] {
            [] => return None,
            slices if follows < output.len() => {
                write_first(socket, &mut context, slices, own.len() + follows)
            }
            [one] => socket.poll_write(&mut context, one),
            several => socket.poll_write_vectored(&mut context, several),
        })
    }

    /// Makes the drop of the socket a reset, so that the kernel does not go on to hold what a peer does not read.
    pub(super) fn abort(&self) {
        if let Err(error) = self.socket.abort_when_dropped() {
            tracing::debug!(%error, "a socket was gone before it was reset");
        }
    }

    /// Closes our side. An error means that the peer is gone, which ends the connection as well.
    pub(super) fn close_write(&mut self) -> io::Result<()> {
        let mut context = Context::from_waker(&self.waker);
        match Pin::new(&mut self.socket).poll_shutdown(&mut context) {
            Poll::Ready(result) => result,
            // Shutting down a socket never waits.
            Poll::Pending => Ok(()),
        }
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
fn write_first(
    socket: Pin<&mut Socket>,
    context: &mut Context<'_>,
    slices: &[IoSlice<'_>],
    mut len: usize,
) -> Poll<io::Result<usize>> {
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
    socket.poll_write_vectored(context, &first[..used])
}
