//! Retained messages and the RETAIN flag (MQTT 3.1.1 and 5.0, 3.3.1.3), the server's side.

use std::net::SocketAddr;

use bytes::Bytes;
use hearth_protocol::packet::{Publish, PublishProperties, RetainHandling, Subscription};
use hearth_protocol::{QoS, Version};

use super::broker::SharedBroker;
use super::packets::{self, QOS, hear, request};
use super::{VERSIONS, client, persistent, unique};
use crate::wire::{Wire, message, topic_filter};

static BROKER: SharedBroker = SharedBroker::new();

/// A message that is to be kept.
fn retained(topic: &str, payload: &[u8], qos: QoS) -> Publish {
    Publish { retain: true, ..message(topic, payload, qos) }
}

/// What a new subscriber is sent for a filter: payloads in the order of their topics.
#[track_caller]
fn kept(broker: SocketAddr, version: Version, filter: &str, count: usize) -> Vec<Publish> {
    let mut subscriber = client(broker, version);
    subscriber.subscribe(filter, QoS::ExactlyOnce);
    let mut heard = hear(&mut subscriber, count);
    subscriber.assert_quiet();
    heard.sort_by(|one, other| one.topic.as_str().cmp(other.topic.as_str()));
    heard
}

fn payloads(heard: &[Publish]) -> Vec<&[u8]> {
    heard.iter().map(|publish| &publish.payload[..]).collect()
}

// MQTT 3.1.1 server: MQTT-3.3.1-5 MQTT-3.3.1-6 MQTT-3.3.1-8
// MQTT 5.0 server: MQTT-3.3.1-5 MQTT-3.3.1-9
#[test]
fn a_retained_message_is_kept_with_its_qos_for_whoever_subscribes_later() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let base = unique("kept");
        let mut publisher = client(hearth.mqtt(), version);
        for (sent, qos) in QOS.into_iter().enumerate() {
            publisher.publish_to_the_end(retained(&format!("{base}/{sent}"), b"first", qos));
        }
        publisher.assert_quiet();
        for (filter, count) in [(format!("{base}/+"), 3), (format!("{base}/#"), 3), (format!("{base}/1"), 1)]
        {
            for publish in kept(hearth.mqtt(), version, &filter, count) {
                assert_eq!(publish.payload, "first", "{version}");
                assert!(publish.retain, "{version}: it was kept");
                let number: usize = publish.topic.as_str().rsplit('/').next().unwrap().parse().unwrap();
                assert_eq!(publish.qos, QOS[number], "{version}: with its QoS");
            }
        }
        // The last one takes the place of the one before, whatever their QoS.
        for (sent, qos) in QOS.into_iter().rev().enumerate() {
            publisher.publish_to_the_end(retained(&format!("{base}/{sent}"), b"second", qos));
        }
        publisher.assert_quiet();
        let heard = kept(hearth.mqtt(), version, &format!("{base}/+"), 3);
        assert_eq!(payloads(&heard), [b"second"; 3], "{version}");
        let qos: Vec<QoS> = heard.iter().map(|publish| publish.qos).collect();
        assert_eq!(qos, [QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtMostOnce], "{version}");
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-7
#[test]
fn a_retained_message_of_qos_0_discards_the_one_before_it() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("discards");
        let mut publisher = client(hearth.mqtt(), version);
        publisher.publish_to_the_end(retained(&topic, b"old", QoS::ExactlyOnce));
        publisher.publish_to_the_end(retained(&topic, b"new", QoS::AtMostOnce));
        publisher.assert_quiet();
        // It may be dropped at any time; Hearth keeps it. The old one is gone in any case.
        let heard = kept(hearth.mqtt(), version, &topic, 1);
        assert_eq!(payloads(&heard), [b"new"], "{version}");
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-10 MQTT-3.3.1-11
// MQTT 5.0 server: MQTT-3.3.1-6 MQTT-3.3.1-7
#[test]
fn an_empty_retained_message_is_delivered_removes_the_one_before_it_and_is_not_kept() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for qos in QOS {
            let (topic, other) = (unique("empty"), unique("empty"));
            let mut publisher = client(hearth.mqtt(), version);
            publisher.publish_to_the_end(retained(&topic, b"kept", QoS::AtLeastOnce));
            publisher.publish_to_the_end(retained(&other, b"other", QoS::AtLeastOnce));
            let mut live = client(hearth.mqtt(), version);
            live.subscribe(&topic, QoS::AtMostOnce);
            assert_eq!(live.next_publish().payload, "kept");
            publisher.publish_to_the_end(retained(&topic, b"", qos));
            publisher.assert_quiet();
            let publish = live.next_publish();
            assert_eq!(
                (publish.payload.len(), publish.retain),
                (0, false),
                "{version}: as any other message"
            );
            kept(hearth.mqtt(), version, &topic, 0);
            // Nor is it kept where there was nothing to remove, and no other topic is touched.
            publisher.publish_to_the_end(retained(&format!("{topic}/new"), b"", qos));
            publisher.assert_quiet();
            kept(hearth.mqtt(), version, &format!("{topic}/#"), 0);
            assert_eq!(payloads(&kept(hearth.mqtt(), version, &other, 1)), [b"other"]);
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-12
// MQTT 5.0 server: MQTT-3.3.1-8
#[test]
fn a_message_without_the_flag_is_not_kept_and_changes_nothing_that_is() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (topic, fresh) = (unique("without"), unique("without"));
        let mut publisher = client(hearth.mqtt(), version);
        publisher.publish_to_the_end(retained(&topic, b"kept", QoS::AtLeastOnce));
        for qos in QOS {
            for payload in [&b"other"[..], b""] {
                publisher.publish_to_the_end(message(&topic, payload, qos));
                publisher.publish_to_the_end(message(&fresh, payload, qos));
                publisher.assert_quiet();
                assert_eq!(payloads(&kept(hearth.mqtt(), version, &topic, 1)), [b"kept"], "{version}");
                kept(hearth.mqtt(), version, &fresh, 0);
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.3.1-9
// MQTT 5.0 server: MQTT-3.3.1-12
#[test]
fn a_message_to_who_has_subscribed_before_has_no_retain_flag() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let (id, topic) = (unique("live"), unique("live"));
        let (mut live, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        live.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = client(hearth.mqtt(), version);
        for qos in QOS {
            publisher.publish_to_the_end(retained(&topic, b"x", qos));
            assert!(!hear(&mut live, 1)[0].retain, "{version}, {qos:?}");
            publisher.publish_to_the_end(message(&topic, b"x", qos));
            assert!(!hear(&mut live, 1)[0].retain, "{version}, {qos:?}");
        }
        // So it is for one who was away while it was published.
        packets::leave(live);
        publisher.publish_to_the_end(retained(&topic, b"x", QoS::AtLeastOnce));
        let (mut live, _) = Wire::connect(hearth.mqtt(), persistent(version, &id));
        assert!(!live.next_publish().retain, "{version}: from the session");
    }
}

/// Subscribes with options and waits for SUBACK.
#[track_caller]
fn subscribe(wire: &mut Wire, filter: &str, change: impl FnOnce(&mut Subscription)) {
    let mut subscription = Subscription::new(topic_filter(filter), QoS::AtLeastOnce);
    change(&mut subscription);
    let reasons = request(wire, &packets::subscribe_to(1, vec![subscription]));
    assert!(reasons.iter().all(|reason| !reason.is_failure()), "{reasons:?}");
}

// MQTT 5.0 server: MQTT-3.3.1-9
#[test]
fn retain_handling_0_brings_retained_messages_with_every_subscribe() {
    let hearth = BROKER.get();
    let base = unique("handling");
    let mut publisher = client(hearth.mqtt(), Version::V5);
    for end in ["a", "b", "b/c"] {
        publisher.publish_to_the_end(retained(&format!("{base}/{end}"), end.as_bytes(), QoS::AtLeastOnce));
    }
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    for (filter, count) in [("a", 1), ("+", 2), ("#", 3), ("+", 2), ("a", 1)] {
        subscribe(&mut subscriber, &format!("{base}/{filter}"), |it| {
            it.retain_handling = RetainHandling::Send
        });
        assert!(hear(&mut subscriber, count).iter().all(|publish| publish.retain), "{filter}");
        subscriber.assert_quiet();
    }
}

// MQTT 5.0 server: MQTT-3.3.1-10
#[test]
fn retain_handling_1_brings_retained_messages_when_the_subscription_is_new() {
    let hearth = BROKER.get();
    let (id, topic) = (unique("handling"), unique("handling"));
    client(hearth.mqtt(), Version::V5).publish_to_the_end(retained(&topic, b"x", QoS::AtLeastOnce));
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    let if_new = |it: &mut Subscription| it.retain_handling = RetainHandling::SendIfNew;
    subscribe(&mut subscriber, &topic, if_new);
    assert_eq!(hear(&mut subscriber, 1)[0].payload, "x");
    // Not again: not with the same options, not with others, not on the session's next connection.
    subscribe(&mut subscriber, &topic, if_new);
    subscriber.assert_quiet();
    subscribe(&mut subscriber, &topic, |it| {
        if_new(it);
        it.qos = QoS::AtMostOnce;
        it.retain_as_published = true;
    });
    subscriber.assert_quiet();
    packets::leave(subscriber);
    let (mut subscriber, answer) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
    assert!(answer.session_present);
    subscribe(&mut subscriber, &topic, if_new);
    subscriber.assert_quiet();
    // Another filter is another subscription, and one that was given up is new again.
    subscribe(&mut subscriber, &format!("{topic}/#"), if_new);
    assert_eq!(hear(&mut subscriber, 1)[0].payload, "x");
    request(&mut subscriber, &packets::unsubscribe(2, &[&topic]));
    subscribe(&mut subscriber, &topic, if_new);
    assert_eq!(hear(&mut subscriber, 1)[0].payload, "x");
    subscriber.assert_quiet();
}

// MQTT 5.0 server: MQTT-3.3.1-11
#[test]
fn retain_handling_2_brings_no_retained_messages() {
    let hearth = BROKER.get();
    let topic = unique("handling");
    let mut publisher = client(hearth.mqtt(), Version::V5);
    publisher.publish_to_the_end(retained(&topic, b"x", QoS::AtLeastOnce));
    let mut subscriber = client(hearth.mqtt(), Version::V5);
    for _ in 0..2 {
        subscribe(&mut subscriber, &topic, |it| it.retain_handling = RetainHandling::DoNotSend);
        subscriber.assert_quiet();
    }
    // What is published from then on comes.
    publisher.publish_to_the_end(retained(&topic, b"y", QoS::AtLeastOnce));
    assert_eq!(hear(&mut subscriber, 1)[0].payload, "y");
}

// MQTT 5.0 server: MQTT-3.3.1-12 MQTT-3.3.1-13
#[test]
fn the_retain_flag_is_kept_as_published_where_a_subscription_asks_for_it() {
    let hearth = BROKER.get();
    for as_published in [false, true] {
        let (id, topic) = (unique("published"), unique("published"));
        let (mut subscriber, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
        subscribe(&mut subscriber, &topic, |it| it.retain_as_published = as_published);
        let mut publisher = client(hearth.mqtt(), Version::V5);
        for retain in [true, false, true] {
            for qos in QOS {
                publisher.publish_to_the_end(Publish { retain, ..message(&topic, b"x", qos) });
                let publish = hear(&mut subscriber, 1).remove(0);
                assert_eq!(publish.retain, retain && as_published, "published at {qos:?} with {retain}");
            }
        }
        packets::leave(subscriber);
        for retain in [true, false] {
            publisher.publish_to_the_end(Publish { retain, ..message(&topic, b"x", QoS::AtLeastOnce) });
        }
        let (mut subscriber, _) = Wire::connect(hearth.mqtt(), persistent(Version::V5, &id));
        let flags: Vec<bool> = hear(&mut subscriber, 2).iter().map(|publish| publish.retain).collect();
        assert_eq!(flags, [as_published, false], "from the session");
    }
}

// MQTT 5.0 server: MQTT-3.3.1-5
#[test]
fn a_retained_message_takes_the_whole_place_of_the_one_before_it() {
    let hearth = BROKER.get();
    let topic = unique("whole");
    let mut publisher = client(hearth.mqtt(), Version::V5);
    let mut first = retained(&topic, b"first", QoS::AtLeastOnce);
    first.properties = Some(Box::new(PublishProperties {
        correlation_data: Some(Bytes::from_static(b"first")),
        ..Default::default()
    }));
    publisher.publish_to_the_end(first);
    publisher.publish_to_the_end(retained(&topic, b"second", QoS::AtLeastOnce));
    let heard = kept(hearth.mqtt(), Version::V5, &topic, 1);
    assert_eq!(payloads(&heard), [b"second"]);
    assert_eq!(heard[0].properties, None, "nothing of the first is left");
}
