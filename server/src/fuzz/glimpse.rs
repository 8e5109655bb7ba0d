//! The door's glimpse at a client id beside the decoder, which reads the whole packet.

use bytes::BytesMut;
use hearth_protocol::generate::{Random, connect, damage};
use hearth_protocol::packet::Packet;
use hearth_protocol::{Version, codec};

use crate::listener::client_id::{Glimpse, glimpse};

/// Largest CONNECT.
const PACKET_SIZE_MAX: usize = 1000;

/// Whether a client id was seen. What the door sees in part of a CONNECT it sees in all of it, and it is what the decoder
/// reads; what the door gives up is nothing that the decoder takes.
///
/// # Panics
/// When door and decoder differ.
pub(crate) fn glimpse_at(tape: &[u8]) -> usize {
    let mut random = Random::of_tape(tape);
    let bytes = bytes_of(&mut random);
    let decoded = codec::decode(&mut BytesMut::from(&bytes[..]), Version::V311, PACKET_SIZE_MAX);
    let whole = glimpse(&bytes, PACKET_SIZE_MAX);
    match (&decoded, &whole) {
        (Ok(Some(Packet::Connect(connect))), Glimpse::ClientId(seen)) => {
            assert_eq!(connect.client_id.as_str(), *seen, "{bytes:02x?}");
        }
        (Ok(Some(Packet::Connect(connect))), other) => panic!("{connect:?} is {other:?} to the door"),
        (Ok(Some(_)), other) => assert_eq!(*other, Glimpse::Unusable, "{bytes:02x?} is no CONNECT"),
        // Part of a packet: the client id may be in it.
        (Ok(None), Glimpse::ClientId(_) | Glimpse::NeedMore) => {}
        (Ok(None), Glimpse::Unusable) => check_that_none_comes(&bytes),
        // The decoder is strict where the door need not be.
        (Err(_), Glimpse::ClientId(_) | Glimpse::NeedMore | Glimpse::Unusable) => {}
    }
    let mut seen_before = None;
    for len in 0..=bytes.len() {
        let seen = glimpse(&bytes[..len], PACKET_SIZE_MAX);
        if let Some(before) = &seen_before {
            assert_eq!(&seen, before, "what is seen or given up in {len} bytes stays so: {bytes:02x?}");
        } else if seen != Glimpse::NeedMore {
            seen_before = Some(seen);
        }
    }
    usize::from(matches!(whole, Glimpse::ClientId(_)))
}

fn bytes_of(random: &mut Random) -> Vec<u8> {
    let version = random.pick(&[Version::V31, Version::V311, Version::V5]);
    if random.one_in(4) {
        let mut bytes = vec![0x10];
        bytes.extend(random.bytes(60));
        return bytes;
    }
    let packet = Packet::Connect(Box::new(connect(random, version)));
    let mut bytes = BytesMut::new();
    assert_eq!(codec::encode(&packet, version, &mut bytes), Ok(()), "generated packets are valid");
    let mut bytes = bytes.to_vec();
    if random.one_in(2) {
        damage(random, &mut bytes);
    }
    bytes
}

/// The door has given up: whatever comes, the decoder refuses it too.
fn check_that_none_comes(bytes: &[u8]) {
    for more in [0x00, 0x01, b'a', 0xFF] {
        let mut all = bytes.to_vec();
        all.resize(bytes.len() + 2 * PACKET_SIZE_MAX, more);
        let decoded = codec::decode(&mut BytesMut::from(&all[..]), Version::V311, PACKET_SIZE_MAX);
        assert!(!matches!(decoded, Ok(Some(Packet::Connect(_)))), "the door gave up {bytes:02x?}");
    }
}
