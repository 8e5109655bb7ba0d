//! Bytes that were a packet once.

use bytes::BytesMut;

use super::{Random, packet};
use crate::Version;
use crate::codec;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Changes bytes in one to four places: bits, lengths, cuts, repetitions and insertions. The result may by
/// chance be valid still.
pub fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.byte()),
            2 => bytes.extend_from_within(at..),
            3 => drop(bytes.splice(at..at, [0xFF; 4])),
            4 if at < bytes.len() => bytes[at] = random.pick(&[0x00, 0x01, 0x7F, 0x80, 0xFF]),
            5 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            6 if at < bytes.len() => drop(bytes.remove(at)),
            _ if bytes.len() > 1 => bytes[1] = random.byte(),
            _ => bytes.push(random.byte()),
        }
    }
}

/// The damaged bytes of a few packets of one version; the same for the same seed and number.
pub fn malformed_input(seed: u64, number: usize) -> Vec<u8> {
    let mut random = Random::new(seed ^ (number as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93));
    let version = random.pick(&VERSIONS);
    let mut bytes = BytesMut::new();
    for _ in 0..=random.below(3) {
        let packet = packet(&mut random, version);
        debug_assert!(
            codec::encoded_len(&packet, version).is_ok(),
            "generated packets are valid: {packet:?}"
        );
        // Nothing is written of a packet that cannot be.
        let _written = codec::encode(&packet, version, &mut bytes);
    }
    let mut bytes = bytes.to_vec();
    damage(&mut random, &mut bytes);
    bytes
}
