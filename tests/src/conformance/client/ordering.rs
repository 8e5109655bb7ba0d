//! Message ordering (4.6): what goes out again, and acknowledgements, in the order of what they belong to.

use super::*;

fn packet_ids(packets: &[Packet]) -> Vec<u16> {
    let packet_id = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.packet_id.expect("the message is of QoS 1 or 2").get(),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) => ack.packet_id.get(),
        other => panic!("{other:?}"),
    };
    packets.iter().map(packet_id).collect()
}

/// 1 to `count` in an order of chance.
fn shuffled(count: u16) -> Vec<u16> {
    let mut numbers: Vec<u16> = (1..=count).collect();
    let mut chance = 1_u64;
    for place in (1..numbers.len()).rev() {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        numbers.swap(place, (chance >> 33) as usize % (place + 1));
    }
    assert!(!numbers.is_sorted());
    numbers
}

// MQTT 3.1.1 client: MQTT-4.6.0-1
// MQTT 5.0 client: MQTT-4.6.0-1
#[test]
fn messages_go_out_again_in_their_order() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for number in 0..100_u8 {
            stage.publish(message("t", &[number], ACKNOWLEDGED[usize::from(number % 3 == 0)]));
        }
        let mut unacknowledged = packet_ids(&stage.heard());
        assert_eq!(unacknowledged.len(), 100);
        for answered in shuffled(100).into_iter().take(60) {
            let is_twice = (answered - 1).is_multiple_of(3);
            let answer = if is_twice { Packet::PubRec(ok(answered)) } else { Packet::PubAck(ok(answered)) };
            stage.tell(&answer);
            if is_twice {
                stage.tell(&Packet::PubComp(ok(answered)));
            }
            unacknowledged.retain(|packet_id| *packet_id != answered);
            let (sent, _) = stage.connect(true, ConnAckProperties::default());
            assert_eq!(packet_ids(&sent[1..]), unacknowledged);
        }
        if version.is_v5() {
            // Where the server takes few at once, the rest follow in the same order.
            let few = ConnAckProperties { receive_maximum: Some(3), ..Default::default() };
            let (sent, _) = stage.connect(true, few);
            let mut heard = packet_ids(&sent[1..]);
            assert_eq!(heard.len(), 3);
            for place in 0..unacknowledged.len() {
                let packet_id = heard[place];
                if (packet_id - 1).is_multiple_of(3) {
                    stage.tell(&Packet::PubRec(PublishAck::new(id(packet_id), ReasonCode::QuotaExceeded)));
                } else {
                    stage.tell(&Packet::PubAck(ok(packet_id)));
                }
                heard.extend(packet_ids(&stage.heard()));
            }
            assert_eq!(heard, unacknowledged);
        }
    }
}

/// A client gets messages of `qos`, all at once or one by one, and answers; gives the identifiers in both orders.
fn answers_to(version: Version, qos: QoS, is_at_once: bool) -> (Vec<u16>, Vec<Packet>) {
    let mut stage = Stage::open_plain(version);
    let order = shuffled(200);
    let mut bytes = BytesMut::new();
    let mut answers = Vec::new();
    for packet_id in &order {
        let publish = numbered(*packet_id, message("in", b"x", qos));
        encode(&publish, version, &mut bytes).unwrap();
        if !is_at_once {
            stage.say_bytes(&bytes.split()).unwrap();
            answers.extend(stage.heard());
        }
    }
    stage.say_bytes(&bytes).unwrap();
    answers.extend(stage.heard());
    (order, answers)
}

// MQTT 3.1.1 client: MQTT-4.6.0-2
// MQTT 5.0 client: MQTT-4.6.0-2
#[test]
fn pubacks_are_in_the_order_of_their_messages() {
    for version in VERSIONS {
        for is_at_once in [false, true] {
            let (order, answers) = answers_to(version, QoS::AtLeastOnce, is_at_once);
            assert!(answers.iter().all(|packet| matches!(packet, Packet::PubAck(_))));
            assert_eq!(packet_ids(&answers), order);
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.6.0-3
// MQTT 5.0 client: MQTT-4.6.0-3
#[test]
fn pubrecs_are_in_the_order_of_their_messages() {
    for version in VERSIONS {
        for is_at_once in [false, true] {
            let (order, answers) = answers_to(version, QoS::ExactlyOnce, is_at_once);
            assert!(answers.iter().all(|packet| matches!(packet, Packet::PubRec(_))));
            assert_eq!(packet_ids(&answers), order);
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.6.0-4
// MQTT 5.0 client: MQTT-4.6.0-4
#[test]
fn pubrels_are_in_the_order_of_their_pubrecs() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for _ in 0..100 {
            stage.publish(message("t", b"x", QoS::ExactlyOnce));
        }
        stage.heard();
        let mut order = shuffled(100);
        // Some one by one, the rest in one piece.
        let mut bytes = BytesMut::new();
        for packet_id in &order {
            encode(&Packet::PubRec(ok(*packet_id)), version, &mut bytes).unwrap();
            if packet_id % 2 == 0 {
                stage.say_bytes(&bytes.split()).unwrap();
            }
        }
        stage.say_bytes(&bytes).unwrap();
        assert_eq!(packet_ids(&stage.heard()), order);
        // And when they go out again.
        for completed in [7, 50, 93] {
            stage.tell(&Packet::PubComp(ok(completed)));
            order.retain(|packet_id| *packet_id != completed);
            let (sent, _) = stage.connect(true, ConnAckProperties::default());
            assert!(sent[1..].iter().all(|packet| matches!(packet, Packet::PubRel(_))));
            assert_eq!(packet_ids(&sent[1..]), order);
        }
    }
}
