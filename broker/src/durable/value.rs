//! The bytes of keys and rows: few take no memory of their own, and a message is encoded by who writes it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::row::{MessageRow, OwnReference};
use crate::message::Message;

/// Bytes of the length of which most keys and rows are: a session's number and a place, and what refers to a message.
const SHORT_MAX: usize = 22;

/// The bytes of a key, or of a row that is not a message.
#[derive(Clone)]
pub struct RowBytes(Repr);

#[derive(Clone)]
enum Repr {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Box<[u8]>),
}

impl RowBytes {
    /// One piece after the other.
    pub(crate) fn concat(pieces: &[&[u8]]) -> Self {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        if len > SHORT_MAX {
            return Self(Repr::Long(pieces.concat().into()));
        }
        let mut bytes = [0; SHORT_MAX];
        let mut rest = &mut bytes[..];
        pieces.iter().for_each(|piece| rest.put_slice(piece));
        // At most `SHORT_MAX`.
        Self(Repr::Short { len: len as u8, bytes })
    }
}

impl Deref for RowBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for RowBytes {
    fn from(bytes: &[u8]) -> Self {
        Self::concat(&[bytes])
    }
}

impl From<Vec<u8>> for RowBytes {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() > SHORT_MAX { Self(Repr::Long(bytes.into())) } else { bytes[..].into() }
    }
}

impl<const LEN: usize> From<[u8; LEN]> for RowBytes {
    fn from(bytes: [u8; LEN]) -> Self {
        bytes[..].into()
    }
}

impl PartialEq for RowBytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for RowBytes {}

impl PartialOrd for RowBytes {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowBytes {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Debug for RowBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// What a row says.
#[derive(Clone, Debug)]
pub struct Value(Content);

#[derive(Clone, Debug)]
enum Content {
    Bytes(RowBytes),
    Message { message: Arc<Message>, expires_at: Option<u64>, reference: Option<OwnReference> },
}

impl Value {
    /// A message, and who is the first to wait for it; `expires_at` is the time of day.
    pub(crate) const fn message(
        message: Arc<Message>,
        expires_at: Option<u64>,
        reference: Option<OwnReference>,
    ) -> Self {
        Self(Content::Message { message, expires_at, reference })
    }

    /// Writes the bytes behind others.
    pub fn append_to(&self, buffer: &mut BytesMut) {
        match &self.0 {
            Content::Bytes(bytes) => buffer.extend_from_slice(bytes),
            Content::Message { message, expires_at, reference } => {
                MessageRow::encode(message, *expires_at, reference.as_ref(), buffer);
            }
        }
    }

    /// The bytes alone.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut buffer = BytesMut::new();
        self.append_to(&mut buffer);
        buffer.into()
    }
}

impl From<RowBytes> for Value {
    fn from(bytes: RowBytes) -> Self {
        Self(Content::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Content::Bytes(bytes.into()))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.to_vec() == other.to_vec()
    }
}

impl Eq for Value {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_bytes_are_told_apart_by_what_they_say_alone() {
        let long = RowBytes::concat(&[&[7; SHORT_MAX], &[8]]);
        let short = RowBytes::concat(&[&[7; SHORT_MAX - 1], &[8]]);
        assert_eq!((long.len(), short.len()), (SHORT_MAX + 1, SHORT_MAX));
        assert!(matches!((&long.0, &short.0), (Repr::Long(_), Repr::Short { .. })));
        assert!(long < short, "by the first byte that differs");
        assert_eq!(RowBytes::from(long.to_vec()), long);
        assert_eq!(RowBytes::from(&short[..]), short);
        assert_eq!(RowBytes::from([1, 2]), RowBytes::from(vec![1, 2]));
        assert!(size_of::<RowBytes>() <= 24);
    }
}
