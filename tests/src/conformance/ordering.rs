//! Who gets a message, and in which order messages and acknowledgements come (4.5, 4.6).

use std::collections::HashMap;

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};

use super::VERSIONS;
use super::broker::SharedBroker;
use super::packets::{
    QOS, hear, join, lasting, payloads, puback, pubcomp, publish, pubrec, pubrel, request, subscribe,
};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 server: MQTT-4.5.0-1
// MQTT 5.0 server: MQTT-4.5.0-1
#[test]
fn a_message_becomes_part_of_every_session_with_a_matching_subscription() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("everyone/{version}/room");
        let filters = [topic.clone(), format!("everyone/{version}/+"), format!("everyone/{version}/#")];
        let mut here = Vec::new();
        let mut away = Vec::new();
        for (index, filter) in filters.iter().enumerate() {
            // Eight of a kind, so that both shards have some.
            for copy in 0..8 {
                let mut wire = join(hearth.mqtt(), version, &format!("everyone-{index}-{copy}"));
                wire.subscribe(filter, QoS::ExactlyOnce);
                here.push(wire);
                let terms = lasting(version, &format!("everyone-away-{index}-{copy}"));
                Wire::connect(hearth.mqtt(), terms.clone()).0.subscribe(filter, QoS::ExactlyOnce);
                away.push(terms);
            }
        }
        let mut other = join(hearth.mqtt(), version, "everyone-other");
        other.subscribe(&format!("everyone/{version}/other"), QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), version, "everyone-publisher");
        publisher.publish_to_the_end(message(&topic, b"1", QoS::AtLeastOnce));
        publisher.publish_to_the_end(message(&topic, b"2", QoS::ExactlyOnce));
        other.assert_quiet_after(&mut publisher);
        for mut wire in here {
            let mut heard = payloads(&hear(&mut wire, 2));
            heard.sort();
            assert_eq!(heard, ["1", "2"], "{version}");
        }
        for terms in away {
            let mut heard = payloads(&hear(&mut Wire::connect(hearth.mqtt(), terms).0, 2));
            heard.sort();
            assert_eq!(heard, ["1", "2"], "{version}: of one that was away");
        }
    }
}

// MQTT 3.1.1 server: MQTT-4.6.0-5 MQTT-4.6.0-6
// MQTT 5.0 server: MQTT-4.6.0-5 MQTT-4.6.0-6
#[test]
fn messages_of_one_publisher_topic_and_qos_keep_their_order() {
    const MESSAGES: usize = 60;
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("order/{version}");
        let mut here = join(hearth.mqtt(), version, "order-here");
        here.subscribe(&topic, QoS::ExactlyOnce);
        // What such a client cannot take yet waits, and must not be overtaken.
        let mut terms = lasting(version, "order-slow");
        if version.is_v5() {
            terms.properties.receive_maximum = Some(3);
        }
        let (mut slow, _) = Wire::connect(hearth.mqtt(), terms);
        slow.subscribe(&topic, QoS::ExactlyOnce);
        let (mut away, _) = Wire::connect(hearth.mqtt(), lasting(version, "order-away"));
        away.subscribe(&topic, QoS::ExactlyOnce);
        drop(away);

        let mut publishers: Vec<_> =
            (0..4).map(|index| join(hearth.mqtt(), version, &format!("order-publisher-{index}"))).collect();
        for number in 0..MESSAGES {
            for (index, publisher) in publishers.iter_mut().enumerate() {
                for qos in QOS {
                    let payload = format!("{index} {} {number}", qos.bits());
                    let sent = message(&topic, payload.as_bytes(), qos);
                    // Without waiting for what comes back: many are under way at once.
                    let packet_id = (number * 2) as u16 + u16::from(qos.bits());
                    match qos {
                        QoS::AtMostOnce => publisher.send(&Packet::Publish(sent)),
                        QoS::AtLeastOnce | QoS::ExactlyOnce => publisher.send(&publish(packet_id, sent)),
                    }
                }
            }
        }
        for publisher in &mut publishers {
            (0..MESSAGES * 2).for_each(|_| drop(publisher.next()));
        }
        let all = publishers.len() * MESSAGES;
        assert_ordered(&hear(&mut here, all * 3), &format!("{version}, here"));
        assert_ordered(&hear(&mut slow, all * 3), &format!("{version}, slow"));
        let (mut away, _) = Wire::connect(hearth.mqtt(), lasting(version, "order-away"));
        assert_ordered(&hear(&mut away, all * 2), &format!("{version}, away"));
    }
}

/// The numbers of each publisher and QoS go up by one from 0.
#[track_caller]
fn assert_ordered(heard: &[Publish], what: &str) {
    let mut next: HashMap<String, usize> = HashMap::new();
    for payload in payloads(heard) {
        let (kind, number) = payload.rsplit_once(' ').unwrap();
        let wanted = next.entry(kind.to_owned()).or_default();
        assert_eq!(number.parse(), Ok(*wanted), "{what}: the next of {kind}");
        *wanted += 1;
    }
}

// MQTT 3.1.1 server: MQTT-4.6.0-6
#[test]
fn messages_that_are_sent_again_keep_their_order() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("again-in-order/{version}");
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "again-in-order"));
        client.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), version, "again-in-order-publisher");
        for number in 0..40 {
            let qos = if number % 3 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            publisher.publish_to_the_end(message(&topic, number.to_string().as_bytes(), qos));
        }
        let mut sent: Vec<_> = (0..40).map(|_| client.next_publish()).collect();
        // Holes in the sequence: some in the middle are over.
        for index in [31, 30, 12, 3] {
            let over = sent.remove(index);
            let packet_id = over.packet_id.unwrap().get();
            match over.qos {
                QoS::ExactlyOnce => {
                    client.send(&pubrec(packet_id));
                    assert_eq!(client.next(), pubrel(packet_id));
                    client.send(&pubcomp(packet_id));
                }
                QoS::AtMostOnce | QoS::AtLeastOnce => client.send(&puback(packet_id)),
            }
        }
        client.assert_quiet();
        drop(client);
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "again-in-order"));
        for publish in sent {
            assert_eq!(client.next_publish(), Publish { dup: true, ..publish }, "{version}");
        }
        client.assert_quiet_after(&mut publisher);
    }
}

// MQTT 3.1.1 server: MQTT-4.6.0-6
#[test]
fn acknowledgements_come_in_the_order_of_what_they_acknowledge() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("acks/{version}");
        let mut client = join(hearth.mqtt(), version, "acks");
        for packet_id in 1..=100 {
            let qos = if packet_id % 3 == 0 { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
            client.send(&publish(packet_id, message(&topic, b"x", qos)));
        }
        let (mut received, mut recorded) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            match client.next() {
                Packet::PubAck(ack) => received.push(ack.packet_id.get()),
                Packet::PubRec(ack) => recorded.push(ack.packet_id.get()),
                other => panic!("{other:?}"),
            }
        }
        assert!(received.is_sorted() && recorded.is_sorted(), "{version}: {received:?} {recorded:?}");

        // PUBREL in the order of PUBREC, even where that is not the order of the messages.
        assert_eq!(request(&mut client, &subscribe(200, &[(&topic, QoS::ExactlyOnce)])).len(), 1);
        let mut publisher = join(hearth.mqtt(), Version::V5, "acks-publisher");
        for _ in 0..5 {
            publisher.publish_to_the_end(message(&topic, b"x", QoS::ExactlyOnce));
        }
        let ids: Vec<_> = (0..5).map(|_| client.next_publish().packet_id.unwrap().get()).collect();
        let order = [ids[3], ids[0], ids[4], ids[1], ids[2]];
        for packet_id in order {
            client.send(&pubrec(packet_id));
        }
        for packet_id in order {
            assert_eq!(client.next(), pubrel(packet_id));
        }
    }
}
