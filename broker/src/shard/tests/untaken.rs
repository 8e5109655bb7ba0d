//! What a publisher is told of a message that nobody takes does not depend on whose shard who is.

use super::*;

const FULL: ReasonCode = ReasonCode::QuotaExceeded;

/// Publishers on every shard of three.
const PUBLISHERS: [&str; 8] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];

/// A broker whose queues take two messages; a client with a session is away, and its queue is full.
fn broker_with_full_queue() -> Broker {
    let limits = Limits { queued_messages_max: 2, ..Limits::default() };
    let mut broker = Broker::with_limits(3, limits);
    let away = broker.client(persistent("away"));
    broker.subscribe(away, filter("a", QoS::ExactlyOnce));
    broker.cut(away);
    let first = broker.client(options("first"));
    for _ in 0..2 {
        assert_eq!(broker.publish(first, message("a", "x", QoS::AtLeastOnce)), Some(ReasonCode::Success));
    }
    let shards: HashSet<_> = PUBLISHERS.map(|id| broker.shared.shard_of(id)).into();
    assert_eq!(shards.len(), 3);
    broker
}

#[test]
fn a_full_queue_refuses_publishers_of_all_shards_and_names_the_bound_to_each_once() {
    let mut broker = broker_with_full_queue();
    for (number, id) in PUBLISHERS.into_iter().enumerate() {
        let publisher = broker.client(options(id));
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce] {
            assert_eq!(broker.publish(publisher, message("a", "x", qos)), Some(FULL), "{id} with {qos:?}");
        }
        assert_eq!(broker.limited(Limit::QueuedMessages), 3 * (number as u64 + 1), "each once");
        let is_told =
            |event: &&Event| matches!(event, Event::Limited { client_id, .. } if client_id.as_str() == id);
        assert_eq!(broker.events.iter().filter(is_told).count(), 1, "{id}");
        assert_eq!(broker.clients[publisher].pending_len(), 0, "{id}");
    }
}

#[test]
fn the_words_of_a_refusal_come_from_other_shards_too() {
    let mut broker = broker_with_full_queue();
    for id in PUBLISHERS {
        let wire = broker.connected(connect(id, Version::V5));
        broker.send(wire, Version::V5, [publish(1, "a", "x", QoS::ExactlyOnce)]);
        let answer = broker.received(wire, Version::V5);
        let [Packet::PubRec(ack)] = &answer[..] else { panic!("{id}: {answer:?}") };
        assert_eq!((ack.packet_id, ack.reason), (packet_id(1), FULL), "{id}");
        assert!(ack.properties.reason_string.is_some(), "{id}");
        // It is over with its PUBREC: PUBREL finds nothing.
        broker.send(wire, Version::V5, [Packet::PubRel(PublishAck::success(packet_id(1)))]);
        let answer = broker.received(wire, Version::V5);
        let [Packet::PubComp(ack)] = &answer[..] else { panic!("{id}: {answer:?}") };
        assert_eq!(ack.reason, ReasonCode::PacketIdentifierNotFound, "{id}");
    }
}

#[test]
fn one_subscriber_that_takes_it_is_enough_wherever_it_is() {
    for taker in PUBLISHERS {
        let mut broker = broker_with_full_queue();
        let taker = broker.client(options(&format!("taker {taker}")));
        broker.subscribe(taker, filter("+", QoS::AtMostOnce));
        for id in PUBLISHERS {
            let publisher = broker.client(options(id));
            let reason = broker.publish(publisher, message("a", "x", QoS::AtLeastOnce));
            assert_eq!(reason, Some(ReasonCode::Success), "{id}");
        }
        assert_eq!(broker.messages(taker).len(), PUBLISHERS.len());
    }
}

#[test]
fn an_older_version_is_answered_as_ever() {
    let mut broker = broker_with_full_queue();
    for id in PUBLISHERS {
        let wire = broker.connected(connect(id, Version::V311));
        broker.send(wire, Version::V311, [publish(1, "a", "x", QoS::AtLeastOnce)]);
        assert_eq!(broker.received(wire, Version::V311), [Packet::PubAck(PublishAck::success(packet_id(1)))]);
    }
    assert_eq!(broker.dropped(DropReason::QueueFull), PUBLISHERS.len() as u64);
}

#[test]
fn what_goes_with_a_row_of_its_own_is_taken_and_counted_where_it_is_dropped() {
    let mut broker = broker_with_full_queue();
    let away = broker.shared.shard_of("away");
    for (number, id) in PUBLISHERS.into_iter().enumerate() {
        let publisher = broker.client(persistent(id));
        let reason = broker.publish(publisher, message("a", "x", QoS::ExactlyOnce)).unwrap();
        let is_near = broker.shared.shard_of(id) == away;
        assert_eq!(reason, if is_near { FULL } else { ReasonCode::Success }, "{id}");
        assert_eq!(broker.dropped(DropReason::QueueFull), number as u64 + 1, "{id}");
    }
}
