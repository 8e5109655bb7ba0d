//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7): their reason codes, sizes and reserved bits.

use std::collections::HashMap;

use hearth_protocol::codec::encoded_len;
use hearth_protocol::packet::{Packet, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{assert_refused, join, lasting, publish, pubrec, pubrel};
use super::{VERSIONS, raw};
use crate::wire::{Wire, connect, message};

static BROKER: SharedBroker = SharedBroker::new();

/// The reason codes of 3.4.2.1 and 3.5.2.1.
const RECEIVED: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

/// The reason codes of 3.6.2.1 and 3.7.2.1.
const RELEASED: [u8; 2] = [0x00, 0x92];

const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;

// MQTT 5.0 server: MQTT-3.4.2-1
#[test]
fn a_puback_says_by_a_code_of_its_own_what_became_of_the_message() {
    assert_eq!(answers_to_publish(QoS::AtLeastOnce, PUBACK), [0x00, 0x10, 0x87, 0x90, 0x97]);
}

// MQTT 5.0 server: MQTT-3.5.2-1
#[test]
fn a_pubrec_says_by_a_code_of_its_own_what_became_of_the_message() {
    assert_eq!(answers_to_publish(QoS::ExactlyOnce, PUBREC), [0x00, 0x10, 0x87, 0x90, 0x97]);
}

/// The codes that messages of all kinds get: heard by someone, by nobody, to the broker's own topics, to a topic
/// that is too long, and one more to retain than there is room for.
#[track_caller]
fn answers_to_publish(qos: QoS, first_byte: u8) -> [u8; 5] {
    static FULL: SharedBroker = SharedBroker::with(&[("HEARTH_LIMITS_RETAINED_MESSAGES_MAX", "0")]);
    let hearth = FULL.get();
    let mut listener = join(hearth.mqtt(), Version::V5, &super::unique("listens"));
    listener.subscribe("heard", QoS::AtMostOnce);
    let mut client = join(hearth.mqtt(), Version::V5, &super::unique("codes"));
    let long = "x".repeat(5000);
    let mut packet_id = 0;
    [
        message("heard", b"x", qos),
        message("unheard", b"x", qos),
        message("$SYS/broker/version", b"x", qos),
        message(&long, b"x", qos),
        Publish { retain: true, ..message("kept", b"x", qos) },
    ]
    .map(|message| {
        packet_id += 1;
        client.send(&publish(packet_id, message));
        let code = reason_of(&client.next_bytes(), first_byte, packet_id);
        assert!(RECEIVED.contains(&code), "0x{code:02x}");
        code
    })
}

// MQTT 5.0 server: MQTT-3.6.2-1 MQTT-3.7.2-1
#[test]
fn pubrel_and_pubcomp_say_whether_the_packet_id_was_known() {
    let hearth = BROKER.get();
    let mut client = join(hearth.mqtt(), Version::V5, "released");
    client.subscribe("released", QoS::ExactlyOnce);
    client.send(&publish(7, message("released", b"x", QoS::ExactlyOnce)));
    // The message comes back to the client before or after its PUBREC.
    let first = client.next();
    let second = client.next();
    let received = [&first, &second].into_iter().find_map(|packet| match packet {
        Packet::Publish(publish) => publish.packet_id,
        _ => None,
    });
    let received = received.expect("the message comes back").get();
    for (answer, first_byte, packet_id, code) in [
        (pubrel(7), PUBCOMP, 7, 0x00),
        (pubrel(7), PUBCOMP, 7, 0x92),
        (pubrel(99), PUBCOMP, 99, 0x92),
        (pubrec(received), PUBREL, received, 0x00),
        (pubrec(4321), PUBREL, 4321, 0x92),
    ] {
        client.send(&answer);
        let heard = reason_of(&client.next_bytes(), first_byte, packet_id);
        assert!(RELEASED.contains(&heard), "0x{heard:02x}");
        assert_eq!(heard, code, "{answer:?}");
    }
}

// MQTT 5.0 server: MQTT-3.4.2-2 MQTT-3.4.2-3 MQTT-3.5.2-2 MQTT-3.5.2-3
// MQTT 5.0 server: MQTT-3.6.2-2 MQTT-3.6.2-3 MQTT-3.7.2-2 MQTT-3.7.2-3
#[test]
fn no_acknowledgement_grows_beyond_what_the_client_takes() {
    let hearth = BROKER.get();
    let terms = Wire::connect(hearth.mqtt(), connect(Version::V5, "tight")).1;
    let smallest = encoded_len(&Packet::ConnAck(Box::new(terms)), Version::V5).unwrap();
    let refused = "$SYS/broker/version";
    let mut lengths = HashMap::new();
    for room in (smallest..smallest + 40).chain([100, 200, 1000]) {
        let mut tight = connect(Version::V5, "tight");
        tight.properties.packet_size_max = Some(room as u32);
        let (mut client, _) = Wire::connect(hearth.mqtt(), tight);
        for (packet, first_byte, code) in [
            (publish(1, message(refused, b"x", QoS::AtLeastOnce)), PUBACK, 0x87),
            (publish(1, message(refused, b"x", QoS::ExactlyOnce)), PUBREC, 0x87),
            (pubrec(1), PUBREL, 0x92),
            (pubrel(1), PUBCOMP, 0x92),
        ] {
            client.send(&packet);
            let bytes = client.next_bytes();
            assert!(bytes.len() <= room, "{} bytes where {room} fit: {bytes:02x?}", bytes.len());
            assert_eq!(reason_of(&bytes, first_byte, 1), code, "with room for {room}");
            lengths.entry(first_byte).or_insert_with(Vec::new).push(bytes.len());
        }
    }
    let has_words = |lengths: &Vec<usize>| lengths.last() > lengths.first();
    assert!(lengths.values().all(has_words), "there are words, which were left out: {lengths:?}");
}

// MQTT 3.1.1 server: MQTT-3.6.1-1
// MQTT 5.0 server: MQTT-3.6.1-1
#[test]
fn a_pubrel_with_other_reserved_bits_is_malformed() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for flags in (0..16).filter(|flags| *flags != 2) {
            let bytes = raw::packet(0x60 | flags, &[&[0, 1]]);
            let what = format!("PUBREL with flags {flags}");
            assert_refused(hearth.mqtt(), version, &what, &bytes, ReasonCode::MalformedPacket);
        }
        let mut client = join(hearth.mqtt(), version, "pubrel");
        client.send_bytes(&raw::packet(0x62, &[&[0, 1]]));
        assert_eq!(client.next_bytes()[0], PUBCOMP, "{version}: with the right ones it is answered");
    }
}

// MQTT 5.0 server: MQTT-4.4.0-2
#[test]
fn a_message_that_the_client_refuses_is_never_sent_again() {
    let hearth = BROKER.get();
    let mut terms = lasting(Version::V5, "refuses");
    terms.properties.receive_maximum = Some(2);
    let (mut client, _) = Wire::connect(hearth.mqtt(), terms.clone());
    client.subscribe("refuses/#", QoS::ExactlyOnce);
    let mut publisher = join(hearth.mqtt(), Version::V5, "offers");
    publisher.publish_to_the_end(message("refuses/1", b"one", QoS::AtLeastOnce));
    publisher.publish_to_the_end(message("refuses/2", b"two", QoS::ExactlyOnce));
    let offered = [client.next_publish(), client.next_publish()].map(|heard| heard.packet_id.unwrap());
    let refusal = |packet_id| PublishAck::new(packet_id, ReasonCode::ImplementationSpecificError);
    client.send(&Packet::PubAck(refusal(offered[0])));
    client.send(&Packet::PubRec(refusal(offered[1])));
    // Neither a PUBREL follows nor the messages.
    client.assert_quiet();
    drop(client);
    let (mut client, answer) = Wire::connect(hearth.mqtt(), terms);
    assert!(answer.session_present);
    client.assert_quiet_after(&mut publisher);
    // Both places under way are free again.
    for payload in ["three", "four"] {
        publisher.publish_acknowledged("refuses/1", payload.as_bytes());
        let heard = client.next_publish();
        assert_eq!((heard.payload.as_ref(), heard.dup), (payload.as_bytes(), false));
    }
}

/// The reason code of an acknowledgement as it came: without one it means success.
#[track_caller]
fn reason_of(bytes: &[u8], first_byte: u8, packet_id: u16) -> u8 {
    assert_eq!(bytes[0], first_byte, "{bytes:02x?}");
    assert_eq!(bytes[2..4], packet_id.to_be_bytes(), "{bytes:02x?}");
    bytes.get(4).copied().unwrap_or(0)
}
