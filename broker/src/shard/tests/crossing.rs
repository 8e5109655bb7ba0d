//! What is on its way between shards, and the disk: it comes once, in its order, wherever the process ends.

use super::durable::{NOW, away};
use super::*;
use crate::durable::{ReferenceRow, key_of};
use crate::{Change, Table};

/// Four subscribers, one of them away, and a publisher whose QoS 2 messages cross shards, while each shard's batch is a
/// commit of its own and the process dies after so many; what the subscribers got in all.
fn cross_shards(pattern: &str, commits: usize, shards_after: u16) -> Vec<Vec<Bytes>> {
    let mut broker = Broker::new(3);
    let names = ["s 1", "s 2", "s 3", "s 4"];
    let subscribers = names.map(|id| {
        let subscriber = broker.client(persistent(id));
        broker.subscribe(subscriber, filter(pattern, QoS::ExactlyOnce));
        subscriber
    });
    broker.cut(subscribers[3]);
    let publisher = broker.client(persistent("p"));
    broker.disk.as_mut().unwrap().commits_left = Some(commits);
    for payload in ["1", "2"] {
        let now = broker.now;
        broker.clients[publisher].publish(now, message("a", payload, QoS::ExactlyOnce)).unwrap();
        broker.run();
    }
    // What one member leaves behind goes to another one.
    broker.cut(subscribers[0]);
    let before = subscribers.map(|subscriber| broker.payloads(subscriber));
    let mut broker = broker.crash_into(shards_after, NOW);
    for client in subscribers.into_iter().chain([publisher]) {
        broker.connect(client);
    }
    let flow = [Table::Messages, Table::References, Table::Received, Table::Released, Table::Carried];
    assert_eq!(flow.map(|table| broker.rows(table)), [0; 5], "{commits} commits");
    let all = before.into_iter().zip(subscribers);
    all.map(|(before, subscriber)| [before, broker.payloads(subscriber)].concat()).collect()
}

#[test]
fn a_qos_2_message_that_crosses_shards_comes_once_wherever_the_process_dies() {
    for shards_after in [3, 2] {
        for commits in 0..30 {
            for got in cross_shards("a", commits, shards_after) {
                assert_eq!(got, ["1", "2"], "{commits} commits");
            }
            let mut of_group = cross_shards("$share/group/a", commits, shards_after).concat();
            of_group.sort_unstable();
            assert_eq!(of_group, ["1", "2"], "{commits} commits, a group");
        }
    }
}

#[test]
fn an_identifier_whose_message_is_gone_stays_in_use_until_pubcomp() {
    let mut broker = Broker::new(2);
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, Version::V5, [subscribe(1, &["a"], QoS::ExactlyOnce)]);
    let publisher = broker.client(options("p"));
    // Large, so that it does not go with the row of its message.
    let large: &'static str = "x".repeat(1000).leak();
    broker.publish(publisher, message("a", large, QoS::ExactlyOnce));
    let received = broker.received(wire, Version::V5);
    let Some(Packet::Publish(sent)) = received.last() else { panic!("{received:?}") };
    let id = sent.packet_id.unwrap();
    // As when the last of its receivers, on another shard, has removed it in a commit before that of this one's PUBREC.
    broker.disk.as_mut().unwrap().lose(Table::Messages);
    for _ in 0..2 {
        broker = broker.crash(NOW);
        let wire = broker.wire("s");
        broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("s", 10)))]);
        let again = broker.received(wire, Version::V5);
        assert!(matches!(&again[1..], [Packet::PubRel(ack)] if ack.packet_id == id), "{again:?}");
    }
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, Version::V5, [Packet::PubComp(PublishAck::success(id))]);
    assert_eq!([Table::References, Table::Released].map(|table| broker.rows(table)), [0; 2]);
}

#[test]
fn an_identifier_of_a_session_that_is_gone_is_nobody_elses() {
    let mut broker = Broker::new(1);
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, Version::V5, [subscribe(1, &["a"], QoS::ExactlyOnce)]);
    let disk = broker.disk.as_mut().unwrap();
    let serial = disk.keys(Table::Sessions).pop().unwrap();
    let earlier = u64::from_be_bytes(serial[..].try_into().unwrap()) - 1;
    let row = ReferenceRow {
        message: 1,
        qos: QoS::ExactlyOnce,
        retain: false,
        ids: Vec::new(),
        group: None,
        packet_id: PacketId::new(1),
    };
    disk.apply(Change::Put(Table::References, key_of(earlier, &1_u64.to_be_bytes()), row.encode().into()));
    broker = broker.crash(NOW);
    let wire = broker.wire("s");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("s", 10)))]);
    let received = broker.received(wire, Version::V5);
    assert!(matches!(received[..], [Packet::ConnAck(_)]), "{received:?}");
    assert_eq!([Table::References, Table::Released].map(|table| broker.rows(table)), [0; 2]);
}

#[test]
fn what_a_client_publishes_behind_a_qos_2_message_stays_behind_it_on_other_shards() {
    let mut broker = Broker::new(3);
    let subscribers = ["s 1", "s 2", "s 3", "s 4"].map(|id| {
        let subscriber = broker.client(persistent(id));
        broker.subscribe(subscriber, filter("a", QoS::AtMostOnce));
        subscriber
    });
    let publisher = broker.client(persistent("p"));
    let other = broker.client(options("q"));
    broker.stick();
    let sent = [("1", QoS::ExactlyOnce), ("2", QoS::AtLeastOnce), ("3", QoS::AtMostOnce)];
    let tokens = sent.map(|(payload, qos)| {
        broker.clients[publisher].publish(broker.now, message("a", payload, qos)).unwrap()
    });
    broker.run();
    assert_eq!(
        broker.published(publisher, tokens[1]),
        None,
        "shards that keep something have not heard of it"
    );
    broker.publish(other, message("a", "of another client", QoS::AtMostOnce));
    let early = subscribers.map(|subscriber| broker.payloads(subscriber));
    assert!(early.contains(&vec![Bytes::from("of another client")]), "nobody else waits: {early:?}");
    assert!(broker.shards.iter().any(Shard::has_more_to_send));
    broker.unstick();
    assert!(!broker.shards.iter().any(Shard::has_more_to_send));
    for (subscriber, early) in subscribers.into_iter().zip(early) {
        let got = [early, broker.payloads(subscriber)].concat();
        let of_publisher: Vec<_> = got.into_iter().filter(|payload| payload.len() == 1).collect();
        assert_eq!(of_publisher, ["1", "2", "3"]);
    }
    for token in &tokens[..2] {
        assert_eq!(broker.published(publisher, *token), Some(ReasonCode::Success));
    }
}

#[test]
fn a_client_is_read_no_further_while_too_much_of_it_waits_for_the_disk() {
    let mut broker = Broker::with_limits(2, Limits { output_bytes_max: 100, ..Limits::default() });
    for id in ["s 1", "s 2", "s 3", "s 4"] {
        away(&mut broker, id, "a", QoS::ExactlyOnce);
    }
    let wire = broker.connected(resume("p", 10));
    broker.stick();
    let mut sent = 0;
    while broker.shards[wire.0].wants_input(wire.1) && sent < 100 {
        sent += 1;
        broker.send(wire, Version::V5, [publish(sent, "a", "a payload", QoS::ExactlyOnce)]);
    }
    assert!((2..100).contains(&sent), "{sent} messages");
    broker.unstick();
    assert!(broker.shards[wire.0].wants_input(wire.1));
}

#[test]
fn what_was_on_its_way_outlives_a_second_crash_in_the_place_of_a_reference_to_nothing() {
    let mut broker = Broker::new(3);
    let subscribers = ["s 1", "s 2", "s 3", "s 4"].map(|id| away(&mut broker, id, "a", QoS::ExactlyOnce));
    let publisher = broker.client(persistent("p"));
    broker.disk.as_mut().unwrap().commits_left = Some(1);
    broker.clients[publisher].publish(broker.now, message("a", "1", QoS::ExactlyOnce)).unwrap();
    broker.run();
    assert!(broker.rows(Table::Carried) > 0);
    let home = broker.shared.shard_of("p").as_index() as u64;
    let row = ReferenceRow {
        message: 999,
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: Vec::new(),
        group: None,
        packet_id: None,
    };
    let disk = broker.disk.as_mut().unwrap();
    for key in disk.keys(Table::Sessions) {
        let serial = u64::from_be_bytes(key[..].try_into().unwrap());
        if serial >> 48 != home {
            let key = key_of(serial, &1_u64.to_be_bytes());
            disk.apply(Change::Put(Table::References, key, row.clone().encode().into()));
        }
    }
    let mut broker = broker.crash(NOW).crash(NOW);
    for subscriber in subscribers {
        broker.connect(subscriber);
        assert_eq!(broker.payloads(subscriber), ["1"]);
    }
}

/// A member of a group loses its connection with a message that is on no disk, then so many commits of single shards succeed
/// and the process dies; whether the publisher was told that it was taken, and how often it comes to a member after that.
fn move_before_commit(commits: usize, watchers: usize) -> (bool, usize) {
    let mut broker = Broker::new(2);
    let is_near = |broker: &Broker, id: &str| broker.shared.shard_of(id) == broker.shared.shard_of("p");
    let names: Vec<String> = (0..20).map(|number| format!("s {number}")).collect();
    let (near, far): (Vec<_>, Vec<_>) = names.iter().partition(|id| is_near(&broker, id));
    // The row of the message is written by the shard of its publisher, and that of the member by the other one.
    for id in &near[..watchers] {
        away(&mut broker, id, "a", QoS::AtLeastOnce);
    }
    let names = [far[0], far[1]];
    let members = names.map(|id| {
        let wire = broker.connected(resume(id, 10));
        broker.send(wire, Version::V5, [subscribe(1, &["$share/group/a"], QoS::AtLeastOnce)]);
        broker.received(wire, Version::V5);
        wire
    });
    let publisher = broker.client(options("p"));
    let count = |broker: &mut Broker, wire| {
        let packets = broker.received(wire, Version::V5);
        packets.iter().filter(|packet| matches!(packet, Packet::Publish(_))).count()
    };
    broker.stick();
    let sent = message("a", "1", QoS::AtLeastOnce);
    let token = broker.clients[publisher].publish(broker.now, sent).unwrap();
    broker.run();
    let place = members.iter().position(|wire| count(&mut broker, *wire) > 0).unwrap();
    broker.hang_up(members[place]);
    broker.run();
    broker.disk.as_mut().unwrap().commits_left = Some(commits);
    broker.unstick();
    let is_taken = broker.published(publisher, token).is_some();
    let mut broker = broker.crash(NOW);
    let times = names.map(|id| {
        let wire = broker.wire(id);
        broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume(id, 10)))]);
        count(&mut broker, wire)
    });
    (is_taken, times.into_iter().sum())
}

#[test]
fn a_message_that_moves_to_another_member_before_it_is_on_disk_is_acknowledged_when_it_is_there() {
    // Their number decides which shard is the first to commit.
    for watchers in 1..4 {
        let outcomes: Vec<_> = (0..6).map(|commits| move_before_commit(commits, watchers)).collect();
        for (is_taken, times) in &outcomes {
            assert!(*times == 1 || (!is_taken && *times == 0), "{outcomes:?}");
        }
        assert!(!outcomes[0].0 && outcomes[5].0, "{outcomes:?}");
    }
}

/// Subscribers on all shards and a will that is due, while each shard's batch is a commit of its own and the process dies after so
/// many; what each got in all.
fn publish_will_before_crash(qos: QoS, delay: u32, commits: usize) -> Vec<Vec<Bytes>> {
    let mut broker = Broker::new(3);
    let subscribers = ["s 1", "s 2", "s 3", "s 4"].map(|id| away(&mut broker, id, "a", QoS::ExactlyOnce));
    let mut options = persistent("p");
    options.will = Some(Will { qos, ..will("a", Some(delay)) });
    let publisher = broker.client(options);
    broker.disk.as_mut().unwrap().commits_left = Some(commits);
    broker.cut(publisher);
    broker.wait(Duration::from_secs(u64::from(delay)));
    let mut broker = broker.crash(NOW);
    broker.wait(Duration::from_secs(60));
    let mut broker = broker.crash(NOW);
    broker.wait(Duration::from_secs(60));
    let got = subscribers.map(|subscriber| {
        broker.connect(subscriber);
        broker.payloads(subscriber)
    });
    assert_eq!(
        [Table::Messages, Table::Carried].map(|table| broker.rows(table)),
        [0; 2],
        "{commits} commits"
    );
    got.into()
}

#[test]
fn a_will_that_crosses_shards_comes_once_wherever_the_process_dies() {
    for (qos, delay) in [(QoS::AtLeastOnce, 0), (QoS::ExactlyOnce, 0), (QoS::ExactlyOnce, 10)] {
        for commits in 0..12 {
            for got in publish_will_before_crash(qos, delay, commits) {
                assert_eq!(got, ["gone"], "{qos:?}, {delay} s, {commits} commits");
            }
        }
    }
}
