//! Numbers that look random and are the same for the same seed.

use bytes::Bytes;

use crate::property::UserProperties;
use crate::{Text, TopicFilter, TopicName};

/// The `SplitMix64` generator (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, which is above 0. The bias of the remainder does not matter to a test.
    pub const fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// True once in `times`.
    pub const fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A byte.
    pub const fn byte(&mut self) -> u8 {
        self.bits() as u8
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
