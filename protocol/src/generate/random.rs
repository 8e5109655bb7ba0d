//! Numbers that look random and are the same for the same seed, or that a fuzzer chose.

use bytes::Bytes;

use crate::property::UserProperties;
use crate::{Text, TopicFilter, TopicName};

/// The `SplitMix64` generator (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), with a tape of
/// choices before it at times: a fuzzer that changes a byte of the tape changes one choice.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    tape: Vec<u8>,
    /// How much of the tape is used.
    used: usize,
}

impl Random {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed, tape: Vec::new(), used: 0 }
    }

    /// The choices of a tape, and behind its end the sequence of seed 0.
    pub fn of_tape(tape: &[u8]) -> Self {
        Self { state: 0, tape: tape.to_vec(), used: 0 }
    }

    /// Whether the tape has no more choices.
    pub const fn is_over(&self) -> bool {
        self.used == self.tape.len()
    }

    /// The next 64 bits. A tape gives the lower 32 and no others, so that a choice is four bytes at most.
    pub fn bits(&mut self) -> u64 {
        self.draw(4)
    }

    /// A number below `bound`, which is above 0. The bias of the remainder does not matter to a test.
    pub fn below(&mut self, bound: usize) -> usize {
        let bytes = match bound {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        (self.draw(bytes) % bound as u64) as usize
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.draw(1) as u8
    }

    /// So many bytes of the tape, or 64 bits once it is over.
    fn draw(&mut self, bytes: usize) -> u64 {
        match self.tape.get(self.used..self.used + bytes) {
            Some(choice) => {
                self.used += bytes;
                choice.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
            }
            None => {
                self.used = self.tape.len();
                self.next_of_sequence()
            }
        }
    }

    const fn next_of_sequence(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// One of the choices, of which there is at least one.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// The value half of the time.
    pub fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(2).then(|| value(self))
    }

    /// Up to `len_max` bytes.
    pub fn bytes(&mut self, len_max: usize) -> Bytes {
        let len = self.below(len_max + 1);
        (0..len).map(|_| self.byte()).collect()
    }

    /// A string, with characters of one to four bytes.
    pub fn text(&mut self) -> Text {
        let len = self.below(12);
        let text: String =
            (0..len).map(|_| self.pick(&['a', 'Z', '0', ' ', '\u{1}', 'é', '\u{feff}', '€', '𝄞'])).collect();
        // None of the characters is U+0000, and twelve of them are short.
        Text::try_from(text).unwrap_or_default()
    }

    /// A topic name.
    pub fn topic_name(&mut self) -> TopicName {
        let levels: Vec<&str> =
            (0..=self.below(4)).map(|_| self.pick(&["a", "bc", "ü", "$d", "e f"])).collect();
        TopicName::try_from(levels.join("/").as_str()).unwrap_or(TopicName::ALIASED)
    }

    /// A topic filter, at times a shared one.
    pub fn topic_filter(&mut self) -> TopicFilter {
        let mut levels: Vec<&str> =
            (0..=self.below(4)).map(|_| self.pick(&["a", "bc", "", "+", "$d"])).collect();
        if self.one_in(3) {
            levels.push("#");
        }
        let mut filter = levels.join("/");
        if filter.is_empty() {
            filter.push('+');
        }
        if self.one_in(5) {
            filter.insert_str(0, "$share/group/");
        }
        match TopicFilter::try_from(filter.as_str()) {
            Ok(filter) => filter,
            // Levels of this alphabet always make a filter; another draw is as good.
            Err(_) => self.topic_filter(),
        }
    }

    /// Up to three pairs, names repeated at times.
    pub fn user_properties(&mut self) -> UserProperties {
        let pairs = self.below(4);
        (0..pairs).map(|_| (self.text(), self.text())).collect()
    }
}
