//! Bounds: what is refused, dropped or made to wait, and that it is counted and told.

use super::*;

const V5: Version = Version::V5;

fn payload_of(packet: &Packet) -> Option<(QoS, Bytes)> {
    if let Packet::Publish(publish) = packet { Some((publish.qos, publish.payload.clone())) } else { None }
}

#[test]
fn a_reader_that_stalls_loses_qos_0_only_and_nobody_else_notices() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut broker = Broker::with_limits(2, limits);
    let slow = broker.connected(connect("slow", V5));
    broker.send(slow, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    let other = broker.client(options("other"));
    broker.subscribe(other, filter("a", QoS::AtLeastOnce));
    let publisher = broker.client(options("p"));
    broker.stalled.insert(slow);
    let text = "0123456789".repeat(10).leak();
    for _ in 0..50 {
        broker.publish(publisher, message("a", text, QoS::AtMostOnce));
    }
    let kept = 50 - broker.dropped(DropReason::OutputFull);
    assert!((5..=10).contains(&kept), "{kept} of 105 bytes each fit 1,000 bytes and one more");
    let acknowledged = ["1", "2", "3", "4", "5"];
    for payload in acknowledged {
        let reason = broker.publish(publisher, message("a", payload, QoS::AtLeastOnce));
        assert_eq!(reason, Some(ReasonCode::Success));
    }
    assert_eq!(broker.messages(other).len(), 55);
    let told: Vec<_> = broker.events.iter().filter(|event| matches!(event, Event::Dropping { .. })).collect();
    assert_eq!(told.len(), 1, "{told:?}");

    broker.unstall(slow);
    broker.stalled.insert(slow);
    for _ in 0..50 {
        broker.publish(publisher, message("a", text, QoS::AtMostOnce));
    }
    let told = broker.events.iter().filter(|event| matches!(event, Event::Dropping { .. })).count();
    assert_eq!(told, 2, "it is told again after it had ended");
    let got: Vec<_> = broker.received(slow, V5).iter().filter_map(payload_of).collect();
    let (at_most_once, at_least_once): (Vec<_>, Vec<_>) =
        got.into_iter().partition(|(qos, _)| *qos == QoS::AtMostOnce);
    assert_eq!(at_most_once.len() as u64, kept);
    let payloads: Vec<_> = at_least_once.into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads, acknowledged);
}

#[test]
fn a_client_that_reads_no_answers_is_not_read_either() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let wire = broker.connected(connect("c", V5));
    broker.stalled.insert(wire);
    assert!(broker.shards[0].wants_input(wire.1));
    broker.send(wire, V5, std::iter::repeat_n(Packet::PingReq, 501));
    assert!(!broker.shards[0].wants_input(wire.1));
    broker.unstall(wire);
    assert!(broker.shards[0].wants_input(wire.1));
}

#[test]
fn who_subscribes_to_everything_again_and_again_without_reading_gets_it_once() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    for number in 0..1000 {
        broker.publish(publisher, retained(&format!("a/{number}"), "0123456789"));
    }
    let wire = broker.connected(connect("c", V5));
    broker.stalled.insert(wire);
    broker.send(wire, V5, [subscribe(1, &["#"; 20], QoS::AtMostOnce)]);
    broker.unstall(wire);
    let answer = broker.received(wire, V5);
    let Packet::SubAck(suback) = &answer[0] else { panic!("{:?}", answer[0]) };
    assert_eq!(suback.reasons, [ReasonCode::Success; 20]);
    assert_eq!(answer.iter().filter_map(payload_of).count(), 1000);
}

#[test]
fn retained_messages_that_a_lost_connection_did_not_get_come_on_the_next_one() {
    let limits = Limits { output_bytes_max: 100, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    for number in 0..1000 {
        broker.publish(publisher, retained(&format!("a/{number}"), "0123456789"));
    }
    let mut wire = broker.connected(resume("s", 1));
    broker.send(wire, V5, [subscribe(1, &["#"], QoS::AtLeastOnce)]);
    let mut topics = HashSet::new();
    for number in 1..=1000 {
        let got = broker.received(wire, V5);
        let Some(Packet::Publish(publish)) = got.last() else { panic!("{number}: {got:?}") };
        topics.insert(publish.topic.clone());
        let ack = PublishAck::success(publish.packet_id.unwrap());
        broker.send(wire, V5, [Packet::PubAck(ack)]);
        if number == 300 {
            broker.hang_up(wire);
            wire = broker.wire("s");
            broker.send(wire, V5, [Packet::Connect(Box::new(resume("s", 1)))]);
        }
    }
    assert_eq!(topics.len(), 1000);
    assert_eq!(broker.received(wire, V5), []);
}

#[test]
fn who_unsubscribes_gets_no_more_of_the_retained_messages() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    for number in 0..1000 {
        broker.publish(publisher, retained(&format!("a/{number}"), "0123456789"));
    }
    let wire = broker.connected(connect("c", V5));
    broker.stalled.insert(wire);
    let filters = vec![TopicFilter::try_from("#").unwrap()];
    let unsubscribe =
        Packet::Unsubscribe(Unsubscribe { packet_id: packet_id(2), filters, properties: Default::default() });
    broker.send(wire, V5, [subscribe(1, &["#"], QoS::AtMostOnce), unsubscribe]);
    broker.unstall(wire);
    let got = broker.received(wire, V5).iter().filter_map(payload_of).count();
    assert!((10..100).contains(&got), "{got} were in the output already");
}

#[test]
fn a_bound_that_a_client_meets_again_and_again_is_told_once_and_counted_each_time() {
    let limits = Limits { topic_levels_max: 8, retained_messages_max: 1, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    for _ in 0..3 {
        let deep = message("1/2/3/4/5/6/7/8/9", "x", QoS::AtLeastOnce);
        assert_eq!(broker.publish(publisher, deep), Some(ReasonCode::TopicNameInvalid));
    }
    broker.publish(publisher, retained("a", "x"));
    for topic in ["b", "c"] {
        assert_eq!(broker.publish(publisher, retained(topic, "x")), Some(ReasonCode::QuotaExceeded));
    }
    let told: Vec<_> = broker
        .events
        .iter()
        .filter_map(|event| if let Event::Limited { limit, .. } = event { Some(*limit) } else { None })
        .collect();
    assert_eq!(told, ["topic_levels_max", "retained_messages_max"]);
    assert_eq!(broker.limited(Limit::TopicLevels), 3);
    assert_eq!(broker.limited(Limit::RetainedMessages), 2);
}

#[test]
fn whatever_of_a_message_can_be_long_counts_where_it_is_held() {
    let long = |len: usize| Text::try_from("x".repeat(len).as_str()).unwrap();
    let variants = [
        PublishProperties { content_type: Some(long(600)), ..PublishProperties::EMPTY },
        PublishProperties {
            response_topic: Some(TopicName::try_from(long(600).as_str()).unwrap()),
            ..PublishProperties::EMPTY
        },
        PublishProperties { correlation_data: Some(Bytes::from(vec![0; 600])), ..PublishProperties::EMPTY },
        PublishProperties {
            user_properties: [(long(300), long(300))].into_iter().collect(),
            ..PublishProperties::EMPTY
        },
        // Each pair takes room though it says nothing.
        PublishProperties {
            user_properties: vec![(Text::EMPTY, Text::EMPTY); 10].into_iter().collect(),
            ..PublishProperties::EMPTY
        },
    ];
    for properties in variants {
        let limits = Limits { queued_bytes_max: 1000, retained_bytes_max: 1000, ..Limits::default() };
        let mut broker = Broker::with_limits(1, limits);
        let subscriber = broker.client(persistent("s"));
        broker.subscribe(subscriber, filter("queued", QoS::AtLeastOnce));
        broker.cut(subscriber);
        let publisher = broker.client(options("p"));
        let with_properties = |publish| Publish { properties: Some(Box::new(properties.clone())), ..publish };
        let queued = || with_properties(message("queued", "", QoS::AtLeastOnce));
        assert_eq!(broker.publish(publisher, queued()), Some(ReasonCode::Success));
        assert_eq!(broker.publish(publisher, queued()), Some(ReasonCode::QuotaExceeded), "{properties:?}");
        for (topic, reason) in [("1", ReasonCode::NoMatchingSubscribers), ("2", ReasonCode::QuotaExceeded)] {
            let kept = with_properties(retained(topic, "x"));
            assert_eq!(broker.publish(publisher, kept), Some(reason), "{properties:?}");
        }
        let (messages, bytes) = broker.shards[0].shared.retained_size(broker.now);
        assert!(messages == 1 && (600..1000).contains(&bytes), "{bytes} bytes");
    }
}

#[test]
fn user_properties_that_say_nothing_are_bounded_too() {
    let limits = Limits { user_property_bytes_max: 100, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    for (pairs, reason) in [(20, ReasonCode::NoMatchingSubscribers), (21, ReasonCode::QuotaExceeded)] {
        let user_properties = vec![(Text::EMPTY, Text::EMPTY); pairs].into_iter().collect();
        let properties = PublishProperties { user_properties, ..PublishProperties::EMPTY };
        let publish =
            Publish { properties: Some(Box::new(properties)), ..message("a", "", QoS::AtLeastOnce) };
        assert_eq!(broker.publish(publisher, publish), Some(reason), "{pairs} pairs");
    }
}

#[test]
fn clients_that_come_and_go_leave_no_heap_of_timers() {
    let mut broker = Broker::new(1);
    for _ in 0..500 {
        let mut connect = resume("s", 10);
        connect.keep_alive = u16::MAX;
        connect.will = Some(will("will", Some(1800)));
        let wire = broker.connected(connect);
        broker.hang_up(wire);
        broker.wait(Duration::from_secs(1));
    }
    let timers = broker.shards[0].timers.len();
    assert!(timers <= 400, "{timers} timers");
    broker.wait(Duration::from_secs(301));
    assert_eq!(broker.shards[0].timers.len(), 1, "the one that looks after the session");
    broker.wait(Duration::from_secs(3600));
    assert_eq!(broker.shards[0].timers.len(), 0);
    assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
}

#[test]
fn connections_beyond_the_bound_are_refused() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    broker.client(options("first"));
    let second = broker.client(options("second"));
    assert!(matches!(
        broker.heard[second][..],
        [ClientEvent::Refused { reason: ReasonCode::QuotaExceeded, .. }]
    ));
}

#[test]
fn a_message_never_overtakes_those_that_wait_though_there_is_room_again() {
    let limits = Limits { output_bytes_max: 100, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    let wire = broker.connected(connect("s", V5));
    broker.send(wire, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    broker.received(wire, V5);
    broker.stalled.insert(wire);
    let text = "0123456789".repeat(10).leak();
    for payload in [&*text, "1", "2"] {
        broker.publish(publisher, message("a", payload, QoS::AtLeastOnce));
    }
    // The socket has taken what was written, and the shard does not know it yet: there is room, and two messages
    // wait.
    let taken = broker.shards[0].output(wire.1).unwrap().take_contiguous();
    assert!(taken.len() > 100);
    broker.publish(publisher, message("a", "3", QoS::AtLeastOnce));
    broker.unstall(wire);
    let got: Vec<_> = broker.received(wire, V5).iter().filter_map(payload_of).map(|(_, got)| got).collect();
    assert_eq!(got, ["1", "2", "3"]);
}

#[test]
fn a_live_message_never_comes_before_an_older_retained_one() {
    let limits = Limits { output_bytes_max: 200, ..Limits::default() };
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut broker = Broker::with_limits(2, limits.clone());
        let publisher = broker.client(options("p"));
        for number in 0..50 {
            broker.publish(publisher, retained(&format!("a/{number}"), "old"));
        }
        let wire = broker.connected(connect("s", V5));
        broker.stalled.insert(wire);
        broker.send(wire, V5, [subscribe(1, &["#"], qos)]);
        // The socket has taken all, and the shard does not know it yet: there is room.
        let taken = broker.shards[wire.0].output(wire.1).unwrap().take_contiguous();
        broker.receive(wire.0, wire.1, &taken);
        for number in 0..50 {
            broker.publish(publisher, message(&format!("a/{number}"), "new", qos));
        }
        broker.unstall(wire);
        let mut last = HashMap::new();
        for packet in broker.received(wire, V5) {
            if let Packet::Publish(publish) = packet {
                last.insert(publish.topic, publish.payload);
            }
        }
        assert_eq!(last.len(), 50);
        assert!(last.values().all(|payload| payload == "new"), "{qos:?} {last:?}");
    }
}

#[test]
fn qos_0_messages_that_waited_do_not_come_on_the_next_connection() {
    let limits = Limits { output_bytes_max: 100, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let publisher = broker.client(options("p"));
    for number in 0..20 {
        broker.publish(publisher, retained(&format!("a/{number}"), "0123456789"));
    }
    let wire = broker.connected(resume("s", 1));
    broker.stalled.insert(wire);
    broker.send(wire, V5, [subscribe(1, &["#"], QoS::AtMostOnce)]);
    broker.hang_up(wire);
    let wire = broker.wire("s");
    broker.send(wire, V5, [Packet::Connect(Box::new(resume("s", 1)))]);
    assert_eq!(broker.received(wire, V5).len(), 1, "CONNACK alone");
}

#[test]
fn unsubscribing_makes_room_for_another_subscription() {
    let limits = Limits { subscriptions_per_session_max: 2, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let client = broker.client(options("c"));
    for filters in [["a", "b"], ["c", "d"]] {
        for pattern in filters {
            assert_eq!(broker.subscribe(client, filter(pattern, QoS::AtMostOnce)), ReasonCode::Success);
        }
        let more = broker.subscribe(client, filter("more", QoS::AtMostOnce));
        assert_eq!(more, ReasonCode::QuotaExceeded);
        let filters = filters.map(|pattern| TopicFilter::try_from(pattern).unwrap()).to_vec();
        let now = broker.now;
        broker.clients[client].unsubscribe(now, filters, Default::default()).unwrap();
        broker.run();
    }
}

#[test]
fn a_bound_that_the_brokers_own_messages_meet_is_told_once() {
    let limits = Limits { retained_messages_max: 0, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    for number in 0..10 {
        let topic = TopicName::try_from(format!("$SYS/{number}").as_str()).unwrap();
        let now = broker.now;
        broker.shards[0].handle_own_message(now, topic, Bytes::from_static(b"1"));
        broker.run();
    }
    assert_eq!(broker.limited(Limit::RetainedMessages), 10);
    let told = broker.events.iter().filter(|event| matches!(event, Event::Limited { .. })).count();
    assert_eq!(told, 1, "{:?}", broker.events);
}
