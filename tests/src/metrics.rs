//! `/metrics` as a collector reads it.

use std::collections::{BTreeMap, BTreeSet};

use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, Version};

use crate::hearth::Hearth;
use crate::http::fetch;
use crate::wire::{Wire, connect, message};

/// The document, of which every row is a metric.
const REFERENCE: &str = include_str!("../../docs/metrics.md");

/// What a collector gets.
pub fn scrape(hearth: &Hearth) -> String {
    let answer = fetch(hearth.http(), "/metrics", &[]);
    assert_eq!(answer.status, 200);
    let content_type = answer.expect_header("content-type");
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(answer.expect_header("cache-control"), "no-store");
    answer.text()
}

/// The sum of a metric over all its labels that have all of `labels` among them.
pub fn sum(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of_it = |line: &&str| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label))
    };
    let lines: Vec<&str> = text.lines().filter(of_it).collect();
    assert!(!lines.is_empty(), "{name} with {labels:?} in\n{text}");
    lines.iter().map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[test]
fn the_reference_has_each_metric_with_its_type_and_no_other() {
    let hearth = Hearth::start();
    // What is counted by reason is there when it has occurred: a CONNECT that no rule allows, and a broken packet.
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "breaker"));
    wire.send_bytes(b"\x00\x00");
    while wire.next_or_end().is_some() {}
    let mut stranger = Wire::open(hearth.mqtt(), Version::V311);
    stranger.send_bytes(b"\x10\x0c\x00\x04MQTT\x09\x02\x00\x00\x00\x00");
    while stranger.next_or_end().is_some() {}
    let text = scrape(&hearth);
    let exposed: BTreeMap<String, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (if kind == "counter" { format!("{name}_total") } else { name.to_owned() }, kind))
        .collect();
    let documented: BTreeMap<String, &str> = REFERENCE
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            let kind = rest.split(" | ").next()?;
            ["counter", "gauge", "histogram"].contains(&kind).then(|| (name.to_owned(), kind))
        })
        .collect();
    assert_eq!(exposed, documented);
}

#[test]
fn messages_and_bytes_are_counted_by_direction_and_qos() {
    let hearth = Hearth::start();
    let (mut reader, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "reader"));
    reader.subscribe("m/#", QoS::ExactlyOnce);
    let (mut writer, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "writer"));
    writer.send(&Packet::Publish(message("m/0", b"12345", QoS::AtMostOnce)));
    reader.next_publish();
    writer.publish_to_the_end(message("m/1", b"123", QoS::AtLeastOnce));
    reader.next_publish();
    let text = scrape(&hearth);
    for (name, zero, one) in [
        ("hearth_messages_received_total", 1.0, 1.0),
        ("hearth_messages_sent_total", 1.0, 1.0),
        ("hearth_payload_bytes_received_total", 5.0, 3.0),
        ("hearth_payload_bytes_sent_total", 5.0, 3.0),
    ] {
        assert_eq!(sum(&text, name, &["qos=\"0\""]), zero, "{name}");
        assert_eq!(sum(&text, name, &["qos=\"1\""]), one, "{name}");
        assert_eq!(sum(&text, name, &["qos=\"2\""]), 0.0, "{name}");
    }
    assert_eq!(sum(&text, "hearth_clients_connected", &[]), 2.0);
    assert_eq!(sum(&text, "hearth_subscriptions", &["kind=\"own\""]), 1.0);
    assert!(sum(&text, "hearth_turn_seconds_count", &[]) > 0.0);
    assert_eq!(sum(&text, "hearth_store_state", &["state=\"writing\""]), 1.0);
}

#[test]
fn series_grow_with_shards_and_never_with_clients_or_topics() {
    let hearth = Hearth::start();
    let names = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let (mut first, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "first"));
    first.publish_acknowledged("t/first", b"1");
    let before = names(&scrape(&hearth));
    for number in 0..20 {
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, &format!("client-{number}")));
        wire.publish_acknowledged(&format!("t/{number}"), b"1");
    }
    assert_eq!(names(&scrape(&hearth)), before);
}

#[test]
fn whoever_may_not_connect_without_a_name_does_not_see_metrics() {
    let hearth = Hearth::start_with(&["--anonymous", "no"]);
    let answer = fetch(hearth.http(), "/metrics", &[]);
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("auth.anonymous"), "{}", answer.text());
}
