//! Devices whose connections break again and again: nothing acknowledged is lost, nothing of QoS 2 comes twice.

use std::thread;

use hearth_protocol::{QoS, ReasonCode, Version};

use crate::device::Device;
use crate::hearth::Hearth;

const MESSAGES: usize = 200;

#[test]
fn every_qos_2_message_arrives_once_and_in_order_over_breaking_connections() {
    for (publisher_version, subscriber_version) in
        [(Version::V311, Version::V5), (Version::V5, Version::V311)]
    {
        let heard = run(publisher_version, subscriber_version, QoS::ExactlyOnce, MESSAGES);
        let wanted: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
        assert_eq!(heard, wanted, "from {publisher_version} to {subscriber_version}");
    }
}

#[test]
fn every_qos_1_message_arrives_over_breaking_connections() {
    let mut heard = run(Version::V5, Version::V311, QoS::AtLeastOnce, MESSAGES);
    heard.sort_by_key(|number| number.parse::<usize>().unwrap());
    heard.dedup();
    let wanted: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(heard, wanted);
}

#[test]
fn what_a_device_says_while_the_broker_is_away_is_heard_when_it_is_back() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut hearth = Hearth::start();
        let mut device = Device::new(version, "device");
        assert!(!device.connect(hearth.mqtt()));
        let stopped = hearth.stop();
        device.wait_for_end();
        let sent = [QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| device.publish("away", "21.5", qos));

        let hearth = stopped.start();
        let mut listener = Device::new(version, "listener");
        listener.connect(hearth.mqtt());
        listener.subscribe("away", QoS::ExactlyOnce);
        assert!(!device.connect(hearth.mqtt()), "a new broker knows nothing of the session");
        for token in sent {
            assert_eq!(device.wait_for_published(token), ReasonCode::Success);
            assert_eq!(listener.next_message().payload, "21.5");
        }
    }
}

/// Sends numbered messages while both ends lose their connections at different times; gives what was heard, up to
/// and with the last number.
fn run(publisher: Version, subscriber: Version, qos: QoS, count: usize) -> Vec<String> {
    let hearth = Hearth::start();
    let broker = hearth.mqtt();
    let mut listener = Device::new(subscriber, "listener");
    listener.connect(broker);
    listener.subscribe("numbers", qos);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut device = Device::new(publisher, "device");
            device.connect(broker);
            for first in (0..count).step_by(10) {
                let numbers = first..(first + 10).min(count);
                let mut tokens: Vec<_> =
                    numbers.map(|number| device.publish("numbers", &number.to_string(), qos)).collect();
                // Some of the ten are acknowledged when the connection breaks, some under way, some not sent.
                let acknowledged = first / 10 % tokens.len();
                for token in tokens.drain(..acknowledged) {
                    device.wait_for_published(token);
                }
                device.cut();
                assert!(device.connect(broker), "the broker keeps the session");
                for token in tokens {
                    device.wait_for_published(token);
                }
            }
        });
        let mut heard = Vec::new();
        while heard.last() != Some(&(count - 1).to_string()) {
            heard.push(String::from_utf8(listener.next_message().payload.to_vec()).unwrap());
            if heard.len() % 13 == 0 {
                listener.cut();
                assert!(listener.connect(broker), "the broker keeps the session");
            }
        }
        heard
    })
}
