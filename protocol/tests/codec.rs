//! The bytes of packets, written out, against their values.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{DecodeError, decode, encode};
use hearth_protocol::packet::{
    ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect, Packet, Publish, PublishAck,
    PublishProperties, Subscribe, SubscribeProperties, Subscription, Will, WillProperties,
};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName, Version};

fn hex(text: &str) -> BytesMut {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn topic(name: &str) -> TopicName {
    TopicName::try_from(name).unwrap()
}

fn id(id: u16) -> NonZeroU16 {
    NonZeroU16::new(id).unwrap()
}

fn connect(version: Version) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 60,
        client_id: Text::try_from("a").unwrap(),
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

fn publish(name: &str, payload: &'static [u8]) -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: topic(name),
        packet_id: None,
        payload: Bytes::from_static(payload),
        properties: None,
    }
}

fn wire_table() -> Vec<(Version, &'static str, Packet)> {
    use Version::{V5, V31, V311};
    let with_will = Connect {
        will: Some(Will {
            topic: topic("w"),
            payload: Bytes::from_static(b"x"),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties { delay: Some(5), ..WillProperties::default() },
        }),
        user_name: Some(Text::try_from("u").unwrap()),
        password: Some(Bytes::from_static(b"p")),
        properties: ConnectProperties { receive_maximum: Some(10), ..ConnectProperties::default() },
        ..connect(V5)
    };
    let aliased = Publish {
        qos: QoS::AtLeastOnce,
        packet_id: Some(id(10)),
        properties: Some(Box::new(PublishProperties {
            topic_alias: Some(1),
            ..PublishProperties::default()
        })),
        topic: TopicName::ALIASED,
        ..publish("t", b"hi")
    };
    let subscribe = Subscribe {
        packet_id: id(1),
        subscriptions: vec![Subscription::new(TopicFilter::try_from("a/#").unwrap(), QoS::ExactlyOnce)],
        properties: SubscribeProperties::default(),
    };
    let connack = ConnAck {
        session_present: true,
        reason: ReasonCode::Success,
        properties: ConnAckProperties { topic_alias_maximum: Some(16), ..ConnAckProperties::default() },
    };
    vec![
        (V31, "10 0f 0006 4d5149736470 03 02 003c 0001 61", Packet::Connect(Box::new(connect(V31)))),
        (V311, "10 0d 0004 4d515454 04 02 003c 0001 61", Packet::Connect(Box::new(connect(V311)))),
        (V5, "10 0e 0004 4d515454 05 02 003c 00 0001 61", Packet::Connect(Box::new(connect(V5)))),
        (
            V5,
            "10 23 0004 4d515454 05 ee 003c 03 21 000a 0001 61 05 18 00000005 0001 77 0001 78 0001 75 0001 70",
            Packet::Connect(Box::new(with_will)),
        ),
        (V5, "20 06 01 00 03 22 0010", Packet::ConnAck(Box::new(connack))),
        (V311, "30 05 0001 74 6869", Packet::Publish(publish("t", b"hi"))),
        (V5, "30 06 0001 74 00 6869", Packet::Publish(publish("t", b"hi"))),
        (V5, "32 0a 0000 000a 03 23 0001 6869", Packet::Publish(aliased)),
        (V311, "40 02 0001", Packet::PubAck(PublishAck::success(id(1)))),
        (V5, "40 03 0001 10", Packet::PubAck(PublishAck::new(id(1), ReasonCode::NoMatchingSubscribers))),
        (V5, "62 02 0001", Packet::PubRel(PublishAck::success(id(1)))),
        (V311, "82 08 0001 0003 612f23 02", Packet::Subscribe(subscribe.clone())),
        (V5, "82 09 0001 00 0003 612f23 02", Packet::Subscribe(subscribe)),
        (V311, "c0 00", Packet::PingReq),
        (V5, "e0 00", Packet::Disconnect(Disconnect::new(ReasonCode::Success))),
        (V5, "e0 01 8b", Packet::Disconnect(Disconnect::new(ReasonCode::ServerShuttingDown))),
    ]
}

#[test]
fn packets_and_their_bytes_turn_into_each_other() {
    for (version, wire, packet) in wire_table() {
        let mut input = hex(wire);
        let decoded =
            decode(&mut input, version, usize::MAX).unwrap_or_else(|error| panic!("{wire}: {error}"));
        assert_eq!(decoded.as_ref(), Some(&packet), "{wire}");
        assert!(input.is_empty(), "{wire}");
        let mut output = BytesMut::new();
        encode(&packet, version, &mut output).unwrap();
        assert_eq!(output, hex(wire), "{wire}");
    }
}

#[test]
fn a_packet_that_is_not_whole_is_left_where_it_is() {
    for (version, wire, _) in wire_table() {
        let whole = hex(wire);
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            assert_eq!(decode(&mut input, version, usize::MAX), Ok(None), "{wire} cut at {cut}");
            assert_eq!(input, whole[..cut]);
        }
    }
}

#[test]
fn malformed_packets_are_refused_with_the_reason_of_the_standard() {
    use ReasonCode::{
        MalformedPacket, PacketTooLarge, ProtocolError, TopicAliasInvalid, UnsupportedProtocolVersion,
    };
    use Version::{V5, V311};
    let table = [
        (V311, "00 00", MalformedPacket),
        (V311, "f0 00", MalformedPacket),
        (V311, "11", MalformedPacket),
        (V311, "80 00", MalformedPacket),
        (V311, "36 00", MalformedPacket),
        (V311, "38 00", MalformedPacket),
        (V311, "30 ffffffff", MalformedPacket),
        (V311, "30 8000", MalformedPacket),
        (V311, "30 ffffff7f", PacketTooLarge),
        (V311, "10 0c 0004 4d515454 06 02 003c 0000", UnsupportedProtocolVersion),
        (V311, "10 0c 0004 4d515454 04 03 003c 0000", MalformedPacket),
        (V311, "10 0e 0004 4d515454 04 42 003c 0000 0000", MalformedPacket),
        (V311, "10 0d 0004 4d515454 04 02 003c 0001 00", MalformedPacket),
        (V311, "10 0d 0004 4d515454 04 02 003c 0001 ff", MalformedPacket),
        (V5, "10 14 0004 4d515454 05 02 003c 06 21 0001 21 0001 0001 61", ProtocolError),
        (V5, "10 11 0004 4d515454 05 02 003c 03 21 0000 0001 61", ProtocolError),
        (V5, "10 11 0004 4d515454 05 02 003c 03 23 0001 0001 61", ProtocolError),
        (V5, "32 0a 0000 000a 03 23 0000 6869", TopicAliasInvalid),
        (V5, "30 03 0000 00", ProtocolError),
        (V311, "30 03 0001 23", ReasonCode::TopicNameInvalid),
        (V311, "32 05 0001 74 0000", MalformedPacket),
        (V311, "40 03 0001 00", MalformedPacket),
        (V5, "40 03 0001 92", MalformedPacket),
        (V311, "82 02 0001", ProtocolError),
        (V311, "82 06 0001 0001 61 04", MalformedPacket),
        (V311, "82 07 0001 0002 2361 00", ReasonCode::TopicFilterInvalid),
        (V311, "c0 01 00", MalformedPacket),
    ];
    for (version, wire, reason) in table {
        let error = decode(&mut hex(wire), version, 1 << 20).expect_err(wire);
        assert_eq!(error.reason(), reason, "{wire}: {error}");
    }
}

#[test]
fn a_length_over_the_bound_is_refused_before_the_body_is_there() {
    let error = decode(&mut hex("30 8080 01"), Version::V311, 1000).expect_err("16,384 bytes are announced");
    assert_eq!(error, DecodeError::TooLarge { bytes: 16_388, bytes_max: 1000 });
}
