//! Turns of a shard: bytes of clients in, bytes for clients out.

use std::ops::Range;

use anyhow::Result;
use hearth_broker::Limits;
use hearth_protocol::packet::{Disconnect, Packet, PacketId, Publish, Unsubscribe, UnsubscribeProperties};
use hearth_protocol::{QoS, ReasonCode, TopicFilter, Version};

use crate::world::{Acknowledgement, World, connect, encoded, publish, pubrel, subscribe, topic};
use crate::{Scenario, Work};

/// Clients on the side that has many.
const MANY: usize = 50;

/// Subscribers of one topic.
const AUDIENCE: usize = 100;

/// Bytes of a payload unless it says otherwise.
const PAYLOAD_BYTES: usize = 64;

/// One that is shared, and written beside its header.
const LARGE_BYTES: usize = 64 << 10;

/// Retained messages of a replay.
const RETAINED: usize = 1000;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("turn/fan-out-qos0", AUDIENCE, || Traffic::begin(QoS::AtMostOnce, 1, AUDIENCE, PAYLOAD_BYTES)),
    scenario("turn/fan-out-qos1", AUDIENCE, || Traffic::begin(QoS::AtLeastOnce, 1, AUDIENCE, PAYLOAD_BYTES)),
    scenario("turn/fan-out-qos2", AUDIENCE, || Traffic::begin(QoS::ExactlyOnce, 1, AUDIENCE, PAYLOAD_BYTES)),
    scenario("turn/fan-out-large", AUDIENCE, || Traffic::begin(QoS::AtMostOnce, 1, AUDIENCE, LARGE_BYTES)),
    scenario("turn/fan-in-qos0", MANY, || Traffic::begin(QoS::AtMostOnce, MANY, 1, PAYLOAD_BYTES)),
    scenario("turn/fan-in-qos1", MANY, || Traffic::begin(QoS::AtLeastOnce, MANY, 1, PAYLOAD_BYTES)),
    scenario("turn/pairs-qos0", MANY, || Traffic::begin(QoS::AtMostOnce, MANY, MANY, PAYLOAD_BYTES)),
    scenario("turn/pairs-qos1", MANY, || Traffic::begin(QoS::AtLeastOnce, MANY, MANY, PAYLOAD_BYTES)),
    scenario("turn/pairs-qos2", MANY, || Traffic::begin(QoS::ExactlyOnce, MANY, MANY, PAYLOAD_BYTES)),
    scenario("turn/fan-out-qos0-tree", AUDIENCE, || Traffic::with_tree(1, AUDIENCE)),
    scenario("turn/fan-in-qos0-tree", MANY, || Traffic::with_tree(MANY, 1)),
    scenario("turn/pairs-qos0-tree", MANY, || Traffic::with_tree(MANY, MANY)),
    Scenario { steps: 5, ..scenario("turn/retained-replay", RETAINED, Replay::begin) },
    scenario("turn/connect", 1, Visit::begin),
];

const fn scenario(name: &'static str, units: usize, begin: fn() -> Result<Box<dyn Work>>) -> Scenario {
    Scenario { name, units_per_step: units as u64, steps: 100, begin }
}

/// Publishers that send one message each, and subscribers that acknowledge what they get.
struct Traffic {
    world: World,
    qos: QoS,
    subscribers: Range<usize>,
    /// With the message that each sends.
    publishers: Vec<(usize, Vec<u8>)>,
    pubrel: Vec<u8>,
}

impl Traffic {
    /// With as many subscribers as publishers each has its own; else one side is one client.
    fn begin(qos: QoS, publishers: usize, subscribers: usize, payload: usize) -> Result<Box<dyn Work>> {
        Self::begin_in(World::new(Limits::default()), qos, publishers, subscribers, payload)
    }

    /// QoS 0 with a live tree.
    fn with_tree(publishers: usize, subscribers: usize) -> Result<Box<dyn Work>> {
        let world = World::with_tree(Limits::default());
        Self::begin_in(world, QoS::AtMostOnce, publishers, subscribers, PAYLOAD_BYTES)
    }

    fn begin_in(
        mut world: World,
        qos: QoS,
        publishers: usize,
        subscribers: usize,
        payload: usize,
    ) -> Result<Box<dyn Work>> {
        let topic = |number: usize| format!("home/room-{number}/temperature");
        for number in 0..subscribers {
            let filter = match (publishers, subscribers) {
                (1, _) => topic(0),
                (_, 1) => "home/+/temperature".to_owned(),
                _ => topic(number),
            };
            world.join(version(number), qos, &[filter])?;
        }
        let mut clients = Vec::new();
        for number in 0..publishers {
            let client = world.join(Version::V311, qos, &[])?;
            clients.push((client, publish(&topic(number), qos, world.version(client), payload)?));
        }
        let pubrel = pubrel(Version::V311)?;
        Ok(Box::new(Self { world, qos, subscribers: 0..subscribers, publishers: clients, pubrel }))
    }

    /// Each subscriber has got so many messages.
    fn messages_each(&self) -> usize {
        if self.subscribers.len() == 1 { self.publishers.len() } else { 1 }
    }

    fn acknowledge(&mut self) {
        for _ in 0..self.messages_each() {
            self.world.acknowledge(self.subscribers.clone(), Acknowledgement::Taken);
            self.world.finish(self.subscribers.clone());
        }
        self.world.flush();
    }

    fn complete(&mut self) {
        for (publisher, _) in &self.publishers {
            self.world.send(*publisher, &self.pubrel);
        }
        self.world.acknowledge(self.subscribers.clone(), Acknowledgement::Received);
        self.world.flush();
        self.world.acknowledge(self.subscribers.clone(), Acknowledgement::Complete);
        self.world.finish(self.subscribers.clone());
        self.world.flush();
    }
}

impl Work for Traffic {
    fn step(&mut self) {
        for (publisher, message) in &self.publishers {
            self.world.send(*publisher, message);
        }
        self.world.flush();
        match self.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.acknowledge(),
            QoS::ExactlyOnce => self.complete(),
        }
    }

    fn units(&self) -> u64 {
        self.world.stats().delivered[self.qos as usize]
    }
}

/// A subscriber that asks for all retained messages, again and again.
struct Replay {
    world: World,
    subscriber: usize,
    subscribe: Vec<u8>,
    unsubscribe: Vec<u8>,
}

impl Replay {
    fn begin() -> Result<Box<dyn Work>> {
        let mut world = World::new(Limits::default());
        let publisher = world.join(Version::V5, QoS::AtMostOnce, &[])?;
        for number in 0..RETAINED {
            let packet = Packet::Publish(Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: true,
                topic: topic(&format!("home/room-{number}/temperature"))?,
                packet_id: None,
                payload: vec![b'x'; PAYLOAD_BYTES].into(),
                properties: None,
            });
            world.send(publisher, &encoded(&packet, Version::V5)?);
        }
        let subscriber = world.join(Version::V5, QoS::AtMostOnce, &[])?;
        let filter = "home/#".to_owned();
        let subscribe = subscribe(Version::V5, QoS::AtMostOnce, std::slice::from_ref(&filter))?;
        let unsubscribe = Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::MIN,
            filters: vec![TopicFilter::try_from(filter.as_str())?],
            properties: UnsubscribeProperties::default(),
        });
        let unsubscribe = encoded(&unsubscribe, Version::V5)?;
        Ok(Box::new(Self { world, subscriber, subscribe, unsubscribe }))
    }
}

impl Work for Replay {
    fn step(&mut self) {
        self.world.send(self.subscriber, &self.subscribe);
        self.world.flush();
        self.world.send(self.subscriber, &self.unsubscribe);
        self.world.flush();
    }

    fn units(&self) -> u64 {
        self.world.stats().delivered[0]
    }
}

/// A client that connects, subscribes and leaves.
struct Visit {
    world: World,
    packets: [Vec<u8>; 3],
}

impl Visit {
    fn begin() -> Result<Box<dyn Work>> {
        let filters = ["home/kitchen/+".to_owned()];
        let packets = [
            connect(0, Version::V5)?,
            subscribe(Version::V5, QoS::AtLeastOnce, &filters)?,
            encoded(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)), Version::V5)?,
        ];
        Ok(Box::new(Self { world: World::new(Limits::default()), packets }))
    }
}

impl Work for Visit {
    fn step(&mut self) {
        let connection = self.world.open();
        for packet in &self.packets {
            self.world.receive(connection, packet);
            self.world.flush();
        }
    }

    fn units(&self) -> u64 {
        let stats = self.world.stats();
        // Whoever is still there did not leave.
        stats.accepted - stats.connected as u64
    }
}

/// Both kinds of clients are there: a message is encoded twice.
const fn version(number: usize) -> Version {
    if number.is_multiple_of(2) { Version::V311 } else { Version::V5 }
}
