//! QoS 2 messages that came in and whose PUBREL has not.

use std::collections::VecDeque;

use crate::packet::PacketId;

/// The receiver's half of QoS 2 (MQTT 5.0, 4.3.3): an identifier is held from PUBLISH to PUBREL, and a PUBLISH
/// that comes again meanwhile is the same message [MQTT-4.3.3-10].
///
/// A set of bits in a ring, of which only the stretch from the first to the last held identifier exists. Senders
/// number in a circle, so the stretch is short, and it moves on without being allocated again.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    held: u16,
    /// Where in the ring the stretch begins.
    first: u16,
    words: VecDeque<u64>,
}

/// The ring: one bit for each of 65,536 numbers.
const RING_WORDS: usize = (u16::MAX as usize + 1) / 64;

/// Kept when nothing is held, so that one message at a time does not allocate each time.
const IDLE_WORDS: usize = 4;

impl Inbound {
    /// Nothing is held.
    pub const fn new() -> Self {
        Self { held: 0, first: 0, words: VecDeque::new() }
    }

    /// Takes a PUBLISH; false when its identifier is held already, so that it must not be passed on again.
    pub fn begin(&mut self, id: PacketId) -> bool {
        let place = self.reach(id);
        let (word, bit) = (&mut self.words[place], bit(id));
        let is_new = *word & bit == 0;
        *word |= bit;
        self.held += u16::from(is_new);
        is_new
    }

    /// Takes a PUBREL; false when the identifier was not held.
    pub fn release(&mut self, id: PacketId) -> bool {
        let place = self.place(id);
        let Some(word) = self.words.get_mut(place) else { return false };
        let is_held = *word & bit(id) != 0;
        *word &= !bit(id);
        self.held -= u16::from(is_held);
        self.trim();
        is_held
    }

    /// How many are held.
    pub const fn len(&self) -> usize {
        self.held as usize
    }

    /// Whether none is held.
    pub const fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Forgets all and frees the memory.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The place of an identifier's word, counted from the first; may lie behind the last.
    fn place(&self, id: PacketId) -> usize {
        (usize::from(id.get()) / 64 + RING_WORDS - usize::from(self.first)) % RING_WORDS
    }

    /// As `place`, with the stretch made longer at its nearer end until the word exists.
    fn reach(&mut self, id: PacketId) -> usize {
        if self.words.is_empty() {
            self.first = id.get() / 64;
        }
        let place = self.place(id);
        if place < self.words.len() {
            return place;
        }
        let in_front = RING_WORDS - place;
        if place + 1 - self.words.len() <= in_front {
            self.words.resize(place + 1, 0);
            return place;
        }
        for _ in 0..in_front {
            self.words.push_front(0);
        }
        self.first = id.get() / 64;
        0
    }

    fn trim(&mut self) {
        while let Some(0) = self.words.front() {
            self.words.pop_front();
            self.first = (self.first + 1) % RING_WORDS as u16;
        }
        while let Some(0) = self.words.back() {
            self.words.pop_back();
        }
        if self.words.is_empty() && self.words.capacity() > IDLE_WORDS {
            self.words = VecDeque::new();
        }
    }
}

const fn bit(id: PacketId) -> u64 {
    1 << (id.get() % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::num::NonZeroU16;

    fn id(id: u16) -> PacketId {
        NonZeroU16::new(id).unwrap()
    }

    #[test]
    fn an_identifier_is_held_from_publish_to_pubrel() {
        let mut inbound = Inbound::new();
        assert!(inbound.begin(id(7)));
        assert!(!inbound.begin(id(7)), "the same message came again");
        assert_eq!(inbound.len(), 1);
        assert!(inbound.release(id(7)));
        assert!(!inbound.release(id(7)), "PUBREL came again");
        assert!(inbound.is_empty());
        assert!(inbound.begin(id(7)), "the identifier names a new message now");
    }

    #[test]
    fn it_holds_what_a_plain_set_holds() {
        let mut random = 1_u64;
        for spread in [1, 64, 1_000, 65_535] {
            let (mut inbound, mut plain) = (Inbound::new(), HashSet::new());
            let mut drift = 0;
            for _ in 0..20_000 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                drift += u32::from(random >> 60 == 0) * 40;
                let id = id(((drift + (random >> 33) as u32 % spread) % 65_535 + 1) as u16);
                match random >> 32 & 1 {
                    0 => assert_eq!(inbound.begin(id), plain.insert(id)),
                    _ => assert_eq!(inbound.release(id), plain.remove(&id)),
                }
                assert_eq!(inbound.len(), plain.len());
                assert!(inbound.words.len() <= RING_WORDS);
            }
            for id in plain {
                assert!(inbound.release(id));
            }
            assert!(inbound.is_empty() && inbound.words.is_empty());
        }
    }

    #[test]
    fn the_ring_closes_behind_the_last_identifier() {
        let mut inbound = Inbound::new();
        for held in [65_535, 1, 65_472, 128] {
            assert!(inbound.begin(id(held)));
        }
        assert_eq!(inbound.words.len(), 4, "the stretch runs across the end of the ring");
        for held in [1, 128, 65_535, 65_472] {
            assert!(inbound.release(id(held)));
        }
    }

    #[test]
    fn one_message_at_a_time_needs_no_more_than_the_first() {
        let mut inbound = Inbound::new();
        inbound.begin(id(1));
        inbound.release(id(1));
        let capacity = inbound.words.capacity();
        for number in 1..=u16::MAX {
            assert!(inbound.begin(id(number)) && inbound.release(id(number)));
            assert_eq!(inbound.words.capacity(), capacity);
        }
    }
}
