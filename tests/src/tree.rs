//! The live tree below `$hearth`: looked at by clients of every kind.

use std::time::{Duration, Instant};

use hearth_protocol::packet::{
    Packet, PacketId, Publish, Subscribe, SubscribeProperties, Subscription, Unsubscribe,
    UnsubscribeProperties, Will, WillProperties,
};
use hearth_protocol::{QoS, ReasonCode, Version};
use serde_json::Value;

use crate::hearth::{Hearth, HearthCommand};
use crate::mosquitto::{Subscriber, V311};
use crate::process::PATIENCE;
use crate::wire::{Wire, connect, message, topic_filter};

/// Topic and payload of the next message; `null` for an empty one.
#[track_caller]
fn next(wire: &mut Wire) -> (String, Value) {
    let publish = wire.next_publish();
    assert!(!publish.retain && publish.qos == QoS::AtMostOnce, "{publish:?}");
    let topic = publish.topic.as_str().to_owned();
    if publish.payload.is_empty() {
        return (topic, Value::Null);
    }
    let value = serde_json::from_slice(&publish.payload).unwrap_or_else(|error| panic!("{topic}: {error}"));
    (topic, value)
}

/// Reads on until a message of a topic is as wanted.
#[track_caller]
fn await_value(wire: &mut Wire, topic: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    let mut last = Value::Null;
    while Instant::now() < deadline {
        let (name, value) = next(wire);
        if name == topic && is_it(&value) {
            return value;
        }
        last = value;
    }
    panic!("{topic} is not as wanted, the last message is {last}");
}

/// The names or topics of rows.
fn names(window: &Value) -> Vec<&str> {
    let rows = window["rows"].as_array().unwrap_or_else(|| panic!("{window} has rows"));
    rows.iter().map(|row| row["name"].as_str().or_else(|| row["topic"].as_str()).unwrap()).collect()
}

fn client(hearth: &Hearth, client_id: &str) -> Wire {
    Wire::connect(hearth.mqtt(), connect(Version::V5, client_id)).0
}

fn unsubscribe(wire: &mut Wire, filter: &str) {
    wire.send(&Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::MAX,
        filters: vec![topic_filter(filter)],
        properties: UnsubscribeProperties::default(),
    }));
    while !matches!(wire.next(), Packet::UnsubAck(_)) {}
}

/// SUBACK's code for a filter, and its words.
fn subscribe_code(wire: &mut Wire, filter: &str) -> (ReasonCode, String) {
    wire.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MAX,
        subscriptions: vec![Subscription::new(topic_filter(filter), QoS::AtMostOnce)],
        properties: SubscribeProperties::default(),
    }));
    let Packet::SubAck(answer) = wire.next() else { panic!("SUBACK comes next") };
    let words = answer.properties.reason_string.map(|words| words.to_string()).unwrap_or_default();
    (answer.reasons[0], words)
}

fn retained(topic: &str, payload: &[u8]) -> Publish {
    Publish { retain: true, ..message(topic, payload, QoS::AtLeastOnce) }
}

#[test]
fn whoever_subscribes_to_a_branch_is_shown_what_is_in_it_and_then_what_changes() {
    let hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    device.publish_to_the_end(retained("home/hall/lamp", b"on"));
    device.publish_acknowledged("home/hall/lamp/power", b"12.5");
    device.publish_acknowledged("home/blob", b"\xff\x00");
    device.publish_acknowledged("car", b"parked");
    let mut page = client(&hearth, "page");
    page.subscribe("$hearth/tree/home/+", QoS::ExactlyOnce);
    let (topic, blob) = next(&mut page);
    assert_eq!((topic.as_str(), &blob["bytes"]), ("$hearth/tree/home/blob", &2.into()));
    assert_eq!(
        (&blob["base64"], &blob["value"], &blob["children"]),
        (&"/wA=".into(), &Value::Null, &Value::Null)
    );
    let (topic, hall) = next(&mut page);
    assert_eq!(topic, "$hearth/tree/home/hall");
    assert_eq!((&hall["topics"], &hall["messages"], &hall["children"]), (&2.into(), &2.into(), &1.into()));
    assert!(hall["bytes"].is_null(), "it is no topic: {hall}");
    let since = hall["at"].as_u64().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert!(since <= now + 1000 && now < since + 60_000, "{since} is a time of now, {now}");
    device.publish_acknowledged("home/hall/lamp/power", b"13");
    let hall = await_value(&mut page, "$hearth/tree/home/hall", |hall| hall["messages"] == 3);
    assert!(hall["rate"].as_f64().unwrap() > 0.0, "{hall}");
    unsubscribe(&mut page, "$hearth/tree/home/+");

    page.subscribe("$hearth/tree/#", QoS::AtMostOnce);
    let all: Vec<String> = (0..7).map(|_| next(&mut page).0).collect();
    let names = ["", "/car", "/home", "/home/blob", "/home/hall", "/home/hall/lamp", "/home/hall/lamp/power"];
    assert_eq!(all, names.map(|name| format!("$hearth/tree{name}")));
    device.publish_to_the_end(retained("home/hall/lamp", b""));
    device.publish_acknowledged("home/hall/lamp/power", b"14");
    let lamp = await_value(&mut page, "$hearth/tree/home/hall/lamp", |lamp| lamp["topics"] == 1);
    assert!(lamp["bytes"].is_null(), "what was given up is no topic any more: {lamp}");
    device.publish_to_the_end(retained("car", b""));
    await_value(&mut page, "$hearth/tree/car", Value::is_null);
}

#[test]
fn mosquitto_sub_shows_the_tree_to_a_person() {
    let hearth = Hearth::start();
    client(&hearth, "device").publish_to_the_end(retained("home/hall/lamp", b"on"));
    let mut person = Subscriber::start(hearth.mqtt(), V311, &["-t", "$hearth/tree/home/hall/+"]);
    let heard = person.next_message().text;
    assert!(heard.starts_with("$hearth/tree/home/hall/lamp {\"topics\":1,\"messages\":1,"), "{heard}");
    assert!(heard.ends_with("\"bytes\":2,\"value\":\"on\",\"retained\":true}"), "{heard}");
}

#[test]
fn a_window_is_a_part_of_a_branch_in_the_order_that_was_asked_for() {
    let hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    for (topic, messages) in [("b/x", 3), ("b/y", 1), ("b/z/1", 5), ("b/w", 2)] {
        for _ in 0..messages {
            device.publish_acknowledged(topic, b"1");
        }
    }
    let mut page = client(&hearth, "page");
    for (filter, expected) in [
        ("$hearth/window/name/0/3/b", &["w", "x", "y"][..]),
        ("$hearth/window/name/3/3/b", &["z"]),
        ("$hearth/window/name/4/3/b", &[]),
        ("$hearth/window/name/@x/2/b", &["x", "y"]),
        ("$hearth/window/name/@wz/9/b", &["x", "y", "z"]),
        ("$hearth/window/traffic/@w/9/b", &["w", "y"]),
        ("$hearth/window/traffic/0/10/b", &["z", "x", "w", "y"]),
        ("$hearth/window/rate/1/2/b", &["x", "w"]),
        ("$hearth/window/name/0/10/nothing", &[]),
    ] {
        page.subscribe(filter, QoS::AtMostOnce);
        let (topic, window) = next(&mut page);
        assert_eq!((topic.as_str(), names(&window)), (filter, expected.to_vec()), "{window}");
        let total = if filter.ends_with("nothing") { 0 } else { 4 };
        assert_eq!((&window["total"], &window["topics"]), (&total.into(), &total.into()));
        let from = match filter.split('/').nth(3) {
            Some("@x" | "@wz") => 1,
            Some("@w") => 2,
            Some(number) if total > 0 => number.parse().unwrap(),
            _ => 0,
        };
        assert_eq!(window["from"], from, "{filter}");
        unsubscribe(&mut page, filter);
    }
    page.subscribe("$hearth/window/activity/0/1/b", QoS::AtMostOnce);
    assert_eq!(next(&mut page).1["total"], 4);
    device.publish_acknowledged("b/new", b"1");
    let window = await_value(&mut page, "$hearth/window/activity/0/1/b", |window| names(window) == ["new"]);
    assert_eq!(window["total"], 5);
    let other = "$hearth/window/name/0/10/nothing";
    page.subscribe(other, QoS::AtMostOnce);
    device.publish_acknowledged("nothing/yet", b"1");
    await_value(&mut page, other, |window| names(window) == ["yet"]);
}

#[test]
fn a_search_finds_topics_by_name_and_by_value_and_finds_those_that_come_later() {
    let hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    for (topic, payload) in [("home/hall/lamp", "on"), ("home/bath/lamp", "OFF"), ("car/lights", "on")] {
        device.publish_acknowledged(topic, payload.as_bytes());
    }
    device.publish_acknowledged("rate/100%", b"x");
    let mut page = client(&hearth, "page");
    for (filter, expected) in [
        ("$hearth/find/name/0/10/lamp", &["home/bath/lamp", "home/hall/lamp"][..]),
        ("$hearth/find/name/0/10/on", &["car/lights", "home/hall/lamp"]),
        ("$hearth/find/name/0/10/off HALL", &[]),
        ("$hearth/find/name/1/1/lamp", &["home/hall/lamp"]),
        ("$hearth/find/name/0/10/%2B/%23 on", &["car/lights", "home/hall/lamp"]),
        ("$hearth/find/name/0/10/100%25", &["rate/100%"]),
        ("$hearth/find/name/0/10/$SYS/ version", &["$SYS/broker/version"]),
    ] {
        page.subscribe(filter, QoS::AtMostOnce);
        let (topic, found) = next(&mut page);
        assert_eq!((topic.as_str(), names(&found)), (filter, expected.to_vec()), "{found}");
        unsubscribe(&mut page, filter);
    }
    let filter = "$hearth/find/name/0/10/offline";
    page.subscribe(filter, QoS::AtMostOnce);
    assert_eq!(next(&mut page).1["total"], 0);
    device.publish_acknowledged("car", b"offline");
    await_value(&mut page, filter, |found| names(found) == ["car"]);
}

#[test]
fn a_flood_of_one_topic_makes_few_messages() {
    let hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    let mut page = client(&hearth, "page");
    let window = "$hearth/window/name/0/10/flood";
    page.subscribe("$hearth/tree/flood/+", QoS::AtMostOnce);
    page.subscribe(window, QoS::AtMostOnce);
    let begun = Instant::now();
    let mut sent = 0_u64;
    while begun.elapsed() < Duration::from_secs(2) || sent < 40_000 {
        for _ in 0..100 {
            device.send(&Packet::Publish(message("flood/it", sent.to_string().as_bytes(), QoS::AtMostOnce)));
            sent += 1;
        }
        device.send(&Packet::PingReq);
        assert_eq!(device.next(), Packet::PingResp);
    }
    let (mut of_node, mut of_window) = (0, 0);
    let last = (sent - 1).to_string();
    let (mut is_node_whole, mut is_window_whole) = (false, false);
    while !(is_node_whole && is_window_whole) {
        let (topic, value) = next(&mut page);
        if topic == window {
            of_window += 1;
            is_window_whole |= value["messages"] == sent && value["rows"][0]["value"] == *last;
        } else {
            of_node += 1;
            assert_eq!(topic, "$hearth/tree/flood/it");
            is_node_whole |= value["messages"] == sent && value["value"] == *last;
        }
    }
    // Four a second, with the first and the last.
    let most = 4 * begun.elapsed().as_secs() + 6;
    assert!(of_node <= most && of_window <= most, "{of_node} and {of_window} for {sent} messages");
}

#[test]
fn a_branch_of_a_hundred_thousand_topics_is_shown_in_parts() {
    let hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    let mut page = client(&hearth, "page");
    page.subscribe("$hearth/tree/plant", QoS::AtMostOnce);
    for number in 0..100_000 {
        let topic = format!("plant/{number:06}");
        device.send(&Packet::Publish(message(&topic, number.to_string().as_bytes(), QoS::AtMostOnce)));
        if number % 10_000 == 9_999 {
            // Not faster than a build without optimisation takes new topics in.
            await_value(&mut page, "$hearth/tree/plant", |plant| plant["topics"] == number + 1);
        }
    }
    unsubscribe(&mut page, "$hearth/tree/plant");
    for (from, filter) in
        [(0, "$hearth/window/name/0/50/plant"), (99_990, "$hearth/window/name/99990/50/plant")]
    {
        page.subscribe(filter, QoS::AtMostOnce);
        let window = await_value(&mut page, filter, |window| window["total"] == 100_000);
        let shown = names(&window);
        assert_eq!(shown.len(), if from == 0 { 50 } else { 10 });
        assert_eq!(
            (shown[0], &window["rows"][0]["value"]),
            (&*format!("{from:06}"), &from.to_string().into())
        );
        unsubscribe(&mut page, filter);
    }
    let filter = "$hearth/find/name/0/20/plant 09999";
    page.subscribe(filter, QoS::AtMostOnce);
    let (_, found) = next(&mut page);
    assert_eq!(found["total"], 11, "ten by name and one of those by value: {found}");
    unsubscribe(&mut page, filter);
    page.subscribe("$hearth/tree/plant/#", QoS::AtMostOnce);
    let bounded: Vec<String> = (0..500).map(|_| next(&mut page).0).collect();
    assert_eq!(bounded[499], "$hearth/tree/plant/000498");
    device.send(&Packet::Publish(message("plant/000000", b"again", QoS::AtMostOnce)));
    let again = await_value(&mut page, "$hearth/tree/plant/000000", |node| node["value"] == "again");
    assert_eq!(again["messages"], 2);
}

#[test]
fn what_is_retained_is_in_the_tree_of_the_next_start_and_what_looked_at_it_is_shown_it_anew() {
    let mut hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    device.publish_to_the_end(retained("home/hall/lamp", b"on"));
    device.publish_acknowledged("home/hall/power", b"5");
    let mut page = connect(Version::V5, "page");
    page.properties.session_expiry = Some(1000);
    let (mut wire, _) = Wire::connect(hearth.mqtt(), page.clone());
    let filter = "$hearth/window/name/0/10/home/hall";
    wire.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MAX,
        subscriptions: vec![Subscription::new(topic_filter(filter), QoS::AtMostOnce)],
        properties: SubscribeProperties { subscription_id: Some(7), ..SubscribeProperties::default() },
    }));
    // SUBACK waits for the disk, and what is shown does not.
    let (mut shown, mut is_kept) = (None, false);
    while shown.is_none() || !is_kept {
        match wire.next() {
            Packet::Publish(publish) => shown = Some(publish),
            Packet::SubAck(_) => is_kept = true,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shown.unwrap().properties.unwrap().subscription_ids, [7]);
    let hearth = hearth.crash().start_again();
    page.clean_start = false;
    let (mut wire, answer) = Wire::connect(hearth.mqtt(), page);
    assert!(answer.session_present);
    let window = await_value(&mut wire, filter, |window| window["total"] == 1);
    assert_eq!(names(&window), ["lamp"], "{window}");
    let lamp = &window["rows"][0];
    assert_eq!(
        (&lamp["retained"], &lamp["value"], &lamp["messages"]),
        (&true.into(), &"on".into(), &0.into())
    );
    assert!(lamp["at"].is_null(), "nobody knows when: {lamp}");
}

#[test]
fn a_retained_message_that_expires_is_not_retained_any_more() {
    let hearth = Hearth::start();
    let mut device = client(&hearth, "device");
    let mut expiring = retained("home/soon", b"gone");
    let mut properties = hearth_protocol::packet::PublishProperties::EMPTY;
    properties.message_expiry = Some(1);
    expiring.properties = Some(Box::new(properties));
    device.publish_to_the_end(expiring);
    let mut page = client(&hearth, "page");
    page.subscribe("$hearth/tree/home/soon", QoS::AtMostOnce);
    assert_eq!(next(&mut page).1["retained"], true);
    let soon = await_value(&mut page, "$hearth/tree/home/soon", |soon| soon["retained"].is_null());
    assert_eq!(soon["value"], "gone", "it was its last value all the same");
}

#[test]
fn nobody_publishes_below_hearth_and_a_filter_that_shows_nothing_is_refused_with_what_to_write() {
    let hearth = Hearth::start();
    let mut page = client(&hearth, "page");
    page.subscribe("$hearth/tree", QoS::AtMostOnce);
    let (topic, root) = next(&mut page);
    assert_eq!((topic.as_str(), &root["topics"]), ("$hearth/tree", &0.into()));
    let mine =
        Publish { packet_id: Some(PacketId::MIN), ..message("$hearth/tree", b"mine", QoS::AtLeastOnce) };
    page.send(&Packet::Publish(mine));
    let Packet::PubAck(answer) = page.next() else { panic!("PUBACK comes") };
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    page.assert_quiet();
    for filter in
        ["$hearth", "$hearth/#", "$hearth/trees/x", "$hearth/window/size/0/10", "$hearth/find/name/0/501/x"]
    {
        let (code, words) = subscribe_code(&mut page, filter);
        assert_eq!(code, ReasonCode::TopicFilterInvalid, "{filter}");
        assert!(words.contains("$hearth") || words.contains("row"), "{filter}: {words}");
    }
    let shared = subscribe_code(&mut page, "$share/group/$hearth/tree");
    assert_eq!(shared.0, ReasonCode::TopicFilterInvalid, "{}", shared.1);
    let will = Will {
        topic: message("$hearth/tree/a", b"", QoS::AtMostOnce).topic,
        payload: bytes::Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: WillProperties::default(),
    };
    let mut wire = Wire::open(hearth.mqtt(), Version::V5);
    let refused = hearth_protocol::packet::Connect { will: Some(will), ..connect(Version::V5, "will") };
    wire.send(&Packet::Connect(Box::new(refused)));
    let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes") };
    assert!(answer.reason.is_failure(), "{answer:?}");
    assert_eq!(answer.properties.reason_string.map(|words| words.contains("$hearth")), Some(true));
}

#[test]
fn without_the_tree_its_filters_are_refused_and_its_figures_are_not_there() {
    let hearth = HearthCommand::new()
        .env("HEARTH_TREE_ENABLED", "false")
        .args(["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none"])
        .start();
    let mut page = client(&hearth, "page");
    let (code, words) = subscribe_code(&mut page, "$hearth/tree/#");
    assert_eq!(code, ReasonCode::ImplementationSpecificError);
    assert!(words.contains("tree.enabled"), "{words}");
}

#[test]
fn a_full_tree_lets_the_topic_go_that_was_silent_longest() {
    let hearth = HearthCommand::new()
        .env("HEARTH_TREE_TOPICS_MAX", "3")
        .env("HEARTH_SYS_INTERVAL_SECONDS", "0")
        .args(["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none"])
        .start();
    let mut device = client(&hearth, "device");
    let mut page = client(&hearth, "page");
    let filter = "$hearth/window/name/0/10";
    page.subscribe(filter, QoS::AtMostOnce);
    device.publish_to_the_end(retained("kept", b"1"));
    for topic in ["one", "two", "three"] {
        device.publish_acknowledged(topic, b"1");
    }
    let window = await_value(&mut page, filter, |window| names(window) == ["kept", "three", "two"]);
    assert_eq!((&window["topics"], &window["messages"]), (&3.into(), &4.into()));
}
