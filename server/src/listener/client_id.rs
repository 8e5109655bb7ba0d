//! Looks for the client id in the first bytes of a connection, before anything else is known of it.

use hearth_protocol::{Version, codec};

/// What the first bytes say about the client id of CONNECT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Glimpse<S> {
    /// It is there; empty when the server is to choose one.
    ClientId(S),
    /// It may still come.
    NeedMore,
    /// These bytes are no CONNECT that any shard would take: any shard can say so.
    Unusable,
}

/// Reads just enough of a CONNECT to find its client id. Nothing is judged here that does not stand in the
/// way: the shard parses the same bytes again, strictly.
pub(crate) fn glimpse(bytes: &[u8], packet_size_max: usize) -> Glimpse<&str> {
    let cursor = Cursor { bytes };
    match cursor.client_id(packet_size_max) {
        Ok(client_id) => Glimpse::ClientId(client_id),
        Err(Missing::Bytes) => Glimpse::NeedMore,
        Err(Missing::Sense) => Glimpse::Unusable,
    }
}

enum Missing {
    Bytes,
    Sense,
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn client_id(mut self, packet_size_max: usize) -> Result<&'a str, Missing> {
        const CONNECT: u8 = 0x10;
        if self.byte()? != CONNECT {
            return Err(Missing::Sense);
        }
        let length = self.variable_int()?;
        if length > packet_size_max {
            return Err(Missing::Sense);
        }
        let whole = self.bytes.len() >= length;
        self.bytes = &self.bytes[..self.bytes.len().min(length)];
        // Bytes that the packet itself lacks will never come.
        let lacking = |missing| if whole { Missing::Sense } else { missing };
        self.after_fixed_header().map_err(|missing| match missing {
            Missing::Bytes => lacking(Missing::Bytes),
            Missing::Sense => Missing::Sense,
        })
    }

    fn after_fixed_header(&mut self) -> Result<&'a str, Missing> {
        const BRIDGE_BIT: u8 = 0x80;
        codec::check_connect_start(self.bytes).map_err(|_| Missing::Sense)?;
        let name_len = self.two_byte_int()?;
        self.take(name_len)?;
        let level = self.byte()? & !BRIDGE_BIT;
        let flags_and_keep_alive = 1 + 2;
        self.take(flags_and_keep_alive)?;
        if level == Version::V5.level() {
            let properties_len = self.variable_int()?;
            self.take(properties_len)?;
        }
        let client_id_len = self.two_byte_int()?;
        std::str::from_utf8(self.take(client_id_len)?).map_err(|_| Missing::Sense)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Missing> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Missing::Bytes)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Missing> {
        let (byte, rest) = self.bytes.split_first().ok_or(Missing::Bytes)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn two_byte_int(&mut self) -> Result<usize, Missing> {
        Ok(usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])))
    }

    fn variable_int(&mut self) -> Result<usize, Missing> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Missing::Sense)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET_SIZE_MAX: usize = 1000;

    /// Version 4, client id `abc`.
    const V4: &[u8] = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc";
    /// Version 5 with a session expiry, client id `abc`, and a user name after it.
    const V5: &[u8] = b"\x10\x17\x00\x04MQTT\x05\x82\x00\x3c\x05\x11\x00\x00\x00\x0a\x00\x03abc\x00\x00";

    #[test]
    fn the_client_id_is_seen_as_soon_as_it_is_there() {
        for (packet, seen_from) in [(V4, V4.len()), (V5, V5.len() - 2)] {
            for len in 0..=packet.len() {
                let expected = if len < seen_from { Glimpse::NeedMore } else { Glimpse::ClientId("abc") };
                assert_eq!(glimpse(&packet[..len], PACKET_SIZE_MAX), expected, "{len} of {packet:?}");
            }
        }
    }

    #[test]
    fn version_3_1_and_bridges_are_understood() {
        let v3 = b"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x03abc";
        let bridge = b"\x10\x0f\x00\x04MQTT\x84\x02\x00\x3c\x00\x03abc";
        assert_eq!(glimpse(v3, PACKET_SIZE_MAX), Glimpse::ClientId("abc"));
        assert_eq!(glimpse(bridge, PACKET_SIZE_MAX), Glimpse::ClientId("abc"));
    }

    #[test]
    fn what_can_never_become_a_client_id_is_not_waited_for() {
        let cases: [(&[u8], &str); 6] = [
            (b"GET / HTTP/1.1", "not a CONNECT"),
            (b"\x10\xff\xff\xff\xff", "a length without end"),
            (b"\x10\xff\xff\x7f", "a length over the limit"),
            (b"\x10\x02\x00\x04", "a packet that ends before its client id"),
            (b"\x10\x20\x00\x07", "a long protocol name"),
            (b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02\xff\xfe", "a client id that is not UTF-8"),
        ];
        for (bytes, what) in cases {
            assert_eq!(glimpse(bytes, PACKET_SIZE_MAX), Glimpse::Unusable, "{what}");
        }
    }
}
