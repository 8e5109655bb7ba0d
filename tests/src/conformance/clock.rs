//! The time that passes for a broker.

use std::net::SocketAddr;

use bytes::Bytes;
use hearth_protocol::packet::{Connect, Disconnect, Packet, Will, WillProperties};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use crate::wire::{Wire, connect, text};

/// Returns when the broker's own clock has gone on by `seconds` at least: it publishes a will with that delay.
#[track_caller]
pub fn let_pass(broker: SocketAddr, name: &str, seconds: u32) {
    let topic = format!("passed/{name}");
    let (mut witness, _) = Wire::connect(broker, connect(Version::V5, &format!("witness-{name}")));
    witness.subscribe(&topic, QoS::AtMostOnce);
    let will = Will {
        topic: TopicName::new(text(&topic)).unwrap(),
        payload: Bytes::from_static(b"passed"),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: WillProperties { delay: Some(seconds), ..WillProperties::default() },
    };
    let mut mortal = Connect { will: Some(will), ..connect(Version::V5, &format!("mortal-{name}")) };
    mortal.properties.session_expiry = Some(seconds + 60);
    let (mut mortal, _) = Wire::connect(broker, mortal);
    mortal.send(&Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill)));
    assert_eq!(witness.next_publish().payload, "passed");
}
