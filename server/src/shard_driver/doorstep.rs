//! The listeners of a shard, and those who have connected to them and not said anything.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use hearth_protocol::Time;
use slab::Slab;

use super::ShardDriver;
use super::reactor::Place;
use super::socket::Socket;
use crate::listener::{Knock, Porter, Visit};
use crate::socket::Detached;

/// Connections that one turn takes from a listener, so that a storm of them does not hold up those who are connected: half a
/// millisecond.
const ACCEPTS_PER_TURN: usize = 32;

/// Bytes of the first read: more than nearly every CONNECT, and than what a client sends with it.
const FIRST_READ_BYTES: usize = 4096;

/// How long a listener rests that has no place for one more, or whose connections the system has no room for: trying again at
/// once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(50);

/// What stands before the shard.
#[derive(Debug, Default)]
pub(super) struct Doorstep {
    listeners: Vec<Listener>,
    silent: Slab<Silent>,
    /// Of `silent`, those that have something to read.
    spoken: Vec<usize>,
    /// When patience ends, in order; an entry may have outlived its visitor.
    deadlines: VecDeque<(Time, usize)>,
}

#[derive(Debug)]
struct Listener {
    porter: Porter,
    /// There may be connections. If not, the system tells when there are.
    is_ready: bool,
    /// Until when it rests.
    rests_until: Option<Time>,
}

/// A connection that has not said anything.
#[derive(Debug)]
struct Silent {
    socket: Socket,
    visit: Visit,
    /// The number of its listener.
    listener: usize,
    /// When patience ends.
    until: Time,
}

/// What the first read of a connection gave.
enum FirstRead {
    Bytes(usize),
    Nothing,
    End,
}

impl Doorstep {
    /// The system has told that somebody connects.
    pub(super) fn on_arrival(&mut self, number: usize) {
        if let Some(listener) = self.listeners.get_mut(number) {
            listener.is_ready = true;
        }
    }

    /// The system has told that somebody says something.
    pub(super) fn on_spoken(&mut self, number: usize) {
        self.spoken.push(number);
    }

    /// When there is something to do though nothing happens.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let patience = self.deadlines.front().map(|(until, _)| *until);
        let rests = self.listeners.iter().filter_map(|listener| listener.rests_until);
        rests.chain(patience).min()
    }
}

impl ShardDriver {
    /// Takes the connections of a listener from now on.
    pub(super) fn listen(&mut self, mut porter: Porter) {
        if self.stop.is_some() {
            return;
        }
        let place = Place::Listener(self.doorstep.listeners.len());
        if let Err(error) = self.reactor.listen(porter.lookout(), place) {
            tracing::error!(%error, "a listener could not be watched and is closed; allow more open files");
            return;
        }
        // Those who came before it was watched are told of as well.
        self.doorstep.listeners.push(Listener { porter, is_ready: false, rests_until: None });
    }

    /// Hears those who speak and takes those who connect. Whoever belongs to this shard is opened in the next turn.
    pub(super) fn attend_doorstep(&mut self, now: Time) {
        for number in std::mem::take(&mut self.doorstep.spoken) {
            self.hear_silent(number);
        }
        self.end_patience(now);
        for number in 0..self.doorstep.listeners.len() {
            let listener = &mut self.doorstep.listeners[number];
            if listener.rests_until.take_if(|until| *until <= now).is_some() {
                listener.is_ready = true;
            }
            if listener.is_ready && listener.rests_until.is_none() {
                self.accept(now, number);
            }
        }
        self.more_to_do |= !self.arrivals.is_empty();
    }

    fn hear_silent(&mut self, number: usize) {
        let Some(silent) = self.doorstep.silent.get_mut(number) else { return };
        let first = read_first(&mut silent.socket, &mut self.scratch);
        let len = match first {
            FirstRead::Nothing => return,
            FirstRead::Bytes(len) => Some(len),
            FirstRead::End => None,
        };
        let Silent { mut socket, visit, listener, .. } = self.doorstep.silent.remove(number);
        let Some(len) = len else { return };
        match self.reactor.forget(&mut socket) {
            Ok(()) => self.let_in(listener, socket.into(), len, visit),
            Err(error) => tracing::warn!(%error, "a connection could not be let go and is dropped"),
        }
    }

    fn end_patience(&mut self, now: Time) {
        let Doorstep { listeners, silent, deadlines, .. } = &mut self.doorstep;
        while let Some((until, number)) = deadlines.pop_front_if(|(until, _)| *until <= now) {
            if silent.get(number).is_some_and(|silent| silent.until == until) {
                let Silent { visit, listener, .. } = silent.remove(number);
                listeners[listener].porter.give_up(&visit);
            }
        }
    }

    /// Takes connections from a listener as long as there are any, or until it is the others' turn.
    fn accept(&mut self, now: Time, number: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            let listener = &mut self.doorstep.listeners[number];
            match listener.porter.accept() {
                Knock::Visitor(socket, visit) => self.receive(now, number, socket.into(), visit),
                Knock::Past => {}
                Knock::Nobody => {
                    listener.is_ready = false;
                    return;
                }
                Knock::Later => {
                    listener.rests_until = Some(now.saturating_add(PAUSE));
                    return;
                }
            }
        }
        self.more_to_do = true;
    }

    /// Reads what has come with a connection; if nothing has, it may yet.
    fn receive(&mut self, now: Time, listener: usize, mut socket: Socket, visit: Visit) {
        match read_first(&mut socket, &mut self.scratch) {
            FirstRead::Bytes(len) => return self.let_in(listener, socket.into(), len, visit),
            FirstRead::End => return,
            FirstRead::Nothing => {}
        }
        let entry = self.doorstep.silent.vacant_entry();
        if let Err(error) = self.reactor.listen(&mut socket, Place::Silent(entry.key())) {
            tracing::warn!(%error, "a connection could not be watched and is dropped");
            return;
        }
        let until = now.saturating_add(self.connect_time_max);
        self.doorstep.deadlines.push_back((until, entry.key()));
        entry.insert(Silent { socket, visit, listener, until });
    }

    /// Brings a connection to its shard, whose first bytes are in `scratch`, or to the door.
    fn let_in(&mut self, listener: usize, socket: Detached, len: usize, visit: Visit) {
        let porter = &self.doorstep.listeners[listener].porter;
        match porter.hear(socket, &self.scratch[..len], visit) {
            Some((shard, hand_over)) if shard == self.number => self.arrivals.push(hand_over),
            Some((shard, hand_over)) => porter.hand_over(shard, hand_over),
            None => {}
        }
    }
}

fn read_first(socket: &mut Socket, buffer: &mut [u8]) -> FirstRead {
    loop {
        match socket.read(&mut buffer[..FIRST_READ_BYTES]) {
            Ok(0) => {
                tracing::debug!("a connection ended before it said anything");
                return FirstRead::End;
            }
            Ok(len) => return FirstRead::Bytes(len),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return FirstRead::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::debug!(%error, "a connection was gone before it said anything");
                return FirstRead::End;
            }
        }
    }
}
