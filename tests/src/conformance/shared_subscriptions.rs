//! Shared subscriptions (4.8.2), which clients of version 3.1.1 may use as well.

use std::collections::HashSet;
use std::sync::Arc;

use hearth_protocol::packet::{Disconnect, Packet, Publish, PublishAck, Subscription};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{
    QOS, assert_refused, hear, join, lasting, payloads, puback, pubcomp, pubrec, pubrel, request,
    request_frame, subscribe, subscribe_to,
};
use super::raw::field;
use super::{VERSIONS, unique};
use crate::hearth::Hearth;
use crate::wire::{Wire, message, topic_filter};

static BROKER: SharedBroker = SharedBroker::new();

/// So often that members, publishers and both shards come in every combination.
const ROUNDS: usize = 6;

/// A group with one member, whose session outlives its connection, and a publisher.
struct Pair {
    hearth: Arc<Hearth>,
    client_id: String,
    topic: String,
    filter: String,
    member: Wire,
    publisher: Wire,
}

impl Pair {
    #[track_caller]
    fn new(version: Version, qos: QoS) -> Self {
        let hearth = BROKER.get();
        let (client_id, topic) = (unique("member"), unique("shared"));
        let filter = format!("$share/group/{topic}");
        let (mut member, _) = Wire::connect(hearth.mqtt(), lasting(version, &client_id));
        member.subscribe(&filter, qos);
        let publisher = join(hearth.mqtt(), Version::V5, &unique("publisher"));
        Self { hearth, client_id, topic, filter, member, publisher }
    }

    /// Another member.
    #[track_caller]
    fn other(&self, version: Version, qos: QoS) -> Wire {
        let mut other = join(self.hearth.mqtt(), version, &unique("other"));
        other.subscribe(&self.filter, qos);
        other
    }

    #[track_caller]
    fn publish(&mut self, payload: &str, qos: QoS) {
        self.publisher.publish_to_the_end(message(&self.topic, payload.as_bytes(), qos));
    }

    /// A new connection of the first member.
    #[track_caller]
    fn reconnect(&mut self, version: Version) {
        self.member = Wire::connect(self.hearth.mqtt(), lasting(version, &self.client_id)).0;
    }
}

// MQTT 5.0 server: MQTT-4.8.2-1 MQTT-4.8.2-2
#[test]
fn a_share_has_a_name_without_wildcards_and_a_filter_behind_it() {
    let hearth = BROKER.get();
    let bad = [
        "$share/",
        "$share//",
        "$share//a",
        "$share/group",
        "$share/group/",
        "$share/+/a",
        "$share/#/a",
        "$share/#",
        "$share/g+/a",
        "$share/+g/a",
        "$share/g#/a",
        "$share/group/a#",
        "$share/group/#/a",
        "$share/group/a+",
    ];
    for version in VERSIONS {
        for filter in bad {
            let entry = [&field(filter)[..], &[0]].concat();
            let bytes = request_frame(0x82, version, 1, &entry);
            assert_refused(hearth.mqtt(), version, filter, &bytes, ReasonCode::TopicFilterInvalid);
        }
        // What only looks like it is an ordinary filter, and brings topics of its own name.
        let mut client = join(hearth.mqtt(), version, "no-share");
        for filter in ["$share", "$shared/group/a", "$Share/group/a"] {
            assert_eq!(
                request(&mut client, &subscribe(1, &[(filter, QoS::AtMostOnce)])),
                [ReasonCode::Success]
            );
            client.send(&Packet::Publish(message(filter, b"x", QoS::AtMostOnce)));
            assert_eq!(client.next_publish().topic.as_str(), filter);
        }
        // Below a level of their own, because all topics of the other tests would come to wildcards in the first one.
        let base = unique("good");
        let good = [
            format!("$share/g/{base}"),
            format!("$share/g//{base}"),
            format!("$share/a b ü/{base}/+/#"),
            format!("$share/$share/{base}/$share/a"),
        ];
        for filter in &good {
            let reasons = request(&mut client, &subscribe(1, &[(filter, QoS::ExactlyOnce)]));
            assert_eq!(reasons, [ReasonCode::GrantedQoS2], "{version}: {filter}");
        }
    }
}

#[test]
fn each_message_goes_to_one_member_of_each_group_and_to_everyone_else() {
    let hearth = BROKER.get();
    for qos in QOS {
        let topic = unique("once");
        let mut groups: Vec<Vec<Wire>> = Vec::new();
        for group in ["one", "two"] {
            let filter = format!("$share/{group}/{topic}");
            let join = |index: usize| {
                let version = VERSIONS[index % VERSIONS.len()];
                let mut member = join(hearth.mqtt(), version, &unique(group));
                member.subscribe(&filter, QoS::ExactlyOnce);
                member
            };
            groups.push((0..6).map(join).collect());
        }
        let mut alone = join(hearth.mqtt(), Version::V5, &unique("alone"));
        alone.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), Version::V5, &unique("publisher"));
        let all: HashSet<_> = (0..60).map(|number| number.to_string()).collect();
        for number in 0..60 {
            publisher.publish_to_the_end(message(&topic, number.to_string().as_bytes(), qos));
        }
        assert_eq!(payloads(&hear(&mut alone, 60)).into_iter().collect::<HashSet<_>>(), all);
        for members in &mut groups {
            let shares: Vec<_> = members.iter_mut().map(|member| drain(member, &mut publisher)).collect();
            let heard: Vec<_> = shares.iter().flatten().cloned().collect();
            assert_eq!(heard.len(), 60, "{qos:?}: {shares:?}");
            assert_eq!(heard.into_iter().collect::<HashSet<_>>(), all, "{qos:?}");
            assert!(shares.iter().all(|share| !share.is_empty()), "all take turns: {shares:?}");
        }
    }
}

/// Everything that `publisher` has sent to a client so far, each with all its acknowledgements.
#[track_caller]
fn drain(client: &mut Wire, publisher: &mut Wire) -> Vec<String> {
    let fence = unique("drained");
    client.send(&subscribe(9999, &[(&fence, QoS::AtMostOnce)]));
    let mut heard = Vec::new();
    let mut is_subscribed = false;
    loop {
        match client.next() {
            Packet::Publish(publish) if publish.topic.as_str() == fence => return payloads(&heard),
            Packet::Publish(publish) => {
                let packet_id = publish.packet_id.map(|packet_id| packet_id.get());
                match (publish.qos, packet_id) {
                    (QoS::AtLeastOnce, Some(packet_id)) => client.send(&puback(packet_id)),
                    (QoS::ExactlyOnce, Some(packet_id)) => client.send(&pubrec(packet_id)),
                    (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => {}
                }
                heard.push(publish);
            }
            Packet::PubRel(ack) => client.send(&pubcomp(ack.packet_id.get())),
            Packet::SubAck(_) if !is_subscribed => {
                is_subscribed = true;
                publisher.send(&Packet::Publish(message(&fence, b"", QoS::AtMostOnce)));
            }
            other => panic!("{other:?}"),
        }
    }
}

// MQTT 5.0 server: MQTT-4.8.2-3
#[test]
fn each_member_gets_messages_at_its_own_granted_qos() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("granted");
        let filter = format!("$share/group/{topic}");
        let mut publisher = join(hearth.mqtt(), Version::V5, &unique("publisher"));
        let mut members = QOS.map(|granted| {
            let mut member = join(hearth.mqtt(), version, &unique("granted"));
            let reasons = request(&mut member, &subscribe(1, &[(&filter, granted)]));
            assert_eq!(reasons[0].byte(), granted.bits());
            (member, granted)
        });
        for published in QOS {
            for _ in 0..9 {
                publisher.publish_to_the_end(message(&topic, b"x", published));
            }
            for (member, granted) in &mut members {
                // They take turns; nobody is busy.
                for heard in hear(member, 3) {
                    assert_eq!(heard.qos, published.min(*granted), "{version}: {published:?} to {granted:?}");
                }
                member.assert_quiet_after(&mut publisher);
            }
        }
    }
}

// MQTT 5.0 server: MQTT-4.8.2-4
#[test]
fn a_qos_2_message_that_one_member_has_begun_to_take_is_completed_with_it() {
    for version in VERSIONS {
        for _ in 0..ROUNDS {
            let mut pair = Pair::new(version, QoS::ExactlyOnce);
            pair.publish("one", QoS::ExactlyOnce);
            pair.publish("two", QoS::ExactlyOnce);
            let (one, two) = (pair.member.next_publish(), pair.member.next_publish());
            let released = two.packet_id.unwrap().get();
            pair.member.send(&pubrec(released));
            assert_eq!(pair.member.next(), pubrel(released));
            let mut other = pair.other(version, QoS::ExactlyOnce);
            pair.member.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
            pair.member.assert_ended_with(None, "the first connection");
            other.assert_quiet_after(&mut pair.publisher);
            pair.reconnect(version);
            let mut again = vec![pair.member.next(), pair.member.next()];
            again.retain(|packet| packet != &pubrel(released));
            assert_eq!(again, [Packet::Publish(Publish { dup: true, ..one.clone() })], "{version}");
            let packet_id = one.packet_id.unwrap().get();
            pair.member.send(&pubrec(packet_id));
            assert_eq!(pair.member.next(), pubrel(packet_id));
            pair.member.send(&pubcomp(packet_id));
            pair.member.send(&pubcomp(released));
            pair.member.assert_quiet();
            other.assert_quiet_after(&mut pair.member);
        }
    }
}

// MQTT 5.0 server: MQTT-4.8.2-5
#[test]
fn a_qos_2_message_that_was_under_way_ends_with_its_session() {
    for version in VERSIONS {
        for is_released in [false, true] {
            for _ in 0..ROUNDS {
                let mut pair = Pair::new(version, QoS::ExactlyOnce);
                pair.publish("under way", QoS::ExactlyOnce);
                let heard = pair.member.next_publish();
                let packet_id = heard.packet_id.unwrap().get();
                if is_released {
                    pair.member.send(&pubrec(packet_id));
                    assert_eq!(pair.member.next(), pubrel(packet_id));
                }
                let mut other = pair.other(version, QoS::ExactlyOnce);
                // A clean start ends the session; its shard would pass the message on before it answers.
                let mut anew = join(pair.hearth.mqtt(), version, &pair.client_id);
                other.assert_quiet_after(&mut anew);
                other.assert_quiet_after(&mut pair.publisher);
                anew.assert_quiet_after(&mut pair.publisher);
                pair.publish("next", QoS::ExactlyOnce);
                assert_eq!(payloads(&hear(&mut other, 1)), ["next"], "{version}");
            }
        }
    }
}

// MQTT 5.0 server: MQTT-4.8.2-6
#[test]
fn a_message_that_a_member_refuses_goes_to_nobody_else() {
    for _ in 0..ROUNDS {
        let mut pair = Pair::new(Version::V5, QoS::ExactlyOnce);
        pair.publish("one", QoS::AtLeastOnce);
        pair.publish("two", QoS::ExactlyOnce);
        let offered = [pair.member.next_publish(), pair.member.next_publish()];
        let mut other = pair.other(Version::V5, QoS::ExactlyOnce);
        let refusal = |publish: &Publish| {
            PublishAck::new(publish.packet_id.unwrap(), ReasonCode::ImplementationSpecificError)
        };
        pair.member.send(&Packet::PubAck(refusal(&offered[0])));
        pair.member.send(&Packet::PubRec(refusal(&offered[1])));
        pair.member.assert_quiet();
        other.assert_quiet_after(&mut pair.member);
        // Not at the end of the connection either, nor at that of the session.
        pair.reconnect(Version::V5);
        pair.member.assert_quiet_after(&mut pair.publisher);
        let mut anew = join(pair.hearth.mqtt(), Version::V5, &pair.client_id);
        other.assert_quiet_after(&mut anew);
        other.assert_quiet_after(&mut pair.publisher);
    }
}

#[test]
fn a_qos_1_message_that_a_member_did_not_acknowledge_goes_to_another_one_or_comes_again() {
    for version in VERSIONS {
        for session_ends in [false, true] {
            let mut pair = Pair::new(version, QoS::AtLeastOnce);
            pair.publish("under way", QoS::AtLeastOnce);
            let heard = pair.member.next_publish();
            // With nobody else in the group it waits for the session to go on.
            pair.reconnect(version);
            assert_eq!(pair.member.next_publish(), Publish { dup: true, ..heard });
            // Another one who is there gets it, at the latest when the session ends (4.8.2).
            let mut other = pair.other(version, QoS::AtLeastOnce);
            if session_ends {
                pair.member = join(pair.hearth.mqtt(), version, &pair.client_id);
            } else {
                pair.reconnect(version);
            }
            let passed_on = hear(&mut other, 1).remove(0);
            assert_eq!((passed_on.payload.as_ref(), passed_on.dup), (&b"under way"[..], false));
            pair.member.assert_quiet_after(&mut pair.publisher);
        }
    }
}

#[test]
fn a_shared_subscription_brings_no_retained_messages() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = unique("kept");
        let mut publisher = join(hearth.mqtt(), Version::V5, &unique("publisher"));
        let kept = |payload: &[u8]| Publish { retain: true, ..message(&topic, payload, QoS::AtLeastOnce) };
        publisher.publish_to_the_end(kept(b"kept"));
        let mut client = join(hearth.mqtt(), version, &unique("late"));
        let shared = Subscription::new(topic_filter(&format!("$share/group/{topic}")), QoS::AtLeastOnce);
        for _ in 0..2 {
            request(&mut client, &subscribe_to(1, vec![shared.clone()]));
            client.assert_quiet_after(&mut publisher);
        }
        publisher.publish_to_the_end(kept(b"live"));
        let heard = hear(&mut client, 1).remove(0);
        assert_eq!((heard.payload.as_ref(), heard.retain), (&b"live"[..], false));
        publisher.publish_to_the_end(kept(b""));
    }
}
