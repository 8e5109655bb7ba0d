//! Packet identifiers that are free.

use std::num::NonZeroU16;

use crate::packet::PacketId;

/// Hands out identifiers that are not in use, in a circle, so that one that was just given back rests the
/// longest [MQTT-2.2.1-3]. Holds no memory while nothing is in use.
#[derive(Clone, Debug)]
pub struct PacketIds {
    next: u16,
    in_use: usize,
    words: Vec<u64>,
}

const WORDS: usize = (u16::MAX as usize + 1) / 64;

impl Default for PacketIds {
    fn default() -> Self {
        Self::new()
    }
}

impl PacketIds {
    /// All 65,535 are free.
    pub const fn new() -> Self {
        Self { next: 1, in_use: 0, words: Vec::new() }
    }

    /// The next free one; `None` when all are in use.
    pub fn allocate(&mut self) -> Option<PacketId> {
        if self.in_use == usize::from(u16::MAX) {
            return None;
        }
        loop {
            let id = self.next;
            self.next = self.next.checked_add(1).unwrap_or(1);
            if let Some(id) = NonZeroU16::new(id)
                && self.claim(id)
            {
                return Some(id);
            }
        }
    }

    /// Marks one as in use; false when it was already.
    pub fn claim(&mut self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        if word >= self.words.len() {
            self.words.resize((word + 1).next_power_of_two().min(WORDS), 0);
        }
        let free = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.in_use += usize::from(free);
        free
    }

    /// Gives one back; false when it was not in use.
    pub fn release(&mut self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        let Some(word) = self.words.get_mut(word) else { return false };
        let used = *word & bit != 0;
        *word &= !bit;
        self.in_use -= usize::from(used);
        used
    }

    /// Whether one is in use.
    pub fn contains(&self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many are in use.
    pub const fn len(&self) -> usize {
        self.in_use
    }

    /// Whether none is in use.
    pub const fn is_empty(&self) -> bool {
        self.in_use == 0
    }

    /// Gives all back and frees the memory.
    pub fn clear(&mut self) {
        *self = Self { next: self.next, ..Self::new() };
    }
}

fn place(id: PacketId) -> (usize, u64) {
    let id = usize::from(id.get());
    (id / 64, 1 << (id % 64))
}
