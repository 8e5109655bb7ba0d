//! Numbers that name shards, connections and sessions.

use std::num::NonZeroU16;

/// How many shards a broker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardCount(NonZeroU16);

impl ShardCount {
    /// The interest table names shards by the bits of a word.
    pub const MAX: u16 = 64;

    /// At most [`ShardCount::MAX`]; more are taken as that many.
    pub const fn new(count: NonZeroU16) -> Self {
        match NonZeroU16::new(Self::MAX) {
            Some(max) if count.get() > max.get() => Self(max),
            Some(_) | None => Self(count),
        }
    }

    /// The number, as rows have it.
    pub(crate) const fn as_u16(self) -> u16 {
        self.0.get()
    }

    /// The number.
    pub const fn get(self) -> usize {
        self.0.get() as usize
    }
}

/// Names a shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u16);

impl ShardId {
    /// The shard with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// For a table by shard.
    pub const fn as_index(self) -> usize {
        self.0 as usize
    }
}

/// Names a connection of one shard; a later one in the same place has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ConnectionId {
    /// For a table by connection; reused when the connection is over.
    pub const fn as_index(self) -> usize {
        self.index as usize
    }
}

/// Names a session of one shard; a later one in the same place has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionId {
    pub(crate) index: u32,
    /// The lower half of its serial number.
    pub(crate) generation: u32,
}
