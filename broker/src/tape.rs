//! PUBLISH packets of a turn, one behind the other, for all outputs that get the same bytes.
//!
//! A subscriber that gets every message of a turn then needs no copy of them: its output says from where to where, and the
//! socket is written from here. What outlasts the turn is copied, so that the tape begins anew with the next one.

use std::sync::Arc;

use bytes::BytesMut;

use crate::encoding::{Encoded, Own};

/// Bytes up to which packets are shared. 256 KiB: what a turn reads at most, and little enough to stay in the cache.
const BYTES_MAX: usize = 256 << 10;

/// The tape.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    bytes: BytesMut,
    /// Up to here outputs may refer to it: those bytes do not change.
    firm: usize,
    /// Has one owner more for each stretch in use. Counted, so that nobody ever reads what is not his any more.
    users: Arc<()>,
}

/// From where to where something stands on the tape.
#[derive(Debug)]
pub(crate) struct Stretch {
    start: usize,
    end: usize,
    _user: Arc<()>,
}

impl Stretch {
    /// What stands there.
    pub(crate) fn of<'a>(&self, tape: &'a [u8]) -> &'a [u8] {
        &tape[self.start..self.end]
    }

    /// Whether what stands at `place` comes right behind it.
    pub(crate) const fn ends_at(&self, place: usize) -> bool {
        self.end == place
    }

    /// Makes it end later.
    pub(crate) const fn extend(&mut self, end: usize) {
        self.end = end;
    }

    /// Its first `count` bytes are not needed any more.
    pub(crate) const fn advance(&mut self, count: usize) {
        self.start += count;
    }
}

impl Tape {
    /// A new message is to be written: what nobody refers to is forgotten.
    pub(crate) fn begin(&mut self) {
        if Arc::strong_count(&self.users) == 1 {
            self.firm = 0;
        }
        self.bytes.truncate(self.firm);
    }

    /// Where packets are written, at the end.
    pub(crate) const fn end(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// All that stands on it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a packet stands here as this delivery has it, and stays so. If nobody refers to it yet it is made so.
    pub(crate) fn adopt(&mut self, encoded: &Encoded<'_>, own: Own) -> bool {
        let packet = &mut self.bytes[encoded.start..encoded.end];
        if encoded.end <= self.firm {
            return own.is_in(packet, encoded.packet_id_at);
        }
        if encoded.end > BYTES_MAX {
            return false;
        }
        own.patch(packet, encoded.packet_id_at);
        self.firm = encoded.end;
        true
    }

    /// A stretch of what was adopted.
    pub(crate) fn stretch(&self, start: usize, end: usize) -> Stretch {
        debug_assert!(end <= self.firm, "only what does not change is referred to");
        Stretch { start, end, _user: Arc::clone(&self.users) }
    }
}
