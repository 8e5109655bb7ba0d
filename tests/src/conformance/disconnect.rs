//! DISCONNECT, from either side (3.14).

use bytes::Bytes;
use hearth_protocol::codec::encoded_len;
use hearth_protocol::packet::{Connect, Disconnect, DisconnectProperties, Packet, Will, WillProperties};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use super::broker::SharedBroker;
use super::errors::violations;
use super::packets::{assert_refused, join, lasting};
use super::raw::{self, RawConnect, field, properties};
use super::{VERSIONS, greet, unique};
use crate::hearth::Hearth;
use crate::wire::{Wire, connect, text};

static BROKER: SharedBroker = SharedBroker::new();

/// The reason codes that 3.14.2.1 lets a server send.
const OF_SERVERS: [u8; 28] = [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];

// MQTT 3.1.1 server: MQTT-3.14.1-1
// MQTT 5.0 server: MQTT-3.14.1-1
#[test]
fn a_disconnect_with_reserved_bits_is_malformed() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for flags in 1..16 {
            let what = format!("DISCONNECT with flags {flags}");
            assert_refused(hearth.mqtt(), version, &what, &[0xE0 | flags, 0], ReasonCode::MalformedPacket);
        }
    }
}

// MQTT 5.0 server: MQTT-3.14.0-1
#[test]
fn before_its_connack_nobody_gets_a_disconnect() {
    let hearth = BROKER.get();
    let right = RawConnect::new(Version::V5, &unique("before"));
    let wrong = [
        ("a reserved flag", RawConnect { flags: 0x03, ..right.clone() }.bytes()),
        ("a will of QoS 3", RawConnect { flags: 0x1E, ..right.clone() }.bytes()),
        ("flags of the header", RawConnect { first: 0x11, ..right.clone() }.bytes()),
        ("level 6", RawConnect { level: 6, ..right.clone() }.bytes()),
        ("another protocol", RawConnect { name: field("AMQP"), ..right.clone() }.bytes()),
        ("receive maximum 0", with_property(&right, &[0x21, 0, 0])),
        ("a property of PUBLISH", with_property(&right, &[0x23, 0, 1])),
        ("an unknown method", with_property(&right, &[0x15, 0, 1, b'?'])),
        ("a long client id", RawConnect { payload: field(vec![b'x'; 5000]), ..right.clone() }.bytes()),
        ("no CONNECT", vec![0xC0, 0]),
        ("AUTH", vec![0xF0, 0]),
        ("DISCONNECT", vec![0xE0, 0]),
        ("256 MiB", vec![0x10, 0xFF, 0xFF, 0xFF, 0x7F]),
    ];
    for (what, bytes) in wrong {
        let answer = greet(hearth.mqtt(), Version::V5, &bytes).read_to_end();
        // A CONNACK with a failure or nothing; and behind CONNACK nothing more.
        let is_refusal = answer.first() == Some(&0x20) && answer.get(1) == Some(&((answer.len() - 2) as u8));
        assert!(answer.is_empty() || is_refusal, "{what}: {answer:02x?}");
    }
}

fn with_property(connect: &RawConnect, property: &[u8]) -> Vec<u8> {
    RawConnect { properties: properties(Version::V5, &[property]), ..connect.clone() }.bytes()
}

/// Every DISCONNECT of the broker that can be brought about: those of violations, a takeover, a keep-alive that was not
/// kept, and the broker's own end.
#[track_caller]
fn disconnects(hearth: &mut Hearth, packet_size_max: Option<u32>) -> Vec<(String, Disconnect, usize)> {
    let mut heard = Vec::new();
    let connected = |what: &str, keep_alive| {
        let mut terms = Connect { keep_alive, ..connect(Version::V5, what) };
        terms.properties.packet_size_max = packet_size_max;
        terms.properties.session_expiry = Some(60);
        Wire::connect(hearth.mqtt(), terms).0
    };
    let mut ends = Vec::new();
    for (what, bytes, _) in violations() {
        let mut wire = connected(what, 0);
        wire.send_bytes(&bytes);
        ends.push((what, wire));
    }
    let first = connected("takeover", 0);
    let _second = connected("takeover", 0);
    ends.push(("takeover", first));
    ends.push(("keep-alive", connected("keep-alive", 1)));
    let last = connected("shutdown", 0);
    let mut take = |what: &str, wire: &mut Wire| {
        let bytes = wire.read_to_end();
        let mut input = bytes::BytesMut::from(&bytes[..]);
        let packet = hearth_protocol::codec::decode(&mut input, Version::V5, usize::MAX).unwrap();
        let Some(Packet::Disconnect(disconnect)) = packet else {
            panic!("{what}: DISCONNECT, not {bytes:02x?}")
        };
        assert!(input.is_empty(), "{what}: nothing comes behind it but {input:02x?}");
        heard.push((what.to_owned(), disconnect, bytes.len()));
    };
    for (what, mut wire) in ends {
        take(what, &mut wire);
    }
    assert_eq!(hearth.terminate().status.code(), Some(0));
    take("shutdown", &mut { last });
    heard
}

// MQTT 5.0 server: MQTT-3.14.2-1 MQTT-3.14.2-2 MQTT-3.14.4-1 MQTT-3.14.4-2
#[test]
fn a_disconnect_of_the_broker_is_its_last_word_and_says_why() {
    let heard = disconnects(&mut Hearth::start(), None);
    for (what, disconnect, _) in &heard {
        assert!(OF_SERVERS.contains(&disconnect.reason.byte()), "{what}: {disconnect:?}");
        assert_eq!(disconnect.properties.session_expiry, None, "{what}");
    }
    let reason = |wanted: &str| heard.iter().find(|(what, ..)| what == wanted).unwrap().1.reason;
    assert_eq!(reason("takeover"), ReasonCode::SessionTakenOver);
    assert_eq!(reason("keep-alive"), ReasonCode::KeepAliveTimeout);
    assert_eq!(reason("shutdown"), ReasonCode::ServerShuttingDown);
}

// MQTT 5.0 server: MQTT-3.14.4-1
#[test]
fn behind_a_disconnect_no_message_comes_any_more() {
    let hearth = BROKER.get();
    for _ in 0..20 {
        let topic = unique("last-word");
        let (mut first, _) = Wire::connect(hearth.mqtt(), lasting(Version::V5, &topic));
        first.subscribe(&topic, QoS::AtMostOnce);
        let mut publisher = join(hearth.mqtt(), Version::V5, "last-word-publisher");
        let messages = 200;
        let bytes = raw::publish(Version::V5, 0, topic.as_bytes(), &[], &[b'x'; 1000]);
        publisher.send_bytes(&bytes.repeat(messages));
        // The takeover comes somewhere in the stream.
        let _second = Wire::connect(hearth.mqtt(), lasting(Version::V5, &topic));
        match first.wait_for_end() {
            Some(Packet::Disconnect(disconnect)) => {
                assert_eq!(disconnect.reason, ReasonCode::SessionTakenOver);
            }
            other => panic!("DISCONNECT comes last, not {other:?}"),
        }
    }
}

// MQTT 5.0 server: MQTT-3.14.2-3 MQTT-3.14.2-4
#[test]
fn no_disconnect_grows_beyond_what_the_client_takes() {
    let terms = Wire::connect(BROKER.get().mqtt(), connect(Version::V5, "tight-disconnect")).1;
    let smallest = encoded_len(&Packet::ConnAck(Box::new(terms)), Version::V5).unwrap();
    let with_words = disconnects(&mut Hearth::start(), None);
    let longest = with_words.iter().map(|(_, _, len)| *len).max().unwrap();
    assert!(longest > smallest + 20, "there are words that must be left out");
    for room in [smallest, smallest + 20, longest - 1] {
        let heard = disconnects(&mut Hearth::start(), Some(room as u32));
        for ((what, disconnect, len), (_, wanted, _)) in heard.iter().zip(&with_words) {
            assert!(*len <= room, "{what}: {len} bytes where {room} fit: {disconnect:?}");
            assert_eq!(disconnect.reason, wanted.reason, "{what}: with room for {room}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.14.4-3
// MQTT 5.0 server: MQTT-3.14.4-3
#[test]
fn a_normal_disconnect_takes_the_will_back_and_nothing_else_does() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("will");
        let mut witness = join(hearth.mqtt(), version, "will-witness");
        witness.subscribe(&topic, QoS::AtMostOnce);
        let doomed = |payload: &'static [u8]| {
            let will = will(&topic, payload, WillProperties::default());
            Wire::connect(hearth.mqtt(), Connect { will: Some(will), ..connect(version, &topic) }).0
        };
        let mut normal = doomed(b"normal");
        normal.send_bytes(&[0xE0, 0]);
        normal.assert_ended_with(None, "a normal end");
        if version.is_v5() {
            let mut spelled_out = doomed(b"spelled out");
            spelled_out.send_bytes(&[0xE0, 2, 0, 0]);
            spelled_out.assert_ended_with(None, "a normal end");
            let mut with_will = doomed(b"with will");
            with_will.send(&Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill)));
            assert_eq!(witness.next_publish().payload, "with will");
            let mut failed = doomed(b"failed");
            failed.send(&Packet::Disconnect(Disconnect::new(ReasonCode::UnspecifiedError)));
            assert_eq!(witness.next_publish().payload, "failed");
        }
        drop(doomed(b"lost"));
        assert_eq!(witness.next_publish().payload, "lost", "{version}");
    }
}

#[test]
fn a_disconnect_may_change_how_long_the_session_lives_but_not_give_it_life() {
    let hearth = BROKER.get();
    let client_id = unique("expiry");
    let connect_for = |seconds| {
        let mut terms = Connect { clean_start: false, ..connect(Version::V5, &client_id) };
        terms.properties.session_expiry = seconds;
        Wire::connect(hearth.mqtt(), terms)
    };
    let leave_for = |wire: &mut Wire, seconds| {
        let properties = DisconnectProperties { session_expiry: Some(seconds), ..Default::default() };
        wire.send(&Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties }));
    };
    let (mut wire, _) = connect_for(Some(3600));
    leave_for(&mut wire, 0);
    wire.assert_ended_with(None, "the session ends with it");
    let (mut wire, answer) = connect_for(Some(10));
    assert!(!answer.session_present);
    leave_for(&mut wire, 3600);
    wire.assert_ended_with(None, "the session lives longer");
    let (mut wire, answer) = connect_for(Some(0));
    assert!(answer.session_present);
    leave_for(&mut wire, 3600);
    wire.assert_ended_with(Some(ReasonCode::ProtocolError), "0 is the end of it (3.14.2.2.2)");
    assert!(!connect_for(None).1.session_present);
}

fn will(topic: &str, payload: &'static [u8], properties: WillProperties) -> Will {
    Will {
        topic: TopicName::new(text(topic)).unwrap(),
        payload: Bytes::from_static(payload),
        qos: QoS::AtMostOnce,
        retain: false,
        properties,
    }
}
