//! The flows of QoS 0, 1 and 2, packet by packet, with the broker as receiver and as sender (4.3).

use std::collections::HashSet;

use hearth_protocol::packet::{Packet, Publish, PublishProperties};
use hearth_protocol::{QoS, Version};

use super::broker::SharedBroker;
use super::clock::let_pass;
use super::packets::{
    hear, join, lasting, leave, payloads, puback, pubcomp, publish, publish_again, pubrec, pubrel,
};
use super::{VERSIONS, raw};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 server: MQTT-4.3.1-1
// MQTT 5.0 server: MQTT-4.3.1-1
#[test]
fn a_qos_0_message_goes_out_without_packet_id_and_dup() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("flow-0/{version}");
        let mut listener = join(hearth.mqtt(), version, "flow-0-listener");
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut publisher = join(hearth.mqtt(), version, "flow-0-publisher");
        publisher.send(&Packet::Publish(message(&topic, b"0", QoS::AtMostOnce)));
        publisher.send(&publish_again(1, message(&topic, b"0", QoS::AtLeastOnce)));
        publisher.send(&publish_again(2, message(&topic, b"0", QoS::ExactlyOnce)));
        let body = [raw::field(&topic), raw::properties(version, &[]), b"0".to_vec()].concat();
        for _ in 0..3 {
            assert_eq!(listener.next_bytes(), raw::packet(0x30, &[&body]), "{version}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-4.3.2-2
// MQTT 5.0 server: MQTT-4.3.2-4 MQTT-4.3.2-5
#[test]
fn each_qos_1_message_is_acknowledged_and_new_however_its_packet_id_and_dup_repeat() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("flow-1/{version}");
        let mut listener = join(hearth.mqtt(), version, "flow-1-listener");
        listener.subscribe(&topic, QoS::AtMostOnce);
        let mut publisher = join(hearth.mqtt(), version, "flow-1-publisher");
        for packet_id in [1, 7, 0x1234, 65_535] {
            for (payload, dup) in [("first", false), ("again", true), ("other", false)] {
                let sent = Publish { dup, ..message(&topic, payload.as_bytes(), QoS::AtLeastOnce) };
                publisher.send(&publish(packet_id, sent));
                let [high, low] = packet_id.to_be_bytes();
                assert_eq!(publisher.next_bytes(), [0x40, 2, high, low], "{version}");
                assert_eq!(listener.next_publish().payload, payload, "{version}");
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-4.3.3-2
// MQTT 5.0 server: MQTT-4.3.3-8 MQTT-4.3.3-10 MQTT-4.3.3-11 MQTT-4.3.3-12
#[test]
fn a_qos_2_message_is_one_message_from_publish_to_pubrel_and_a_new_one_after_it() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("flow-2/{version}");
        let mut listener = join(hearth.mqtt(), version, "flow-2-listener");
        listener.subscribe(&topic, QoS::AtMostOnce);
        let (mut publisher, _) = Wire::connect(hearth.mqtt(), lasting(version, "flow-2-publisher"));
        let first = || message(&topic, b"first", QoS::ExactlyOnce);
        for packet_id in [1_u16, 0x1234, 65_535] {
            let [high, low] = packet_id.to_be_bytes();
            // With DUP and without, in one connection and the next: the same message.
            for again in [publish(packet_id, first()), publish_again(packet_id, first())] {
                publisher.send(&publish(packet_id, first()));
                assert_eq!(publisher.next_bytes(), [0x50, 2, high, low], "{version}");
                publisher.send(&again);
                assert_eq!(publisher.next_bytes(), [0x50, 2, high, low], "{version}");
                drop(publisher);
                publisher = Wire::connect(hearth.mqtt(), lasting(version, "flow-2-publisher")).0;
                publisher.send(&publish_again(packet_id, first()));
                assert_eq!(publisher.next_bytes(), [0x50, 2, high, low], "{version}");
                publisher.send(&pubrel(packet_id));
                assert_eq!(publisher.next_bytes(), [0x70, 2, high, low], "{version}");
                assert_eq!(listener.next_publish().payload, "first");
                listener.assert_quiet_after(&mut publisher);
            }
            // Even with DUP it is a new one now.
            publisher.send(&publish_again(packet_id, message(&topic, b"next", QoS::ExactlyOnce)));
            assert_eq!(publisher.next_bytes(), [0x50, 2, high, low], "{version}");
            publisher.send(&pubrel(packet_id));
            assert_eq!(publisher.next_bytes(), [0x70, 2, high, low], "{version}");
            assert_eq!(listener.next_publish().payload, "next");
        }
    }
}

// MQTT 5.0 server: MQTT-4.3.3-9
#[test]
fn the_packet_id_of_a_refused_qos_2_message_is_free_for_a_new_one() {
    let hearth = BROKER.get();
    let mut listener = join(hearth.mqtt(), Version::V5, "refused-2-listener");
    listener.subscribe("refused-2", QoS::AtMostOnce);
    let mut publisher = join(hearth.mqtt(), Version::V5, "refused-2-publisher");
    publisher.send(&publish(5, message("$SYS/broker/version", b"mine", QoS::ExactlyOnce)));
    let Packet::PubRec(refusal) = publisher.next() else { panic!("PUBREC comes first") };
    assert!(refusal.reason.is_failure(), "{refusal:?}");
    publisher.send(&publish_again(5, message("refused-2", b"new", QoS::ExactlyOnce)));
    assert_eq!(publisher.next(), pubrec(5));
    publisher.send(&pubrel(5));
    assert_eq!(publisher.next(), pubcomp(5));
    assert_eq!(listener.next_publish().payload, "new");
}

// MQTT 3.1.1 server: MQTT-4.3.2-1
// MQTT 5.0 server: MQTT-4.3.2-1 MQTT-4.3.2-2 MQTT-4.3.2-3
#[test]
fn qos_1_messages_go_out_under_unused_packet_ids_and_stay_under_way_until_puback() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("sends-1/{version}");
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "sends-1"));
        client.subscribe(&topic, QoS::AtLeastOnce);
        let mut publisher = join(hearth.mqtt(), version, "sends-1-publisher");
        let mut under_way: Vec<Publish> = Vec::new();
        // Every third is acknowledged, so that old and new identifiers are in use at once.
        for number in 0..300_u16 {
            let sent = message(&topic, number.to_string().as_bytes(), QoS::AtLeastOnce);
            publisher.send(&publish_again(1, sent));
            assert!(matches!(publisher.next(), Packet::PubAck(_)));
            let heard = client.next_publish();
            assert_eq!(
                (heard.payload.as_ref(), heard.qos),
                (number.to_string().as_bytes(), QoS::AtLeastOnce)
            );
            assert!(!heard.dup, "it goes out for the first time, whatever its publisher said");
            assert!(under_way.iter().all(|other| other.packet_id != heard.packet_id), "{heard:?}");
            under_way.push(heard);
            if number % 3 == 2 {
                let done = under_way.remove(usize::from(number) % under_way.len());
                client.send(&puback(done.packet_id.unwrap().get()));
            }
        }
        client.assert_quiet();
        drop(client);
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "sends-1"));
        for message in under_way {
            assert_eq!(client.next_publish(), Publish { dup: true, ..message });
        }
        client.assert_quiet_after(&mut publisher);
    }
}

// MQTT 3.1.1 server: MQTT-4.3.3-1
// MQTT 5.0 server: MQTT-4.3.3-1 MQTT-4.3.3-2 MQTT-4.3.3-3 MQTT-4.3.3-4 MQTT-4.3.3-5 MQTT-4.3.3-6
#[test]
fn qos_2_messages_go_out_under_unused_packet_ids_and_stay_under_way_until_pubcomp() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("sends-2/{version}");
        let reconnect = || Wire::connect(hearth.mqtt(), lasting(version, "sends-2")).0;
        let mut client = reconnect();
        client.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), version, "sends-2-publisher");
        let mut send = |payload: &str| {
            publisher.publish_to_the_end(message(&topic, payload.as_bytes(), QoS::ExactlyOnce));
        };
        for payload in ["a", "b", "c"] {
            send(payload);
        }
        let sent = [client.next_publish(), client.next_publish(), client.next_publish()];
        let [a, b, c] = sent.clone().map(|publish| publish.packet_id.unwrap().get());
        assert!(sent.iter().all(|publish| publish.qos == QoS::ExactlyOnce && !publish.dup), "{sent:?}");
        assert_eq!(HashSet::from([a, b, c]).len(), 3);
        // Only the one that got PUBREC is released, under its own identifier.
        client.send(&pubrec(b));
        assert_eq!(client.next(), pubrel(b));
        client.assert_quiet();

        client = reconnect();
        let mut again = [client.next(), client.next(), client.next()].to_vec();
        // From PUBREC on it is PUBREL that is sent again, never the message.
        again.retain(|packet| packet != &pubrel(b));
        let publish_again = |publish: &Publish| Packet::Publish(Publish { dup: true, ..publish.clone() });
        assert_eq!(again, [publish_again(&sent[0]), publish_again(&sent[2])], "{version}");
        client.assert_quiet();

        // PUBREL is under way until PUBCOMP: its identifier is not used anew, and it comes again.
        send("d");
        let d = client.next_publish().packet_id.unwrap().get();
        assert!(![a, b, c].contains(&d), "{d} is in use");
        for packet_id in [a, c, d] {
            client.send(&pubrec(packet_id));
            assert_eq!(client.next(), pubrel(packet_id));
        }
        client.send(&pubcomp(b));
        client.send(&pubcomp(d));
        client.assert_quiet();
        client = reconnect();
        let mut again = [client.next(), client.next()];
        again.sort_by_key(|packet| packet != &pubrel(a));
        assert_eq!(again, [pubrel(a), pubrel(c)]);
        client.send(&pubcomp(a));
        client.send(&pubcomp(c));
        client.assert_quiet();
        client = reconnect();
        client.assert_quiet();
        send("e");
        assert_eq!(payloads(&hear(&mut client, 1)), ["e"]);
    }
}

// MQTT 5.0 server: MQTT-4.3.3-7 MQTT-4.3.3-13
#[test]
fn a_qos_2_message_that_is_under_way_does_not_expire() {
    let hearth = BROKER.get();
    let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(Version::V5, "expires"));
    client.subscribe("expires", QoS::ExactlyOnce);
    let properties = PublishProperties { message_expiry: Some(1), ..PublishProperties::default() };
    let short_lived = |payload: &[u8]| Publish {
        properties: Some(Box::new(properties.clone())),
        ..message("expires", payload, QoS::ExactlyOnce)
    };
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), lasting(Version::V5, "expires-publisher"));
    publisher.publish_to_the_end(short_lived(b"under way"));
    let under_way = client.next_publish();
    leave(client);
    // This one waits in the session: it may expire, but its publisher's flow goes on.
    publisher.send(&publish(9, short_lived(b"waits")));
    assert_eq!(publisher.next(), pubrec(9));

    let_pass(hearth.mqtt(), "expires", 3);

    let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(Version::V5, "expires"));
    let again = client.next_publish();
    assert_eq!((again.packet_id, again.payload, again.dup), (under_way.packet_id, under_way.payload, true));
    client.send(&pubrec(under_way.packet_id.unwrap().get()));
    assert_eq!(client.next(), pubrel(under_way.packet_id.unwrap().get()));
    client.send(&pubcomp(under_way.packet_id.unwrap().get()));
    client.assert_quiet_after(&mut publisher);

    publisher.send(&publish_again(9, short_lived(b"waits")));
    assert_eq!(publisher.next(), pubrec(9));
    publisher.send(&pubrel(9));
    assert_eq!(publisher.next(), pubcomp(9));
    client.assert_quiet_after(&mut publisher);
}
