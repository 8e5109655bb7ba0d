//! What the decoder takes, the encoder writes, and the decoder takes again as the same packet.

use bytes::BytesMut;

use crate::Version;
use crate::codec::{DecodeError, decode, encode, encoded_len};
use crate::packet::Packet;

/// Bound on the packets that [`decode_encode_decode`] takes, so that damaged lengths come to something.
const PACKET_SIZE_MAX: usize = 1 << 20;

/// [`decode_encode_decode`] of the bytes behind the first one, which names the version. How many packets they began with.
///
/// # Panics
/// As it does.
pub fn decode_any(tape: &[u8]) -> usize {
    let Some((version, bytes)) = tape.split_first() else { return 0 };
    let version = [Version::V31, Version::V311, Version::V5][usize::from(version % 3)];
    decode_encode_decode(bytes, version).0
}

/// How many packets the bytes began with, and what was wrong with those behind them.
///
/// # Panics
/// When a packet that was decoded is not the one that its encoding decodes to. The fuzz target and the bounded run of
/// it among the tests are this function.
pub fn decode_encode_decode(bytes: &[u8], version: Version) -> (usize, Option<DecodeError>) {
    let mut input = BytesMut::from(bytes);
    let mut taken = 0;
    loop {
        let before = input.len();
        match decode(&mut input, version, PACKET_SIZE_MAX) {
            Ok(Some(packet)) => {
                assert!(input.len() < before, "a packet takes bytes");
                check(packet, version);
                taken += 1;
            }
            Ok(None) => {
                assert_eq!(input.len(), before, "nothing is taken of a packet that is not whole");
                return (taken, None);
            }
            Err(error) => return (taken, Some(error)),
        }
    }
}

fn check(packet: Packet, version: Version) {
    // A CONNECT names its own version.
    let version = if let Packet::Connect(connect) = &packet { connect.version } else { version };
    let mut written = BytesMut::new();
    assert_eq!(encode(&packet, version, &mut written), Ok(()), "{packet:?}");
    assert_eq!(encoded_len(&packet, version), Ok(written.len()), "{packet:?}");
    assert_eq!(decode(&mut written, version, usize::MAX), Ok(Some(packet)));
    assert!(written.is_empty(), "the packet is all that was written");
}
