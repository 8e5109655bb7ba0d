//! Packets and connections as the conformance tests need them, in few words.

use std::collections::HashSet;
use std::net::SocketAddr;

use hearth_protocol::packet::{
    Connect, Disconnect, Packet, PacketId, Publish, PublishAck, Subscribe, SubscribeProperties, Subscription,
    Unsubscribe, UnsubscribeProperties,
};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::{raw, unique};
use crate::wire::{Wire, connect, topic_filter};

/// Every QoS in its order.
pub const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A packet identifier.
pub fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("a packet id is not 0")
}

/// A PUBLISH at QoS 1 or 2 under a packet identifier.
pub fn publish(packet_id: u16, message: Publish) -> Packet {
    Packet::Publish(Publish { packet_id: Some(id(packet_id)), ..message })
}

/// The same sent a second time.
pub fn publish_again(packet_id: u16, message: Publish) -> Packet {
    publish(packet_id, Publish { dup: true, ..message })
}

pub fn puback(packet_id: u16) -> Packet {
    Packet::PubAck(PublishAck::success(id(packet_id)))
}

pub fn pubrec(packet_id: u16) -> Packet {
    Packet::PubRec(PublishAck::success(id(packet_id)))
}

pub fn pubrel(packet_id: u16) -> Packet {
    Packet::PubRel(PublishAck::success(id(packet_id)))
}

pub fn pubcomp(packet_id: u16) -> Packet {
    Packet::PubComp(PublishAck::success(id(packet_id)))
}

/// A SUBSCRIBE without properties and options.
pub fn subscribe(packet_id: u16, filters: &[(&str, QoS)]) -> Packet {
    let subscriptions =
        filters.iter().map(|(filter, qos)| Subscription::new(topic_filter(filter), *qos)).collect();
    subscribe_to(packet_id, subscriptions)
}

/// A SUBSCRIBE with options.
pub fn subscribe_to(packet_id: u16, subscriptions: Vec<Subscription>) -> Packet {
    let properties = SubscribeProperties::default();
    Packet::Subscribe(Subscribe { packet_id: id(packet_id), subscriptions, properties })
}

/// An UNSUBSCRIBE.
pub fn unsubscribe(packet_id: u16, filters: &[&str]) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: id(packet_id),
        filters: filters.iter().map(|filter| topic_filter(filter)).collect(),
        properties: UnsubscribeProperties::default(),
    })
}

/// Sends a request and gives the reason codes of its SUBACK or UNSUBACK, which must come next.
#[track_caller]
pub fn request(wire: &mut Wire, packet: &Packet) -> Vec<ReasonCode> {
    wire.send(packet);
    match (packet, wire.next()) {
        (Packet::Subscribe(sent), Packet::SubAck(answer)) => {
            assert_eq!(answer.packet_id, sent.packet_id);
            answer.reasons
        }
        (Packet::Unsubscribe(sent), Packet::UnsubAck(answer)) => {
            assert_eq!(answer.packet_id, sent.packet_id);
            answer.reasons
        }
        (_, other) => panic!("{packet:?} got {other:?}"),
    }
}

/// A connection whose session ends with it.
#[track_caller]
pub fn join(broker: SocketAddr, version: Version, client_id: &str) -> Wire {
    Wire::connect(broker, connect(version, &format!("{client_id}-{version}"))).0
}

/// A CONNECT of a session that outlives its connection.
pub fn lasting(version: Version, client_id: &str) -> Connect {
    let mut connect = Connect { clean_start: false, ..connect(version, &format!("{client_id}-{version}")) };
    if version.is_v5() {
        connect.properties.session_expiry = Some(3600);
    }
    connect
}

/// Ends a connection in good order; the broker has parted it from its session when this returns.
#[track_caller]
pub fn leave(mut wire: Wire) {
    wire.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
    while wire.next_or_end().is_some() {}
}

/// Takes so many messages, each with all of its acknowledgements, in the order of their arrival.
#[track_caller]
pub fn hear(wire: &mut Wire, count: usize) -> Vec<Publish> {
    let mut heard = Vec::new();
    let mut unreleased = HashSet::new();
    while heard.len() < count || !unreleased.is_empty() {
        match wire.next() {
            Packet::Publish(publish) => {
                match (publish.qos, publish.packet_id) {
                    (QoS::AtLeastOnce, Some(packet_id)) => wire.send(&puback(packet_id.get())),
                    (QoS::ExactlyOnce, Some(packet_id)) => {
                        unreleased.insert(packet_id);
                        wire.send(&pubrec(packet_id.get()));
                    }
                    (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => {}
                }
                heard.push(publish);
            }
            Packet::PubRel(ack) => {
                assert!(unreleased.remove(&ack.packet_id), "{ack:?} answers no PUBREC");
                wire.send(&pubcomp(ack.packet_id.get()));
            }
            other => panic!("waited for {count} messages, got {heard:?} and then {other:?}"),
        }
    }
    heard
}

/// The payloads of messages as text.
pub fn payloads(messages: &[Publish]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8(message.payload.to_vec()).unwrap()).collect()
}

/// SUBSCRIBE, UNSUBSCRIBE and the like: a packet identifier, no properties, and a payload as it stands.
pub fn request_frame(first: u8, version: Version, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    raw::packet(first, &[&packet_id.to_be_bytes(), &raw::properties(version, &[]), payload])
}

/// Sends bytes that break a rule on a connection of their own: version 5 is told the reason, both are closed.
#[track_caller]
pub fn assert_refused(broker: SocketAddr, version: Version, what: &str, bytes: &[u8], reason: ReasonCode) {
    let mut wire = join(broker, version, &unique("refused"));
    wire.send_bytes(bytes);
    wire.assert_ended_with(version.is_v5().then_some(reason), what);
}
