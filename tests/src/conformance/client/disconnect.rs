//! DISCONNECT, the client's and the server's (MQTT 3.1.1 and 5.0, 3.14).

use hearth_protocol::packet::DisconnectProperties;
use hearth_protocol::property::UserProperties;

use super::*;

/// The reason codes that 3.14.2.1 lets a client send.
const OF_CLIENTS: [u8; 14] =
    [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];

// MQTT 5.0 client: MQTT-3.14.1-1
#[test]
fn a_disconnect_with_reserved_bits_is_answered_as_malformed() {
    for flags in 1..16 {
        let mut stage = Stage::open_plain(Version::V5);
        let error = stage.say_bytes(&[0xE0 | flags, 0]).expect_err("it is malformed");
        assert_eq!(error.reason, ReasonCode::MalformedPacket, "flags {flags}");
        assert_eq!(stage.heard(), [goodbye(ReasonCode::MalformedPacket)], "flags {flags}");
        stage.assert_over();
    }
}

// MQTT 5.0 client: MQTT-3.14.2-1
#[test]
fn the_client_says_goodbye_with_a_code_of_clients() {
    let mut said = Vec::new();
    for reason in (0..=0xFF).filter_map(ReasonCode::from_byte) {
        let mut stage = Stage::open_plain(Version::V5);
        stage.client.disconnect(stage.now, Disconnect::new(reason));
        let bytes = stage.heard_bytes();
        assert_eq!(bytes[0], 0xE0);
        // Without a code it is a normal end.
        let code = bytes.get(2).copied().unwrap_or(0);
        assert!(OF_CLIENTS.contains(&code), "asked for {reason:?}: {bytes:02x?}");
        if OF_CLIENTS.contains(&reason.byte()) {
            assert_eq!(code, reason.byte());
            said.push(code);
        }
    }
    said.sort_unstable();
    said.dedup();
    assert_eq!(said, OF_CLIENTS);
    // So it is with what the client says by itself: about each violation of the server, and its silence.
    for bytes in
        [&b"\x00\x00"[..], b"\xc0\x00", b"\x30\x04\x00\x01#\x00", b"\x20\x03\x00\x00\x00", b"\x36\x00"]
    {
        let mut stage = Stage::open_plain(Version::V5);
        stage.say_bytes(bytes).expect_err("a violation");
        let farewell = stage.heard_bytes();
        assert!(farewell[0] == 0xE0 && OF_CLIENTS.contains(&farewell[2]), "{bytes:02x?}: {farewell:02x?}");
    }
}

// MQTT 5.0 client: MQTT-3.14.2-3 MQTT-3.14.2-4
#[test]
fn words_that_make_a_disconnect_larger_than_the_server_takes_are_left_out() {
    let user_properties: UserProperties = [(text("name"), text("value"))].into_iter().collect();
    let full = DisconnectProperties {
        reason_string: Some(text("these are the words")),
        user_properties,
        ..DisconnectProperties::default()
    };
    let farewell = |room: Option<u32>| {
        let granted = ConnAckProperties { packet_size_max: room, ..ConnAckProperties::default() };
        let mut stage = Stage::open(options(Version::V5), granted);
        let goodbye = Disconnect { reason: ReasonCode::UnspecifiedError, properties: full.clone() };
        stage.client.disconnect(stage.now, goodbye);
        let bytes = stage.heard_bytes();
        let mut input = BytesMut::from(&bytes[..]);
        let Some(Packet::Disconnect(said)) = decode(&mut input, Version::V5, usize::MAX).unwrap() else {
            panic!("DISCONNECT, not {bytes:02x?}");
        };
        assert_eq!(said.reason, ReasonCode::UnspecifiedError);
        (bytes.len(), said.properties)
    };
    let (whole, said) = farewell(None);
    assert_eq!(said, full, "where there is room nothing is left out");
    let words = whole - (1 + 2 + 4 + 2 + 5);
    // A server that takes less than an acknowledgement has is not talked to at all.
    for room in 5..whole + 2 {
        let (len, said) = farewell(Some(room as u32));
        assert!(len <= room, "{len} bytes where {room} fit");
        assert_eq!(said.reason_string.is_some(), room >= words, "with room for {room}");
        assert_eq!(!said.user_properties.is_empty(), room >= whole, "with room for {room}");
    }
}

// MQTT 3.1.1 client: MQTT-3.14.4-1 MQTT-3.14.4-2
// MQTT 5.0 client: MQTT-3.14.4-1 MQTT-3.14.4-2
#[test]
fn behind_its_disconnect_the_client_sends_nothing_and_closes() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        // Under way in both directions, and one that waits for the answer of the driver or the server.
        let tokens = ACKNOWLEDGED.map(|qos| stage.publish(message("a", b"x", qos)));
        stage.tell(&numbered(7, message("b", b"y", QoS::ExactlyOnce)));
        stage.heard();
        stage.client.disconnect(stage.now, Disconnect::new(ReasonCode::Success));
        assert_eq!(stage.heard_bytes(), b"\xe0\x00", "{version}");
        assert!(stage.client.is_closing(), "{version}: the driver is to close");
        stage.events();
        // Whatever comes in and whatever is asked for now.
        for bytes in
            [&b"\x40\x02\x00\x01"[..], b"\x50\x02\x00\x02", b"\x62\x02\x00\x07", b"\xd0\x00", b"\x00\x00"]
        {
            assert!(
                stage.say_bytes(bytes).is_ok() && stage.heard_bytes().is_empty(),
                "{version}: {bytes:02x?}"
            );
        }
        for qos in ACKNOWLEDGED {
            stage.publish(message("a", b"later", qos));
        }
        stage.client.disconnect(stage.now, Disconnect::new(ReasonCode::Success));
        stage.pass(Duration::from_secs(3600)).unwrap();
        stage.assert_over();
        assert_eq!(
            stage.client.pending_len(),
            tokens.len() + ACKNOWLEDGED.len(),
            "they wait for the next one"
        );
    }
}
