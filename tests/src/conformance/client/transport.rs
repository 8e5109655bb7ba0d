//! What carries the packets (MQTT 3.1.1, 7.1.2; MQTT 5.0, 4.2), and that the standard alone is enough (MQTT 3.1.1, 7).

use super::super::broker::SharedBroker;
use super::super::unique;
use super::*;
use crate::device::Device;

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 client: MQTT-7.1.2-1
// MQTT 5.0 client: MQTT-4.2-1
#[test]
fn tcp_carries_every_byte_both_ways_and_in_order() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("client/stream");
        let mut listener = Device::new(version, &unique("listener"));
        listener.connect(hearth.mqtt());
        listener.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = Device::new(version, &unique("publisher"));
        publisher.connect(hearth.mqtt());
        // From nothing to some hundred kilobytes, so that packets and segments never end together.
        let payload = |size: usize| (0..size).map(|index| ((index * 31) >> 3) as u8).collect::<Vec<_>>();
        let sizes = || (0..18).map(|power| (1_usize << power) - 1);
        let sent: Vec<Token> = sizes()
            .map(|size| publisher.publish_whole(message(&topic, &payload(size), QoS::ExactlyOnce)))
            .collect();
        for token in sent {
            assert_eq!(publisher.wait_for_published(token), ReasonCode::Success);
        }
        for size in sizes() {
            assert!(listener.next_message().payload == payload(size), "{version}: {size} bytes");
        }
    }
}

// MQTT 3.1.1 client: MQTT-7.1.2-1
// MQTT 5.0 client: MQTT-4.2-1
#[test]
fn a_stream_may_bring_packets_in_pieces_of_any_size() {
    for version in VERSIONS {
        let mut bytes = BytesMut::new();
        encode(&connack(false, ConnAckProperties::default()), version, &mut bytes).unwrap();
        for number in 1..=50_u16 {
            let payload = vec![b'x'; usize::from(number) * 7];
            let publish = message("in", &payload, ACKNOWLEDGED[usize::from(number % 2)]);
            encode(&numbered(number, publish), version, &mut bytes).unwrap();
        }
        let at_once = {
            let mut stage = Stage::connecting(options(version));
            stage.heard();
            stage.say_bytes(&bytes).unwrap();
            (stage.heard(), stage.events())
        };
        assert_eq!((at_once.0.len(), at_once.1.len()), (50, 51));
        for size in [1, 2, 3, 5, 64, 1_000] {
            let mut stage = Stage::connecting(options(version));
            stage.heard();
            let mut input = BytesMut::new();
            for piece in bytes.chunks(size) {
                input.extend_from_slice(piece);
                stage.client.handle_input(stage.now, &mut input).unwrap();
            }
            assert!(input.is_empty());
            assert_eq!((stage.heard(), stage.events()), at_once, "{version}: pieces of {size} bytes");
        }
    }
}

// MQTT 3.1.1 client: MQTT-7.0.0-2
#[test]
fn a_server_that_knows_the_standard_and_nothing_else_is_enough() {
    // Written down byte by byte from the standard, on both sides.
    let mut options = ClientOptions { version: Version::V311, ..ClientOptions::new(text("plain")) };
    options.keep_alive = 60;
    let mut stage = Stage::connecting(options);
    assert_eq!(stage.heard_bytes(), b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05plain");
    stage.say_bytes(b"\x20\x02\x00\x00").unwrap();
    let now = stage.now;
    let filter = hearth_protocol::TopicFilter::try_from("plain").unwrap();
    let wanted = hearth_protocol::packet::Subscription::new(filter.clone(), QoS::ExactlyOnce);
    stage.client.subscribe(now, vec![wanted], Default::default()).unwrap();
    assert_eq!(stage.heard_bytes(), b"\x82\x0a\x00\x01\x00\x05plain\x02");
    stage.say_bytes(b"\x90\x03\x00\x01\x02").unwrap();
    stage.publish(message("plain", b"0", QoS::AtMostOnce));
    assert_eq!(stage.heard_bytes(), b"\x30\x08\x00\x05plain0");
    stage.publish(message("plain", b"1", QoS::AtLeastOnce));
    assert_eq!(stage.heard_bytes(), b"\x32\x0a\x00\x05plain\x00\x021");
    stage.say_bytes(b"\x40\x02\x00\x02").unwrap();
    stage.publish(message("plain", b"2", QoS::ExactlyOnce));
    assert_eq!(stage.heard_bytes(), b"\x34\x0a\x00\x05plain\x00\x032");
    stage.say_bytes(b"\x50\x02\x00\x03").unwrap();
    assert_eq!(stage.heard_bytes(), b"\x62\x02\x00\x03");
    stage.say_bytes(b"\x70\x02\x00\x03\x30\x08\x00\x05plain0\x32\x0a\x00\x05plain\x00\x071").unwrap();
    assert_eq!(stage.heard_bytes(), b"\x40\x02\x00\x07");
    stage.say_bytes(b"\x34\x0a\x00\x05plain\x00\x082").unwrap();
    assert_eq!(stage.heard_bytes(), b"\x50\x02\x00\x08");
    stage.say_bytes(b"\x62\x02\x00\x08").unwrap();
    assert_eq!(stage.heard_bytes(), b"\x70\x02\x00\x08");
    stage.client.ping(now);
    assert_eq!(stage.heard_bytes(), b"\xc0\x00");
    stage.say_bytes(b"\xd0\x00").unwrap();
    stage.client.unsubscribe(now, vec![filter], Default::default()).unwrap();
    assert_eq!(stage.heard_bytes(), b"\xa2\x09\x00\x04\x00\x05plain");
    stage.say_bytes(b"\xb0\x02\x00\x04").unwrap();
    let events = stage.events();
    let published = events
        .iter()
        .filter(|event| matches!(event, ClientEvent::Published { reason: ReasonCode::Success, .. }));
    assert_eq!(published.count(), 3);
    let told = events.iter().filter(|event| matches!(event, ClientEvent::Message(_)));
    assert_eq!((told.count(), events.len()), (3, 10));
    stage.client.disconnect(now, Disconnect::new(ReasonCode::Success));
    assert_eq!(stage.heard_bytes(), b"\xe0\x00");
    stage.assert_over();
}
