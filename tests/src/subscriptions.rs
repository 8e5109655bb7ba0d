//! What a subscription brings: its options, its retained messages, and the bounds that the client set.

use std::collections::HashSet;

use hearth_protocol::codec::encoded_len;
use hearth_protocol::packet::{
    Connect, Packet, PacketId, Publish, PublishAck, PublishProperties, RetainHandling, SubAck, Subscribe,
    SubscribeProperties, Subscription, Unsubscribe, UnsubscribeProperties,
};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use crate::hearth::Hearth;
use crate::wire::{Wire, connect, message, text, topic_filter};

#[test]
fn thousands_of_retained_messages_all_come_to_a_late_subscriber() {
    // Five megabytes, more than the broker lets stand in one connection's output.
    const TOPICS: usize = 5_000;
    let hearth = Hearth::start();
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    let payload = vec![b'x'; 1024];
    for number in 0..TOPICS {
        let publish = message(&format!("many/{number}"), &payload, QoS::AtMostOnce);
        publisher.send(&Packet::Publish(Publish { retain: true, ..publish }));
    }
    publisher.publish_acknowledged("other", b"after all the others");
    for version in [Version::V311, Version::V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let id = format!("late-{version}-{}", qos.bits());
            let (mut late, _) = Wire::connect(hearth.mqtt(), connect(version, &id));
            late.subscribe("many/+", qos);
            let mut topics = HashSet::new();
            for _ in 0..TOPICS {
                let heard = late.next_publish();
                assert!(heard.retain && heard.payload == payload, "{:?}", heard.topic);
                assert!(topics.insert(heard.topic.as_str().to_owned()), "{:?} came twice", heard.topic);
            }
        }
    }
}

#[test]
fn the_options_of_version_5_say_what_comes_and_how() {
    let hearth = Hearth::start();
    let (mut client, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "client"));
    client.publish_to_the_end(Publish { retain: true, ..message("kept", b"1", QoS::AtLeastOnce) });
    let plain = Subscription::new(topic_filter("kept"), QoS::AtMostOnce);

    for (handling, times) in
        [(RetainHandling::DoNotSend, 0), (RetainHandling::SendIfNew, 0), (RetainHandling::Send, 1)]
    {
        subscribe(&mut client, Subscription { retain_handling: handling, ..plain.clone() });
        for _ in 0..times {
            assert!(client.next_publish().retain);
        }
        client.assert_quiet();
    }
    unsubscribe(&mut client, "kept");
    subscribe(&mut client, Subscription { retain_handling: RetainHandling::SendIfNew, ..plain.clone() });
    assert!(client.next_publish().retain, "it is new again");

    subscribe(&mut client, Subscription { retain_as_published: true, ..plain.clone() });
    assert!(client.next_publish().retain);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    for is_retained in [true, false] {
        let publish = Publish { retain: is_retained, ..message("kept", b"2", QoS::AtLeastOnce) };
        publisher.publish_to_the_end(publish);
        assert_eq!(client.next_publish().retain, is_retained);
    }

    subscribe(&mut client, Subscription { no_local: true, ..plain });
    assert!(client.next_publish().retain, "what is retained has no sender any more");
    client.publish_acknowledged("kept", b"mine");
    publisher.publish_acknowledged("kept", b"yours");
    assert_eq!(client.next_publish().payload, "yours");
}

#[test]
fn a_client_hears_nothing_more_of_what_it_unsubscribed() {
    let hearth = Hearth::start();
    for version in [Version::V31, Version::V311, Version::V5] {
        let (mut client, _) = Wire::connect(hearth.mqtt(), connect(version, "client"));
        client.subscribe("a/#", QoS::AtMostOnce);
        client.subscribe("a/b", QoS::AtMostOnce);
        unsubscribe(&mut client, "a/#");
        client.publish_acknowledged("a/c", b"not heard");
        let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
        publisher.publish_acknowledged("a/b", b"heard");
        assert_eq!(client.next_publish().payload, "heard");
        unsubscribe(&mut client, "a/b");
        publisher.publish_acknowledged("a/b", b"not heard");
        client.assert_quiet();
    }
}

#[test]
fn overlapping_subscriptions_bring_the_highest_qos_and_all_their_identifiers() {
    let hearth = Hearth::start();
    let (mut client, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "client"));
    for (id, filter, qos) in
        [(1, "a/#", QoS::AtMostOnce), (2, "a/+", QoS::AtLeastOnce), (3, "a/b", QoS::AtMostOnce)]
    {
        client.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscriptions: vec![Subscription::new(topic_filter(filter), qos)],
            properties: SubscribeProperties { subscription_id: Some(id), ..Default::default() },
        }));
        assert!(matches!(client.next(), Packet::SubAck(_)));
    }
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    publisher.publish_acknowledged("a/b", b"1");
    // One message with all identifiers, or one for each subscription [MQTT-3.3.4-3].
    let mut ids = Vec::new();
    let mut highest = QoS::AtMostOnce;
    while ids.len() < 3 {
        let heard = client.next_publish();
        highest = highest.max(heard.qos);
        ids.extend(heard.properties.map(|properties| properties.subscription_ids).unwrap_or_default());
        if let Some(packet_id) = heard.packet_id {
            client.send(&Packet::PubAck(PublishAck::success(packet_id)));
        }
    }
    ids.sort_unstable();
    assert_eq!((ids, highest), (vec![1, 2, 3], QoS::AtLeastOnce));
    client.assert_quiet();
}

#[test]
fn no_more_messages_are_under_way_than_the_client_takes() {
    let hearth = Hearth::start();
    let mut few = connect(Version::V5, "few");
    few.properties.receive_maximum = Some(2);
    let (mut client, _) = Wire::connect(hearth.mqtt(), few);
    client.subscribe("a", QoS::AtLeastOnce);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    for number in 0..5 {
        publisher.publish_acknowledged("a", number.to_string().as_bytes());
    }
    let mut under_way = vec![client.next_publish(), client.next_publish()];
    client.assert_quiet();
    for number in 0..5 {
        let heard = under_way.remove(0);
        assert_eq!(heard.payload, number.to_string());
        client.send(&Packet::PubAck(PublishAck::success(heard.packet_id.unwrap())));
        if number < 3 {
            under_way.push(client.next_publish());
        }
        client.assert_quiet();
    }
}

#[test]
fn a_message_larger_than_the_client_takes_is_left_out_and_the_next_one_comes() {
    let hearth = Hearth::start();
    let mut small = connect(Version::V5, "small");
    small.properties.packet_size_max = Some(64);
    let (mut client, _) = Wire::connect(hearth.mqtt(), small);
    client.subscribe("a", QoS::AtLeastOnce);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    publisher.publish_acknowledged("a", &[b'x'; 65]);
    publisher.publish_acknowledged("a", b"fits");
    let heard = client.next_publish();
    assert_eq!(heard.payload, "fits");
    assert!(encoded_len(&Packet::Publish(heard), Version::V5).unwrap() <= 64);
}

#[test]
fn an_alias_stands_for_its_topic() {
    let hearth = Hearth::start();
    let (mut subscriber, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "subscriber"));
    subscriber.subscribe("#", QoS::AtMostOnce);
    let (mut publisher, answer) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    let alias_max = answer.properties.topic_alias_maximum.expect("the broker takes aliases");
    let with_alias = |topic: TopicName, alias, payload: &[u8]| {
        let properties = PublishProperties { topic_alias: Some(alias), ..PublishProperties::default() };
        let publish = message("unused", payload, QoS::AtMostOnce);
        Packet::Publish(Publish { topic, properties: Some(Box::new(properties)), ..publish })
    };
    let name = |name: &str| TopicName::new(text(name)).unwrap();
    for (packet, topic) in [
        (with_alias(name("first"), 1, b"1"), "first"),
        (with_alias(name("last"), alias_max, b"2"), "last"),
        (with_alias(TopicName::ALIASED, 1, b"3"), "first"),
        (with_alias(name("second"), 1, b"4"), "second"),
        (with_alias(TopicName::ALIASED, 1, b"5"), "second"),
        (with_alias(TopicName::ALIASED, alias_max, b"6"), "last"),
    ] {
        publisher.send(&packet);
        assert_eq!(subscriber.next_publish().topic.as_str(), topic);
    }
}

#[test]
fn a_session_of_one_version_goes_on_in_another() {
    let hearth = Hearth::start();
    let old = || Connect { clean_start: false, ..connect(Version::V311, "moves") };
    let mut new = Connect { clean_start: false, ..connect(Version::V5, "moves") };
    new.properties.session_expiry = Some(3600);
    let (mut client, _) = Wire::connect(hearth.mqtt(), old());
    client.subscribe("a", QoS::AtLeastOnce);
    drop(client);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    publisher.publish_acknowledged("a", b"1");
    let (mut client, answer) = Wire::connect(hearth.mqtt(), new);
    assert!(answer.session_present);
    let heard = client.next_publish();
    assert_eq!(heard.payload, "1");
    drop(client);
    let (mut client, answer) = Wire::connect(hearth.mqtt(), old());
    assert!(answer.session_present);
    assert_eq!(client.next_publish(), Publish { dup: true, ..heard });
}

#[track_caller]
fn subscribe(wire: &mut Wire, subscription: Subscription) {
    wire.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: vec![subscription],
        properties: SubscribeProperties::default(),
    }));
    let answer = wire.next();
    assert!(matches!(&answer, Packet::SubAck(SubAck { reasons, .. }) if reasons == &[ReasonCode::Success]));
}

#[track_caller]
fn unsubscribe(wire: &mut Wire, filter: &str) {
    wire.send(&Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::MIN,
        filters: vec![topic_filter(filter)],
        properties: UnsubscribeProperties::default(),
    }));
    assert!(matches!(wire.next(), Packet::UnsubAck(_)));
}
