//! Clients that do not take what they are sent, and what the broker holds for them.

use super::*;
use crate::Pressure;

const V5: Version = Version::V5;

/// Ten of them with their topics are a little more than 10,000 bytes.
fn kilobyte() -> &'static str {
    "0123456789".repeat(100).leak()
}

/// A broker that may hold so many bytes for clients.
fn broker_of(held_bytes_max: usize) -> Broker {
    Broker::with_limits(1, Limits { held_bytes_max, ..Limits::default() })
}

impl Broker {
    /// A turn of the first shard, so much later.
    fn turn(&mut self, later: Duration) -> Pressure {
        self.now = self.now.saturating_add(later);
        self.shards[0].handle_turn_end();
        self.shards[0].handle_turn_begin(self.now);
        self.run();
        self.shards[0].stats().pressure
    }

    /// Has a client say something and gives back what was not taken of it.
    fn say(&mut self, wire: Wire, packets: &[Packet]) -> BytesMut {
        let mut bytes = BytesMut::new();
        packets.iter().for_each(|packet| codec::encode(packet, V5, &mut bytes).unwrap());
        self.say_on(wire, bytes)
    }

    fn say_on(&mut self, wire: Wire, mut bytes: BytesMut) -> BytesMut {
        self.shards[wire.0].handle_input(self.now, wire.1, &mut bytes);
        self.run();
        bytes
    }

    fn publishes(&mut self, wire: Wire) -> Vec<PacketId> {
        let of_publish =
            |packet| if let Packet::Publish(publish) = packet { publish.packet_id } else { None };
        self.received(wire, V5).into_iter().filter_map(of_publish).collect()
    }
}

const MOMENT: Duration = Duration::from_millis(1);

fn acknowledge(ids: &[PacketId]) -> Vec<Packet> {
    ids.iter().map(|id| Packet::PubAck(PublishAck::success(*id))).collect()
}

#[test]
fn what_is_under_way_to_a_client_that_does_not_acknowledge_is_bounded_in_bytes() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let limits = Limits { queued_bytes_max: 10_000, ..Limits::default() };
        let mut broker = Broker::with_limits(1, limits);
        let silent = broker.connected(resume("silent", 1000));
        broker.send(silent, V5, [subscribe(1, &["a"], qos)]);
        broker.received(silent, V5);
        let publisher = broker.client(options("p"));
        for _ in 0..19 {
            assert_eq!(broker.publish(publisher, message("a", kilobyte(), qos)), Some(ReasonCode::Success));
        }
        // Ten are the first that are not below the bound; nine are as many as may wait.
        let under_way = broker.publishes(silent);
        assert_eq!(under_way.len(), 10);
        assert_eq!(
            broker.publish(publisher, message("a", kilobyte(), qos)),
            Some(ReasonCode::QuotaExceeded),
            "one more finds no room"
        );
        match qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => broker.send(silent, V5, acknowledge(&under_way)),
            QoS::ExactlyOnce => {
                let ids = under_way.iter().map(|id| PublishAck::success(*id));
                broker.send(silent, V5, ids.clone().map(Packet::PubRec));
                broker.send(silent, V5, ids.map(Packet::PubComp));
            }
        }
        assert_eq!(broker.publishes(silent).len(), 9, "the others come when there is room again");
    }
}

#[test]
fn a_message_larger_than_the_bound_goes_out_alone() {
    let limits = Limits { queued_bytes_max: 100, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let subscriber = broker.client(options("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    let publisher = broker.client(options("p"));
    for _ in 0..3 {
        let reason = broker.publish(publisher, message("a", kilobyte(), QoS::AtLeastOnce));
        assert_eq!(reason, Some(ReasonCode::Success));
    }
    assert_eq!(broker.messages(subscriber).len(), 3);
}

#[test]
fn what_was_dropped_is_counted_for_its_client_and_by_reason() {
    let limits = Limits { queued_messages_max: 2, output_bytes_max: 4096, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    for (client_id, qos, count) in [("slow", QoS::AtMostOnce, 9), ("away", QoS::AtLeastOnce, 7)] {
        let wire = broker.connected(resume(client_id, 1));
        broker.send(wire, V5, [subscribe(1, &[client_id], qos)]);
        broker.stalled.insert(wire);
        if qos > QoS::AtMostOnce {
            broker.hang_up(wire);
        }
        let publisher = broker.client(options("p"));
        for _ in 0..count {
            broker.publish(publisher, message(client_id, kilobyte(), qos));
        }
    }
    let told = broker.shards[0].stats().most_dropped;
    let counts = |reason: DropReason| -> Vec<(&str, u64)> {
        let of_reason = |client: &crate::ClientDrops| client.counts[reason.as_index()];
        let counts = told.iter().map(|client| (client.client_id.as_str(), of_reason(client)));
        counts.filter(|(_, count)| *count > 0).collect()
    };
    // Five of a little more than 1,000 bytes are the first that are not below 4,096.
    assert_eq!(counts(DropReason::OutputFull), [("slow", 4)]);
    assert_eq!(counts(DropReason::QueueFull), [("away", 5)]);
    assert_eq!(told.len(), 2);
}

#[test]
fn publishers_wait_while_acknowledgements_and_pings_make_room() {
    let mut broker = broker_of(100_000);
    let slow = broker.connected(resume("slow", 1000));
    broker.send(slow, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    broker.received(slow, V5);
    let publisher = broker.connected(connect("p", V5));
    for number in 1..=99 {
        assert!(broker.say(publisher, &[publish(number, "a", kilobyte(), QoS::AtLeastOnce)]).is_empty());
    }
    assert_eq!(broker.turn(MOMENT), Pressure::Pausing);
    broker.received(publisher, V5);
    let more = [Packet::PingReq, publish(100, "a", "last", QoS::AtLeastOnce), Packet::PingReq];
    let rest = broker.say(publisher, &more);
    assert!(!rest.is_empty() && !broker.shards[0].wants_input(publisher.1));
    assert_eq!(broker.received(publisher, V5), [Packet::PingResp], "what stands before is answered");
    assert_eq!(broker.limited(Limit::HeldBytes), 1);

    let under_way = broker.publishes(slow);
    assert!(broker.say(slow, &[Packet::PingReq]).is_empty() && broker.shards[0].wants_input(slow.1));
    assert!(broker.say(slow, &acknowledge(&under_way)).is_empty());
    assert_eq!(broker.turn(MOMENT), Pressure::None);
    assert!(broker.shards[0].wants_input(publisher.1));
    assert!(broker.say_on(publisher, rest).is_empty());
    let answers = broker.received(publisher, V5);
    assert!(matches!(&answers[..], [Packet::PubAck(ack), Packet::PingResp] if ack.packet_id.get() == 100));
    assert_eq!(broker.count(|stats| stats.dropped.iter().sum()), 0);
}

#[test]
fn a_publisher_that_waits_is_not_taken_for_dead() {
    let mut broker = broker_of(10_000);
    let away = broker.connected(resume("away", 1));
    broker.send(away, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    broker.hang_up(away);
    let publisher = broker.connected(Connect { keep_alive: 1, ..connect("p", V5) });
    for number in 1..=10 {
        broker.say(publisher, &[publish(number, "a", kilobyte(), QoS::AtLeastOnce)]);
    }
    assert_eq!(broker.turn(MOMENT), Pressure::Pausing);
    assert!(!broker.say(publisher, &[publish(11, "a", "x", QoS::AtLeastOnce)]).is_empty());
    for _ in 0..4 {
        broker.now = broker.now.saturating_add(Duration::from_secs(1));
        broker.shards[0].handle_timeout(broker.now);
        broker.run();
    }
    assert!(!broker.closed.contains(&publisher));
}

#[test]
fn stuck_and_absent_clients_stop_nobody_and_get_nothing_more() {
    let mut broker = broker_of(100_000);
    let away = broker.connected(resume("away", 1));
    broker.send(away, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    broker.hang_up(away);
    let stuck = broker.connected(connect("stuck", V5));
    broker.send(stuck, V5, [subscribe(1, &["b"], QoS::AtMostOnce)]);
    broker.stalled.insert(stuck);
    let healthy = broker.client(options("healthy"));
    broker.subscribe(healthy, filter("#", QoS::AtLeastOnce));
    let publisher = broker.connected(connect("p", V5));
    for number in 1..=60 {
        let both = [
            publish(number, "a", kilobyte(), QoS::AtLeastOnce),
            publish(0, "b", kilobyte(), QoS::AtMostOnce),
        ];
        assert!(broker.say(publisher, &both).is_empty());
    }
    assert_eq!(broker.messages(healthy).len(), 120);
    broker.received(publisher, V5);
    assert_eq!(broker.turn(MOMENT), Pressure::Pausing);
    assert_eq!(broker.turn(Duration::from_secs(1)), Pressure::Refusing, "nothing has become less");
    let held = broker.shared.held_bytes();
    for number in 61..=80 {
        let both = [
            publish(number, "a", kilobyte(), QoS::AtLeastOnce),
            publish(0, "b", kilobyte(), QoS::AtMostOnce),
        ];
        assert!(broker.say(publisher, &both).is_empty(), "everybody is read");
    }
    broker.turn(MOMENT);
    assert_eq!(broker.messages(healthy).len(), 40, "who is ready gets everything");
    assert_eq!(broker.dropped(DropReason::MemoryFull), 40);
    assert!(broker.shared.held_bytes() <= held);
    // Nobody but the absent client is left who would take it: its publisher is told.
    let all = vec![TopicFilter::try_from("#").unwrap()];
    broker.clients[healthy].unsubscribe(broker.now, all, Default::default()).unwrap();
    broker.run();
    broker.received(publisher, V5);
    broker.say(publisher, &[publish(81, "a", "x", QoS::AtLeastOnce)]);
    let answers = broker.received(publisher, V5);
    assert!(
        matches!(&answers[..], [Packet::PubAck(ack)] if ack.reason == ReasonCode::QuotaExceeded),
        "{answers:?}"
    );
    broker.unstall(stuck);
    let back = broker.wire("away");
    broker.send(back, V5, [Packet::Connect(Box::new(resume("away", 1000)))]);
    let under_way = broker.publishes(back);
    broker.send(back, V5, acknowledge(&under_way));
    assert_eq!(broker.turn(MOMENT), Pressure::None);
    assert_eq!(under_way.len(), 60);
}

#[test]
fn what_is_held_is_a_sum_that_comes_back_to_nothing() {
    let mut broker = broker_of(1 << 30);
    let away = broker.connected(resume("away", 1));
    broker.send(away, V5, [subscribe(1, &["a", "k"], QoS::ExactlyOnce)]);
    broker.hang_up(away);
    let publisher = broker.client(options("p"));
    for _ in 0..5 {
        broker.publish(publisher, message("a", kilobyte(), QoS::ExactlyOnce));
    }
    broker.publish(publisher, retained("k", "which has a bound of its own"));
    broker.turn(MOMENT);
    let held = broker.shared.held_bytes();
    assert!((5_000..7_000).contains(&held), "{held}");
    let back = broker.connected(connect("away", V5));
    broker.hang_up(back);
    let stuck = broker.connected(connect("stuck", V5));
    broker.send(stuck, V5, [subscribe(1, &["b"], QoS::AtMostOnce)]);
    broker.stalled.insert(stuck);
    broker.publish(publisher, message("b", kilobyte(), QoS::AtMostOnce));
    broker.turn(MOMENT);
    assert!(
        (1_000..1_100).contains(&broker.shared.held_bytes()),
        "its session is gone, and somebody does not read"
    );
    broker.hang_up(stuck);
    broker.turn(MOMENT);
    assert_eq!(broker.shared.held_bytes(), 0);
}
