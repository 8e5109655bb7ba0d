//! What the first byte of a connection says it speaks, where one port serves everything.

/// A protocol that begins with a byte of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// MQTT: CONNECT is 0x10. What nobody speaks here is left to it as well, since a shard says what is wrong with it.
    Mqtt,
    /// HTTP/1.1, and with it WebSocket: methods are capital letters.
    Http,
    /// TLS: a handshake record is 0x16.
    Tls,
}

/// What is said to a client that speaks TLS: an alert, fatal, `handshake_failure` (RFC 8446, 6.2), in the record that
/// every version understands. Its user reads of a refusal instead of a connection that went away.
pub(super) const TLS_REFUSAL: &[u8] = &[0x15, 0x03, 0x03, 0, 2, 2, 40];

/// Tells the protocols apart. One byte is enough: no two begin with the same, and a client that waits for the server to
/// speak first is none of them.
pub(super) fn speech(first: u8) -> Speech {
    const TLS_HANDSHAKE: u8 = 0x16;
    match first {
        TLS_HANDSHAKE => Speech::Tls,
        b'A'..=b'Z' => Speech::Http,
        // CONNECT, and everything else.
        _ => Speech::Mqtt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_is_known_by_its_first_byte() {
        for (bytes, expected) in [
            (&b"\x10\x0c\0\x04MQTT"[..], Speech::Mqtt),
            (b"GET / HTTP/1.1", Speech::Http),
            (b"HEAD / HTTP/1.1", Speech::Http),
            (b"OPTIONS * HTTP/1.1", Speech::Http),
            (b"PROXY TCP4 ", Speech::Http),
            (b"\x16\x03\x01", Speech::Tls),
            (b"\r\n\r\n\0\r\nQUIT\n", Speech::Mqtt),
            (b"\xc0\0", Speech::Mqtt),
            (b"\0", Speech::Mqtt),
        ] {
            assert_eq!(speech(bytes[0]), expected, "{bytes:02x?}");
        }
    }
}
