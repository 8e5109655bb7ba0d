//! What the clients, the network, the authenticator and time do, one act a step.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearth_protocol::generate::{client_packet, damage, packet};
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, PublishProperties, Subscribe, SubscribeProperties,
    Subscription, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName, Version, codec};

use super::peer::Peer;
use super::{CLIENT_IDS, PACKET_BYTES_MAX, Run};
use crate::access::Identity;
use crate::authentication::{AuthStep, Exchange};
use crate::connection::{Peer as Caller, Transport};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const TOPICS: [&str; 6] = ["a", "a/b", "b", "a/b/c", "$d/a", "/"];
const FILTERS: [&str; 10] =
    ["#", "a/#", "+", "a/+", "+/+", "$d/#", "a/b", "$share/g/a/#", "$share/h/#", "$share/g/+"];

/// Connections at once.
const PEERS_MAX: usize = 8;

impl Run {
    pub(super) fn step(&mut self) {
        match self.random.below(24) {
            _ if self.peers.is_empty() => self.come(),
            0..3 => self.come(),
            3 => self.wait(),
            4..7 => self.forward_some(),
            7 => self.with_peer(|run, place| run.peers[place].is_stalled ^= true),
            8 => self.with_peer(|run, place| {
                let bytes_max = run.random.below(300);
                run.flush(place, bytes_max);
            }),
            9 => self.with_peer(Self::hang_up),
            10 => self.with_peer(Self::send_anything),
            11 => self.with_peer(|run, place| {
                let version = run.peers[place].version;
                let packet = client_packet(&mut run.random, version);
                run.send(place, &packet);
            }),
            12..16 => self.with_peer(Self::publish),
            16..19 => self.with_peer(Self::subscribe),
            19 => self.authenticate(),
            20.. => self.with_peer(Self::answer),
        }
    }

    fn with_peer(&mut self, action: impl FnOnce(&mut Self, usize)) {
        let place = self.random.below(self.peers.len());
        action(self, place);
    }

    fn come(&mut self) {
        if self.peers.len() == PEERS_MAX {
            return;
        }
        let client_id = self.random.pick(&CLIENT_IDS);
        let version = self.random.pick(&VERSIONS);
        let will = self.random.maybe(|random| Will {
            topic: topic(random.pick(&TOPICS)),
            payload: random.bytes(9),
            qos: random.pick(&ALL_QOS),
            retain: random.one_in(2),
            properties: WillProperties {
                delay: Some(random.below(30) as u32).filter(|_| version.is_v5()),
                ..WillProperties::default()
            },
        });
        let properties = match version {
            Version::V31 | Version::V311 => ConnectProperties::default(),
            Version::V5 => ConnectProperties {
                session_expiry: self.random.maybe(|random| random.below(200) as u32),
                receive_maximum: self.random.maybe(|random| 1 + random.below(4) as u16),
                packet_size_max: self.random.maybe(|random| 20 + random.below(200) as u32),
                topic_alias_maximum: self.random.maybe(|random| random.below(4) as u16),
                request_problem_information: self.random.maybe(|random| random.one_in(2)),
                authentication_method: self.random.one_in(4).then(|| text("m")),
                ..ConnectProperties::default()
            },
        };
        let user_name = self.random.one_in(4).then(|| text("u"));
        let connect = Connect {
            clean_start: self.random.one_in(3),
            keep_alive: self.random.below(30) as u16,
            will,
            user_name,
            properties,
            ..connect(client_id, version)
        };
        self.open(&connect);
    }

    /// A connection to the shard of its client id.
    pub(super) fn open(&mut self, connect: &Connect) -> usize {
        let assigned_client_id = text("assigned");
        let shard = self.shared.shard_of(&connect.client_id).as_index();
        let caller = Caller { address: None, is_local: true, transport: Transport::Tcp, assigned_client_id };
        let id = self.shards[shard].handle_open(self.now, caller);
        self.peers.push(Peer::new(shard, id, connect, self.shared.limits.inflight_max));
        let place = self.peers.len() - 1;
        self.send(place, &Packet::Connect(Box::new(connect.clone())));
        place
    }

    fn wait(&mut self) {
        let milliseconds = self.random.below(1 << 14) as u64;
        self.now = self.now.saturating_add(Duration::from_millis(milliseconds));
        self.shards.iter_mut().for_each(|shard| shard.handle_timeout(self.now));
    }

    /// Lets some of what is between two shards arrive.
    fn forward_some(&mut self) {
        let link = self.random.below(self.links.len());
        let count = self.random.below(4);
        self.forward(link, count);
    }

    pub(super) fn forward(&mut self, link: usize, count: usize) {
        let to = link % self.shards.len();
        for _ in 0..count {
            let Some(forward) = self.links[link].pop_front() else { return };
            self.shards[to].handle_forward(self.now, forward);
        }
    }

    pub(super) fn hang_up(&mut self, place: usize) {
        let peer = self.peers.swap_remove(place);
        self.messages += peer.messages;
        self.shards[peer.shard].handle_closed(self.now, peer.id);
        assert!(self.shards[peer.shard].output(peer.id).is_none(), "a closed connection has no output");
    }

    fn send_anything(&mut self, place: usize) {
        let version = self.peers[place].version;
        let bytes = if self.random.one_in(3) {
            self.random.bytes(20).to_vec()
        } else {
            let packet = packet(&mut self.random, version);
            let mut bytes = BytesMut::new();
            assert_eq!(codec::encode(&packet, version, &mut bytes), Ok(()), "generated packets are valid");
            bytes.truncate(2 * PACKET_BYTES_MAX);
            let mut bytes = bytes.to_vec();
            if self.random.one_in(2) {
                damage(&mut self.random, &mut bytes);
            }
            bytes
        };
        self.peers[place].send_bytes(&bytes);
        self.feed(place);
    }

    fn publish(&mut self, place: usize) {
        let version = self.peers[place].version;
        let qos = self.random.pick(&ALL_QOS);
        let number = 1 + self.random.below(5) as u16;
        let properties = version.is_v5().then(|| {
            Box::new(PublishProperties {
                message_expiry: self.random.maybe(|random| random.below(20) as u32),
                user_properties: self.random.user_properties(),
                ..PublishProperties::EMPTY
            })
        });
        let payload_len = self.random.below(0x100);
        let publish = Publish {
            dup: false,
            qos,
            retain: self.random.one_in(4),
            topic: topic(self.random.pick(&TOPICS)),
            packet_id: PacketId::new(number).filter(|_| qos > QoS::AtMostOnce),
            payload: Bytes::from(vec![b'x'; payload_len.saturating_sub(150)]),
            properties,
        };
        self.send(place, &Packet::Publish(publish));
    }

    fn subscribe(&mut self, place: usize) {
        let version = self.peers[place].version;
        let filters: Vec<TopicFilter> =
            (0..=self.random.below(4)).map(|_| filter(self.random.pick(&FILTERS))).collect();
        let packet_id = PacketId::MIN;
        if self.random.one_in(4) {
            let properties = UnsubscribeProperties::default();
            return self.send(place, &Packet::Unsubscribe(Unsubscribe { packet_id, filters, properties }));
        }
        let subscriptions = filters.into_iter().map(|filter| {
            let is_plain = filter.shared().is_none();
            let plain = Subscription::new(filter, self.random.pick(&ALL_QOS));
            Subscription {
                no_local: version.is_v5() && is_plain && self.random.one_in(3),
                retain_as_published: version.is_v5() && self.random.one_in(3),
                ..plain
            }
        });
        let subscriptions = subscriptions.collect();
        let subscription_id = self.random.maybe(|random| 1 + random.below(3) as u32);
        let properties = SubscribeProperties {
            subscription_id: subscription_id.filter(|_| version.is_v5()),
            ..SubscribeProperties::default()
        };
        self.send(place, &Packet::Subscribe(Subscribe { packet_id, subscriptions, properties }));
    }

    /// The authenticator says something to one of the questions.
    fn authenticate(&mut self) {
        if self.questions.is_empty() {
            return;
        }
        let which = self.random.below(self.questions.len());
        let step = match self.random.below(4) {
            0 => AuthStep::Deny { reason: ReasonCode::NotAuthorized, detail: "no".to_owned() },
            1 => AuthStep::Continue { data: Bytes::from_static(b"?"), exchange: Exchange::new(()) },
            _ => allow(),
        };
        self.say(which, step);
    }

    pub(super) fn say(&mut self, which: usize, step: AuthStep) {
        let (shard, id) = self.questions.swap_remove(which);
        self.shards[shard].handle_authenticated(self.now, id, step);
        let place = self.peers.iter().position(|peer| (peer.shard, peer.id) == (shard, id));
        if let Some(place) = place {
            self.feed(place);
        }
    }

    /// Sends one of the answers that a good client owes, most often the oldest.
    fn answer(&mut self, place: usize) {
        let owed = self.peers[place].owed.len();
        if owed > 0 {
            let which = if self.random.one_in(4) { self.random.below(owed) } else { 0 };
            let answer = self.peers[place].owed.remove(which);
            answer.iter().for_each(|answer| self.send(place, answer));
        }
    }

    pub(super) fn send(&mut self, place: usize, packet: &Packet) {
        self.peers[place].send(packet);
        self.feed(place);
    }

    /// Gives the shard what the peer sent, as far as it wants it.
    pub(super) fn feed(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        let shard = &mut self.shards[peer.shard];
        if shard.wants_input(peer.id) {
            shard.handle_input(self.now, peer.id, &mut peer.input);
            let held = peer.input.len();
            let is_part = held <= PACKET_BYTES_MAX || !shard.wants_input(peer.id);
            assert!(is_part, "{held} bytes are held of a packet that is not whole");
        }
    }
}

pub(super) fn allow() -> AuthStep {
    AuthStep::Allow { identity: Identity { user_name: Some("u".into()) }, data: None }
}

pub(super) fn connect(client_id: &str, version: Version) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_id: text(client_id),
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

pub(super) fn text(text: &str) -> Text {
    match Text::try_from(text) {
        Ok(text) => text,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn topic(name: &str) -> TopicName {
    match TopicName::try_from(name) {
        Ok(topic) => topic,
        Err(error) => panic!("{name}: {error}"),
    }
}

fn filter(name: &str) -> TopicFilter {
    match TopicFilter::try_from(name) {
        Ok(filter) => filter,
        Err(error) => panic!("{name}: {error}"),
    }
}
