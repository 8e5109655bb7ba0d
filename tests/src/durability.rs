//! What is acknowledged survives the process; what cannot be kept is not acknowledged.

use hearth_protocol::packet::{ConnectProperties, Packet, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::hearth::{Hearth, HearthCommand};
use crate::http::fetch;
use crate::wire::{Wire, connect, message};

const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

/// A client whose session is kept; whether it was there.
fn lasting(hearth: &Hearth, version: Version, client_id: &str) -> (Wire, bool) {
    let properties = ConnectProperties { session_expiry: Some(3600), ..ConnectProperties::default() };
    let properties = if version.is_v5() { properties } else { ConnectProperties::default() };
    let connect =
        hearth_protocol::packet::Connect { clean_start: false, properties, ..connect(version, client_id) };
    let (wire, connack) = Wire::connect(hearth.mqtt(), connect);
    (wire, connack.session_present)
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let mut hearth = Hearth::start();
    for version in VERSIONS {
        let (mut subscriber, _) = lasting(&hearth, version, &format!("subscriber {version}"));
        subscriber.subscribe("kept/#", QoS::ExactlyOnce);
    }
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher")).0;
    for (number, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce), (3, QoS::ExactlyOnce)] {
        publisher.publish_to_the_end(message("kept/a", number.to_string().as_bytes(), qos));
    }
    let retained =
        hearth_protocol::packet::Publish { retain: true, ..message("state", b"on", QoS::AtLeastOnce) };
    publisher.publish_to_the_end(retained);
    for _ in 0..2 {
        hearth = hearth.crash().start_again();
    }
    for version in VERSIONS {
        let (mut subscriber, session_present) = lasting(&hearth, version, &format!("subscriber {version}"));
        assert!(session_present, "{version}");
        let payloads = [(); 3].map(|()| subscriber.next_publish().payload);
        assert_eq!(payloads, ["1", "2", "3"], "{version}");
        subscriber.subscribe("state", QoS::AtLeastOnce);
        assert_eq!(subscriber.next_publish().payload, "on", "{version}");
    }
}

#[test]
fn an_orderly_stop_keeps_the_same() {
    let mut hearth = Hearth::start_with(&["--durability", "os"]);
    let (mut subscriber, _) = lasting(&hearth, Version::V5, "subscriber");
    subscriber.subscribe("a", QoS::ExactlyOnce);
    drop(subscriber);
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher")).0;
    publisher.publish_to_the_end(message("a", b"1", QoS::AtLeastOnce));
    let hearth = hearth.stop().start_again();
    let (mut subscriber, session_present) = lasting(&hearth, Version::V5, "subscriber");
    assert!(session_present);
    assert_eq!(subscriber.next_publish().payload, "1");
}

#[test]
fn without_durability_nothing_is_written() {
    let mut hearth = Hearth::start_with(&["--durability", "none"]);
    let (mut subscriber, _) = lasting(&hearth, Version::V5, "subscriber");
    subscriber.subscribe("a", QoS::ExactlyOnce);
    drop(subscriber);
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher")).0;
    publisher.publish_to_the_end(message("a", b"1", QoS::AtLeastOnce));
    assert_eq!(std::fs::read_dir(hearth.data()).unwrap().count(), 0);
    let hearth = hearth.stop().start_again();
    assert!(!lasting(&hearth, Version::V5, "subscriber").1);
}

#[test]
fn two_brokers_do_not_share_a_folder() {
    let hearth = Hearth::start();
    let folder = hearth.data().to_str().unwrap();
    let ended = HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none", "--data", folder])
        .run();
    assert_eq!(ended.status.code(), Some(2));
    let sentence =
        format!("hearth: another Hearth uses the folder {folder}; stop it, or choose another with --data");
    assert!(ended.stderr.contains(&sentence), "{}", ended.stderr);
}

/// Sets how large files may become: with no room at all, as on a full disk.
fn set_room(hearth: &Hearth, bytes: Option<u64>) {
    let pid = Pid::from_raw(hearth.id().try_into().unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[test]
fn a_full_disk_stops_what_would_be_a_lie_and_nothing_else() {
    let hearth = Hearth::start();
    let (mut subscriber, _) = lasting(&hearth, Version::V5, "subscriber");
    subscriber.subscribe("kept", QoS::ExactlyOnce);
    drop(subscriber);
    let mut listener = Wire::connect(hearth.mqtt(), connect(Version::V5, "listener")).0;
    listener.subscribe("live", QoS::AtLeastOnce);
    let [mut v311, mut v5] =
        VERSIONS.map(|version| Wire::connect(hearth.mqtt(), connect(version, &format!("{version}"))).0);
    let kept = |payload: &[u8], number: u16| {
        let packet_id = hearth_protocol::packet::PacketId::new(number);
        hearth_protocol::packet::Publish { packet_id, ..message("kept", payload, QoS::AtLeastOnce) }
    };
    set_room(&hearth, Some(0));
    v311.send(&Packet::Publish(kept(b"held", 1)));
    for number in 1..=2 {
        v5.send(&Packet::Publish(kept(b"told", number)));
        let told = PublishAck::new(kept(b"", number).packet_id.unwrap(), ReasonCode::QuotaExceeded);
        assert_eq!(v5.next(), Packet::PubAck(told));
    }
    hearth.wait_for_log(&["ERROR", "the store cannot be written"]);
    let readiness = fetch(hearth.http(), "/readyz", &[]);
    assert_eq!(readiness.status, 503);
    assert!(readiness.text().contains(r#""state":"store_failing""#), "{}", readiness.text());
    v5.publish_acknowledged("live", b"goes on");
    assert_eq!(listener.next_publish().payload, "goes on");
    v311.assert_quiet();
    set_room(&hearth, None);
    assert!(matches!(v311.next(), Packet::PubAck(_)));
    hearth.wait_for_log(&["INFO", "the store can be written again"]);
    assert_eq!(fetch(hearth.http(), "/readyz", &[]).status, 200);
    v5.publish_acknowledged("kept", b"last");
    let hearth = {
        let mut hearth = hearth;
        hearth.crash()
    }
    .start_again();
    let (mut subscriber, _) = lasting(&hearth, Version::V5, "subscriber");
    let mut got = Vec::new();
    while got.last().is_none_or(|payload| *payload != "last") {
        got.push(subscriber.next_publish().payload);
    }
    assert!(got.iter().any(|payload| *payload == "held"), "{got:?}");
}
