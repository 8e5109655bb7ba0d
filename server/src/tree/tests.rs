//! A shard with clients and the keeper beside it, without sockets and without their threads: who is shown what.

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hearth_broker::{
    Access, Admission, AllowAll, ConnectionId, Decision, Effect, Limits, Options, Peer, Shard, ShardCount,
    ShardId, Shared, Subject, TallySlot, Transport, ViewChange,
};
use hearth_protocol::codec::encode;
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, Subscribe, SubscribeProperties, Subscription,
};
use hearth_protocol::{QoS, Text, TopicFilter, TopicName, Version, topic};
use serde_json::Value;

use super::desk::Patience;
use super::keeper::{Surroundings, Tree, Work};
use crate::clock::Clock;
use crate::config::TreeConfig;
use crate::shard_driver;

/// Lets each client see what these filters match, which anybody may change.
#[derive(Clone, Default)]
struct Lists(Arc<Mutex<Vec<(&'static str, &'static str)>>>);

impl Access for Lists {
    fn connect(&self, peer: &Peer, connect: &Connect) -> Admission {
        AllowAll.connect(peer, connect)
    }

    fn publish(&self, _: Subject<'_>, _: &TopicName) -> Decision {
        Decision::Allow
    }

    fn subscribe(&self, subject: Subject<'_>, filter: &TopicFilter) -> Decision {
        let lists = self.0.lock().unwrap();
        let mut own =
            lists.iter().filter(|(client, _)| *client == subject.client_id).map(|(_, filter)| *filter);
        let asked = filter.as_str();
        let is_allowed = own.any(|list| {
            list == asked
                || (!filter.has_wildcard() && topic::matches(list, asked))
                || list.strip_suffix('#').is_some_and(|top| asked.starts_with(top) && !asked.starts_with('$'))
        });
        if is_allowed { Decision::Allow } else { Decision::Deny }
    }
}

struct House {
    shard: Shard,
    work: Work,
    desk: Arc<super::Desk>,
    inbox: Arc<shard_driver::Inbox>,
    slot: Arc<TallySlot>,
    clock: Clock,
    lists: Lists,
}

impl House {
    fn new(lists: &[(&'static str, &'static str)]) -> Self {
        let access = Lists(Arc::new(Mutex::new(lists.to_vec())));
        let options = Options { tree: true, ..Options::default() };
        let count = ShardCount::new(NonZeroU16::MIN);
        let shared = Shared::with_access(count, Limits::default(), [1, 2], Box::new(access.clone()));
        let shared = Arc::new(shared.with_options(options));
        let (inboxes, _seats) = shard_driver::connect(1);
        let (clock, tree) = (Clock::start(), Tree::new(&TreeConfig::default(), 1));
        let mut shard = Shard::new(Arc::clone(&shared), ShardId::new(0));
        shard.set_tally(Arc::clone(&tree.slots[0]));
        let (desk, inbox) = (Arc::clone(&tree.desk), Arc::clone(&inboxes[0]));
        let slot = Arc::clone(&tree.slots[0]);
        let work = Work::new(tree, Surroundings { shared, inboxes: inboxes.into(), clock });
        Self { shard, work, desk, inbox, slot, clock, lists: access }
    }

    fn client(&mut self, client_id: &str) -> ConnectionId {
        let peer = Peer {
            address: None,
            is_local: true,
            transport: Transport::Tcp,
            assigned_client_id: Text::EMPTY,
        };
        let id = self.shard.handle_open(self.clock.now(), peer);
        let connect = Packet::Connect(Box::new(Connect {
            version: Version::V5,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            client_id: Text::try_from(client_id).unwrap(),
            will: None,
            user_name: None,
            password: None,
            properties: ConnectProperties::default(),
        }));
        self.send(id, &connect);
        id
    }

    fn send(&mut self, id: ConnectionId, packet: &Packet) {
        let mut bytes = BytesMut::new();
        encode(packet, Version::V5, &mut bytes).unwrap();
        self.shard.handle_input(self.clock.now(), id, &mut bytes);
        self.shard.handle_turn_end();
        while let Some(effect) = self.shard.poll_effect() {
            if let Effect::View(change) = effect {
                self.desk.change(0, change);
            }
        }
    }

    fn publish(&mut self, id: ConnectionId, topic: &str, payload: &'static str, retain: bool) {
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain,
            topic: TopicName::try_from(topic).unwrap(),
            packet_id: None,
            payload: payload.into(),
            properties: None,
        };
        self.send(id, &Packet::Publish(publish));
    }

    fn look(&mut self, id: ConnectionId, filter: &str) {
        let filter = TopicFilter::try_from(filter).unwrap();
        self.send(
            id,
            &Packet::Subscribe(Subscribe {
                packet_id: PacketId::MIN,
                subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
                properties: SubscribeProperties::default(),
            }),
        );
    }

    /// What the keeper tells until so many messages have come.
    fn told(&mut self, count: usize) -> Vec<(String, Value)> {
        let mut all = self.inbox.take_told();
        while all.len() < count {
            let patience = self.work.patience(Instant::now());
            let word = self.desk.wait(patience);
            self.work.turn(word);
            all.extend(self.inbox.take_told());
        }
        let line = |told: hearth_broker::Told| {
            let value = serde_json::from_slice(&told.payload).unwrap_or(Value::Null);
            (told.topic.as_str().to_owned(), value)
        };
        all.into_iter().map(line).collect()
    }
}

fn names(window: &Value) -> Vec<&str> {
    let name = |row: &'_ Value| row["name"].as_str().or_else(|| row["topic"].as_str()).map(str::len);
    let rows = window["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| name(row).is_some()), "{window}");
    rows.iter().filter_map(|row| row["name"].as_str().or_else(|| row["topic"].as_str())).collect()
}

fn with_topics(lists: &[(&'static str, &'static str)]) -> (House, ConnectionId) {
    let mut house = House::new(lists);
    let device = house.client("device");
    for topic in ["home/hall/lamp", "home/hall", "home/bath/lamp", "safe/code", "safe/home/lamp"] {
        house.publish(device, topic, "secret 42", false);
    }
    (house, device)
}

#[test]
fn a_client_sees_nothing_of_what_it_may_not_read() {
    let (mut house, _) = with_topics(&[("all", "#"), ("guest", "home/+/lamp"), ("owner", "home/#")]);
    for (client, filter, expected, topics) in [
        ("all", "$hearth/window/name/0/10", &["home", "safe"][..], 5),
        ("guest", "$hearth/window/name/0/10", &["home"], 2),
        ("guest", "$hearth/window/name/0/10/home", &["bath", "hall"], 2),
        ("guest", "$hearth/window/traffic/0/10/home/hall", &["lamp"], 1),
        ("guest", "$hearth/window/name/0/10/safe", &[], 0),
        ("owner", "$hearth/window/rate/0/10", &["home"], 3),
        ("nobody", "$hearth/window/name/0/10", &[], 0),
    ] {
        let id = house.client(client);
        house.look(id, filter);
        let told = house.told(1);
        assert_eq!((told[0].0.as_str(), names(&told[0].1)), (filter, expected.to_vec()), "{client}");
        let messages = &told[0].1["messages"];
        assert_eq!((&told[0].1["topics"], messages), (&topics.into(), &topics.into()), "{client}: {told:?}");
        assert_eq!(told[0].1["total"], expected.len(), "{client}");
    }
    for (client, expected) in [
        ("all", &["home/bath/lamp", "home/hall", "home/hall/lamp", "safe/code", "safe/home/lamp"][..]),
        ("guest", &["home/bath/lamp", "home/hall/lamp"]),
        ("nobody", &[]),
    ] {
        let id = house.client(client);
        house.look(id, "$hearth/find/name/0/10/secret");
        let told = house.told(1);
        assert_eq!((names(&told[0].1), &told[0].1["total"]), (expected.to_vec(), &expected.len().into()));
    }
}

#[test]
fn a_branch_that_is_a_hidden_topic_shows_its_children_and_not_its_value() {
    let (mut house, device) = with_topics(&[("guest", "home/+/lamp")]);
    let guest = house.client("guest");
    house.look(guest, "$hearth/tree/home/#");
    let told = house.told(5);
    let topics: Vec<&str> = told.iter().map(|(topic, _)| topic.as_str()).collect();
    let expected = ["home", "home/bath", "home/bath/lamp", "home/hall", "home/hall/lamp"];
    assert_eq!(topics, expected.map(|name| format!("$hearth/tree/{name}")));
    assert!(told[3].1["bytes"].is_null() && told[4].1["value"] == "secret 42", "{told:?}");
    // What is hidden from it changes nothing that it is shown.
    house.publish(device, "home/hall", "2", false);
    house.publish(device, "home/bath/lamp", "3", false);
    let told = house.told(3);
    let topics: Vec<&str> = told.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["$hearth/tree/home", "$hearth/tree/home/bath", "$hearth/tree/home/bath/lamp"]);
}

#[test]
fn rules_that_change_hide_what_was_shown() {
    let (mut house, _) = with_topics(&[("guest", "#")]);
    let guest = house.client("guest");
    house.look(guest, "$hearth/tree/+");
    assert_eq!(house.told(2).len(), 2);
    house.lists.0.lock().unwrap().clear();
    house.desk.access_changed();
    let told = house.told(2);
    assert!(told.iter().all(|(_, value)| value.is_null()), "both are gone: {told:?}");
}

#[test]
fn what_was_missed_is_told_anew_and_what_is_unchanged_is_not_told_again() {
    let (mut house, device) = with_topics(&[("page", "#")]);
    let page = house.client("page");
    house.look(page, "$hearth/tree/+");
    house.look(page, "$hearth/tree/safe/code");
    assert_eq!(house.told(3).len(), 3);
    house.publish(device, "safe/code", "new", false);
    let told = house.told(2);
    let topics: Vec<&str> = told.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["$hearth/tree/safe", "$hearth/tree/safe/code"], "and not home");
    let id = {
        let changes = house.desk.wait(Patience { at_most: Some(Duration::ZERO), is_idle: false });
        assert!(changes.changes.is_empty());
        house.work.watching()[1]
    };
    house.desk.change(0, ViewChange::Missed(id));
    assert_eq!(house.told(1)[0].0, "$hearth/tree/safe/code");
}

#[test]
fn a_retained_message_that_is_cleared_takes_its_topic_along() {
    let mut house = House::new(&[("page", "#")]);
    let device = house.client("device");
    let page = house.client("page");
    house.look(page, "$hearth/window/name/0/10");
    assert_eq!(house.told(1)[0].1["total"], 0);
    house.publish(device, "lamp", "on", true);
    let told = house.told(1);
    assert_eq!((names(&told[0].1), &told[0].1["rows"][0]["retained"]), (vec!["lamp"], &true.into()));
    house.publish(device, "lamp", "", true);
    let told = house.told(1);
    assert_eq!((names(&told[0].1), &told[0].1["messages"]), (vec![], &2.into()));
}

#[test]
fn a_search_among_what_is_retained_leaves_out_what_was_only_heard_and_what_is_cleared() {
    let mut house = House::new(&[("page", "#")]);
    let (device, page) = (house.client("device"), house.client("page"));
    for (topic, is_retained) in [("home/lamp", true), ("home/door", false), ("car/lamp", true)] {
        house.publish(device, topic, "on", is_retained);
    }
    house.look(page, "$hearth/retained/name/0/10");
    let told = house.told(1);
    assert_eq!((names(&told[0].1), &told[0].1["total"]), (vec!["car/lamp", "home/lamp"], &2.into()));
    house.look(page, "$hearth/retained/name/0/10/home/%23");
    let told = house.told(1);
    assert_eq!((names(&told[0].1), &told[0].1["total"]), (vec!["home/lamp"], &1.into()));
    house.publish(device, "home/lamp", "", true);
    let told = house.told(2);
    let found: Vec<_> = told.iter().map(|(_, found)| (names(found), &found["total"])).collect();
    assert_eq!(found, [(vec!["car/lamp"], &1.into()), (vec![], &0.into())]);
}

#[test]
fn what_is_retained_is_found_again_when_messages_were_left_out() {
    let mut house = House::new(&[("page", "#")]);
    let (device, page) = (house.client("device"), house.client("page"));
    for topic in ["one", "two"] {
        house.publish(device, topic, "on", true);
    }
    house.look(page, "$hearth/tree/+");
    assert_eq!(house.told(2).len(), 2);
    house.publish(device, "one", "", true);
    house.publish(device, "three", "on", true);
    let lost = house.slot.exchange(Box::default(), Duration::ZERO).ok().unwrap();
    assert_eq!(lost.sightings().count(), 2);
    house.work.on_left_out(2);
    let told = house.told(2);
    let shown: Vec<_> = told.iter().map(|(topic, value)| (topic.as_str(), &value["retained"])).collect();
    assert_eq!(shown, [("$hearth/tree/one", &Value::Null), ("$hearth/tree/three", &true.into())]);
}

#[test]
fn what_comes_while_rows_hold_is_shown_when_they_do_so_no_more_though_nothing_else_comes() {
    let lists = [("page", "#"), ("guest", "home/#")];
    for (client, filter, expected) in [
        ("page", "$hearth/find/name/0/10/lamp", "home/lamp"),
        ("page", "$hearth/retained/name/0/10", "home/lamp"),
        ("page", "$hearth/window/activity/0/10", "home"),
        ("guest", "$hearth/window/name/0/10", "home"),
    ] {
        let mut house = House::new(&lists);
        let (device, page) = (house.client("device"), house.client(client));
        house.look(page, filter);
        assert_eq!(names(&house.told(1)[0].1), [""; 0], "{filter}");
        house.publish(device, "home/lamp", "on", true);
        // The keeper hears of it, and from then on knows when there is something to do.
        let mut patience = Patience { at_most: Some(Duration::ZERO), is_idle: false };
        let shown = loop {
            assert!(patience.at_most.is_some(), "{filter}: nothing is due any more");
            let word = house.desk.wait(patience);
            house.work.turn(word);
            patience = house.work.patience(Instant::now());
            let told = house.told(0);
            if told.iter().any(|(_, window)| names(window) == [expected]) {
                break told.len();
            }
        };
        assert_eq!(shown, 1, "{filter}");
    }
}
