//! What the rest of the process asks of a shard.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hearth_broker::{AuthStep, ConnectionId, Peer, Told};
use hearth_protocol::TopicName;
use tokio::sync::oneshot;

use super::bell::Bell;
use crate::admission::Presence;
use crate::figures::ShardFigures;
use crate::listener::{Porter, Standing};
use crate::socket::Detached;

/// A socket that moves to a shard, with all that was read from it.
#[derive(Debug)]
pub(crate) struct HandOver {
    /// Where it goes on.
    pub(crate) socket: Detached,
    /// Bytes that the door read; of a WebSocket connection, still in their frames.
    pub(crate) bytes: Bytes,
    /// Who it is.
    pub(crate) peer: Peer,
    /// Whether the bytes of this socket come in WebSocket frames.
    pub(crate) is_websocket: bool,
    /// Its place among the connections that are still at the door. Held until the shard has the socket,
    /// which bounds the inbox.
    pub(crate) standing: Standing,
    /// Its entry in the book of its address, for as long as it lasts.
    pub(crate) presence: Option<Presence>,
}

#[derive(Debug)]
pub(super) enum Command {
    Open(Box<HandOver>),
    Listen(Box<Porter>),
    Authenticated(ConnectionId, AuthStep),
    AccessChanged,
    Probe(oneshot::Sender<()>),
    Figures(oneshot::Sender<ShardFigures>),
    Publish(Vec<(TopicName, Bytes)>),
    Told(Vec<Told>),
    Committed(u64),
    CommitFailed,
    Stop,
}

/// Commands for one shard, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    commands: Mutex<Vec<Command>>,
    bell: Arc<Bell>,
}

impl Inbox {
    /// Gives a connection to the shard.
    pub(crate) fn open(&self, hand_over: HandOver) {
        self.push(Command::Open(Box::new(hand_over)));
    }

    /// Lets the shard take the connections of a listener.
    pub(crate) fn listen(&self, porter: Porter) {
        self.push(Command::Listen(Box::new(porter)));
    }

    /// Tells the shard who a client is that it has asked about. One at most is under way for each connection.
    pub(crate) fn authenticated(&self, connection: ConnectionId, step: AuthStep) {
        self.push(Command::Authenticated(connection, step));
    }

    /// Has the shard look anew who may stay.
    pub(crate) fn access_changed(&self) {
        self.push(Command::AccessChanged);
    }

    /// Asks the shard for a sign of life in its next turn.
    pub(crate) fn probe(&self) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        self.push(Command::Probe(answer));
        answered
    }

    /// Asks the shard what it has counted.
    pub(crate) fn figures(&self) -> oneshot::Receiver<ShardFigures> {
        let (answer, answered) = oneshot::channel();
        self.push(Command::Figures(answer));
        answered
    }

    /// Lets the shard publish retained messages of the broker itself.
    pub(crate) fn publish(&self, messages: Vec<(TopicName, Bytes)>) {
        self.push(Command::Publish(messages));
    }

    /// Has clients shown something of the live tree.
    pub(crate) fn tell(&self, told: Vec<Told>) {
        self.push(Command::Told(told));
    }

    /// Every batch of the shard up to this one is on disk.
    pub(crate) fn committed(&self, batch: u64) {
        self.push(Command::Committed(batch));
    }

    /// The disk takes nothing for now.
    pub(crate) fn commit_failed(&self) {
        self.push(Command::CommitFailed);
    }

    /// Has the shard take a turn.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Makes the shard say goodbye to its clients and end.
    pub(crate) fn stop(&self) {
        self.push(Command::Stop);
    }

    fn push(&self, command: Command) {
        // The vector is whole after every push, so that a poisoned lock guards nothing broken.
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        self.bell.ring();
    }

    /// What the shard was told of its commits and has not taken yet: the batch that is on disk, or, as `None`, that the disk
    /// takes nothing.
    #[cfg(test)]
    pub(crate) fn take_commits(&self) -> Vec<Option<u64>> {
        let told = self.take().into_iter();
        let word = |command| match command {
            Command::Committed(batch) => Some(Some(batch)),
            Command::CommitFailed => Some(None),
            Command::Open(_)
            | Command::Listen(_)
            | Command::Authenticated(..)
            | Command::AccessChanged
            | Command::Probe(_)
            | Command::Figures(_)
            | Command::Publish(_)
            | Command::Told(_)
            | Command::Stop => None,
        };
        told.filter_map(word).collect()
    }

    /// What the shard was given of the live tree and has not taken yet.
    #[cfg(test)]
    pub(crate) fn take_told(&self) -> Vec<Told> {
        let told = |command| match command {
            Command::Told(told) => told,
            Command::Open(_)
            | Command::Listen(_)
            | Command::Authenticated(..)
            | Command::AccessChanged
            | Command::Probe(_)
            | Command::Figures(_)
            | Command::Publish(_)
            | Command::Committed(_)
            | Command::CommitFailed
            | Command::Stop => Vec::new(),
        };
        self.take().into_iter().flat_map(told).collect()
    }

    pub(super) fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }
}
