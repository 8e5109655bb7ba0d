//! Writes a packet twice: once to learn its length, once for real, from one description.

use bytes::{BufMut, BytesMut};

use super::EncodeError;
use crate::Text;
use crate::property::{PropertyId, UserProperties};

/// The highest remaining length (2.1.4).
const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// Where fields go.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// Notes a binary field that its two-byte length cannot describe.
    fn refuse(&mut self, field: &'static str, bytes: usize);

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn variable_byte_integer(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.u8((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    fn binary(&mut self, field: &'static str, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.u16(len);
                self.put(bytes);
            }
            Err(_) => self.refuse(field, bytes.len()),
        }
    }

    fn text(&mut self, text: &str) {
        self.binary("string", text.as_bytes());
    }

    fn property_u8(&mut self, id: PropertyId, value: Option<u8>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u8(value);
        }
    }

    fn property_bool(&mut self, id: PropertyId, value: Option<bool>) {
        self.property_u8(id, value.map(u8::from));
    }

    fn property_u16(&mut self, id: PropertyId, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u16(value);
        }
    }

    fn property_u32(&mut self, id: PropertyId, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u32(value);
        }
    }

    fn property_text(&mut self, id: PropertyId, value: Option<&str>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.text(value);
        }
    }

    fn property_binary(&mut self, id: PropertyId, field: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.binary(field, value);
        }
    }

    fn user_properties(&mut self, properties: &UserProperties) {
        for (name, value) in properties {
            self.u8(PropertyId::UserProperty as u8);
            self.text(name);
            self.text(value);
        }
    }
}

/// Counts what would be written.
#[derive(Default)]
pub(super) struct Length {
    pub(super) bytes: usize,
    refused: Option<EncodeError>,
}

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
    }

    fn refuse(&mut self, field: &'static str, bytes: usize) {
        self.refused.get_or_insert(EncodeError::FieldTooLong { field, bytes });
    }
}

impl Length {
    /// The remaining length, if it can be written.
    pub(super) fn check(self, more: usize) -> Result<usize, EncodeError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let remaining = self.bytes + more;
        if remaining > REMAINING_LENGTH_MAX { Err(EncodeError::TooLarge(remaining)) } else { Ok(remaining) }
    }
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }

    fn refuse(&mut self, _: &'static str, _: usize) {
        // The `Length` pass comes first and ends the encoding with an error.
    }
}

/// Fields that write themselves, for `length_prefixed`.
pub(super) trait Fields {
    fn write(&self, sink: &mut impl Sink);
}

/// A block of properties behind its length (2.2.2.1).
pub(super) fn put_properties(sink: &mut impl Sink, properties: &impl Fields) {
    let mut length = Length::default();
    properties.write(&mut length);
    sink.variable_byte_integer(length.bytes);
    if length.bytes > 0 || length.refused.is_some() {
        properties.write(sink);
    }
}

/// How many bytes a variable byte integer takes.
pub(super) const fn variable_byte_integer_len(value: usize) -> usize {
    match value {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        _ => 4,
    }
}

pub(super) fn as_str(text: Option<&Text>) -> Option<&str> {
    text.map(Text::as_str)
}
