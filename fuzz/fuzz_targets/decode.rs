//! What the decoder takes, the encoder writes, and the decoder takes again as the same packet.
#![no_main]

use bytes::BytesMut;
use hearth_protocol::Version;
use hearth_protocol::codec::{decode, encode};
use hearth_protocol::packet::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let version = [Version::V31, Version::V311, Version::V5][usize::from(input.0 % 3)];
    let mut bytes = BytesMut::from(input.1);
    while let Ok(Some(packet)) = decode(&mut bytes, version, 1 << 20) {
        let version = if let Packet::Connect(connect) = &packet { connect.version } else { version };
        let mut written = BytesMut::new();
        encode(&packet, version, &mut written).expect("what was decoded can be written");
        assert_eq!(decode(&mut written, version, usize::MAX), Ok(Some(packet)));
        assert!(written.is_empty());
    }
});
