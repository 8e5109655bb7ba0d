//! What is acknowledged outlives the process.

use hearth_protocol::packet::UnsubscribeProperties;

use super::*;
use crate::Table;

impl Broker {
    /// The process ends without a word and another one begins with what is on the disk, so much later.
    pub(super) fn crash(self, later: Duration) -> Self {
        let count = self.shards.len() as u16;
        self.crash_into(count, later)
    }

    /// The same, and the next one has so many shards.
    pub(super) fn crash_into(mut self, count: u16, later: Duration) -> Self {
        let mut disk = self.disk.take().unwrap();
        disk.is_stuck = false;
        disk.commits_left = None;
        disk.epoch_millis += self.now.as_millis() + later.as_millis() as u64;
        let mut next =
            Self::with_disk(count, self.shared.limits.clone(), Options::default(), AllowAll, Some(disk));
        next.clients = self.clients;
        for client in &mut next.clients {
            client.handle_close(next.now);
        }
        next.heard = next
            .clients
            .iter_mut()
            .map(|client| std::iter::from_fn(|| client.poll_event()).collect())
            .collect();
        next.run();
        next
    }

    pub(super) fn stick(&mut self) {
        self.disk.as_mut().unwrap().is_stuck = true;
    }

    pub(super) fn unstick(&mut self) {
        self.disk.as_mut().unwrap().is_stuck = false;
        self.run();
    }

    pub(super) fn all_rows(&self) -> usize {
        Table::ALL.iter().map(|table| self.rows(*table)).sum()
    }

    pub(super) fn rows(&self, table: Table) -> usize {
        self.disk.as_ref().unwrap().count(table)
    }
}

pub(super) const NOW: Duration = Duration::ZERO;

pub(super) fn away(broker: &mut Broker, client_id: &str, pattern: &str, qos: QoS) -> usize {
    let subscriber = broker.client(persistent(client_id));
    broker.subscribe(subscriber, filter(pattern, qos));
    broker.cut(subscriber);
    subscriber
}

#[test]
fn a_message_is_acknowledged_once_it_is_on_disk_and_then_outlives_the_process() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut broker = Broker::new(3);
        let subscribers = ["s 1", "s 2", "s 3", "s 4"].map(|id| away(&mut broker, id, "a", QoS::ExactlyOnce));
        let publisher = broker.client(options("p"));
        broker.stick();
        let token = broker.clients[publisher].publish(broker.now, message("a", "1", qos)).unwrap();
        broker.run();
        assert_eq!(broker.published(publisher, token), None, "nothing is on disk");
        broker.unstick();
        assert_eq!(broker.published(publisher, token), Some(ReasonCode::Success));
        // Whoever was the first to need it stands in its row.
        assert_eq!((broker.rows(Table::Messages), broker.rows(Table::References)), (1, 3));
        let mut broker = broker.crash(NOW);
        for subscriber in subscribers {
            broker.connect(subscriber);
            assert_eq!(broker.payloads(subscriber), ["1"], "{qos:?}");
        }
        let left = [Table::Messages, Table::References, Table::Received, Table::Released];
        assert_eq!(left.map(|table| broker.rows(table)), [0; 4]);
    }
}

#[test]
fn whoever_stands_in_the_row_of_a_message_goes_and_comes_without_the_others() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for crashes in [false, true] {
            let mut broker = Broker::new(2);
            let subscribers = ["s 1", "s 2", "s 3"].map(|id| away(&mut broker, id, "a", qos));
            let publisher = broker.client(options("p"));
            broker.publish(publisher, message("a", "1", qos));
            for (place, subscriber) in subscribers.into_iter().enumerate() {
                if crashes {
                    broker = broker.crash(NOW);
                }
                assert_eq!(broker.rows(Table::Messages), 1);
                broker.connect(subscriber);
                assert_eq!(broker.payloads(subscriber), ["1"], "{qos:?}, {place}");
                broker = broker.crash(NOW);
                broker.connect(subscriber);
                assert_eq!(broker.payloads(subscriber), [""; 0], "{qos:?}, {place}");
            }
            assert_eq!((broker.rows(Table::Messages), broker.rows(Table::References)), (0, 0));
        }
    }
}

#[test]
fn a_session_that_is_over_leaves_the_row_of_a_message_to_the_others() {
    let mut broker = Broker::new(1);
    let [first, second] = ["s 1", "s 2"].map(|id| away(&mut broker, id, "a", QoS::AtLeastOnce));
    let publisher = broker.client(options("p"));
    broker.publish(publisher, message("a", "1", QoS::AtLeastOnce));
    for (id, left) in [("s 1", 1), ("s 2", 0)] {
        let wire = broker.wire(id);
        broker.send(wire, Version::V5, [Packet::Connect(Box::new(connect(id, Version::V5)))]);
        broker = broker.crash(NOW);
        assert_eq!(broker.rows(Table::Messages), left, "{id}");
    }
    for subscriber in [first, second] {
        broker.connect(subscriber);
        assert_eq!(broker.payloads(subscriber), [""; 0]);
    }
}

#[test]
fn a_large_message_is_not_written_anew_for_each_session() {
    let mut broker = Broker::new(1);
    let subscriber = away(&mut broker, "s", "a", QoS::AtLeastOnce);
    let publisher = broker.client(options("p"));
    let large: &'static str = "x".repeat(1000).leak();
    broker.publish(publisher, message("a", large, QoS::AtLeastOnce));
    assert_eq!((broker.rows(Table::Messages), broker.rows(Table::References)), (1, 1));
    let mut broker = broker.crash(NOW);
    broker.connect(subscriber);
    assert_eq!(broker.payloads(subscriber), [large]);
    assert_eq!((broker.rows(Table::Messages), broker.rows(Table::References)), (0, 0));
}

#[test]
fn what_nobody_needs_after_the_process_is_acknowledged_without_the_disk() {
    let mut broker = Broker::new(3);
    away(&mut broker, "other", "other", QoS::ExactlyOnce);
    let subscribers = ["s 1", "s 2", "s 3"].map(|id| broker.client(options(id)));
    for subscriber in subscribers {
        broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
    }
    let publisher = broker.client(options("p"));
    broker.stick();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(broker.publish(publisher, message("a", "1", qos)), Some(ReasonCode::Success));
    }
    for subscriber in subscribers {
        assert_eq!(broker.payloads(subscriber), ["1", "1"]);
    }
}

#[test]
fn a_message_that_its_receiver_acknowledged_first_is_not_written() {
    let mut broker = Broker::new(1);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    let publisher = broker.client(options("p"));
    let written = broker.disk.as_ref().unwrap().written;
    broker.stick();
    assert_eq!(
        broker.publish(publisher, message("a", "1", QoS::AtLeastOnce)),
        Some(ReasonCode::Success),
        "it is nobody's any more"
    );
    broker.unstick();
    assert_eq!(broker.disk.as_ref().unwrap().written, written);
    assert_eq!(broker.payloads(subscriber), ["1"]);
}

#[test]
fn a_qos_2_message_goes_out_once_its_identifier_is_on_disk() {
    let mut broker = Broker::new(2);
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, Version::V5, [subscribe(1, &["a"], QoS::ExactlyOnce)]);
    broker.received(wire, Version::V5);
    let publisher = broker.client(options("p"));
    broker.stick();
    let token = broker.clients[publisher].publish(broker.now, message("a", "1", QoS::ExactlyOnce)).unwrap();
    broker.run();
    assert_eq!(broker.received(wire, Version::V5), []);
    broker.unstick();
    let sent = broker.received(wire, Version::V5);
    let [Packet::Publish(sent)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(broker.published(publisher, token), Some(ReasonCode::Success));
    // The client has it, and says so only after the crash.
    let mut broker = broker.crash(NOW);
    let wire = broker.wire("s");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("s", 10)))]);
    let again = broker.received(wire, Version::V5);
    let [Packet::ConnAck(connack), Packet::Publish(again)] = &again[..] else { panic!("{again:?}") };
    assert!(connack.session_present && again.dup);
    assert_eq!(again.packet_id, sent.packet_id);
    // PUBREL goes out once it is on disk that PUBREC came.
    broker.stick();
    let id = sent.packet_id.unwrap();
    broker.send(wire, Version::V5, [Packet::PubRec(PublishAck::success(id))]);
    assert_eq!(broker.received(wire, Version::V5), []);
    broker.unstick();
    assert_eq!(broker.received(wire, Version::V5), [Packet::PubRel(PublishAck::success(id))]);
    let mut broker = broker.crash(NOW);
    let wire = broker.connected(resume("s", 10));
    broker.send(wire, Version::V5, [Packet::PubComp(PublishAck::success(id))]);
    assert_eq!(broker.rows(Table::Released), 0);
}

#[test]
fn a_qos_2_message_that_came_is_not_taken_twice_and_its_identifier_is_free_only_after_pubcomp() {
    let mut broker = Broker::new(2);
    let subscriber = away(&mut broker, "s", "a", QoS::ExactlyOnce);
    let wire = broker.connected(resume("p", 10));
    let id = packet_id(7);
    broker.send(wire, Version::V5, [publish(7, "a", "1", QoS::ExactlyOnce)]);
    assert_eq!(broker.rows(Table::Received), 1);
    let mut broker = broker.crash(NOW);
    let wire = broker.wire("p");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("p", 10)))]);
    broker.send(wire, Version::V5, [publish(7, "a", "1", QoS::ExactlyOnce)]);
    let got = broker.received(wire, Version::V5);
    assert!(matches!(&got[..], [Packet::ConnAck(_), Packet::PubRec(ack)] if ack.packet_id == id), "{got:?}");
    broker.stick();
    broker.send(wire, Version::V5, [Packet::PubRel(PublishAck::success(id))]);
    assert_eq!(broker.received(wire, Version::V5), [], "another message under the identifier could be lost");
    broker.unstick();
    assert_eq!(broker.received(wire, Version::V5), [Packet::PubComp(PublishAck::success(id))]);
    broker.connect(subscriber);
    assert_eq!(broker.payloads(subscriber), ["1"]);
}

#[test]
fn answers_keep_their_order_whatever_each_waits_for() {
    let mut broker = Broker::new(2);
    away(&mut broker, "s", "kept", QoS::AtLeastOnce);
    let wire = broker.connected(connect("p", Version::V5));
    broker.stick();
    broker.send(
        wire,
        Version::V5,
        [
            publish(1, "kept", "1", QoS::AtLeastOnce),
            publish(2, "nobody's", "2", QoS::AtLeastOnce),
            subscribe(3, &["b"], QoS::AtMostOnce),
            Packet::PingReq,
        ],
    );
    assert_eq!(broker.received(wire, Version::V5), []);
    broker.unstick();
    let kinds: Vec<_> =
        broker.received(wire, Version::V5).iter().map(|packet| packet.packet_type().to_string()).collect();
    assert_eq!(kinds, ["PUBACK", "PUBACK", "SUBACK", "PINGRESP"]);
}

#[test]
fn a_session_comes_back_with_its_subscriptions_and_the_rest_of_its_time() {
    let mut broker = Broker::new(3);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a/+", QoS::AtLeastOnce));
    broker.subscribe(subscriber, filter("$share/g/b", QoS::ExactlyOnce));
    broker.subscribe(subscriber, filter("gone", QoS::AtLeastOnce));
    let gone = vec![TopicFilter::try_from("gone").unwrap()];
    broker.clients[subscriber].unsubscribe(broker.now, gone, Default::default()).unwrap();
    broker.run();
    let mut broker = broker.crash(Duration::from_secs(3000));
    assert_eq!(broker.count(|stats| stats.subscriptions as u64), 2);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, message("a/1", "1", QoS::AtLeastOnce));
    broker.publish(publisher, message("b", "2", QoS::ExactlyOnce));
    broker.publish(publisher, message("gone", "3", QoS::ExactlyOnce));
    broker.connect(subscriber);
    let mut got = broker.payloads(subscriber);
    got.sort();
    assert_eq!(got, ["1", "2"]);
    broker.cut(subscriber);
    // 3,600 seconds from then on.
    let broker = broker.crash(Duration::from_secs(3500));
    assert_eq!(broker.count(|stats| stats.sessions as u64), 1);
    let mut broker = broker.crash(Duration::from_secs(200));
    broker.wait(Duration::from_secs(1));
    assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
    let tables = [Table::Sessions, Table::Subscriptions, Table::References, Table::Messages];
    assert_eq!(tables.map(|table| broker.rows(table)), [0; 4]);
}

#[test]
fn a_clean_start_leaves_nothing_of_the_session_on_disk() {
    let mut broker = Broker::new(2);
    let subscriber = away(&mut broker, "s", "a", QoS::AtLeastOnce);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, message("a", "1", QoS::AtLeastOnce));
    let wire = broker.wire("s");
    broker.stick();
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(connect("s", Version::V5)))]);
    assert_eq!(broker.received(wire, Version::V5), [], "its end is not on disk");
    broker.unstick();
    assert!(matches!(&broker.received(wire, Version::V5)[..], [Packet::ConnAck(_)]));
    for table in Table::ALL {
        assert_eq!(broker.rows(table), 0, "{table:?}");
    }
    let mut broker = broker.crash(NOW);
    broker.connect(subscriber);
    assert_eq!(broker.payloads(subscriber), [""; 0]);
}

/// A session with a subscription, and of each kind one message: QoS 1 and 2 under way, released, waiting, and one of the
/// client whose PUBREL has not come. Its connection takes three at once.
fn with_messages_under_way(broker: &mut Broker, connect: Connect) -> Wire {
    let publisher = broker.client(options("p"));
    let wire = broker.connected(connect);
    broker.send(wire, Version::V5, [subscribe(1, &["a"], QoS::ExactlyOnce)]);
    broker.received(wire, Version::V5);
    for (payload, qos) in
        [("1", QoS::ExactlyOnce), ("2", QoS::AtLeastOnce), ("3", QoS::ExactlyOnce), ("4", QoS::ExactlyOnce)]
    {
        broker.publish(publisher, message("a", payload, qos));
    }
    let ids: Vec<_> = broker.received(wire, Version::V5).iter().filter_map(id_of_publish).collect();
    assert_eq!(ids.len(), 3);
    let received = Packet::PubRec(PublishAck::success(ids[0]));
    broker.send(wire, Version::V5, [received, publish(7, "b", "5", QoS::ExactlyOnce)]);
    wire
}

fn window(receive_maximum: u16) -> ConnectProperties {
    ConnectProperties { receive_maximum: Some(receive_maximum), ..ConnectProperties::default() }
}

fn id_of_publish(packet: &Packet) -> Option<PacketId> {
    if let Packet::Publish(publish) = packet { publish.packet_id } else { None }
}

#[test]
fn a_session_that_was_not_kept_is_not_taken_over_by_one_that_is() {
    let mut broker = Broker::new(2);
    with_messages_under_way(&mut broker, Connect { properties: window(3), ..connect("s", Version::V5) });
    assert_eq!(broker.all_rows(), 0);
    let wire = broker.wire("s");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("s", 10)))]);
    let answer = broker.received(wire, Version::V5);
    assert!(matches!(&answer[..], [Packet::ConnAck(connack)] if !connack.session_present), "{answer:?}");
    broker.send(wire, Version::V5, [subscribe(1, &["c"], QoS::ExactlyOnce)]);
    broker.hang_up(wire);
    let mut broker = broker.crash(NOW);
    assert_eq!([Table::Sessions, Table::Subscriptions].map(|table| broker.rows(table)), [1, 1]);
    let publisher = broker.client(options("q"));
    broker.publish(publisher, message("a", "6", QoS::ExactlyOnce));
    broker.publish(publisher, message("c", "7", QoS::ExactlyOnce));
    let subscriber = broker.client(persistent("s"));
    assert_eq!(broker.payloads(subscriber), ["7"]);
}

#[test]
fn a_session_that_is_to_end_with_its_connection_has_no_rows_any_more_and_goes_on() {
    let mut broker = Broker::new(2);
    with_messages_under_way(&mut broker, Connect { clean_start: true, ..resume("s", 3) });
    let tables = [Table::Messages, Table::Received, Table::Released];
    assert_eq!(tables.map(|table| broker.rows(table)), [3, 1, 1]);
    let wire = broker.wire("s");
    broker.stick();
    let over_with_it = Connect { clean_start: false, ..connect("s", Version::V5) };
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(over_with_it))]);
    assert_eq!(broker.received(wire, Version::V5), [], "that it is to end is not on disk");
    let publisher = broker.client(options("q"));
    broker.publish(publisher, message("a", "6", QoS::ExactlyOnce));
    broker.unstick();
    assert_eq!(broker.all_rows(), 0);
    let got = broker.received(wire, Version::V5);
    assert!(matches!(&got[0], Packet::ConnAck(connack) if connack.session_present), "{got:?}");
    let ids: Vec<_> = got.iter().filter_map(id_of_publish).collect();
    let payload = |packet: &Packet| {
        if let Packet::Publish(publish) = packet { Some(publish.payload.clone()) } else { None }
    };
    let payloads: Vec<_> = got.iter().filter_map(payload).collect();
    assert_eq!(payloads, ["2", "3", "4", "6"], "what came before goes before");
    broker.stick();
    let received = |id: &PacketId| Packet::PubRec(PublishAck::success(*id));
    broker.send(wire, Version::V5, [received(&ids[1]), publish(7, "b", "5", QoS::ExactlyOnce)]);
    let got = broker.received(wire, Version::V5);
    assert_eq!(got.len(), 2, "nothing of it waits for the disk: {got:?}");
    broker.unstick();
    assert_eq!(broker.all_rows(), 0);
    let mut broker = broker.crash(NOW);
    let wire = broker.connected(resume("s", 10));
    assert_eq!(broker.received(wire, Version::V5), []);
    assert_eq!(broker.rows(Table::Subscriptions), 0);
}

#[test]
fn retained_messages_come_back_as_they_were_last_with_the_rest_of_their_time() {
    let mut broker = Broker::new(3);
    let publishers = ["p 1", "p 2", "p 3"].map(|id| broker.client(options(id)));
    for (publisher, payload) in publishers.into_iter().zip(["1", "2", "3"]) {
        broker.publish(publisher, retained("a", payload));
        broker.publish(publisher, retained("b", payload));
    }
    broker.publish(publishers[0], retained("b", ""));
    let properties = PublishProperties { message_expiry: Some(100), ..PublishProperties::default() };
    broker.publish(publishers[0], Publish { properties: Some(Box::new(properties)), ..retained("c", "4") });
    broker.publish(publishers[0], Publish { qos: QoS::AtMostOnce, ..retained("d", "5") });
    let mut broker = broker.crash(Duration::from_secs(60));
    let subscriber = broker.client(options("s"));
    broker.subscribe(subscriber, filter("#", QoS::AtLeastOnce));
    let got = broker.messages(subscriber);
    let texts: Vec<_> = got.iter().map(|publish| (publish.topic.as_str(), &publish.payload[..])).collect();
    assert_eq!(texts, [("a", &b"3"[..]), ("c", b"4"), ("d", b"5")]);
    let left = got[1].properties.as_ref().unwrap().message_expiry;
    assert!(left.is_some_and(|left| (30..=40).contains(&left)), "{left:?}");
    let broker = broker.crash(Duration::from_secs(60));
    assert_eq!(broker.rows(Table::Retained), 2);
}

#[test]
fn a_will_that_waits_for_its_delay_and_one_whose_client_lost_the_broker_go_out() {
    let mut broker = Broker::new(2);
    let listener = away(&mut broker, "listener", "wills/#", QoS::AtLeastOnce);
    for (id, topic, is_cut) in [("1", "wills/1", true), ("2", "wills/2", false)] {
        let mut options = persistent(id);
        options.will = Some(will(topic, Some(60)));
        let client = broker.client(options);
        if is_cut {
            broker.cut(client);
        }
    }
    let mut broker = broker.crash(Duration::from_secs(30));
    broker.wait(Duration::from_secs(31));
    broker.connect(listener);
    let topics = |broker: &mut Broker| -> Vec<String> {
        broker.messages(listener).iter().map(|publish| publish.topic.as_str().to_owned()).collect()
    };
    assert_eq!(topics(&mut broker), ["wills/1"]);
    broker.wait(Duration::from_secs(31));
    assert_eq!(topics(&mut broker), ["wills/2"]);
    let mut broker = broker.crash(NOW);
    broker.connect(listener);
    broker.wait(Duration::from_secs(120));
    assert_eq!(topics(&mut broker), [""; 0]);
}

#[test]
fn while_the_disk_fails_publishers_are_told_or_held_and_everything_else_goes_on() {
    let mut broker = Broker::new(3);
    // On every shard somebody needs the disk.
    let subscriber = away(&mut broker, "s", "kept", QoS::ExactlyOnce);
    for id in ["s 1", "s 2", "s 3", "s 4", "s 5"] {
        away(&mut broker, id, "other", QoS::ExactlyOnce);
    }
    let live = broker.client(options("live"));
    for id in ["live 1", "live 2", "live 3", "live 4"] {
        let also_live = broker.client(options(id));
        broker.subscribe(also_live, filter("live", QoS::ExactlyOnce));
    }
    broker.subscribe(live, filter("live", QoS::AtLeastOnce));
    let v5 = broker.connected(connect("v5", Version::V5));
    let v311 = broker.connected(connect("v311", Version::V311));
    broker.stick();
    let kept = |number, payload| publish(number, "kept", payload, QoS::ExactlyOnce);
    broker.send(v5, Version::V5, [kept(1, "1")]);
    broker.send(v311, Version::V311, [kept(1, "2")]);
    assert_eq!(broker.received(v5, Version::V5), []);
    broker.shared.set_store_failing(true);
    let now = broker.now;
    broker.shards.iter_mut().for_each(|shard| shard.handle_commit_failed(now));
    broker.run();
    let told = |number| Packet::PubRec(PublishAck::new(packet_id(number), ReasonCode::QuotaExceeded));
    assert_eq!(broker.received(v5, Version::V5), [told(1)]);
    broker.send(v5, Version::V5, [kept(2, "3"), publish(3, "live", "4", QoS::AtLeastOnce), Packet::PingReq]);
    let mut answers = broker.received(v5, Version::V5);
    answers.retain(|packet| *packet != Packet::PingResp);
    assert_eq!(answers, [told(2), Packet::PubAck(PublishAck::success(packet_id(3)))]);
    assert_eq!(broker.payloads(live), ["4"]);
    assert_eq!(broker.received(v311, Version::V311), []);
    let newcomer = broker.client(persistent("newcomer"));
    assert_eq!(broker.subscribe(newcomer, filter("a", QoS::AtLeastOnce)), ReasonCode::GrantedQoS1);
    broker.shared.set_store_failing(false);
    broker.unstick();
    assert_eq!(broker.received(v311, Version::V311), [Packet::PubRec(PublishAck::success(packet_id(1)))]);
    broker.connect(subscriber);
    let got = broker.payloads(subscriber);
    assert!(got.contains(&Bytes::from("2")), "{got:?}");
}

#[test]
fn a_message_that_moves_to_another_member_of_a_group_is_never_without_a_row() {
    let mut broker = Broker::new(3);
    let members = ["m 1", "m 2", "m 3", "m 4"].map(|id| broker.client(persistent(id)));
    for member in members {
        broker.subscribe(member, filter("$share/g/a", QoS::ExactlyOnce));
    }
    for member in members {
        broker.cut(member);
    }
    let publisher = broker.client(options("p"));
    for payload in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        broker.publish(publisher, message("a", payload, QoS::ExactlyOnce));
    }
    let mut got = Vec::new();
    for member in &members[..3] {
        // Its session ends, and others are to get what it has not; the process may end at any moment of that.
        broker.clients[*member].options_mut().clean_start = true;
        broker.connect(*member);
        assert_eq!(broker.rows(Table::References), 8);
        broker = broker.crash(NOW);
        got.extend(broker.payloads(*member));
    }
    broker.connect(members[3]);
    got.extend(broker.payloads(members[3]));
    got.sort();
    assert_eq!(got, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert_eq!(broker.rows(Table::Messages), 0);
}

#[test]
fn what_a_session_has_of_a_group_that_it_left_goes_to_the_others_if_it_ends_after_a_crash() {
    for shards in [1, 3] {
        let mut broker = Broker::new(shards);
        // Those that are there after it are on its shard or on others, and are read from the store before it or after it.
        let others = ["m 1", "m 2", "m 3", "m 4"].map(|id| broker.client(persistent(id)));
        let wire = broker.connected(resume("s", 1));
        broker.send(wire, Version::V5, [subscribe(1, &["$share/g/a"], QoS::ExactlyOnce)]);
        let publisher = broker.client(options("p"));
        for payload in ["1", "2", "3", "4"] {
            broker.publish(publisher, message("a", payload, QoS::ExactlyOnce));
        }
        for member in others {
            broker.subscribe(member, filter("$share/g/a", QoS::ExactlyOnce));
            broker.cut(member);
        }
        let filters = vec![TopicFilter::try_from("$share/g/a").unwrap()];
        let unsubscribe =
            Unsubscribe { packet_id: packet_id(2), filters, properties: UnsubscribeProperties::default() };
        broker.send(wire, Version::V5, [Packet::Unsubscribe(unsubscribe)]);
        let sent = broker.received(wire, Version::V5).iter().filter_map(id_of_publish).count();
        assert_eq!(sent, 1);
        broker = broker.crash(NOW);
        let wire = broker.connected(Connect { clean_start: true, ..resume("s", 1) });
        assert_eq!(broker.received(wire, Version::V5), []);
        let mut got = Vec::new();
        for member in others {
            broker.connect(member);
            got.extend(broker.payloads(member));
        }
        got.sort();
        assert_eq!(got, ["2", "3", "4"], "the first one was its own, {shards} shards");
        assert_eq!(broker.rows(Table::References), 0);
    }
}
