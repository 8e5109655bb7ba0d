//! Where a shard waits: for its sockets, for those who ring, and for a time.

use std::io;
use std::time::Duration;

use mio::event::{Event, Source};
use mio::{Events, Interest, Poll, Token, Waker};

use super::bell::Bell;
use super::socket::Socket;

/// Sockets that one look may report; the rest come with the next one.
const EVENTS_MAX: usize = 1024;

/// No slot has this number.
const BELL: Token = Token(usize::MAX);

/// Whose socket an event is for. Its two highest bits tell the kinds apart: no slot has such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A connection, by its slot.
    Slot(usize),
    /// One that has not said anything, by its number.
    Silent(usize),
    /// A listener, by its number.
    Listener(usize),
}

const SILENT: usize = 1 << (usize::BITS - 1);
const LISTENER: usize = 1 << (usize::BITS - 2);

impl Place {
    const fn token(self) -> Token {
        match self {
            Self::Slot(slot) => Token(slot),
            Self::Silent(number) => Token(number | SILENT),
            Self::Listener(number) => Token(number | LISTENER),
        }
    }

    const fn of(Token(number): Token) -> Self {
        if number & (SILENT | LISTENER) == 0 {
            Self::Slot(number)
        } else if number & SILENT != 0 {
            Self::Silent(number & !SILENT)
        } else {
            Self::Listener(number & !LISTENER)
        }
    }
}

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
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(socket, Place::Slot(slot).token(), both)
    }

    /// Reports from now on when there is something to be read or accepted, until it is dropped or no longer watched.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub(super) fn listen(&self, source: &mut impl Source, place: Place) -> io::Result<()> {
        self.poll.registry().register(source, place.token(), Interest::READABLE)
    }

    /// Watches a socket no longer, which goes on elsewhere.
    ///
    /// # Errors
    /// The system does not let it go.
    pub(super) fn forget(&self, socket: &mut Socket) -> io::Result<()> {
        self.poll.registry().deregister(socket)
    }

    /// Waits until there is something to do or the time is over, and tells of each socket that has something.
    ///
    /// # Errors
    /// The system does not let the shard wait.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut on_ready: impl FnMut(Place, &Event),
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in self.events.iter().filter(|event| event.token() != BELL) {
            on_ready(Place::of(event.token()), event);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_token_of_its_own() {
        for number in [0, 1, 77_000, usize::MAX >> 3] {
            for place in [Place::Slot(number), Place::Silent(number), Place::Listener(number)] {
                assert_eq!(Place::of(place.token()), place);
                assert_ne!(place.token(), BELL);
            }
        }
    }
}
