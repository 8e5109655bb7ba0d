//! Messages from publisher to subscriber.

use super::*;

#[test]
fn every_qos_pair_and_version_delivers_once_within_and_across_shards() {
    for shards in 1..=3 {
        let mut broker = Broker::new(shards);
        let versions = [Version::V31, Version::V311, Version::V5];
        let clients: Vec<usize> = (0..12)
            .map(|number| {
                broker.client(ClientOptions {
                    version: versions[number % 3],
                    ..options(&format!("client {number}"))
                })
            })
            .collect();
        for (publish_qos, subscribe_qos) in ALL_QOS.iter().flat_map(|qos| ALL_QOS.map(|other| (*qos, other)))
        {
            for client in &clients {
                assert_eq!(
                    broker.subscribe(*client, filter("home/+/x", subscribe_qos)).byte(),
                    subscribe_qos.bits()
                );
            }
            for publisher in &clients {
                broker.publish(*publisher, message("home/a/x", "21.5", publish_qos));
                for client in &clients {
                    let got = broker.messages(*client);
                    assert_eq!(got.len(), 1, "{shards} shards, {publish_qos:?} to {subscribe_qos:?}");
                    assert_eq!(got[0].qos, publish_qos.min(subscribe_qos));
                    assert_eq!(got[0].payload, "21.5");
                    assert!(!got[0].retain);
                }
            }
        }
    }
}

#[test]
fn overlapping_subscriptions_bring_one_message_with_all_identifiers() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(options("s"));
    broker.subscribe_with_id(subscriber, filter("a/#", QoS::AtMostOnce), Some(1));
    broker.subscribe_with_id(subscriber, filter("a/b", QoS::ExactlyOnce), Some(2));
    for client_id in ["p", "q", "r"] {
        let publisher = broker.client(options(client_id));
        broker.publish(publisher, message("a/b", "x", QoS::ExactlyOnce));
        let got = broker.messages(subscriber);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].qos, QoS::ExactlyOnce);
        assert_eq!(got[0].properties.as_ref().unwrap().subscription_ids, [1, 2]);
    }
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut broker = Broker::new(2);
    let client = broker.client(options("s"));
    broker.subscribe(client, Subscription { no_local: true, ..filter("a", QoS::AtLeastOnce) });
    broker.publish(client, message("a", "own", QoS::AtLeastOnce));
    let other = broker.client(options("p"));
    broker.publish(other, message("a", "other", QoS::AtLeastOnce));
    assert_eq!(broker.payloads(client), ["other"]);
}

#[test]
fn properties_reach_the_subscriber_and_the_expiry_counts_down() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    let pair = |name: &str| (Text::try_from(name).unwrap(), Text::try_from("v").unwrap());
    let properties = PublishProperties {
        message_expiry: Some(60),
        response_topic: Some(TopicName::try_from("answer").unwrap()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user_properties: ["b", "a", "b"].map(pair).into_iter().collect(),
        ..PublishProperties::default()
    };
    let publish = |expiry| Publish {
        properties: Some(Box::new(PublishProperties { message_expiry: Some(expiry), ..properties.clone() })),
        ..message("a", "x", QoS::AtLeastOnce)
    };
    broker.publish(publisher, publish(60));
    broker.publish(publisher, publish(5));
    broker.wait(Duration::from_secs(10));
    broker.connect(subscriber);
    let got = broker.messages(subscriber);
    assert_eq!(got.len(), 1, "the other one expired");
    let expected = PublishProperties { message_expiry: Some(50), ..properties };
    assert_eq!(*got[0].properties.clone().unwrap(), expected);
}

#[test]
fn a_message_that_expired_between_the_shards_is_not_delivered() {
    for pattern in ["a", "$share/g/a"] {
        let mut broker = Broker::new(3);
        let ids = ["s 0", "s 1", "s 2", "s 3", "s 4"];
        let subscribers = ids.map(|id| broker.client(persistent(id)));
        let publisher = broker.client(options("p"));
        let home = |broker: &Broker, client| broker.links[&client].0;
        let elsewhere = |client: &usize| home(&broker, *client) != home(&broker, publisher);
        let subscriber = subscribers.into_iter().find(elsewhere).unwrap();
        broker.subscribe(subscriber, filter(pattern, QoS::AtLeastOnce));
        let properties = PublishProperties { message_expiry: Some(5), ..PublishProperties::default() };
        let message = message("a", "x", QoS::AtLeastOnce);
        let publish = Publish { properties: Some(Box::new(properties)), ..message };
        broker.clients[publisher].publish(broker.now, publish).unwrap();
        let mut bytes = broker.clients[publisher].take_output().unwrap();
        let (shard, id) = broker.links[&publisher];
        broker.shards[shard].handle_input(broker.now, id, &mut bytes);
        broker.now = broker.now.saturating_add(Duration::from_secs(5));
        broker.run();
        assert_eq!(broker.messages(subscriber), [], "{pattern}");
        assert_eq!(broker.dropped(DropReason::Expired), 1, "{pattern}");
    }
}

#[test]
fn a_publisher_learns_that_nobody_listens() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    let reason = broker.publish(publisher, message("nobody", "x", QoS::AtLeastOnce));
    assert_eq!(reason, Some(ReasonCode::NoMatchingSubscribers));
}

#[test]
fn the_window_of_the_client_is_never_exceeded_and_everything_arrives() {
    let mut broker = Broker::new(2);
    let mut few = options("s");
    few.properties.receive_maximum = Some(1);
    let subscriber = broker.client(few);
    broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
    let publisher = broker.client(options("p"));
    for payload in ["1", "2", "3"] {
        let now = broker.now;
        broker.clients[publisher].publish(now, message("a", payload, QoS::ExactlyOnce)).unwrap();
    }
    broker.run();
    assert_eq!(broker.payloads(subscriber), ["1", "2", "3"]);
}

#[test]
fn a_message_larger_than_the_client_takes_is_counted_and_the_flow_goes_on() {
    let mut broker = Broker::new(1);
    let mut small = options("s");
    small.properties.packet_size_max = Some(30);
    let subscriber = broker.client(small);
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    let publisher = broker.client(options("p"));
    for payload in ["0123456789012345678901234567890123456789", "short"] {
        broker.publish(publisher, message("a", payload, QoS::AtLeastOnce));
    }
    assert_eq!(broker.payloads(subscriber), ["short"]);
    assert_eq!(broker.shards[0].stats().dropped[crate::DropReason::PacketTooLarge as usize], 1);
}

#[test]
fn what_is_the_brokers_own_cannot_be_published_to() {
    let mut broker = Broker::new(1);
    let publisher = broker.client(options("p"));
    let reason = broker.publish(publisher, message("$SYS/x", "x", QoS::AtLeastOnce));
    assert_eq!(reason, Some(ReasonCode::NotAuthorized));
}

#[test]
fn no_local_keeps_only_its_own_subscription_from_the_clients_own_messages() {
    let mut broker = Broker::new(1);
    let client = broker.client(options("c"));
    let quiet = Subscription { no_local: true, ..filter("a/#", QoS::ExactlyOnce) };
    broker.subscribe_with_id(client, quiet, Some(7));
    broker.subscribe_with_id(client, filter("a/b", QoS::AtLeastOnce), Some(8));
    let other = broker.client(options("o"));
    let ids = |messages: Vec<Publish>| -> Vec<(QoS, Vec<u32>)> {
        messages.into_iter().map(|got| (got.qos, got.properties.unwrap().subscription_ids)).collect()
    };
    for (publisher, topic, expected) in [
        (client, "a/b", vec![(QoS::AtLeastOnce, vec![8])]),
        (client, "a/c", vec![]),
        (other, "a/b", vec![(QoS::ExactlyOnce, vec![7, 8])]),
        (other, "a/c", vec![(QoS::ExactlyOnce, vec![7])]),
    ] {
        broker.publish(publisher, message(topic, "x", QoS::ExactlyOnce));
        assert_eq!(ids(broker.messages(client)), expected, "{topic}");
    }
}

#[test]
fn a_client_that_takes_aliases_is_told_each_topic_once_and_understands_the_rest() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    let taking = |maximum| {
        let properties =
            ConnectProperties { topic_alias_maximum: Some(maximum), ..resume("", 100).properties };
        Connect { properties, ..resume("s", 100) }
    };
    let wire = broker.connected(taking(5));
    broker.send(wire, Version::V5, [subscribe(1, &["#"], QoS::AtLeastOnce)]);
    broker.received(wire, Version::V5);
    let named = |packets: Vec<Packet>| -> Vec<(String, Option<u16>)> {
        let publishes = packets
            .into_iter()
            .filter_map(|packet| if let Packet::Publish(publish) = packet { Some(publish) } else { None });
        publishes
            .map(|got| (got.topic.as_str().to_owned(), got.properties.and_then(|own| own.topic_alias)))
            .collect()
    };
    for topic in ["home/a", "home/a", "home/b", "home/a", "home/b"] {
        broker.publish(publisher, message(topic, "x", QoS::AtLeastOnce));
    }
    let first = broker.received(wire, Version::V5);
    let expected = [("home/a", Some(1)), ("", Some(1)), ("home/b", Some(2)), ("", Some(1)), ("", Some(2))];
    assert_eq!(named(first), expected.map(|(topic, alias)| (topic.to_owned(), alias)));

    broker.hang_up(wire);
    let wire = broker.wire("s");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(taking(5)))]);
    let again: Vec<_> =
        named(broker.received(wire, Version::V5)).into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(
        again,
        ["home/a", "home/a", "home/b", "home/a", "home/b"],
        "what is sent again names its topic"
    );
    broker.publish(publisher, message("home/b", "x", QoS::AtLeastOnce));
    assert_eq!(named(broker.received(wire, Version::V5)), [("home/b".to_owned(), Some(1))]);

    let other = broker.connected(connect("without", Version::V5));
    broker.send(other, Version::V5, [subscribe(1, &["#"], QoS::AtMostOnce)]);
    broker.received(other, Version::V5);
    broker.publish(publisher, message("home/b", "x", QoS::AtLeastOnce));
    assert_eq!(named(broker.received(other, Version::V5)), [("home/b".to_owned(), None)]);
}
