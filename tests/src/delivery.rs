//! Who hears what: across shards, versions, takeovers and lost connections, packet by packet.

use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;

use bytes::Bytes;
use hearth_protocol::packet::{
    Connect, Disconnect, Packet, PacketId, Publish, PublishAck, PublishProperties, Subscribe,
    SubscribeProperties, Subscription,
};
use hearth_protocol::property::PayloadFormat;
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use crate::hearth::Hearth;
use crate::wire::{Wire, connect, message, text, topic_filter};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

#[test]
fn clients_on_all_shards_hear_each_other_and_each_publisher_in_its_order() {
    // The chance that all of them live on one of the two shards is 1 in 2^15.
    const CLIENTS: usize = 16;
    const MESSAGES: usize = 50;
    let hearth = Hearth::start();
    let all_listen = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        for index in 0..CLIENTS {
            let (all_listen, broker) = (&all_listen, hearth.mqtt());
            scope.spawn(move || {
                let version = VERSIONS[index % VERSIONS.len()];
                let (mut wire, _) = Wire::connect(broker, connect(version, &format!("peer-{index}")));
                wire.subscribe("peers/+", QoS::AtMostOnce);
                all_listen.wait();
                for number in 0..MESSAGES {
                    let payload = number.to_string();
                    let publish = message(&format!("peers/{index}"), payload.as_bytes(), QoS::AtMostOnce);
                    wire.send(&Packet::Publish(publish));
                }
                let mut heard: HashMap<String, usize> = HashMap::new();
                for _ in 0..CLIENTS * MESSAGES {
                    let publish = wire.next_publish();
                    let next = heard.entry(publish.topic.as_str().to_owned()).or_default();
                    assert_eq!(publish.payload, next.to_string(), "the next of {}", publish.topic.as_str());
                    *next += 1;
                }
                assert!(
                    heard.len() == CLIENTS && heard.values().all(|count| *count == MESSAGES),
                    "{heard:?}"
                );
            });
        }
    });
}

#[test]
fn properties_reach_version_5_whole_and_older_versions_not_at_all() {
    let hearth = Hearth::start();
    let (mut old, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "old"));
    old.subscribe("a/b", QoS::AtMostOnce);
    let (mut new, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "new"));
    new.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: vec![Subscription::new(topic_filter("a/+"), QoS::AtMostOnce)],
        properties: SubscribeProperties { subscription_id: Some(268_435_455), ..Default::default() },
    }));
    assert!(matches!(new.next(), Packet::SubAck(_)));

    let mut properties = PublishProperties {
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry: Some(3600),
        response_topic: Some(TopicName::new(text("answers/here")).unwrap()),
        correlation_data: Some(Bytes::from_static(&[0, 255, 0])),
        content_type: Some(text("text/plain")),
        ..PublishProperties::default()
    };
    properties.user_properties.push(text("room"), text("Küche"));
    properties.user_properties.push(text("room"), text("again"));
    let sent = Publish {
        properties: Some(Box::new(properties.clone())),
        ..message("a/b", b"21.5", QoS::AtMostOnce)
    };
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    publisher.send(&Packet::Publish(sent.clone()));

    assert_eq!(old.next_publish(), message("a/b", b"21.5", QoS::AtMostOnce));
    let mut heard = new.next_publish();
    let heard_properties = heard.properties.as_mut().expect("version 5 carries properties");
    assert!(matches!(heard_properties.message_expiry, Some(3590..=3600)), "{heard_properties:?}");
    heard_properties.message_expiry = Some(3600);
    properties.subscription_ids = vec![268_435_455];
    assert_eq!(heard, Publish { properties: Some(Box::new(properties)), ..sent });
}

#[test]
fn a_second_connection_takes_the_session_over() {
    let hearth = Hearth::start();
    for (version, reason) in [(Version::V311, None), (Version::V5, Some(ReasonCode::SessionTakenOver))] {
        let resume = || persistent(version, "same");
        let (mut first, answer) = Wire::connect(hearth.mqtt(), resume());
        assert!(!answer.session_present);
        first.subscribe("a", QoS::AtLeastOnce);
        let (mut second, answer) = Wire::connect(hearth.mqtt(), resume());
        assert!(answer.session_present, "{version}: the subscription is still there");
        assert_eq!(last_words(&mut first), reason);
        let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
        publisher.publish_acknowledged("a", b"x");
        assert_eq!(second.next_publish().payload, "x");
        second.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        // A session of version 3 stays; the one of version 5 finds nothing of it once it starts clean.
        let (_third, answer) = Wire::connect(hearth.mqtt(), connect(version, "same"));
        assert!(!answer.session_present);
    }
}

#[test]
fn what_was_not_acknowledged_comes_again_on_the_next_connection() {
    let hearth = Hearth::start();
    for (version, qos) in [
        (Version::V311, QoS::AtLeastOnce),
        (Version::V311, QoS::ExactlyOnce),
        (Version::V5, QoS::AtLeastOnce),
    ] {
        let id = format!("{version}-{}", qos.bits());
        let (mut first, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        first.subscribe(&id, qos);
        let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
        publisher.publish_to_the_end(message(&id, b"21.5", qos));
        let heard = first.next_publish();
        assert!(!heard.dup);
        drop(first);

        let (mut second, answer) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        assert!(answer.session_present);
        assert_eq!(second.next_publish(), Publish { dup: true, ..heard.clone() });
        let packet_id = heard.packet_id.unwrap();
        if qos == QoS::ExactlyOnce {
            second.send(&Packet::PubRec(PublishAck::success(packet_id)));
            assert_eq!(second.next(), Packet::PubRel(PublishAck::success(packet_id)));
            drop(second);
            // From PUBREC on only PUBREL matters.
            let (mut third, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
            assert_eq!(third.next(), Packet::PubRel(PublishAck::success(packet_id)));
            third.send(&Packet::PubComp(PublishAck::success(packet_id)));
            third.assert_quiet();
        } else {
            second.send(&Packet::PubAck(PublishAck::success(packet_id)));
            second.assert_quiet();
        }
    }
}

#[test]
fn a_qos_2_message_that_is_sent_twice_is_delivered_once() {
    let hearth = Hearth::start();
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "subscriber"));
    subscriber.subscribe("once", QoS::AtMostOnce);
    let packet_id = PacketId::MIN;
    let first = Publish { packet_id: Some(packet_id), ..message("once", b"1", QoS::ExactlyOnce) };
    let again = Publish { dup: true, ..first.clone() };
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), persistent(Version::V311, "publisher"));
    publisher.send(&Packet::Publish(first));
    assert_eq!(publisher.next(), Packet::PubRec(PublishAck::success(packet_id)));
    publisher.send(&Packet::Publish(again.clone()));
    assert_eq!(publisher.next(), Packet::PubRec(PublishAck::success(packet_id)));
    drop(publisher);
    let (mut publisher, answer) = Wire::connect(hearth.mqtt(), persistent(Version::V311, "publisher"));
    assert!(answer.session_present);
    publisher.send(&Packet::Publish(again));
    assert_eq!(publisher.next(), Packet::PubRec(PublishAck::success(packet_id)));
    for _ in 0..2 {
        publisher.send(&Packet::PubRel(PublishAck::success(packet_id)));
        assert_eq!(publisher.next(), Packet::PubComp(PublishAck::success(packet_id)));
    }
    publisher.publish_acknowledged("once", b"2");
    assert_eq!(subscriber.next_publish().payload, "1");
    assert_eq!(subscriber.next_publish().payload, "2");
}

#[test]
fn a_message_of_a_megabyte_arrives_whole_at_every_qos_and_version() {
    let hearth = Hearth::start();
    let payload: Vec<u8> = (0..1_048_576_u32).map(|index| ((index * 31) >> 3) as u8).collect();
    let mut subscribers = Vec::new();
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let id = format!("{version}-{}", qos.bits());
            let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(version, &id));
            wire.subscribe("big", qos);
            subscribers.push((wire, qos));
        }
    }
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    publisher.publish_to_the_end(message("big", &payload, QoS::ExactlyOnce));
    for (subscriber, qos) in &mut subscribers {
        let heard = subscriber.next_publish();
        assert_eq!(heard.qos, *qos);
        assert!(heard.payload == payload, "the payload is the same");
    }
}

#[test]
fn a_subscriber_that_does_not_read_holds_nobody_back() {
    const MESSAGES: usize = 2_000;
    const BYTES: usize = 32 * 1024;
    let hearth = Hearth::start();
    let (mut stuck, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "stuck"));
    stuck.subscribe("flood", QoS::AtMostOnce);
    let (mut awake, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "awake"));
    awake.subscribe("flood", QoS::AtLeastOnce);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    let payload = vec![7; BYTES];
    thread::scope(|scope| {
        scope.spawn(|| (0..MESSAGES).for_each(|_| publisher.publish_acknowledged("flood", &payload)));
        for _ in 0..MESSAGES {
            let heard = awake.next_publish();
            awake.send(&Packet::PubAck(PublishAck::success(heard.packet_id.unwrap())));
        }
    });
}

#[test]
fn a_subscriber_that_pauses_gets_every_qos_1_message_afterwards() {
    // Ten megabytes: more than the broker and the sockets hold before it has to queue.
    const MESSAGES: usize = 5_000;
    let hearth = Hearth::start();
    // Two of them, so that with some luck one lives on the publisher's shard and one on the other.
    let mut pausing = ["one", "two"].map(|id| {
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, id));
        wire.subscribe("steady", QoS::AtLeastOnce);
        wire
    });
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    let filling = "x".repeat(2048);
    for number in 0..MESSAGES {
        publisher.publish_acknowledged("steady", format!("{number} {filling}").as_bytes());
    }
    for wire in &mut pausing {
        for number in 0..MESSAGES {
            let heard = wire.next_publish();
            assert!(heard.payload.starts_with(format!("{number} ").as_bytes()), "number {number} comes next");
            wire.send(&Packet::PubAck(PublishAck::success(heard.packet_id.unwrap())));
        }
    }
}

#[test]
fn an_empty_client_id_is_replaced_or_refused() {
    let hearth = Hearth::start();
    let (_wire, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, ""));
    let assigned = answer.properties.assigned_client_id.expect("version 5 is told its id");
    assert!(!assigned.is_empty());
    Wire::connect(hearth.mqtt(), connect(Version::V311, ""));
    let mut wire = Wire::open(hearth.mqtt(), Version::V311);
    wire.send(&Packet::Connect(Box::new(Connect { clean_start: false, ..connect(Version::V311, "") })));
    let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
    assert_eq!(answer.reason, ReasonCode::ClientIdentifierNotValid);
    assert_eq!(wire.next_or_end(), None);
}

#[test]
fn a_client_that_breaks_its_keep_alive_is_closed_and_its_will_published() {
    let hearth = Hearth::start();
    let (mut witness, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "witness"));
    witness.subscribe("will/#", QoS::AtMostOnce);
    for (version, last) in [(Version::V311, None), (Version::V5, Some(ReasonCode::KeepAliveTimeout))] {
        let will = hearth_protocol::packet::Will {
            topic: TopicName::new(text("will/of")).unwrap(),
            payload: Bytes::from_static(b"silent"),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Default::default(),
        };
        let quiet = Connect { keep_alive: 1, will: Some(will), ..connect(version, "quiet") };
        let (mut wire, _) = Wire::connect(hearth.mqtt(), quiet);
        assert_eq!(last_words(&mut wire), last);
        assert_eq!(witness.next_publish().payload, "silent");
    }
}

#[test]
fn a_client_that_says_goodbye_and_is_back_at_once_has_no_will_published() {
    // The new connection must not overtake the DISCONNECT, which is on another socket: a race, so many tries.
    const ROUNDS: usize = 2_000;
    let hearth = Hearth::start();
    let (mut witness, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "witness"));
    witness.subscribe("will/#", QoS::AtMostOnce);
    let mut last = None;
    for round in 0..ROUNDS {
        let will = hearth_protocol::packet::Will {
            topic: TopicName::new(text(&format!("will/{round}"))).unwrap(),
            payload: Bytes::from_static(b"overtaken"),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Default::default(),
        };
        let mortal = Connect { will: Some(will), ..connect(Version::V5, "mortal") };
        let (mut wire, _) = Wire::connect(hearth.mqtt(), mortal);
        wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        last = Some(wire);
    }
    drop(last);
    witness.assert_quiet();
}

#[test]
fn at_sigterm_and_ctrl_c_clients_are_told_and_the_broker_ends_well() {
    let endings: [fn(&mut Hearth) -> crate::process::Ended; 2] = [Hearth::terminate, Hearth::interrupt];
    for end in endings {
        let mut hearth = Hearth::start();
        let (mut new, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "new"));
        let (mut old, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "old"));
        let ended = end(&mut hearth);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert_eq!(last_words(&mut new), Some(ReasonCode::ServerShuttingDown));
        assert_eq!(last_words(&mut old), None, "older versions have no words for it");
    }
}

/// A CONNECT of a session that outlives its connection.
fn persistent(version: Version, id: &str) -> Connect {
    let mut connect = Connect { clean_start: false, ..connect(version, id) };
    if version.is_v5() {
        connect.properties.session_expiry = Some(3600);
    }
    connect
}

/// Reads until the broker closes: the reason of its DISCONNECT, or `None` when it just closed.
#[track_caller]
fn last_words(wire: &mut Wire) -> Option<ReasonCode> {
    wire.wait_for_end().map(|packet| match packet {
        Packet::Disconnect(disconnect) => disconnect.reason,
        other => panic!("the last packet is a DISCONNECT, not {other:?}"),
    })
}
