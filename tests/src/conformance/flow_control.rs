//! The receive maximum of a client, which the broker keeps to (4.9).

use std::collections::VecDeque;

use hearth_protocol::packet::{Packet, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{
    id, join, lasting, puback, pubcomp, publish, pubrec, pubrel, request, subscribe, unsubscribe,
};
use super::unique;
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 5.0 server: MQTT-4.9.0-1 MQTT-4.9.0-2
#[test]
fn as_many_messages_are_under_way_as_the_client_takes_and_never_one_more() {
    let hearth = BROKER.get();
    for maximum in [1_u16, 2, 7] {
        let topic = unique("window");
        let mut terms = lasting(Version::V5, &topic);
        terms.properties.receive_maximum = Some(maximum);
        let (mut client, _) = Wire::connect(hearth.mqtt(), terms.clone());
        client.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), Version::V5, "window-publisher");
        let mut expected: VecDeque<String> = VecDeque::new();
        for number in 0..maximum * 4 {
            let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            publisher.publish_to_the_end(message(&topic, number.to_string().as_bytes(), qos));
            expected.push_back(number.to_string());
        }
        let mut next = |client: &mut Wire| {
            let heard = client.next_publish();
            assert_eq!(heard.payload, expected.pop_front().unwrap());
            heard
        };
        // At first exactly that many come.
        let mut under_way: VecDeque<Publish> = (0..maximum).map(|_| next(&mut client)).collect();
        client.assert_quiet_after(&mut publisher);
        for _ in 0..maximum {
            finish(&mut client, &under_way.pop_front().unwrap());
            under_way.push_back(next(&mut client));
            client.assert_quiet_after(&mut publisher);
        }
        // A new connection may take another number, which counts for what is sent again as well.
        drop(client);
        terms.properties.receive_maximum = Some(1);
        let (mut client, _) = Wire::connect(hearth.mqtt(), terms);
        for sent in under_way {
            assert_eq!(client.next_publish(), Publish { dup: true, ..sent.clone() });
            client.assert_quiet();
            finish(&mut client, &sent);
        }
        let heard = next(&mut client);
        assert!(!heard.dup);
        client.assert_quiet();
    }
}

/// Takes a message to its last acknowledgement; before that there is no room for another one.
#[track_caller]
fn finish(client: &mut Wire, publish: &Publish) {
    let packet_id = publish.packet_id.unwrap().get();
    if publish.qos == QoS::ExactlyOnce {
        client.send(&pubrec(packet_id));
        assert_eq!(client.next(), pubrel(packet_id));
        client.assert_quiet();
        client.send(&pubcomp(packet_id));
    } else {
        client.send(&puback(packet_id));
    }
}

// MQTT 5.0 server: MQTT-4.9.0-2
#[test]
fn a_refusal_makes_room_for_the_next_message() {
    let hearth = BROKER.get();
    let topic = unique("refusal");
    let mut terms = lasting(Version::V5, &topic);
    terms.properties.receive_maximum = Some(1);
    let (mut client, _) = Wire::connect(hearth.mqtt(), terms);
    client.subscribe(&topic, QoS::ExactlyOnce);
    let mut publisher = join(hearth.mqtt(), Version::V5, "refusal-publisher");
    for number in 0..4 {
        publisher.publish_to_the_end(message(&topic, number.to_string().as_bytes(), QoS::ExactlyOnce));
    }
    for number in 0..4 {
        let heard = client.next_publish();
        assert_eq!(heard.payload, number.to_string());
        client.assert_quiet_after(&mut publisher);
        let refusal = PublishAck::new(heard.packet_id.unwrap(), ReasonCode::QuotaExceeded);
        client.send(&Packet::PubRec(refusal));
    }
    client.assert_quiet_after(&mut publisher);
}

// MQTT 5.0 server: MQTT-4.9.0-3
#[test]
fn without_room_for_messages_everything_else_goes_on() {
    let hearth = BROKER.get();
    let topic = unique("full");
    let mut terms = lasting(Version::V5, &topic);
    terms.properties.receive_maximum = Some(2);
    let (mut client, _) = Wire::connect(hearth.mqtt(), terms);
    client.subscribe(&topic, QoS::ExactlyOnce);
    let mut publisher = join(hearth.mqtt(), Version::V5, "full-publisher");
    for payload in ["one", "two", "waits"] {
        publisher.publish_to_the_end(message(&topic, payload.as_bytes(), QoS::ExactlyOnce));
    }
    let [one, two] =
        [client.next_publish(), client.next_publish()].map(|heard| heard.packet_id.unwrap().get());
    client.send(&Packet::PingReq);
    assert_eq!(client.next(), Packet::PingResp);
    let other = unique("full-other");
    assert_eq!(request(&mut client, &subscribe(1, &[(&other, QoS::AtMostOnce)])), [ReasonCode::Success]);
    // QoS 0 needs no room, and messages of the client have a quota of their own.
    publisher.publish_to_the_end(message(&other, b"0", QoS::ExactlyOnce));
    assert_eq!(client.next_publish().payload, "0");
    assert_eq!(request(&mut client, &unsubscribe(2, &[&other])), [ReasonCode::Success]);
    let sent = unique("full-sent");
    let mut listener = join(hearth.mqtt(), Version::V5, "full-listener");
    listener.subscribe(&sent, QoS::AtMostOnce);
    client.send(&Packet::Publish(message(&sent, b"0", QoS::AtMostOnce)));
    client.send(&publish(3, message(&sent, b"1", QoS::AtLeastOnce)));
    assert_eq!(client.next(), puback(3));
    client.send(&publish(4, message(&sent, b"2", QoS::ExactlyOnce)));
    assert_eq!(client.next(), pubrec(4));
    client.send(&pubrel(4));
    assert_eq!(client.next(), pubcomp(4));
    for payload in ["0", "1", "2"] {
        assert_eq!(listener.next_publish().payload, payload);
    }
    // The flows that are under way go on too.
    for packet_id in [one, two] {
        client.send(&pubrec(packet_id));
        assert_eq!(client.next(), Packet::PubRel(PublishAck::success(id(packet_id))));
    }
    client.assert_quiet();
    client.send(&pubcomp(one));
    assert_eq!(client.next_publish().payload, "waits");
}
