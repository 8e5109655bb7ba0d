//! More than clients take: what is held for them is bounded, and those who keep up notice nothing.

use std::time::Instant;

use hearth_protocol::packet::{Connect, ConnectProperties, Packet, PacketId, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};
use serde_json::Value;

use crate::hearth::{Hearth, HearthCommand};
use crate::http::fetch;
use crate::process::PATIENCE;
use crate::wire::{Wire, connect, message};

const LOCAL: &str = "127.0.0.1:0";
const BYTES: usize = 64 << 10;

/// One shard, so that a publisher is told what became of its message; nothing on the disk, so that memory is what is held.
fn start(settings: &[(&str, &str)]) -> Hearth {
    let command = HearthCommand::new()
        .args(["--mqtt", LOCAL, "--http", LOCAL, "--ws", "none", "--shards", "1", "--durability", "none"])
        .env("HEARTH_SYS_INTERVAL_SECONDS", "1");
    settings.iter().fold(command, |command, (name, value)| command.env(name, value)).start()
}

fn lasting(client_id: &str, clean_start: bool) -> Connect {
    let properties = ConnectProperties { session_expiry: Some(600), ..ConnectProperties::default() };
    Connect { clean_start, properties, ..connect(Version::V5, client_id) }
}

/// A session that waits for `topic` without a connection.
fn leave(hearth: &Hearth, client_id: &str, topic: &str) {
    let (mut wire, _) = Wire::connect(hearth.mqtt(), lasting(client_id, true));
    wire.subscribe(topic, QoS::AtLeastOnce);
    wire.send_bytes(b"\xe0\0");
    assert_eq!(wire.read_to_end(), b"", "it is gone when the broker has closed");
}

/// What a QoS 1 message is answered with.
fn publish(wire: &mut Wire, topic: &str, payload: &[u8]) -> ReasonCode {
    let packet_id = Some(PacketId::MIN);
    wire.send(&Packet::Publish(Publish { packet_id, ..message(topic, payload, QoS::AtLeastOnce) }));
    match wire.next() {
        Packet::PubAck(ack) => ack.reason,
        other => panic!("waited for PUBACK, got {other:?}"),
    }
}

fn acknowledge(wire: &mut Wire) -> usize {
    let heard = wire.next_publish();
    wire.send(&Packet::PubAck(PublishAck::success(heard.packet_id.unwrap())));
    heard.payload.len()
}

/// A metric by its whole name with labels.
fn metric(hearth: &Hearth, series: &str) -> u64 {
    let answer = fetch(hearth.http(), "/metrics", &[]).text();
    let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    answer.lines().find_map(value).unwrap_or_else(|| panic!("no {series} in\n{answer}"))
}

#[test]
fn memory_stays_at_the_watermark_whoever_is_away_and_nobody_else_is_held_back() {
    const MESSAGES: usize = 400;
    let hearth = start(&[("HEARTH_LIMITS_HELD_BYTES_MAX", "8 MiB")]);
    leave(&hearth, "away", "t");
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    let payload = vec![7; BYTES];
    let before = hearth.resident_bytes();
    let told: Vec<ReasonCode> = (0..MESSAGES).map(|_| publish(&mut publisher, "t", &payload)).collect();
    let accepted = told.iter().filter(|reason| **reason == ReasonCode::Success).count();
    let refused = told.iter().filter(|reason| **reason == ReasonCode::QuotaExceeded).count();
    assert_eq!(accepted + refused, MESSAGES, "each is told what became of it");
    // It is looked at once a millisecond, in which a few more come.
    assert!((120..160).contains(&accepted), "{accepted} of 64 KiB are 8 MiB");
    if let (Some(before), Some(after)) = (before, hearth.resident_bytes()) {
        // Of 25 MiB that were sent. What the allocator and the buffers of a turn take comes on top.
        assert!(after.saturating_sub(before) < 16 << 20, "{before} bytes before, {after} after");
    }
    assert_eq!(metric(&hearth, "hearth_pressure{shard=\"0\",state=\"refusing\"}"), 1);
    assert!(metric(&hearth, "hearth_publishers_paused_total{shard=\"0\"}") > 0);
    let dropped = metric(&hearth, "hearth_messages_dropped_total{shard=\"0\",reason=\"memory_full\"}");
    assert_eq!(dropped, refused as u64);

    let (mut healthy, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "healthy"));
    healthy.subscribe("t", QoS::AtLeastOnce);
    for _ in 0..10 {
        assert_eq!(publish(&mut publisher, "t", &payload), ReasonCode::Success);
        assert_eq!(acknowledge(&mut healthy), BYTES);
    }
    let (mut back, _) = Wire::connect(hearth.mqtt(), lasting("away", false));
    for _ in 0..accepted {
        assert_eq!(acknowledge(&mut back), BYTES);
    }
    back.assert_quiet();
    let deadline = Instant::now() + PATIENCE;
    while metric(&hearth, "hearth_pressure{shard=\"0\",state=\"none\"}") == 0 {
        assert!(Instant::now() < deadline, "there is room again");
    }
    assert_eq!(publish(&mut publisher, "t", &payload), ReasonCode::Success);
}

/// Whether nothing was dropped, which is so unless this machine did nothing for a second.
fn wait_for_room() -> bool {
    const BOUND: usize = 16;
    const MESSAGES: u16 = 24;
    let hearth = start(&[("HEARTH_LIMITS_HELD_BYTES_MAX", "1 MiB")]);
    let (mut slow, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "slow"));
    slow.subscribe("t", QoS::AtLeastOnce);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "publisher"));
    let payload = vec![7; BYTES];
    let mut heard = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=MESSAGES {
                let packet_id = PacketId::new(number);
                publisher.send(&Packet::Publish(Publish {
                    packet_id,
                    ..message("t", &payload, QoS::AtLeastOnce)
                }));
            }
        });
        heard.extend((0..BOUND).map(|_| slow.next_publish().packet_id.unwrap()));
        let deadline = Instant::now() + PATIENCE;
        while metric(&hearth, "hearth_publishers_paused_total{shard=\"0\"}") == 0 {
            assert!(Instant::now() < deadline, "the publisher waits");
        }
        heard.drain(..).for_each(|id| slow.send(&Packet::PubAck(PublishAck::success(id))));
    });
    for _ in 0..MESSAGES {
        assert!(matches!(publisher.next(), Packet::PubAck(_)));
    }
    let dropped = metric(&hearth, "hearth_messages_dropped_total{shard=\"0\",reason=\"memory_full\"}");
    for _ in BOUND as u64..u64::from(MESSAGES) - dropped {
        assert_eq!(acknowledge(&mut slow), BYTES);
    }
    slow.assert_quiet();
    dropped == 0
}

#[test]
fn a_publisher_in_version_3_waits_and_all_it_says_is_heard_when_there_is_room() {
    assert!(
        (0..10).any(|_| wait_for_room()),
        "it was told that a message was taken, and none of ten times it was"
    );
}

#[test]
fn what_is_dropped_is_told_of_by_client_and_reason() {
    let hearth = start(&[("HEARTH_LIMITS_QUEUED_MESSAGES_MAX", "3")]);
    leave(&hearth, "away", "t");
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    for _ in 0..8 {
        publish(&mut publisher, "t", b"x");
    }
    publish(&mut publisher, "$SYS/mine", b"x");
    let (mut watcher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "watcher"));
    watcher.subscribe("$SYS/hearth/dropped/clients", QoS::AtMostOnce);
    let wanted = serde_json::json!([
        {"client_id": "away", "queue_full": 5},
        {"client_id": "publisher", "reserved_topic": 1}
    ]);
    loop {
        let told: Value = serde_json::from_slice(&watcher.next_publish().payload).unwrap();
        if told == wanted {
            break;
        }
    }
    hearth.wait_for_log(&["messages for this client are dropped", "client_id=away", "queued_messages_max"]);
}

#[test]
fn a_client_that_does_not_acknowledge_gets_no_more_bytes_than_the_bound() {
    let hearth = start(&[("HEARTH_LIMITS_QUEUED_BYTES_MAX", "1 MiB")]);
    let (mut silent, _) = Wire::connect(hearth.mqtt(), lasting("silent", true));
    silent.subscribe("t", QoS::AtLeastOnce);
    let (mut publisher, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher"));
    let payload = vec![7; BYTES];
    let taken = (0..64).take_while(|_| publish(&mut publisher, "t", &payload) == ReasonCode::Success).count();
    // 1 MiB and one more are under way, and as much waits; topics count too.
    assert!((31..=33).contains(&taken), "{taken} of 64 KiB");
    for _ in 0..taken {
        assert_eq!(acknowledge(&mut silent), BYTES);
    }
    silent.assert_quiet();
}
