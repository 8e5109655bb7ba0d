//! Takes fields off the front of a packet's body.

use std::num::NonZeroU16;

use bytes::{Buf, Bytes};

use super::{DecodeError, LIST_MAX};
use crate::packet::PacketId;
use crate::{Text, TopicFilter, TopicName};

/// The part of a body that is not read yet. Each method names the field for the error.
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    pub(super) fn take(&mut self, len: usize, field: &'static str) -> Result<Bytes, DecodeError> {
        if len > self.0.len() {
            return Err(DecodeError::Short { field });
        }
        Ok(self.0.split_to(len))
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| DecodeError::Short { field })
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| DecodeError::Short { field })
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| DecodeError::Short { field })
    }

    pub(super) fn variable_byte_integer(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        match variable_byte_integer(&self.0) {
            Ok(Some((value, len))) => {
                self.0.advance(len);
                Ok(value)
            }
            Ok(None) => Err(DecodeError::Short { field }),
            Err(NotMinimal) => Err(DecodeError::VariableByteInteger { field }),
        }
    }

    pub(super) fn binary(&mut self, field: &'static str) -> Result<Bytes, DecodeError> {
        let len = self.u16(field)?;
        self.take(usize::from(len), field)
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<Text, DecodeError> {
        let bytes = self.binary(field)?;
        Text::from_bytes(bytes).map_err(|error| DecodeError::Text { field, error })
    }

    pub(super) fn topic_name(&mut self, field: &'static str) -> Result<TopicName, DecodeError> {
        let text = self.text(field)?;
        TopicName::new(text).map_err(|error| DecodeError::TopicName { field, error })
    }

    pub(super) fn topic_filter(&mut self, field: &'static str) -> Result<TopicFilter, DecodeError> {
        let text = self.text(field)?;
        TopicFilter::new(text).map_err(|error| DecodeError::TopicFilter { field, error })
    }

    pub(super) fn packet_id(&mut self, field: &'static str) -> Result<PacketId, DecodeError> {
        let id = self.u16(field)?;
        NonZeroU16::new(id).ok_or(DecodeError::Value { field, value: 0, clause: "MQTT-2.2.1-3" })
    }
}

/// Whether a list of `count` entries may have one more.
pub(super) const fn bounded(field: &'static str, count: usize) -> Result<(), DecodeError> {
    if count < LIST_MAX { Ok(()) } else { Err(DecodeError::TooMany { field, count_max: LIST_MAX }) }
}

/// A variable byte integer that is longer than four bytes or than it needs to be.
#[derive(Debug)]
pub(super) struct NotMinimal;

/// The value at the front and how many bytes it has; `None` when it goes on behind the end (1.5.5).
pub(super) fn variable_byte_integer(bytes: &[u8]) -> Result<Option<(u32, usize)>, NotMinimal> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return if place > 0 && *byte == 0 { Err(NotMinimal) } else { Ok(Some((value, place + 1))) };
        }
    }
    if bytes.len() >= 4 { Err(NotMinimal) } else { Ok(None) }
}
