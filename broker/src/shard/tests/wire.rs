//! Packet by packet: what no well-behaved client machine shows.

use hearth_protocol::packet::{ConnAck, DisconnectProperties, SubAck};

use super::*;

const V5: Version = Version::V5;

/// Identifier, DUP and payload of each PUBLISH among the packets.
fn publishes(packets: &[Packet]) -> Vec<(u16, bool, &[u8])> {
    let publishes = packets.iter().filter_map(|packet| {
        let Packet::Publish(Publish { packet_id, dup, payload, .. }) = packet else { return None };
        Some((packet_id.map_or(0, PacketId::get), *dup, &payload[..]))
    });
    publishes.collect()
}

fn puback(number: u16) -> [Packet; 1] {
    [Packet::PubAck(PublishAck::success(packet_id(number)))]
}

#[test]
fn what_was_not_acknowledged_comes_again_in_order_within_the_new_receive_maximum_and_before_newer_messages() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    for payload in ["1", "2", "3"] {
        broker.publish(publisher, message("a", payload, QoS::AtLeastOnce));
    }
    let before = broker.received(wire, V5);
    assert_eq!(publishes(&before), [(1, false, &b"1"[..]), (2, false, b"2"), (3, false, b"3")]);
    broker.hang_up(wire);

    let wire = broker.wire("s");
    broker.send(wire, V5, [Packet::Connect(Box::new(resume("s", 1)))]);
    broker.publish(publisher, message("a", "4", QoS::AtLeastOnce));
    let mut again = broker.received(wire, V5);
    assert!(matches!(&again[0], Packet::ConnAck(connack) if connack.session_present));
    for number in 1..=4 {
        let payload = number.to_string();
        assert_eq!(publishes(&again), [(number, number < 4, payload.as_bytes())]);
        broker.send(wire, V5, puback(number));
        again = broker.received(wire, V5);
    }
    assert_eq!(again, []);
}

#[test]
fn after_pubrec_only_pubrel_is_sent_again() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, V5, [subscribe(1, &["a"], QoS::ExactlyOnce)]);
    broker.publish(publisher, message("a", "x", QoS::ExactlyOnce));
    let ack = PublishAck::success(packet_id(1));
    broker.send(wire, V5, [Packet::PubRec(ack.clone())]);
    assert_eq!(broker.received(wire, V5).last(), Some(&Packet::PubRel(ack.clone())));
    broker.hang_up(wire);

    let wire = broker.wire("s");
    broker.send(wire, V5, [Packet::Connect(Box::new(resume("s", 1)))]);
    assert_eq!(broker.received(wire, V5)[1..], [Packet::PubRel(ack.clone())]);
    broker.publish(publisher, message("a", "y", QoS::ExactlyOnce));
    assert_eq!(broker.received(wire, V5), [], "the one message that may be under way still is");
    broker.send(wire, V5, [Packet::PubComp(ack)]);
    assert_eq!(publishes(&broker.received(wire, V5)), [(2, false, &b"y"[..])]);
}

#[test]
fn a_qos_2_message_that_comes_twice_is_passed_on_once_even_over_two_connections() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(options("s"));
    broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
    let wire = broker.connected(resume("p", 10));
    let ack = PublishAck::success(packet_id(7));
    for _ in 0..2 {
        broker.send(wire, V5, [publish(7, "a", "x", QoS::ExactlyOnce)]);
        assert_eq!(broker.received(wire, V5), [Packet::PubRec(ack.clone())]);
    }
    broker.hang_up(wire);
    let wire = broker.connected(resume("p", 10));
    broker.send(wire, V5, [publish(7, "a", "x", QoS::ExactlyOnce)]);
    assert_eq!(broker.received(wire, V5), [Packet::PubRec(ack.clone())]);
    assert_eq!(broker.payloads(subscriber), ["x"]);

    let released = [Packet::PubRel(ack.clone()), Packet::PubRel(ack.clone())];
    broker.send(wire, V5, released);
    let answers = broker.received(wire, V5);
    let [Packet::PubComp(first), Packet::PubComp(second)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(first, &ack);
    assert_eq!((second.packet_id, second.reason), (ack.packet_id, ReasonCode::PacketIdentifierNotFound));
    assert!(second.properties.reason_string.is_some(), "{second:?}");
    broker.send(wire, V5, [publish(7, "a", "new", QoS::ExactlyOnce)]);
    assert_eq!(broker.payloads(subscriber), ["new"]);
}

#[test]
fn more_qos_2_messages_than_the_receive_maximum_end_a_version_5_connection_only() {
    let limits = Limits { inflight_max: 3, ..Limits::default() };
    let messages = || (1..=4).map(|number| publish(number, "a", "x", QoS::ExactlyOnce));
    let mut broker = Broker::with_limits(1, limits);
    let wire = broker.connected(connect("five", V5));
    broker.send(wire, V5, messages());
    let answer = broker.received(wire, V5);
    let Some(Packet::Disconnect(disconnect)) = answer.last() else { panic!("{answer:?}") };
    assert_eq!(disconnect.reason, ReasonCode::ReceiveMaximumExceeded);
    assert!(broker.closed.contains(&wire));

    let wire = broker.connected(connect("three", Version::V311));
    broker.send(wire, Version::V311, messages());
    assert_eq!(broker.received(wire, Version::V311).len(), 4);
    assert!(!broker.closed.contains(&wire));
}

#[test]
fn whoever_breaks_a_rule_is_told_in_version_5_and_disconnected_in_all() {
    let second_connect = |version| {
        let mut bytes = BytesMut::new();
        codec::encode(&Packet::Connect(Box::new(connect("again", version))), version, &mut bytes).unwrap();
        bytes
    };
    for version in [Version::V31, Version::V311, V5] {
        let cases = [
            (second_connect(version), ReasonCode::ProtocolError),
            (BytesMut::from(&b"\x36\x00"[..]), ReasonCode::MalformedPacket),
            (BytesMut::from(&b"\x30\xff\xff\xff\x7f"[..]), ReasonCode::PacketTooLarge),
            (BytesMut::from(&b"\xd0\x00"[..]), ReasonCode::ProtocolError),
        ];
        for (bytes, reason) in cases {
            let mut broker = Broker::new(1);
            let wire = broker.connected(connect("c", version));
            broker.send_bytes(wire, &bytes);
            let told: Vec<_> = broker
                .received(wire, version)
                .into_iter()
                .map(|packet| {
                    let Packet::Disconnect(told) = packet else { panic!("{packet:?}") };
                    assert!(told.properties.reason_string.is_some());
                    told.reason
                })
                .collect();
            let expected = if version == V5 { vec![reason] } else { Vec::new() };
            assert_eq!(told, expected, "{version} {bytes:02x?}");
            assert!(broker.closed.contains(&wire), "{version} {bytes:02x?}");
            assert_eq!(broker.count(|stats| stats.protocol_errors.total()), 1);
            assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
        }
    }
}

#[test]
fn a_connect_that_is_refused_is_answered_in_the_words_of_its_version() {
    let authentication = Connect {
        properties: ConnectProperties {
            authentication_method: Some(Text::try_from("x").unwrap()),
            ..ConnectProperties::default()
        },
        ..connect("c", V5)
    };
    let will_at = |topic| Connect { will: Some(will(topic, None)), ..connect("c", V5) };
    let long = "c".repeat(300);
    let cases = [
        (authentication, ReasonCode::BadAuthenticationMethod),
        (connect(&long, V5), ReasonCode::ClientIdentifierNotValid),
        (will_at("$SYS/x"), ReasonCode::TopicNameInvalid),
        (connect("", Version::V31), ReasonCode::ClientIdentifierNotValid),
        (Connect { clean_start: false, ..connect("", Version::V311) }, ReasonCode::ClientIdentifierNotValid),
    ];
    for (connect, reason) in cases {
        let mut broker = Broker::new(2);
        let (wire, version) = (broker.wire(&connect.client_id), connect.version);
        broker.send(wire, version, [Packet::Connect(Box::new(connect))]);
        let answer = broker.received(wire, version);
        let [Packet::ConnAck(connack)] = &answer[..] else { panic!("{answer:?}") };
        assert_eq!(connack.reason, reason);
        assert_eq!(connack.properties.reason_string.is_some(), version == V5);
        assert!(broker.closed.contains(&wire));
        assert_eq!(broker.count(|stats| stats.refused.total()), 1);
        assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
    }
}

#[test]
fn bytes_that_are_no_connect_end_the_connection_without_a_word_and_an_unknown_version_is_told() {
    let cases: [(&[u8], &[u8]); 4] = [
        (b"GET / HTTP/1.1\r\n\r\n", b""),
        (b"\xc0\x00", b""),
        (b"\x10\x0e\x00\x04MQTT\x04\x03\x00\x0a\x00\x00\x01a", b""),
        (b"\x10\x0d\x00\x04MQTT\x09\x02\x00\x0a\x00\x01a", b"\x20\x02\x00\x01"),
    ];
    for (bytes, answer) in cases {
        let mut broker = Broker::new(1);
        let wire = broker.wire("c");
        broker.send_bytes(wire, bytes);
        assert_eq!(broker.wires[&wire], answer, "{bytes:02x?}");
        assert!(broker.closed.contains(&wire));
        assert_eq!(broker.count(|stats| stats.connections as u64), 0);
    }
}

#[test]
fn a_connection_without_connect_ends_after_ten_seconds() {
    let mut broker = Broker::new(1);
    let wire = broker.wire("c");
    broker.wait(Duration::from_secs(9));
    assert!(!broker.closed.contains(&wire));
    broker.wait(Duration::from_secs(3));
    assert!(broker.closed.contains(&wire));
    let [Event::Limited { limit, .. }, Event::Refused { detail, .. }] = &broker.events[..] else {
        panic!("{:?}", broker.events);
    };
    assert_eq!(*limit, "connect_seconds_max");
    assert!(detail.contains("CONNECT"), "{detail}");
    assert_eq!(broker.limited(Limit::ConnectTime), 1);
}

#[test]
fn a_connection_that_came_to_another_shard_than_its_own_is_refused() {
    let mut broker = Broker::new(2);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let own = |name: &str| broker.shared.shard_of(name);
    let strange = names.into_iter().find(|name| own(name) != own("a")).unwrap();
    let wire = broker.wire("a");
    broker.send(wire, V5, [Packet::Connect(Box::new(connect(strange, V5)))]);
    let answer = broker.received(wire, V5);
    assert!(matches!(&answer[..], [Packet::ConnAck(connack)] if connack.reason.is_failure()), "{answer:?}");
}

#[test]
fn connack_says_what_was_granted() {
    let limits = Limits {
        session_expiry_max_seconds: 60,
        keep_alive_max_seconds: 100,
        inflight_max: 20,
        packet_bytes_max: 5000,
        topic_alias_max: 3,
        ..Limits::default()
    };
    let mut broker = Broker::with_limits(1, limits);
    let wire = broker.wire("");
    let asked = Connect { keep_alive: 0, client_id: Text::EMPTY, ..resume("", 10) };
    broker.send(wire, V5, [Packet::Connect(Box::new(asked))]);
    let answer = broker.received(wire, V5);
    let [Packet::ConnAck(connack)] = &answer[..] else { panic!("{answer:?}") };
    let ConnAck { session_present: false, reason: ReasonCode::Success, properties } = &**connack else {
        panic!("{connack:?}")
    };
    assert_eq!(properties.session_expiry, Some(60));
    assert_eq!(properties.server_keep_alive, Some(100));
    assert_eq!(properties.receive_maximum, Some(20));
    assert_eq!(properties.packet_size_max, Some(5000));
    assert_eq!(properties.topic_alias_maximum, Some(3));
    assert_eq!(properties.shared_subscription_available, None, "which means that they are");
    assert_eq!(properties.assigned_client_id.as_deref(), Some("assigned"));
    assert_eq!(properties.maximum_qos, None);
}

#[test]
fn suback_names_what_became_of_each_filter_in_the_words_of_its_version() {
    let limits = Limits { topic_levels_max: 8, subscriptions_per_session_max: 2, ..Limits::default() };
    let filters = ["a", "$share/g/a", "1/2/3/4/5/6/7/8/9", "b/#", "c", "a"];
    use ReasonCode as R;
    let v5 = vec![
        R::GrantedQoS1,
        R::GrantedQoS1,
        R::TopicFilterInvalid,
        R::QuotaExceeded,
        R::QuotaExceeded,
        R::GrantedQoS1,
    ];
    let failed = |reason: &R| if reason.is_failure() { R::UnspecifiedError } else { *reason };
    let v3: Vec<R> = v5.iter().map(failed).collect();
    for (version, expected) in [(V5, v5), (Version::V311, v3)] {
        let mut broker = Broker::with_limits(1, limits.clone());
        let wire = broker.connected(connect("c", version));
        broker.send(wire, version, [subscribe(9, &filters, QoS::AtLeastOnce)]);
        let answer = broker.received(wire, version);
        let [Packet::SubAck(SubAck { packet_id, reasons, .. })] = &answer[..] else { panic!("{answer:?}") };
        assert_eq!((packet_id.get(), reasons), (9, &expected));
        assert_eq!(broker.count(|stats| stats.subscriptions as u64), 2);
    }
}

#[test]
fn disconnect_can_shorten_the_life_of_a_session_but_not_begin_one() {
    let goodbye = |session_expiry| {
        let properties =
            DisconnectProperties { session_expiry: Some(session_expiry), ..DisconnectProperties::default() };
        [Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties })]
    };
    let mut broker = Broker::new(1);
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, V5, goodbye(0));
    assert_eq!(broker.count(|stats| stats.sessions as u64), 0);

    let wire = broker.connected(connect("t", V5));
    broker.send(wire, V5, goodbye(10));
    let answer = broker.received(wire, V5);
    assert!(
        matches!(&answer[..], [Packet::Disconnect(told)] if told.reason == ReasonCode::ProtocolError),
        "{answer:?}"
    );
    assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
}

#[test]
fn the_identifier_of_a_refused_qos_2_message_is_free_again_in_version_5() {
    let mut broker = Broker::new(1);
    let subscriber = broker.client(options("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtMostOnce));
    let wire = broker.connected(connect("p", V5));
    broker.send(wire, V5, [publish(1, "$SYS/a", "x", QoS::ExactlyOnce)]);
    let answer = broker.received(wire, V5);
    let [Packet::PubRec(refused)] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!((refused.packet_id, refused.reason), (packet_id(1), ReasonCode::NotAuthorized));
    broker.send(wire, V5, [publish(1, "a", "x", QoS::ExactlyOnce)]);
    assert_eq!(broker.payloads(subscriber), ["x"]);
}

#[test]
fn the_words_of_a_refusal_are_left_out_where_the_client_has_no_room_for_them() {
    let refused = |packet_size_max| {
        let mut broker = Broker::new(1);
        let properties = ConnectProperties { packet_size_max, ..ConnectProperties::default() };
        let connect = Connect { properties, ..connect(&"c".repeat(300), V5) };
        let wire = broker.wire(&connect.client_id);
        broker.send(wire, V5, [Packet::Connect(Box::new(connect))]);
        assert!(broker.closed.contains(&wire));
        broker
            .received(wire, V5)
            .into_iter()
            .map(|packet| {
                let Packet::ConnAck(connack) = packet else { panic!("{packet:?} is no CONNACK") };
                (connack.reason, connack.properties.reason_string.is_some())
            })
            .collect::<Vec<_>>()
    };
    let reason = ReasonCode::ClientIdentifierNotValid;
    assert_eq!(refused(None), [(reason, true)]);
    assert_eq!(
        refused(Some(5)),
        [(reason, false)],
        "the limit of the client holds before CONNACK [MQTT-3.2.2-19]"
    );
    assert_eq!(refused(Some(4)), []);
}

#[test]
fn an_answer_that_is_larger_than_the_client_takes_ends_the_connection() {
    let small = |packet_size_max| {
        let properties =
            ConnectProperties { packet_size_max: Some(packet_size_max), ..ConnectProperties::default() };
        Connect { properties, ..connect("c", V5) }
    };
    let told = [Packet::Disconnect(Disconnect::new(ReasonCode::PacketTooLarge))];
    let mut broker = Broker::new(1);
    let wire = broker.wire("c");
    broker.send(wire, V5, [Packet::Connect(Box::new(small(10)))]);
    assert_eq!(broker.received(wire, V5), [], "CONNACK comes first or nothing does [MQTT-3.2.0-1]");
    assert!(broker.closed.contains(&wire));

    let wire = broker.connected(small(30));
    broker.send(wire, V5, [subscribe(1, &["a"; 40], QoS::AtMostOnce)]);
    assert_eq!(broker.received(wire, V5), told);
    assert!(broker.closed.contains(&wire));
    assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
}

#[test]
fn a_message_that_the_client_refuses_makes_room_for_the_next() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    let wire = broker.connected(resume("s", 1));
    broker.send(wire, V5, [subscribe(1, &["a"], QoS::ExactlyOnce)]);
    for payload in ["1", "2"] {
        broker.publish(publisher, message("a", payload, QoS::ExactlyOnce));
    }
    assert_eq!(publishes(&broker.received(wire, V5)), [(1, false, &b"1"[..])]);
    broker.send(wire, V5, [Packet::PubRec(PublishAck::new(packet_id(1), ReasonCode::QuotaExceeded))]);
    assert_eq!(publishes(&broker.received(wire, V5)), [(2, false, &b"2"[..])]);
}
