//! What somebody is told who is turned away at the door.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use hearth_protocol::codec;
use hearth_protocol::packet::{ConnAck, ConnAckProperties, Connect, Packet};
use hearth_protocol::{Text, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::admission::Barrier;
use crate::frames::Frames;
use crate::socket::Socket;

/// How long the other end is given to read its answer and to close. Bytes of it that nobody reads would reset the
/// connection, and take the answer with them.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// The CONNACK for a client that cannot be taken, in the words of its version. The reason string stays away where the
/// packet would be too large with it [MQTT-3.2.2-19], and the packet where even so [MQTT-3.1.2-24].
pub(super) fn connack(connect: &Connect, barrier: Barrier) -> Option<BytesMut> {
    let size_max = connect.properties.packet_size_max.map_or(usize::MAX, |max| max as usize);
    let reason_string = match connect.version {
        Version::V5 => Text::try_from(format!("turned away by {}", barrier.setting())).ok(),
        Version::V31 | Version::V311 => None,
    };
    [reason_string, None].into_iter().find_map(|reason_string| {
        let properties = ConnAckProperties { reason_string, ..ConnAckProperties::default() };
        let packet = ConnAck { session_present: false, reason: barrier.reason(), properties };
        let mut output = BytesMut::new();
        codec::encode(&Packet::ConnAck(Box::new(packet)), connect.version, &mut output).ok()?;
        (output.len() <= size_max).then_some(output)
    })
}

/// Puts the last packet of a WebSocket into its frame, and a close frame behind it.
pub(super) fn framed(frames: &mut Frames, packet: &[u8]) -> BytesMut {
    let mut output = BytesMut::new();
    let mut rest = packet;
    frames.close(CloseCode::Again);
    loop {
        let (own, follows) = frames.wrap(rest.len());
        let (now, later) = rest.split_at(follows.min(rest.len()));
        let written = own.len() + now.len();
        output.extend_from_slice(own);
        output.extend_from_slice(now);
        frames.advance(written);
        rest = later;
        if rest.is_empty() && !frames.has_pending() {
            return output;
        }
    }
}

/// Sends the last bytes and lets the other end see them.
///
/// # Errors
/// The other end is gone.
pub(super) async fn send(mut socket: Socket, bytes: &[u8]) -> io::Result<()> {
    let goodbye = async {
        socket.write_all(bytes).await?;
        socket.shutdown().await?;
        let mut unread = [0; 1024];
        while socket.read(&mut unread).await? > 0 {}
        Ok(())
    };
    // Who takes longer has had its chance.
    tokio::time::timeout(LINGER_MAX, goodbye).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {

    use hearth_protocol::packet::ConnectProperties;

    use super::*;

    fn connect(version: Version, packet_size_max: Option<u32>) -> Connect {
        Connect {
            version,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            client_id: Text::EMPTY,
            will: None,
            user_name: None,
            password: None,
            properties: ConnectProperties { packet_size_max, ..ConnectProperties::default() },
        }
    }

    #[test]
    fn each_version_is_told_in_its_own_words() {
        for (version, barrier, expected) in [
            (Version::V31, Barrier::ConnectRate, &[0x20, 2, 0, 3][..]),
            (Version::V311, Barrier::ConnectionsPerAddress, &[0x20, 2, 0, 3]),
            (Version::V311, Barrier::Addresses, &[0x20, 2, 0, 3]),
        ] {
            assert_eq!(connack(&connect(version, None), barrier).unwrap(), expected);
        }
        for (barrier, code) in [
            (Barrier::ConnectRate, 0x9F),
            (Barrier::ConnectRatePerAddress, 0x9F),
            (Barrier::ConnectionsPerAddress, 0x97),
            (Barrier::Addresses, 0x89),
        ] {
            let mut packet = connack(&connect(Version::V5, None), barrier).unwrap();
            let decoded = codec::decode(&mut packet, Version::V5, 1000).unwrap();
            let Some(Packet::ConnAck(connack)) = decoded else { panic!("{decoded:?}") };
            assert_eq!(connack.reason as u8, code);
            assert!(connack.properties.reason_string.unwrap().contains(barrier.setting()));
        }
    }

    #[test]
    fn a_client_that_takes_small_packets_gets_a_small_one_or_none() {
        let told = |max| connack(&connect(Version::V5, Some(max)), Barrier::ConnectRate);
        assert_eq!(told(20).unwrap(), &[0x20, 3, 0, 0x9F, 0][..]);
        assert_eq!(told(5).unwrap(), &[0x20, 3, 0, 0x9F, 0][..]);
        assert_eq!(told(4), None);
    }

    #[test]
    fn a_websocket_gets_a_frame_with_the_packet_and_one_that_closes() {
        let mut frames = Frames::default();
        assert_eq!(framed(&mut frames, &[0x20, 2, 0, 3]), &[0x82, 4, 0x20, 2, 0, 3, 0x88, 2, 0x03, 0xf5][..]);
    }
}
