//! Wills: stored, published, delayed, taken back (MQTT 3.1.1, 3.1.2.5; MQTT 5.0, 3.1.2.5 and 3.1.3.2), the server's side.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_protocol::packet::{
    Connect, Disconnect, Packet, Publish, PublishAck, PublishProperties, Will, WillProperties,
};
use hearth_protocol::property::{PayloadFormat, UserProperties};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use super::broker::SharedBroker;
use super::{VERSIONS, client, persistent, unique};
use crate::wire::{Wire, connect, message, text};

static BROKER: SharedBroker = SharedBroker::new();

/// Every way in which a connection can end without its will being taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    Malformed,
    ProtocolError,
    KeepAlive,
    TakenOver,
    /// Version 5: DISCONNECT that asks for the will.
    WithWill,
}

const ENDS: [End; 7] = [
    End::Closed,
    End::Reset,
    End::Malformed,
    End::ProtocolError,
    End::KeepAlive,
    End::TakenOver,
    End::WithWill,
];

fn will(topic: &str, payload: &'static str) -> Will {
    Will {
        topic: TopicName::new(text(topic)).unwrap(),
        payload: Bytes::from_static(payload.as_bytes()),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: WillProperties::default(),
    }
}

fn with_will(connect: Connect, will: Will) -> Connect {
    Connect { will: Some(will), ..connect }
}

/// Ends the connection of `connect`; what is given back is what must live until the will was seen.
#[track_caller]
fn end(broker: SocketAddr, mut wire: Wire, connect: &Connect, how: End) -> Option<Wire> {
    match how {
        End::Closed => drop(wire),
        End::Reset => wire.reset(),
        End::Malformed => {
            wire.send_bytes(b"\x00\x00");
            wire.wait_for_end();
        }
        End::ProtocolError => {
            // A packet that only a server sends.
            wire.send_bytes(b"\xD0\x00");
            wire.wait_for_end();
        }
        End::KeepAlive => drop(wire.wait_for_end()),
        End::TakenOver => {
            let connect = Connect { will: None, ..connect.clone() };
            let taker = Wire::connect(broker, connect).0;
            wire.wait_for_end();
            return Some(taker);
        }
        End::WithWill => {
            wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill)));
            wire.wait_for_end();
        }
    }
    None
}

// MQTT 3.1.1 server: MQTT-3.1.2-8 MQTT-3.1.2-9 MQTT-3.1.2-10
// MQTT 5.0 server: MQTT-3.1.2-7 MQTT-3.1.2-8 MQTT-3.1.2-10
#[test]
fn a_will_is_published_once_whatever_ends_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for how in ENDS {
            if how == End::WithWill && !version.is_v5() {
                continue;
            }
            let every_qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
            // Silence takes its time.
            let count = if how == End::KeepAlive { 1 } else { every_qos.len() };
            for qos in every_qos.into_iter().rev().take(count) {
                let (id, topic) = (unique("will"), unique("will"));
                let mut subscriber = client(hearth.mqtt(), version);
                subscriber.subscribe(&topic, QoS::ExactlyOnce);
                // A session that stays, so that the will is seen to leave its state.
                let mut connect = with_will(persistent(version, &id), Will { qos, ..will(&topic, "gone") });
                connect.keep_alive = u16::from(how == End::KeepAlive);
                let (wire, _) = Wire::connect(hearth.mqtt(), connect.clone());
                subscriber.assert_quiet();
                let taker = end(hearth.mqtt(), wire, &connect, how);
                let publish = subscriber.next_publish();
                assert_eq!(publish.topic.as_str(), topic, "{version}, {how:?}");
                assert_eq!((&publish.payload[..], publish.qos), (&b"gone"[..], qos), "{version}, {how:?}");
                assert!(!publish.retain && !publish.dup, "{version}, {how:?}");
                if let Some(packet_id) = publish.packet_id {
                    let ack = PublishAck::success(packet_id);
                    if qos == QoS::AtLeastOnce {
                        subscriber.send(&Packet::PubAck(ack));
                    } else {
                        subscriber.send(&Packet::PubRec(ack.clone()));
                        assert_eq!(subscriber.next(), Packet::PubRel(ack));
                    }
                }
                drop(taker);
                // It is gone from the session: a connection without one brings none.
                let (wire, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
                assert!(answer.session_present);
                end(hearth.mqtt(), wire, &connect, End::Malformed);
                subscriber.assert_quiet();
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-8 MQTT-3.1.2-10
// MQTT 5.0 server: MQTT-3.1.2-8 MQTT-3.1.2-10
#[test]
fn an_orderly_disconnect_takes_the_will_back() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (id, topic) = (unique("back"), unique("back"));
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe(&topic, QoS::AtMostOnce);
        for delay in [None, Some(1)] {
            let mut will = will(&topic, "gone");
            will.properties.delay = delay.filter(|_| version.is_v5());
            let (mut wire, _) = Wire::connect(hearth.mqtt(), with_will(persistent(version, &id), will));
            wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
            assert_eq!(wire.wait_for_end(), None);
            subscriber.assert_quiet();
            // Nor does it come with a later end of the session's connection.
            let (wire, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            assert!(answer.session_present, "{version}");
            let connect = persistent(version, &id);
            end(hearth.mqtt(), wire, &connect, End::Malformed);
            subscriber.assert_quiet();
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-12
#[test]
fn without_a_will_flag_nothing_is_published() {
    // A broker of its own, so that whatever is published shows.
    static ALONE: SharedBroker = SharedBroker::new();
    let hearth = ALONE.get();
    for version in VERSIONS {
        let id = unique("without");
        let mut subscriber = client(hearth.mqtt(), version);
        subscriber.subscribe("#", QoS::AtMostOnce);
        let connect = persistent(version, &id);
        // Not even the will that an earlier connection of the session had.
        let (wire, _) = Wire::connect(hearth.mqtt(), with_will(connect.clone(), will("earlier", "gone")));
        end(hearth.mqtt(), wire, &connect, End::Malformed);
        assert_eq!(subscriber.next_publish().topic.as_str(), "earlier");
        for how in [End::Malformed, End::ProtocolError, End::TakenOver] {
            let (wire, answer) = Wire::connect(hearth.mqtt(), connect.clone());
            assert!(answer.session_present);
            end(hearth.mqtt(), wire, &connect, how);
            subscriber.assert_quiet_after(&mut client(hearth.mqtt(), version));
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.1.2-16 MQTT-3.1.2-17
// MQTT 5.0 server: MQTT-3.1.2-14 MQTT-3.1.2-15
#[test]
fn a_will_is_retained_exactly_when_its_flag_says_so() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for retain in [false, true] {
            let (id, topic) = (unique("retain"), unique("retain"));
            let mut publisher = client(hearth.mqtt(), version);
            let before = Publish { retain: true, ..message(&topic, b"before", QoS::AtLeastOnce) };
            publisher.publish_to_the_end(before);
            let connect = with_will(connect(version, &id), Will { retain, ..will(&topic, "gone") });
            let mut watch = client(hearth.mqtt(), version);
            watch.subscribe(&topic, QoS::AtMostOnce);
            assert_eq!(watch.next_publish().payload, "before");
            let (wire, _) = Wire::connect(hearth.mqtt(), connect.clone());
            end(hearth.mqtt(), wire, &connect, End::Malformed);
            let live = watch.next_publish();
            assert_eq!((&live.payload[..], live.retain), (&b"gone"[..], false), "{version}");
            let mut later = client(hearth.mqtt(), version);
            later.subscribe(&topic, QoS::AtMostOnce);
            let kept = later.next_publish();
            assert!(kept.retain);
            assert_eq!(kept.payload, if retain { "gone" } else { "before" }, "{version}");
        }
    }
}

// MQTT 5.0 server: MQTT-3.1.2-7 MQTT-3.1.2-8
#[test]
fn a_will_with_a_delay_comes_after_it_and_not_before() {
    let hearth = BROKER.get();
    let topic = unique("delay");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    for how in [End::Closed, End::Malformed, End::WithWill] {
        let mut delayed = will(&topic, "gone");
        delayed.properties.delay = Some(1);
        let connect = with_will(persistent(Version::V5, &unique("delay")), delayed);
        let (wire, _) = Wire::connect(hearth.mqtt(), connect.clone());
        let before = Instant::now();
        end(hearth.mqtt(), wire, &connect, how);
        subscriber.assert_quiet();
        assert_eq!(subscriber.next_publish().payload, "gone", "{how:?}");
        assert!(before.elapsed() >= Duration::from_secs(1), "{how:?}: after {:?}", before.elapsed());
    }
}

// MQTT 5.0 server: MQTT-3.1.2-8
#[test]
fn the_end_of_the_session_publishes_the_will_before_its_delay_is_over() {
    let hearth = BROKER.get();
    let topic = unique("session");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let delayed = |seconds| {
        let mut will = will(&topic, "gone");
        will.properties.delay = Some(seconds);
        will
    };
    // The session ends with the connection, after a second, or because a clean start discards it.
    let at_once = with_will(connect(Version::V5, &unique("session")), delayed(3600));
    let (wire, _) = Wire::connect(hearth.mqtt(), at_once.clone());
    end(hearth.mqtt(), wire, &at_once, End::Malformed);
    assert_eq!(subscriber.next_publish().payload, "gone");

    let mut in_a_second = with_will(persistent(Version::V5, &unique("session")), delayed(3600));
    in_a_second.properties.session_expiry = Some(1);
    let (wire, _) = Wire::connect(hearth.mqtt(), in_a_second.clone());
    let before = Instant::now();
    end(hearth.mqtt(), wire, &in_a_second, End::Malformed);
    subscriber.assert_quiet();
    assert_eq!(subscriber.next_publish().payload, "gone");
    assert!(before.elapsed() >= Duration::from_secs(1), "after {:?}", before.elapsed());

    let id = unique("session");
    let discarded = with_will(persistent(Version::V5, &id), delayed(3600));
    let (wire, _) = Wire::connect(hearth.mqtt(), discarded.clone());
    end(hearth.mqtt(), wire, &discarded, End::Malformed);
    subscriber.assert_quiet();
    let (_wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, &id));
    assert_eq!(subscriber.next_publish().payload, "gone");
}

// MQTT 5.0 server: MQTT-3.1.2-8 MQTT-3.1.3-9
#[test]
fn a_client_that_is_back_before_the_delay_has_no_will_published() {
    let hearth = BROKER.get();
    let (id, topic) = (unique("soon"), unique("soon"));
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let mut delayed = will(&topic, "gone");
    delayed.properties.delay = Some(2);
    let connect = with_will(persistent(Version::V5, &id), delayed);
    let (wire, _) = Wire::connect(hearth.mqtt(), connect.clone());
    end(hearth.mqtt(), wire, &connect, End::Malformed);
    let (back, answer) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    assert!(answer.session_present);
    // One that is lost later and has a longer delay shows that the time of the first is over.
    let fence = unique("soon");
    subscriber.subscribe(&fence, QoS::AtMostOnce);
    let mut later = will(&fence, "fence");
    later.properties.delay = Some(3);
    let other = with_will(persistent(Version::V5, &fence), later);
    let (wire, _) = Wire::connect(hearth.mqtt(), other.clone());
    end(hearth.mqtt(), wire, &other, End::Malformed);
    assert_eq!(subscriber.next_publish().payload, "fence");
    drop(back);
    subscriber.assert_quiet();
}

// MQTT 5.0 server: MQTT-3.1.3-10
#[test]
fn the_properties_of_a_will_come_with_its_message_user_properties_in_their_order() {
    let hearth = BROKER.get();
    let topic = unique("properties");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let pairs = [("b", "1"), ("a", "2"), ("b", "0"), ("", ""), ("b", "1"), ("ä", "€")];
    let user_properties: UserProperties =
        pairs.iter().map(|(name, value)| (text(name), text(value))).collect();
    let mut last = will(&topic, "gone");
    last.properties = WillProperties {
        delay: Some(0),
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry: Some(3600),
        content_type: Some(text("text/plain")),
        response_topic: Some(TopicName::new(text("answers")).unwrap()),
        correlation_data: Some(Bytes::from_static(b"\0\xFF")),
        user_properties: user_properties.clone(),
    };
    let connect = with_will(persistent(Version::V5, &unique("c")), last);
    let (wire, _) = Wire::connect(hearth.mqtt(), connect.clone());
    end(hearth.mqtt(), wire, &connect, End::Malformed);
    let mut properties = *subscriber.next_publish().properties.expect("it has properties");
    assert!(matches!(properties.message_expiry, Some(3590..=3600)), "{properties:?}");
    properties.message_expiry = None;
    let expected = PublishProperties {
        payload_format: Some(PayloadFormat::Utf8),
        content_type: Some(text("text/plain")),
        response_topic: Some(TopicName::new(text("answers")).unwrap()),
        correlation_data: Some(Bytes::from_static(b"\0\xFF")),
        user_properties,
        ..PublishProperties::default()
    };
    assert_eq!(properties, expected);
}
