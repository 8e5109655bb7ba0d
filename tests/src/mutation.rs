//! Valid packets of every kind with something wrong about them, the same for the same seed.

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::encode;
use hearth_protocol::packet::{
    Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect, Packet,
    PacketId, Publish, PublishAck, PublishProperties, SubAck, Subscribe, SubscribeProperties, Subscription,
    UnsubAck, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
use hearth_protocol::property::PayloadFormat;
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use crate::wire::{connect, message, text, topic_filter};

/// Bytes that stand for an end of something: lengths, signs, flags.
const EDGES: [u8; 10] = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, 0x2B, 0x23, 0x2F, 0xC0];

/// Numbers from a seed (SplitMix64 by Steele, Lea and Flood).
pub struct Random(u64);

impl Random {
    /// The numbers of one input of a run.
    pub fn new(seed: u64, number: usize) -> Self {
        let mut random = Self(seed);
        Self(random.next() ^ number as u64)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// One to three packets in a row, with one to four mutations.
pub fn malformed_input(seed: u64, number: usize) -> Vec<u8> {
    let mut random = Random::new(seed, number);
    let version = [Version::V31, Version::V311, Version::V5][random.below(3)];
    let packets = valid_packets(version);
    let mut output = BytesMut::new();
    for _ in 0..=random.below(3) {
        let packet = &packets[random.below(packets.len())];
        encode(packet, version, &mut output).expect("the packets that are mutated are valid ones");
    }
    let mut bytes = output.to_vec();
    for _ in 0..=random.below(4) {
        mutate(&mut bytes, &mut random);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.next() as u8);
    }
    let at = random.below(bytes.len());
    let edge = EDGES[random.below(EDGES.len())];
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = edge,
        2 => bytes[at] = random.next() as u8,
        3 => bytes.truncate(at),
        4 => bytes.insert(at, edge),
        5 => {
            bytes.remove(at);
        }
        // The remaining length stands at 1, the length of the first string at 2 and 3.
        6 => bytes[at.min(1 + at % 3)] = edge,
        7 => {
            let end = (at + 1 + random.below(16)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let count = 1 + random.below(8);
            bytes.extend((0..count).map(|_| random.next() as u8));
        }
    }
}

/// Packets of every kind, those of servers too, as full of fields as the version has any.
fn valid_packets(version: Version) -> Vec<Packet> {
    let id = PacketId::MIN;
    let mut packets = vec![
        Packet::Connect(Box::new(connect(version, "mutant"))),
        Packet::Connect(Box::new(full_connect(version))),
        Packet::Publish(message("a/b", b"21.5", QoS::AtMostOnce)),
        Packet::Publish(full_publish(version)),
        Packet::PubAck(PublishAck::success(id)),
        Packet::PubRec(PublishAck::success(id)),
        Packet::PubRel(PublishAck::success(id)),
        Packet::PubComp(PublishAck::success(id)),
        Packet::Subscribe(Subscribe {
            packet_id: id,
            subscriptions: vec![
                Subscription::new(topic_filter("a/+/c"), QoS::AtMostOnce),
                Subscription::new(topic_filter("mutant/#"), QoS::ExactlyOnce),
            ],
            properties: SubscribeProperties {
                subscription_id: version.is_v5().then_some(7),
                ..SubscribeProperties::default()
            },
        }),
        Packet::Unsubscribe(Unsubscribe {
            packet_id: id,
            filters: vec![topic_filter("a/+/c"), topic_filter("#")],
            properties: UnsubscribeProperties::default(),
        }),
        Packet::PingReq,
        Packet::PingResp,
        Packet::Disconnect(Disconnect::new(ReasonCode::Success)),
        Packet::ConnAck(Box::new(ConnAck {
            session_present: false,
            reason: ReasonCode::Success,
            properties: ConnAckProperties::default(),
        })),
        Packet::SubAck(SubAck {
            packet_id: id,
            reasons: vec![ReasonCode::GrantedQoS1],
            properties: Default::default(),
        }),
        Packet::UnsubAck(UnsubAck {
            packet_id: id,
            reasons: if version.is_v5() { vec![ReasonCode::Success] } else { Vec::new() },
            properties: Default::default(),
        }),
    ];
    if version.is_v5() {
        packets.push(Packet::Auth(Auth {
            reason: ReasonCode::ContinueAuthentication,
            properties: AuthProperties {
                authentication_method: Some(text("SCRAM-SHA-256")),
                authentication_data: Some(Bytes::from_static(b"n,,n=user")),
                ..AuthProperties::default()
            },
        }));
    }
    packets
}

fn full_connect(version: Version) -> Connect {
    let mut properties = ConnectProperties::default();
    let mut will_properties = WillProperties::default();
    if version.is_v5() {
        properties.session_expiry = Some(60);
        properties.receive_maximum = Some(10);
        properties.packet_size_max = Some(65_536);
        properties.topic_alias_maximum = Some(4);
        properties.user_properties.push(text("name"), text("value"));
        will_properties.delay = Some(1);
        will_properties.content_type = Some(text("text/plain"));
    }
    Connect {
        keep_alive: 60,
        will: Some(Will {
            topic: topic("mutant/will"),
            payload: Bytes::from_static(b"gone"),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: will_properties,
        }),
        user_name: Some(text("user")),
        password: Some(Bytes::from_static(b"pass")),
        properties,
        ..connect(version, "mutant-with-all")
    }
}

fn full_publish(version: Version) -> Publish {
    let mut properties = PublishProperties {
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry: Some(60),
        topic_alias: Some(1),
        response_topic: Some(topic("mutant/answer")),
        correlation_data: Some(Bytes::from_static(&[1, 2, 3])),
        content_type: Some(text("text/plain")),
        ..PublishProperties::default()
    };
    properties.user_properties.push(text("name"), text("value"));
    Publish {
        packet_id: Some(PacketId::MAX),
        properties: version.is_v5().then(|| Box::new(properties)),
        ..message("mutant/full", "grüße".as_bytes(), QoS::ExactlyOnce)
    }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(text(name)).unwrap()
}
