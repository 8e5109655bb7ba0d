//! Where a shard waits: for its sockets, for those who ring, and for a time.

use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token, Waker};

use super::bell::Bell;
use super::socket::Socket;

/// Sockets that one look may report; the rest come with the next one.
const EVENTS_MAX: usize = 1024;

/// No slot has this number.
const BELL: Token = Token(usize::MAX);

/// The system's list of the sockets of one shard.
///
/// A runtime for tasks would keep a record and a waker for each socket, some 500 bytes, and take another round through both
/// and through the system to run the one task that there is.
#[derive(Debug)]
pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
}

impl Reactor {
    /// One that `bell` wakes.
    ///
    /// # Errors
    /// The system has no more file descriptors for the process.
    pub(crate) fn new(bell: &Bell) -> io::Result<Self> {
        let poll = Poll::new()?;
        bell.attach(Waker::new(poll.registry(), BELL)?);
        Ok(Self { poll, events: Events::with_capacity(EVENTS_MAX) })
    }

    /// Reports from now on when `socket` can be read or written, until it is dropped.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub(super) fn watch(&self, socket: &mut Socket, slot: usize) -> io::Result<()> {
        self.poll.registry().register(socket, Token(slot), Interest::READABLE | Interest::WRITABLE)
    }

    /// Waits until there is something to do or the time is over, and tells of each socket that has something, by its slot.
    ///
    /// # Errors
    /// The system does not let the shard wait.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut on_ready: impl FnMut(usize, &Event),
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in self.events.iter().filter(|event| event.token() != BELL) {
            on_ready(event.token().0, event);
        }
        Ok(())
    }
}
