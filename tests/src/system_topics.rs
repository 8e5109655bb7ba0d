//! What the broker says about itself below `$SYS`.

use std::collections::BTreeMap;

use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, Version};

use crate::hearth::{Hearth, HearthCommand};
use crate::wire::{Wire, connect, message};

/// Reads until every name was said.
#[track_caller]
fn read(wire: &mut Wire, names: &[&str]) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    while names.iter().any(|name| !said.contains_key(*name)) {
        let publish = wire.next_publish();
        let value = String::from_utf8(publish.payload.to_vec()).unwrap();
        said.insert(publish.topic.as_str().to_owned(), value);
    }
    said
}

#[test]
fn who_subscribes_to_sys_hears_what_the_broker_counts_and_hears_it_again_when_it_changes() {
    let hearth = HearthCommand::new()
        .env("HEARTH_SYS_INTERVAL_SECONDS", "1")
        .args(["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none", "--shards", "2"])
        .start();
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "watcher"));
    wire.subscribe("$SYS/#", QoS::AtMostOnce);
    let names = [
        "$SYS/broker/version",
        "$SYS/broker/uptime",
        "$SYS/broker/clients/connected",
        "$SYS/broker/load/bytes/received/1min",
        "$SYS/broker/retained messages/count",
        "$SYS/hearth/limited/packet_bytes_max",
        "$SYS/hearth/shards/1/connections",
    ];
    let said = read(&mut wire, &names);
    assert!(said["$SYS/broker/version"].starts_with("hearth version "), "{said:?}");
    let (_other, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "other"));
    while read(&mut wire, &["$SYS/broker/clients/connected"])["$SYS/broker/clients/connected"] != "2" {}
}

#[test]
fn sys_is_heard_by_its_name_alone_and_nobody_else_publishes_there() {
    let hearth = Hearth::start();
    let (mut all, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "all"));
    let (mut sys, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "sys"));
    all.subscribe("#", QoS::AtMostOnce);
    sys.subscribe("$SYS/broker/version", QoS::AtMostOnce);
    assert!(sys.next_publish().payload.starts_with(b"hearth version "), "which is retained");
    // Who subscribes while it is published gets it kept and live.
    sys.send(&Packet::PingReq);
    while sys.next() != Packet::PingResp {}
    all.send(&Packet::Publish(message("$SYS/broker/version", b"mine", QoS::AtMostOnce)));
    all.assert_quiet();
    sys.assert_quiet();
}
