//! How the client ends a connection over what goes wrong (MQTT 3.1.1, 4.8; MQTT 5.0, 4.13).

use super::super::raw;
use super::*;

// MQTT 3.1.1 client: MQTT-4.8.0-1
#[test]
fn a_violation_ends_the_connection() {
    let version = Version::V311;
    let wrong: [(&str, &[u8]); 18] = [
        ("packet type 0", b"\x00\x00"),
        ("packet type 15", b"\xf0\x00"),
        ("CONNECT", b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"),
        ("SUBSCRIBE", b"\x82\x06\x00\x01\x00\x01a\x00"),
        ("UNSUBSCRIBE", b"\xa2\x05\x00\x01\x00\x01a"),
        ("PINGREQ", b"\xc0\x00"),
        ("DISCONNECT", b"\xe0\x00"),
        ("a second CONNACK", b"\x20\x02\x00\x00"),
        ("QoS 3", b"\x36\x05\x00\x01a\x00\x01"),
        ("a packet identifier of 0", b"\x32\x05\x00\x01a\x00\x00"),
        ("a wildcard in a name", b"\x30\x03\x00\x01#"),
        ("a name that is longer than its packet", b"\x30\x03\x00\x09a"),
        ("a name that is no UTF-8", b"\x30\x03\x00\x01\xff"),
        ("reserved bits of PUBREL", b"\x60\x02\x00\x01"),
        ("PUBACK of nothing", b"\x40\x02\x00\x01"),
        ("SUBACK of nothing", b"\x90\x03\x00\x01\x00"),
        ("PINGRESP with a body", b"\xd0\x01\x00"),
        ("a length of five bytes", b"\x30\x80\x80\x80\x80\x01"),
    ];
    for (what, bytes) in wrong {
        let mut stage = Stage::open_plain(version);
        assert!(stage.say_bytes(bytes).is_err(), "{what}");
        stage.assert_over();
        // What comes behind it is not for anyone any more.
        stage.say_bytes(&raw::publish(version, 0, b"a", &[], b"x")).unwrap();
        assert_eq!(stage.messages(), [], "{what}");
    }
    // Before CONNACK as well.
    for (what, bytes) in [("PINGRESP", &b"\xd0\x00"[..]), ("PUBLISH", b"\x30\x03\x00\x01a")] {
        let mut stage = Stage::connecting(options(version));
        stage.heard();
        assert!(stage.say_bytes(bytes).is_err(), "{what}");
        stage.assert_over();
    }
}

// MQTT 3.1.1 client: MQTT-4.8.0-2
#[test]
fn a_packet_that_the_client_has_no_room_for_ends_the_connection() {
    // 3.1.1 has no way to tell the server beforehand.
    let small = ClientOptions { packet_size_max: 100, ..options(Version::V311) };
    for qos in [0b0000, 0b0010, 0b0100] {
        let packet = |len: usize| {
            let head = if qos == 0 { 5 } else { 7 };
            raw::publish(Version::V311, qos, b"a", &[], &vec![b'x'; len - head])
        };
        let mut stage = Stage::open(small.clone(), ConnAckProperties::default());
        stage.say_bytes(&packet(100)).unwrap();
        assert_eq!(stage.messages().len(), 1);
        stage.heard();
        let large = packet(101);
        // As soon as it says how long it is.
        let error = stage.refused(&large[..2]);
        assert_eq!(error.reason, ReasonCode::PacketTooLarge);
        assert_eq!(stage.messages(), []);
    }
}

// MQTT 5.0 client: MQTT-4.13.2-1
#[test]
fn a_failure_in_connack_or_disconnect_ends_the_connection_whether_or_not_it_is_sent() {
    let failures = || (0x80..=0xFF).filter_map(ReasonCode::from_byte);
    let (mut refusals, mut goodbyes) = (0, 0);
    for reason in failures() {
        let mut stage = Stage::connecting(options(Version::V5));
        stage.heard();
        // Not every code may stand in CONNACK; those that may not are a violation, which ends it too.
        let is_told = stage.say_bytes(&[0x20, 0x03, 0x00, reason.byte(), 0x00]).is_ok();
        refusals += usize::from(is_told);
        let events = stage.events();
        assert_eq!(
            is_told,
            matches!(&events[..], [ClientEvent::Refused { reason: told, .. }] if *told == reason)
        );
        stage.assert_over();

        let mut stage = Stage::open_plain(Version::V5);
        let is_told = stage.say_bytes(&[0xE0, 0x01, reason.byte()]).is_ok();
        goodbyes += usize::from(is_told);
        assert_eq!(
            is_told,
            matches!(&stage.events()[..], [ClientEvent::Disconnected(told)] if told.reason == reason)
        );
        stage.assert_over();

        // The client's own, which says the code where it is one of a client.
        let mut stage = Stage::open_plain(Version::V5);
        stage.client.disconnect(stage.now, Disconnect::new(reason));
        assert!(stage.client.is_closing());
        assert!(matches!(&stage.heard()[..], [Packet::Disconnect(goodbye)] if goodbye.reason.is_failure()));
        stage.assert_over();

        // Where nothing can be said any more, it ends without.
        let mut stage = Stage::open_plain(Version::V5);
        let with_expiry = [0xE0, 0x07, reason.byte(), 0x05, 0x11, 0, 0, 0, 1];
        stage.say_bytes(&with_expiry).unwrap_err();
        assert!(stage.client.is_closing());
        assert_eq!(stage.heard().len(), usize::from(!is_told), "only what is malformed is answered");
    }
    assert!(refusals > 20 && goodbyes > 25, "{refusals} {goodbyes}");
    // A server that is gone is no reason to stay.
    let mut stage = Stage::open_plain(Version::V5);
    stage.pass(Duration::from_secs(30)).unwrap();
    stage.pass(Duration::from_secs(60)).unwrap_err();
    assert!(stage.client.is_closing());
}
