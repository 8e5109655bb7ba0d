//! Whole brokers under clients that a tape describes, for fuzzers: whatever they do, what must hold does.

mod peer;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearth_protocol::generate::{Random, client_packet, damage, packet};
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, PublishProperties, Subscribe, SubscribeProperties,
    Subscription, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
use hearth_protocol::{QoS, Text, Time, TopicFilter, TopicName, Version, codec};

use super::Shard;
use crate::connection::{Peer as Caller, Transport};
use crate::effect::{Effect, Forward};
use crate::ids::{ConnectionId, ShardCount, ShardId};
use crate::limits::Limits;
use crate::shared::Shared;
use peer::Peer;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const CLIENT_IDS: [&str; 5] = ["a", "b", "c", "d", "e"];
const TOPICS: [&str; 6] = ["a", "a/b", "b", "a/b/c", "$d/a", "/"];
const FILTERS: [&str; 10] =
    ["#", "a/#", "+", "a/+", "+/+", "$d/#", "a/b", "$share/g/a/#", "$share/h/#", "$share/g/+"];

/// Connections at once.
const PEERS_MAX: usize = 8;

/// The largest packet that these brokers take.
const PACKET_BYTES_MAX: usize = 2048;

/// Longer than any session lives.
const AFTER_ALL: Duration = Duration::from_secs(700);

struct Run {
    random: Random,
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    /// What went from shard to shard and has not come: one queue for each pair.
    links: Vec<VecDeque<Forward>>,
    peers: Vec<Peer>,
    now: Time,
    /// PUBLISH packets that came to peers which are gone.
    messages: usize,
}

/// Runs a broker of one to three shards as the tape says, checks after each step what must always hold, lets good clients
/// take what waits, and ends everything: nothing is left. How many messages were delivered.
///
/// # Panics
/// When something does not hold.
pub fn shards(tape: &[u8]) -> usize {
    let mut run = Run::new(Random::of_tape(tape));
    while !run.random.is_over() {
        run.step();
        run.settle();
        run.check();
    }
    run.acknowledge_all();
    run.end_all();
    run.messages
}

/// Bounds that are met within a few steps.
fn limits() -> Limits {
    Limits {
        packet_bytes_max: PACKET_BYTES_MAX,
        client_id_bytes_max: 8,
        topic_bytes_max: 40,
        topic_levels_max: 6,
        subscriptions_per_session_max: 6,
        filters_per_packet_max: 3,
        inflight_max: 3,
        queued_messages_max: 10,
        queued_bytes_max: 400,
        output_bytes_max: 600,
        retained_messages_max: 5,
        retained_bytes_max: 300,
        topic_alias_max: 3,
        connections_per_shard_max: 5,
        session_expiry_max_seconds: 100,
        topic_cache_max: 4,
        ..Limits::default()
    }
}

impl Run {
    fn new(mut random: Random) -> Self {
        let count = 1 + random.below(3) as u16;
        let shard_count = ShardCount::new(NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN));
        let shared = Arc::new(Shared::new(shard_count, limits(), [1, 2]));
        let shards: Vec<Shard> =
            (0..count).map(|number| Shard::new(Arc::clone(&shared), ShardId::new(number))).collect();
        let links = (0..shards.len() * shards.len()).map(|_| VecDeque::new()).collect();
        let now = Time::from_millis(1000);
        Self { random, shared, shards, links, peers: Vec::new(), now, messages: 0 }
    }

    fn step(&mut self) {
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
            19.. => self.with_peer(Self::answer),
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
                ..ConnectProperties::default()
            },
        };
        let connect = Connect {
            clean_start: self.random.one_in(3),
            keep_alive: self.random.below(30) as u16,
            will,
            properties,
            ..connect(client_id, version)
        };
        self.open(&connect);
    }

    /// A connection to the shard of its client id.
    fn open(&mut self, connect: &Connect) -> usize {
        let assigned_client_id = text("assigned");
        let shard = self.shared.shard_of(&connect.client_id).as_index();
        let caller = Caller { address: None, transport: Transport::Tcp, assigned_client_id };
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

    fn forward(&mut self, link: usize, count: usize) {
        let to = link % self.shards.len();
        for _ in 0..count {
            let Some(forward) = self.links[link].pop_front() else { return };
            self.shards[to].handle_forward(self.now, forward);
        }
    }

    fn hang_up(&mut self, place: usize) {
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

    /// Sends one of the answers that a good client owes, most often the oldest.
    fn answer(&mut self, place: usize) {
        let owed = self.peers[place].owed.len();
        if owed > 0 {
            let which = if self.random.one_in(4) { self.random.below(owed) } else { 0 };
            let answer = self.peers[place].owed.remove(which);
            answer.iter().for_each(|answer| self.send(place, answer));
        }
    }

    fn send(&mut self, place: usize, packet: &Packet) {
        self.peers[place].send(packet);
        self.feed(place);
    }

    /// Gives the shard what the peer sent, as far as it wants it.
    fn feed(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        let shard = &mut self.shards[peer.shard];
        if shard.wants_input(peer.id) {
            shard.handle_input(self.now, peer.id, &mut peer.input);
            let held = peer.input.len();
            assert!(held <= PACKET_BYTES_MAX, "{held} bytes are held of a packet that is not whole");
        }
    }

    /// Lets the peer read so many bytes at most.
    fn flush(&mut self, place: usize, bytes_max: usize) {
        let peer = &mut self.peers[place];
        let Some(output) = self.shards[peer.shard].output(peer.id) else { return };
        let mut left = bytes_max;
        while left > 0 && !output.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = output.chunks(&mut slices);
            assert!(filled > 0, "an output that is not empty has something to write");
            let taken: Vec<u8> =
                slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(left).collect();
            output.advance(taken.len());
            left -= taken.len();
            peer.receive(&taken);
        }
        if output.is_empty() {
            self.shards[peer.shard].handle_flushed(self.now, peer.id);
            self.feed(place);
        }
    }

    /// Carries out what the shards want and lets who reads read, until nothing moves.
    fn settle(&mut self) {
        let mut has_moved = true;
        while has_moved {
            has_moved = false;
            for shard in 0..self.shards.len() {
                while let Some(effect) = self.shards[shard].poll_effect() {
                    has_moved = true;
                    match effect {
                        Effect::Forward { to, forward } => {
                            assert_ne!(to.as_index(), shard, "a shard does not forward to itself");
                            self.links[shard * self.shards.len() + to.as_index()].push_back(forward);
                        }
                        Effect::Close(id) => self.on_close(shard, id),
                        Effect::Authenticate { .. } => panic!("everybody is let in"),
                        Effect::Event(_) => {}
                    }
                }
                while let Some(id) = self.shards[shard].poll_dirty() {
                    has_moved = true;
                    let place = self.find(shard, id);
                    if !self.peers[place].is_stalled {
                        self.flush(place, usize::MAX);
                    }
                }
            }
        }
    }

    fn on_close(&mut self, shard: usize, id: ConnectionId) {
        let place = self.find(shard, id);
        let mut peer = self.peers.swap_remove(place);
        peer.receive(&self.shards[shard].take_output(id).take_contiguous());
        peer.end();
        self.messages += peer.messages;
        assert!(self.shards[shard].output(id).is_none(), "a closed connection has no output");
    }

    fn find(&self, shard: usize, id: ConnectionId) -> usize {
        let place = self.peers.iter().position(|peer| (peer.shard, peer.id) == (shard, id));
        let Some(place) = place else { panic!("{id:?} of shard {shard} is over") };
        place
    }

    /// What holds after each step.
    fn check(&mut self) {
        let limits = &self.shared.limits;
        let (retained, retained_bytes) = self.shared.retained_size(self.now);
        assert!(retained <= limits.retained_messages_max && retained_bytes <= limits.retained_bytes_max);
        for (number, shard) in self.shards.iter().enumerate() {
            let peers = self.peers.iter().filter(|peer| peer.shard == number).count();
            assert_eq!(shard.stats().connections, peers, "open connections");
            let subscriptions: usize = shard.sessions.iter().map(|session| session.subscriptions_len()).sum();
            assert_eq!(shard.stats().subscriptions, subscriptions, "subscriptions");
            for session in shard.sessions.iter() {
                assert!(session.subscriptions_len() <= limits.subscriptions_per_session_max);
                let Some(flow) = session.flow() else { continue };
                let (messages_max, bytes_max) = (limits.queued_messages_max, limits.queued_bytes_max);
                assert!(flow.queue.has_room(0, messages_max + 1, bytes_max), "the queue has its bound");
                assert!(flow.outbound.inflight_len() <= usize::from(limits.inflight_max));
            }
        }
        for peer in &self.peers {
            // Answers are bounded by what was asked: a client that does not read them is not read either.
            let bytes_max = limits.output_bytes_max + 2 * PACKET_BYTES_MAX;
            let bytes = self.shards[peer.shard].output(peer.id).map_or(0, |output| output.len());
            assert!(bytes <= bytes_max, "{bytes} bytes wait for one connection");
        }
    }

    /// Everything between shards arrives, and what follows from it.
    fn forward_all(&mut self) {
        self.settle();
        while self.links.iter().any(|link| !link.is_empty()) {
            (0..self.links.len()).for_each(|link| self.forward(link, usize::MAX));
            self.settle();
        }
    }

    /// Each client comes back and takes what waits for it; then nothing is under way to anybody.
    fn acknowledge_all(&mut self) {
        while !self.peers.is_empty() {
            self.hang_up(0);
            self.forward_all();
        }
        for client_id in CLIENT_IDS {
            let session_expiry = Some(100);
            let properties = ConnectProperties { session_expiry, ..ConnectProperties::default() };
            self.open(&Connect { clean_start: false, properties, ..connect(client_id, Version::V5) });
            self.forward_all();
        }
        while let Some(place) = self.peers.iter().position(|peer| !peer.owed.is_empty()) {
            let answer = self.peers[place].owed.pop_front();
            answer.iter().for_each(|answer| self.send(place, answer));
            self.forward_all();
        }
        self.check();
        for session in self.shards.iter().flat_map(|shard| shard.sessions.iter()) {
            assert!(session.connection.is_some(), "all clients are here");
            let Some(flow) = session.flow() else { continue };
            assert!(flow.outbound.is_empty(), "all is acknowledged, and no identifier is in use");
            assert!(flow.queue.is_empty() && !session.is_replaying(), "nothing waits");
        }
    }

    /// All sessions end: nothing of them is left.
    fn end_all(&mut self) {
        while !self.peers.is_empty() {
            self.hang_up(0);
            self.forward_all();
        }
        let end = self.now.saturating_add(AFTER_ALL);
        while self.now < end {
            self.now = self.now.saturating_add(Duration::from_secs(50));
            self.shards.iter_mut().for_each(|shard| shard.handle_timeout(self.now));
            self.forward_all();
        }
        for shard in &self.shards {
            let stats = shard.stats();
            assert_eq!((stats.connections, stats.sessions, stats.subscriptions), (0, 0, 0));
            assert_eq!((shard.timers.len(), shard.connections.len()), (0, 0));
        }
        assert!(self.shared.interest.is_empty(), "no shard is told of anything any more");
        assert_eq!(self.shared.groups.len(), 0, "no group is left");
    }
}

fn connect(client_id: &str, version: Version) -> Connect {
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

fn text(text: &str) -> Text {
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
