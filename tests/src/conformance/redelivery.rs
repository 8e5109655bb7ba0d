//! What comes again when a client comes back, and only then (4.4).

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};

use super::VERSIONS;
use super::broker::SharedBroker;
use super::packets::{join, lasting, puback, pubrec, pubrel};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 server: MQTT-4.4.0-1
// MQTT 5.0 server: MQTT-4.4.0-1
#[test]
fn what_is_not_acknowledged_comes_again_under_its_packet_id_when_the_session_goes_on() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("again/{version}");
        let (mut client, _) = Wire::connect(hearth.mqtt(), lasting(version, "again"));
        client.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), version, "again-publisher");
        let mut sent = Vec::new();
        for (payload, qos) in [
            ("1", QoS::AtLeastOnce),
            ("2", QoS::ExactlyOnce),
            ("3", QoS::AtLeastOnce),
            ("4", QoS::ExactlyOnce),
        ] {
            publisher.publish_to_the_end(message(&topic, payload.as_bytes(), qos));
            sent.push(client.next_publish());
        }
        let number = |index: usize| sent[index].packet_id.unwrap().get();
        client.send(&puback(number(0)));
        client.send(&pubrec(number(1)));
        assert_eq!(client.next(), pubrel(number(1)));
        // As long as the connection lasts nothing comes a second time, whatever else the client does.
        for _ in 0..5 {
            client.assert_quiet_after(&mut publisher);
        }
        // Each new connection of the session brings all of it once.
        for _ in 0..2 {
            drop(client);
            let (next, answer) = Wire::connect(hearth.mqtt(), lasting(version, "again"));
            assert!(answer.session_present);
            client = next;
            let mut heard = [client.next(), client.next(), client.next()].to_vec();
            let released = heard.iter().position(|packet| packet == &pubrel(number(1)));
            heard.remove(released.expect("PUBREL comes again"));
            let again =
                [&sent[2], &sent[3]].map(|sent| Packet::Publish(Publish { dup: true, ..sent.clone() }));
            assert_eq!(heard, again, "{version}");
            client.assert_quiet_after(&mut publisher);
        }
        // A session that starts anew brings nothing of the old one.
        let mut client = join(hearth.mqtt(), version, "again");
        client.assert_quiet_after(&mut publisher);
        client.subscribe(&topic, QoS::ExactlyOnce);
        publisher.publish_acknowledged(&topic, b"new");
        let heard = client.next_publish();
        assert_eq!((heard.payload.as_ref(), heard.dup), (&b"new"[..], false));
    }
}

// MQTT 5.0 server: MQTT-4.4.0-1
#[test]
fn a_takeover_by_the_same_client_is_a_new_connection_of_its_session() {
    let hearth = BROKER.get();
    let (mut first, _) = Wire::connect(hearth.mqtt(), lasting(Version::V5, "takes-over"));
    first.subscribe("takes-over", QoS::AtLeastOnce);
    let mut publisher = join(hearth.mqtt(), Version::V5, "takes-over-publisher");
    publisher.publish_acknowledged("takes-over", b"x");
    let heard = first.next_publish();
    let (mut second, answer) = Wire::connect(hearth.mqtt(), lasting(Version::V5, "takes-over"));
    assert!(answer.session_present);
    assert_eq!(second.next_publish(), Publish { dup: true, ..heard });
    second.assert_quiet_after(&mut publisher);
}
