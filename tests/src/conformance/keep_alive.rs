//! Keep-alive (MQTT 3.1.1 and 5.0, 3.1.2.10; MQTT 5.0, 3.2.2.3.14), the server's side.

use std::time::{Duration, Instant};

use hearth_protocol::packet::{Connect, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::clock::let_pass;
use super::{VERSIONS, client, unique};
use crate::wire::{Wire, connect, message};

static BROKER: SharedBroker = SharedBroker::new();

fn with_keep_alive(version: Version, seconds: u16) -> Connect {
    Connect { keep_alive: seconds, ..connect(version, &unique("keep")) }
}

/// Waits for the end of a silent connection and gives the reason that a client of version 5 is told.
#[track_caller]
fn wait_for_end(wire: &mut Wire) -> Option<ReasonCode> {
    wire.wait_for_end().map(|packet| match packet {
        Packet::Disconnect(disconnect) => disconnect.reason,
        other => panic!("{other:?}"),
    })
}

/// Both versions at once, because each waits for seconds.
#[track_caller]
fn for_each_version(test: impl Fn(Version) + Sync) {
    std::thread::scope(|scope| {
        for version in VERSIONS {
            let test = &test;
            scope.spawn(move || test(version));
        }
    });
}

/// Waits until so much time has passed since `start`.
fn sleep_until(start: Instant, millis: u64) {
    std::thread::sleep((start + Duration::from_millis(millis)).saturating_duration_since(Instant::now()));
}

// MQTT 3.1.1 server: MQTT-3.1.2-24
// MQTT 5.0 server: MQTT-3.1.2-22 MQTT-3.2.2-22
#[test]
fn a_client_that_is_silent_for_one_and_a_half_times_its_keep_alive_is_closed() {
    let hearth = BROKER.get();
    for_each_version(|version| {
        let before = Instant::now();
        // One that never speaks, one that waits longer, and one that has no keep-alive.
        let (mut silent, answer) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 1));
        assert_eq!(answer.properties.server_keep_alive, None, "the client's own holds");
        let (mut patient, _) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 3));
        let mut without = client(hearth.mqtt(), version);
        let told = wait_for_end(&mut silent);
        assert!(before.elapsed() >= Duration::from_millis(1500), "{version}: {:?}", before.elapsed());
        assert_eq!(told, version.is_v5().then_some(ReasonCode::KeepAliveTimeout), "{version}");
        let heard = Instant::now();
        patient.assert_quiet();
        let told = wait_for_end(&mut patient);
        assert!(heard.elapsed() >= Duration::from_millis(4500), "{version}: {:?}", heard.elapsed());
        assert_eq!(told, version.is_v5().then_some(ReasonCode::KeepAliveTimeout), "{version}");
        without.assert_quiet();
    });
}

// MQTT 3.1.1 server: MQTT-3.1.2-24
// MQTT 5.0 server: MQTT-3.1.2-22
#[test]
fn a_silent_client_is_closed_before_twice_its_keep_alive_has_passed() {
    // On one shard what is due comes in its order, however late a busy machine is.
    static ONE_SHARD: SharedBroker = SharedBroker::with(&[("HEARTH_SHARDS", "1")]);
    let hearth = ONE_SHARD.get();
    for_each_version(|version| {
        let (mut silent, _) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 2));
        let_pass(hearth.mqtt(), &unique("twice"), 4);
        // It is too late to be heard, and may be so late that nobody takes it.
        let is_taken = silent.try_send(&Packet::PingReq).is_ok();
        let heard = silent.next_or_end();
        assert_ne!(heard, Some(Packet::PingResp), "{version}: it is closed by now, taken: {is_taken}");
    });
}

// MQTT 3.1.1 server: MQTT-3.1.2-24
// MQTT 5.0 server: MQTT-3.1.2-22
#[test]
fn any_packet_of_the_client_counts_as_a_sign_of_life_and_what_it_is_sent_does_not() {
    let hearth = BROKER.get();
    for_each_version(|version| {
        let topic = unique("signs");
        let mut publisher = client(hearth.mqtt(), version);
        let (mut speaking, _) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 2));
        let (mut listening, _) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 2));
        listening.subscribe(&topic, QoS::AtMostOnce);
        let start = Instant::now();
        // Much longer than the silence that is allowed, with a packet of another kind each second.
        for turn in 0..6 {
            sleep_until(start, 1000 * turn);
            match turn {
                0 | 3 => speaking.send(&Packet::Publish(message("other", b"x", QoS::AtMostOnce))),
                1 | 4 => speaking.subscribe("other/filter", QoS::AtMostOnce),
                2 => speaking.assert_quiet(),
                _ => {}
            }
            publisher.publish_acknowledged(&topic, b"x");
        }
        // The other one was sent something after the last word of this one, said nothing, and is gone before it.
        while !matches!(listening.next_or_end(), None | Some(Packet::Disconnect(_))) {}
        speaking.assert_quiet();
    });
}

// MQTT 3.1.1 server: MQTT-3.1.2-24
// MQTT 5.0 server: MQTT-3.1.2-22
#[test]
fn parts_of_a_packet_are_no_sign_of_life() {
    let hearth = BROKER.get();
    for_each_version(|version| {
        let (mut dripping, _) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 3));
        let (mut whole, _) = Wire::connect(hearth.mqtt(), with_keep_alive(version, 3));
        let start = Instant::now();
        for (turn, byte) in b"\x30\x7F\x00\x70tttt".iter().enumerate() {
            sleep_until(start, 500 * turn as u64);
            dripping.send_bytes(&[*byte]);
        }
        whole.assert_quiet();
        let told = wait_for_end(&mut dripping);
        assert_eq!(told, version.is_v5().then_some(ReasonCode::KeepAliveTimeout), "{version}");
        // That was before the end of the one that sent a whole packet after the other's last byte.
        whole.assert_quiet();
    });
}
