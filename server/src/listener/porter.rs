//! Who takes the connections of a listener on a shard's own thread.
//!
//! Nearly every client sends CONNECT together with its connection. The shard that takes such a one reads it at once and knows whose it
//! is, so that no other thread has to wake for it. Whoever takes longer, speaks something else or is turned away goes to the
//! [`Door`](super::Door) as a task of the runtime, with what was read.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::accept::is_of_one_connection;
use super::door::{Caller, Standing, Visitor};
use super::entrance::Entrance;
use super::lookout::Lookout;
use crate::admission::Barrier;
use crate::engine::Arrival;
use crate::shard_driver::HandOver;
use crate::socket::{Detached, Socket};

/// A listener with what its connections lead to.
#[derive(Debug)]
pub(crate) struct Porter {
    lookout: Lookout,
    entrance: Entrance,
    /// One that was accepted and waits for a place; the others wait in the system's queue.
    held: Option<(Detached, Option<SocketAddr>)>,
    /// Errors since the last connection.
    failures: u32,
}

/// What accepting gave.
#[derive(Debug)]
pub(crate) enum Knock {
    /// A connection that may say who it is.
    Visitor(Detached, Visit),
    /// One that is gone, or somebody else's by now: there may be more.
    Past,
    /// Nobody; the system tells when there is somebody.
    Nobody,
    /// No more for a while: there is no place, or the system has no room.
    Later,
}

/// What is known of a connection before it has said anything.
#[derive(Debug)]
pub(crate) struct Visit {
    address: Option<SocketAddr>,
    standing: Standing,
    /// When patience ends, for the door.
    deadline: Instant,
}

impl Porter {
    /// One for a listener that leads to `entrance`.
    pub(crate) fn new(lookout: Lookout, entrance: Entrance) -> Self {
        Self { lookout, entrance, held: None, failures: 0 }
    }

    /// What is to be watched.
    pub(crate) fn lookout(&mut self) -> &mut Lookout {
        &mut self.lookout
    }

    /// Takes the next connection.
    pub(crate) fn accept(&mut self) -> Knock {
        if let Some((socket, address)) = self.held.take() {
            return self.find_place(socket, address);
        }
        match self.lookout.accept() {
            Ok((socket, address)) => {
                if self.failures > 0 {
                    tracing::info!(failures = self.failures, "connections are accepted again");
                    self.failures = 0;
                }
                self.receive(socket, address)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Knock::Nobody,
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection was gone");
                Knock::Past
            }
            Err(error) => {
                // Said once, not ten times a second for as long as it lasts.
                if self.failures == 0 {
                    tracing::warn!(%error, "no connection can be accepted; trying on");
                }
                self.failures = self.failures.saturating_add(1);
                Knock::Later
            }
        }
    }

    fn receive(&mut self, socket: Detached, address: Option<SocketAddr>) -> Knock {
        let door = self.entrance.door();
        let Err(barrier) = door.admission().arrive() else {
            let knock = self.find_place(socket, address);
            if matches!(knock, Knock::Later) {
                // It waits, and behind it the others: they are late and not lost.
                self.entrance.door().admission().refuse(Barrier::HalfOpen, address, None);
            }
            return knock;
        };
        if let Some(standing) = door.turn_away(barrier, address) {
            self.pass_on(socket, &[], Visit { address, standing, deadline: door.deadline() });
        }
        Knock::Past
    }

    fn find_place(&mut self, socket: Detached, address: Option<SocketAddr>) -> Knock {
        let door = self.entrance.door();
        let Some(place) = door.place_now() else {
            self.held = Some((socket, address));
            return Knock::Later;
        };
        let visit = Visit { address, standing: Standing::Waiting(place), deadline: door.deadline() };
        if self.entrance.is_proxy(address) {
            self.pass_on(socket, &[], visit);
            return Knock::Past;
        }
        Knock::Visitor(socket, visit)
    }

    /// A visitor has said something: the shard that it belongs to and what that needs to serve it, if it can be let in at once.
    pub(crate) fn hear(&self, socket: Detached, bytes: &[u8], visit: Visit) -> Option<(usize, HandOver)> {
        let door = self.entrance.door();
        let address = visit.address;
        let Some(client_id) =
            self.entrance.client_id(bytes).filter(|_| door.admission().arrive_from(address).is_ok())
        else {
            self.pass_on(socket, bytes, visit);
            return None;
        };
        let presence = match door.admission().enter(address) {
            Ok(presence) => presence,
            Err(_) => {
                let door = door.clone();
                self.spawn(socket, bytes, visit, |visitor| async move { door.receive(visitor).await });
                return None;
            }
        };
        let transport = socket.transport();
        let Visit { standing, .. } = visit;
        let is_local = Caller { address, is_forwarded: false }.is_local();
        let bytes = Bytes::copy_from_slice(bytes);
        Some(door.place(
            Some(client_id),
            Arrival { socket, bytes, address, is_local, transport, standing, presence },
        ))
    }

    /// Gives a connection to another shard.
    pub(crate) fn hand_over(&self, shard: usize, hand_over: HandOver) {
        self.entrance.door().hand_over(shard, hand_over);
    }

    /// A visitor has said nothing for too long.
    pub(crate) fn give_up(&self, visit: &Visit) {
        self.entrance.door().admission().refuse(Barrier::ConnectTime, visit.address, None);
    }

    /// Lets the runtime go on with a connection.
    fn pass_on(&self, socket: Detached, bytes: &[u8], visit: Visit) {
        let entrance = self.entrance.clone();
        self.spawn(socket, bytes, visit, |visitor| entrance.attend(visitor));
    }

    fn spawn<F>(
        &self,
        socket: Detached,
        bytes: &[u8],
        visit: Visit,
        attend: impl FnOnce(Visitor) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let Visit { address, standing, deadline } = visit;
        let bytes = BytesMut::from(bytes);
        self.entrance.door().spawn(async move {
            let transport = socket.transport();
            let caller = Caller { address, is_forwarded: false };
            match Socket::attach(socket) {
                Ok(socket) => attend(Visitor { socket, bytes, caller, transport, standing, deadline }).await,
                Err(error) => {
                    tracing::warn!(?address, %error, "a connection could not be watched and is dropped")
                }
            }
        });
    }
}
