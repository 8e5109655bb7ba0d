//! Overlapping subscriptions and their identifiers (MQTT 5.0, 3.3.4), the server's side.

use hearth_protocol::packet::{
    Packet, Publish, RetainHandling, Subscribe, SubscribeProperties, Subscription,
};
use hearth_protocol::{QoS, Version};

use super::broker::SharedBroker;
use super::packets::{self, QOS};
use super::{client, persistent, unique};
use crate::wire::{Wire, message, topic_filter};

static BROKER: SharedBroker = SharedBroker::new();

#[track_caller]
fn subscribe(wire: &mut Wire, filter: &str, qos: QoS, subscription_id: Option<u32>) {
    let subscription = Subscription {
        retain_handling: RetainHandling::Send,
        ..Subscription::new(topic_filter(filter), qos)
    };
    let properties = SubscribeProperties { subscription_id, ..SubscribeProperties::default() };
    let packet = Packet::Subscribe(Subscribe {
        packet_id: packets::id(1),
        subscriptions: vec![subscription],
        properties,
    });
    let reasons = packets::request(wire, &packet);
    assert!(!reasons[0].is_failure());
}

/// Every copy of one message that a subscriber is sent, acknowledged.
#[track_caller]
fn copies(wire: &mut Wire, publisher: &mut Wire, sent: Publish) -> Vec<Publish> {
    let fence = unique("fence");
    subscribe(wire, &fence, QoS::AtLeastOnce, None);
    publisher.publish_to_the_end(sent);
    // The copies of a message go out before the next message of its publisher.
    publisher.publish_acknowledged(&fence, b"");
    let mut heard = Vec::new();
    while heard.last().is_none_or(|publish: &Publish| publish.topic.as_str() != fence) {
        heard.append(&mut packets::hear(wire, 1));
    }
    heard.pop();
    wire.assert_quiet();
    heard
}

/// The identifiers of a message, sorted: their order means nothing.
fn ids(publish: &Publish) -> Vec<u32> {
    let mut ids = publish.properties.as_ref().map_or_else(Vec::new, |it| it.subscription_ids.clone());
    ids.sort_unstable();
    ids
}

// MQTT 5.0 server: MQTT-3.3.4-3 MQTT-3.3.4-4 MQTT-3.3.4-5
#[test]
fn a_message_has_the_identifiers_of_all_subscriptions_that_brought_it() {
    let hearth = BROKER.get();
    let base = unique("ids");
    let (exact, plus, hash, silent) =
        (format!("{base}/a"), format!("{base}/+"), format!("{base}/#"), format!("{base}/a/#"));
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscribe(&mut subscriber, &exact, QoS::AtMostOnce, Some(7));
    subscribe(&mut subscriber, &plus, QoS::ExactlyOnce, Some(268_435_455));
    subscribe(&mut subscriber, &hash, QoS::AtLeastOnce, Some(1));
    // This one has no identifier, and brings the same message.
    subscribe(&mut subscriber, &silent, QoS::AtMostOnce, None);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    for qos in QOS {
        for (topic, expected) in [
            (format!("{base}/a"), vec![1, 7, 268_435_455]),
            (format!("{base}/b"), vec![1, 268_435_455]),
            (format!("{base}/b/c"), vec![1]),
        ] {
            let heard = copies(&mut subscriber, &mut publisher, message(&topic, b"x", qos));
            let mut together: Vec<u32> = heard.iter().flat_map(ids).collect();
            together.sort_unstable();
            assert_eq!(together, expected, "{topic} at {qos:?}");
            if heard.len() == 1 {
                assert_eq!(ids(&heard[0]), expected, "a single copy has all of them");
            } else {
                assert!(heard.iter().all(|copy| ids(copy).len() <= 1), "each copy has its own");
            }
        }
    }
}

// MQTT 5.0 server: MQTT-3.3.4-3 MQTT-3.3.4-4
#[test]
fn two_subscriptions_may_have_the_same_identifier() {
    let hearth = BROKER.get();
    let base = unique("same");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    subscribe(&mut subscriber, &format!("{base}/a"), QoS::AtLeastOnce, Some(5));
    subscribe(&mut subscriber, &format!("{base}/+"), QoS::AtLeastOnce, Some(5));
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let sent = message(&format!("{base}/a"), b"x", QoS::AtLeastOnce);
    let heard = copies(&mut subscriber, &mut publisher, sent);
    assert!(heard.iter().all(|copy| ids(copy).contains(&5)), "{heard:?}");
    assert!(heard.iter().flat_map(ids).all(|id| id == 5), "{heard:?}");
}

// MQTT 5.0 server: MQTT-3.3.4-3
#[test]
fn identifiers_come_with_what_waited_in_the_session_and_with_retained_messages() {
    let hearth = BROKER.get();
    let (id, base) = (unique("waited"), unique("waited"));
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    subscribe(&mut subscriber, &format!("{base}/a"), QoS::AtLeastOnce, Some(3));
    subscribe(&mut subscriber, &format!("{base}/#"), QoS::AtLeastOnce, Some(4));
    packets::leave(subscriber);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let kept = Publish { retain: true, ..message(&format!("{base}/a"), b"x", QoS::AtLeastOnce) };
    publisher.publish_to_the_end(kept);
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    subscriber.send(&Packet::PingReq);
    let mut together = Vec::new();
    loop {
        match subscriber.next() {
            Packet::Publish(publish) => {
                together.extend(ids(&publish));
                subscriber.send(&packets::puback(publish.packet_id.unwrap().get()));
            }
            Packet::PingResp => break,
            other => panic!("{other:?}"),
        }
    }
    together.sort_unstable();
    assert_eq!(together, [3, 4], "from the session");
    subscribe(&mut subscriber, &format!("{base}/+"), QoS::AtLeastOnce, Some(9));
    assert_eq!(ids(&packets::hear(&mut subscriber, 1)[0]), [9], "retained: that of the new subscription");
    subscriber.assert_quiet();
}

// MQTT 5.0 server: MQTT-3.3.4-3
#[test]
fn a_subscription_that_is_replaced_has_its_new_identifier_or_none() {
    let hearth = BROKER.get();
    let topic = unique("replaced");
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    let mut publisher = client(hearth.mqtt(), Version::V5);
    for (id, expected) in [(Some(11), vec![11]), (Some(12), vec![12]), (None, vec![]), (Some(13), vec![13])] {
        subscribe(&mut subscriber, &topic, QoS::AtLeastOnce, id);
        publisher.publish_acknowledged(&topic, b"x");
        assert_eq!(ids(&packets::hear(&mut subscriber, 1)[0]), expected);
    }
}
