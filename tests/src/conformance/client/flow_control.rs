//! How much is under way at once (MQTT 5.0, 3.3.4 and 4.9).

use hearth_protocol::TopicFilter;
use hearth_protocol::packet::{SubscribeProperties, Subscription};

use super::*;

fn granting(receive_maximum: u16) -> ConnAckProperties {
    ConnAckProperties { receive_maximum: Some(receive_maximum), ..Default::default() }
}

/// Packet identifiers of the messages that the client wrote.
fn published(packets: &[Packet]) -> Vec<u16> {
    let identifier = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.packet_id.map(PacketId::get),
        _ => None,
    };
    packets.iter().filter_map(identifier).collect()
}

impl Stage {
    fn publish_alternately(&mut self, count: usize) {
        for number in 0..count {
            self.publish(message("t", b"x", ACKNOWLEDGED[number % 2]));
        }
    }
}

// MQTT 5.0 client: MQTT-3.3.4-7 MQTT-4.9.0-2
#[test]
fn never_more_messages_are_under_way_than_the_server_takes() {
    for maximum in [1, 2, 5, 100] {
        let mut stage = Stage::open(options(Version::V5), granting(maximum));
        stage.publish_alternately(300);
        let mut under_way = published(&stage.heard());
        assert_eq!(under_way.len(), usize::from(maximum));
        let mut through = 0;
        while let Some(packet_id) = under_way.pop() {
            // The last one, so that answers come in any order; some are refused.
            let refusal = || PublishAck::new(id(packet_id), ReasonCode::QuotaExceeded);
            let is_once = packet_id % 2 == 1;
            if is_once {
                let answer = if packet_id % 3 == 0 { refusal() } else { ok(packet_id) };
                stage.tell(&Packet::PubAck(answer));
            } else if packet_id % 3 == 0 {
                stage.tell(&Packet::PubRec(refusal()));
            } else {
                stage.tell(&Packet::PubRec(ok(packet_id)));
                let heard = stage.heard();
                assert_eq!(heard, [Packet::PubRel(ok(packet_id))], "PUBREC of success makes no room");
                stage.tell(&Packet::PubComp(ok(packet_id)));
            }
            through += 1;
            under_way.extend(published(&stage.heard()));
            assert!(under_way.len() <= usize::from(maximum));
            assert!(under_way.len() == usize::from(maximum) || through + under_way.len() == 300);
        }
        assert_eq!(through, 300);
    }
}

// MQTT 5.0 client: MQTT-4.9.0-1
#[test]
fn each_connection_begins_with_what_its_server_takes() {
    let mut stage = Stage::open(options(Version::V5), granting(7));
    stage.publish_alternately(50);
    assert_eq!(published(&stage.heard()).len(), 7);
    // What is under way counts on the next connection: 3 of 7 come again at first.
    let (sent, _) = stage.connect(true, granting(3));
    assert_eq!(published(&sent), [1, 2, 3]);
    let (sent, _) = stage.connect(true, granting(20));
    assert_eq!(published(&sent).len(), 20);
    let (sent, _) = stage.connect(true, ConnAckProperties::default());
    assert_eq!(published(&sent).len(), 50, "65,535 where nothing is said");
}

// MQTT 5.0 client: MQTT-3.3.4-8
#[test]
fn other_packets_do_not_wait_for_room() {
    let mut stage = Stage::open(options(Version::V5), granting(2));
    stage.publish_alternately(10);
    assert_eq!(published(&stage.heard()), [1, 2]);
    let filter = TopicFilter::try_from("t").unwrap();
    let wanted = vec![Subscription::new(filter.clone(), QoS::AtMostOnce)];
    let now = stage.now;
    stage.client.subscribe(now, wanted, SubscribeProperties::default()).unwrap();
    stage.client.unsubscribe(now, vec![filter], Default::default()).unwrap();
    stage.client.ping(now);
    stage.publish(message("t", b"0", QoS::AtMostOnce));
    let sent = stage.heard();
    assert!(
        matches!(
            sent[..],
            [
                Packet::Subscribe(_),
                Packet::Unsubscribe(_),
                Packet::PingReq,
                Packet::Publish(Publish { packet_id: None, .. })
            ]
        ),
        "{sent:?}"
    );
    stage.client.disconnect(now, Disconnect::new(ReasonCode::Success));
    assert_eq!(stage.heard(), [goodbye(ReasonCode::Success)]);
}

// MQTT 5.0 client: MQTT-4.9.0-3
#[test]
fn other_packets_are_answered_where_there_is_no_room() {
    let mut stage = Stage::open(options(Version::V5), granting(1));
    stage.publish(message("t", b"x", QoS::ExactlyOnce));
    stage.publish(message("t", b"y", QoS::AtLeastOnce));
    assert_eq!(published(&stage.heard()), [1]);
    for (packet, answer) in [
        (numbered(8, message("in", b"x", QoS::AtLeastOnce)), Packet::PubAck(ok(8))),
        (numbered(9, message("in", b"x", QoS::ExactlyOnce)), Packet::PubRec(ok(9))),
        (Packet::PubRel(ok(9)), Packet::PubComp(ok(9))),
        (Packet::PubRec(ok(1)), Packet::PubRel(ok(1))),
    ] {
        stage.tell(&packet);
        assert_eq!(stage.heard(), [answer]);
    }
    assert_eq!(stage.messages().len(), 2);
    stage.tell(&Packet::PubComp(ok(1)));
    assert_eq!(published(&stage.heard()), [2]);
}
