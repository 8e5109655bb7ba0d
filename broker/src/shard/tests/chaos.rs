//! Packets in any order, from clients that come, stall and go: nothing of them is left at the end.

use hearth_protocol::generate::{Random, damage, packet};

use super::*;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

struct Chaos {
    random: Random,
    broker: Broker,
    wires: Vec<(Wire, Version)>,
}

impl Chaos {
    fn step(&mut self) {
        match self.random.below(14) {
            0 | 1 => self.open(),
            2 => self.with_wire(|chaos, wire, _| {
                chaos.broker.stalled.insert(wire);
            }),
            3 => self.with_wire(|chaos, wire, _| chaos.broker.unstall(wire)),
            4 => self.with_wire(|chaos, wire, _| chaos.broker.hang_up(wire)),
            5 => {
                let seconds = self.random.below(30) as u64;
                self.broker.wait(Duration::from_secs(seconds));
            }
            6..9 => self.with_wire(Self::publish),
            _ => self.with_wire(Self::send),
        }
        self.wires.retain(|(wire, _)| !self.broker.closed.contains(wire));
    }

    fn open(&mut self) {
        let version = self.random.pick(&VERSIONS);
        let client_id = self.random.pick(&["a", "b", "c", "d"]);
        let last_words = self.random.maybe(|random| Will {
            retain: random.one_in(2),
            ..will("a/will", (version == Version::V5).then(|| random.below(20) as u32))
        });
        let session_expiry = self.random.maybe(|random| random.below(100) as u32);
        let properties = if version == Version::V5 {
            ConnectProperties { session_expiry, receive_maximum: Some(2), ..ConnectProperties::default() }
        } else {
            ConnectProperties::default()
        };
        let clean_start = self.random.one_in(2);
        let connect = Connect { clean_start, will: last_words, properties, ..connect(client_id, version) };
        let wire = self.broker.wire(client_id);
        let qos = self.random.pick(&ALL_QOS);
        let packets = [Packet::Connect(Box::new(connect)), subscribe(1, &["#", "a/+"], qos)];
        self.broker.send(wire, version, packets);
        self.wires.push((wire, version));
    }

    fn send(&mut self, wire: Wire, version: Version) {
        let packet = packet(&mut self.random, version);
        // A second CONNECT or a server's packet ends the connection at once: that is rarely worth the step.
        let is_polite = matches!(
            packet,
            Packet::Publish(_)
                | Packet::PubAck(_)
                | Packet::PubRec(_)
                | Packet::PubRel(_)
                | Packet::PubComp(_)
                | Packet::Subscribe(_)
                | Packet::Unsubscribe(_)
        );
        if !is_polite && !self.random.one_in(20) {
            return;
        }
        let mut bytes = BytesMut::new();
        codec::encode(&packet, version, &mut bytes).unwrap();
        let mut bytes = bytes.to_vec();
        if self.random.one_in(50) {
            damage(&mut self.random, &mut bytes);
        }
        self.broker.send_bytes(wire, &bytes);
    }

    fn publish(&mut self, wire: Wire, version: Version) {
        let (qos, retain) = (self.random.pick(&ALL_QOS), self.random.one_in(3));
        let topic = self.random.pick(&["a/a", "a/b", "c"]);
        let number = 1 + self.random.below(4) as u16;
        let packet_id = PacketId::new(number).filter(|_| qos > QoS::AtMostOnce);
        let publish = Publish { packet_id, retain, ..message(topic, "x", qos) };
        self.broker.send(wire, version, [Packet::Publish(publish)]);
    }

    fn with_wire(&mut self, action: impl FnOnce(&mut Self, Wire, Version)) {
        if !self.wires.is_empty() {
            let (wire, version) = self.wires[self.random.below(self.wires.len())];
            action(self, wire, version);
        }
    }
}

#[test]
fn whatever_clients_do_nothing_of_them_is_left_when_their_sessions_are_over() {
    for seed in 1..=60 {
        let limits = Limits {
            session_expiry_max_seconds: 100,
            output_bytes_max: 500,
            queued_messages_max: 20,
            retained_messages_max: 10,
            ..Limits::default()
        };
        let mut chaos =
            Chaos { random: Random::new(seed), broker: Broker::with_limits(3, limits), wires: Vec::new() };
        for _ in 0..400 {
            chaos.step();
        }
        for (wire, _) in std::mem::take(&mut chaos.wires) {
            chaos.broker.hang_up(wire);
        }
        let mut broker = chaos.broker;
        let delivered = broker.count(|stats| stats.delivered.iter().sum());
        assert!(delivered > 20, "seed {seed}: {delivered} messages are no test");
        broker.wait(Duration::from_secs(500));
        for shard in &broker.shards {
            let stats = shard.stats();
            assert_eq!((stats.connections, stats.sessions, stats.subscriptions), (0, 0, 0), "seed {seed}");
            assert_eq!(shard.timers.len(), 0, "seed {seed}");
            assert_eq!(shard.connections.len(), 0, "seed {seed}");
        }
        assert!(broker.shared.interest.is_empty(), "seed {seed}");
    }
}
