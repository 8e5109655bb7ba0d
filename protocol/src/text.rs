//! The UTF-8 encoded string of MQTT, shared rather than copied.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::Bytes;

/// A string that MQTT can carry: UTF-8, no U+0000, at most 65,535 bytes (MQTT 5.0, 1.5.4).
///
/// Cloning shares the bytes. A `Text` that came off the wire keeps the buffer alive that it came in;
/// [`Text::detached`] gives one that does not.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

/// Why bytes are not a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// [MQTT-1.5.4-1]; surrogates are ill-formed UTF-8 too.
    #[error("is not well-formed UTF-8: {0}")]
    Utf8(#[from] Utf8Error),
    /// [MQTT-1.5.4-2].
    #[error("contains the character U+0000")]
    Nul,
    /// Its length does not fit the two bytes of its prefix.
    #[error("has {0} bytes; at most 65,535 fit")]
    TooLong(usize),
}

impl TextError {
    /// The clause of MQTT 5.0 that it breaks.
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Utf8(_) => "MQTT-1.5.4-1",
            Self::Nul => "MQTT-1.5.4-2",
            Self::TooLong(_) => "1.5.4",
        }
    }
}

impl Text {
    /// The longest string that the two-byte length prefix allows.
    pub const BYTES_MAX: usize = u16::MAX as usize;

    /// The empty string.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Takes bytes as they are, after checking them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, TextError> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(TextError::TooLong(bytes.len()));
        }
        // One pass without a branch, which the compiler makes wide; most strings are ASCII without U+0000.
        let is_plain = bytes.iter().fold(true, |is_plain, byte| is_plain & (byte.wrapping_sub(1) < 0x7F));
        if !is_plain {
            std::str::from_utf8(&bytes)?;
            if bytes.contains(&0) {
                return Err(TextError::Nul);
            }
        }
        Ok(Self(bytes))
    }

    /// The string.
    #[expect(unsafe_code, reason = "every constructor checks that the bytes are UTF-8; Bytes cannot change")]
    pub fn as_str(&self) -> &str {
        // SAFETY: `from_bytes` is the only way in and has checked these very bytes; they are immutable.
        unsafe { std::str::from_utf8_unchecked(&self.0) }
    }

    /// The bytes, shared.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same string in memory of its own, so that it does not keep a receive buffer alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl TryFrom<&str> for Text {
    type Error = TextError;

    fn try_from(text: &str) -> Result<Self, TextError> {
        Self::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl TryFrom<String> for Text {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Self::from_bytes(Bytes::from(text))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<[u8]> for Text {
    // Not `Borrow<str>`: `Bytes` hashes as a slice of bytes, `str` does not.
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Text, TextError};

    #[test]
    fn strings_of_mqtt_are_taken_as_they_are() {
        // A byte order mark stays [MQTT-1.5.4-3]; control characters and noncharacters are discouraged, not forbidden.
        for text in ["", "a", "\u{feff}a", "\u{1}\u{7f}", "\u{fffe}", "𝄞", "a\u{308}"] {
            assert_eq!(Text::try_from(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn ill_formed_strings_are_refused_with_their_clause() {
        let table: [(&[u8], &str); 8] = [
            (b"\xff", "MQTT-1.5.4-1"),
            (b"a\xc3", "MQTT-1.5.4-1"),
            // A slash in two bytes, U+D800 and U+DFFF, U+110000.
            (b"\xc0\xaf", "MQTT-1.5.4-1"),
            (b"\xed\xa0\x80", "MQTT-1.5.4-1"),
            (b"\xed\xbf\xbf", "MQTT-1.5.4-1"),
            (b"\xf4\x90\x80\x80", "MQTT-1.5.4-1"),
            (b"\0", "MQTT-1.5.4-2"),
            (b"abc\0", "MQTT-1.5.4-2"),
        ];
        for (bytes, clause) in table {
            let error = Text::from_bytes(Bytes::from_static(bytes)).unwrap_err();
            assert_eq!(error.clause(), clause, "{bytes:?}: {error}");
        }
    }

    #[test]
    fn strings_of_two_bytes_are_taken_when_they_are_utf8_without_nul() {
        for pair in 0..=u16::MAX {
            // Behind enough plain bytes to come to the end of a wide step, and alone.
            for before in ["", "sixteen bytes of"] {
                let bytes = [before.as_bytes(), &pair.to_be_bytes()].concat();
                let is_good = std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0'));
                assert_eq!(Text::from_bytes(Bytes::from(bytes)).is_ok(), is_good, "{before}{pair:#06x}");
            }
        }
    }

    #[test]
    fn the_longest_string_has_65535_bytes() {
        assert_eq!(Text::try_from("x".repeat(65_535)).unwrap().len(), Text::BYTES_MAX);
        assert_eq!(Text::try_from("x".repeat(65_536)), Err(TextError::TooLong(65_536)));
    }

    #[test]
    fn a_detached_string_lets_go_of_the_buffer_it_came_in() {
        let buffer = Bytes::from(vec![b'x'; 1000]);
        let text = Text::from_bytes(buffer.slice(..3)).unwrap();
        let detached = text.detached();
        assert_eq!(detached, text);
        drop(text);
        assert!(buffer.is_unique(), "nothing but the test holds the buffer");
    }
}
