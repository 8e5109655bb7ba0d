//! Whole brokers under clients that a tape describes, for fuzzers: whatever they do, what must hold does.

mod acts;
mod peer;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hearth_protocol::generate::Random;
use hearth_protocol::packet::{Connect, ConnectProperties};
use hearth_protocol::{Time, TopicFilter, TopicName, Version};

use super::Shard;
use crate::access::{Access, Admission, Decision, Identity, Subject};
use crate::connection::Peer as Caller;
use crate::effect::{Effect, Forward};
use crate::ids::{ConnectionId, ShardCount, ShardId};
use crate::limits::Limits;
use crate::session::Session;
use crate::shared::Shared;
use acts::{allow, connect, text};
use peer::Peer;

const CLIENT_IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The largest packet that these brokers take.
const PACKET_BYTES_MAX: usize = 2048;

/// Longer than any session lives.
const AFTER_ALL: Duration = Duration::from_secs(700);

/// Lets everybody in, and asks who those are that name a user or a method.
struct Doorman;

struct Run {
    random: Random,
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    /// What went from shard to shard and has not come: one queue for each pair.
    links: Vec<VecDeque<Forward>>,
    peers: Vec<Peer>,
    /// Who is to be authenticated.
    questions: Vec<(usize, ConnectionId)>,
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
        credentials_bytes_max: 20,
        user_property_bytes_max: 60,
        topic_alias_out_max: 2,
        will_bytes_max: 20,
        wills_per_shard_max: 3,
        connections_max: 10,
        sessions_per_shard_max: 5,
        session_expiry_max_seconds: 100,
        topic_cache_max: 4,
        ..Limits::default()
    }
}

impl Run {
    fn new(mut random: Random) -> Self {
        let count = 1 + random.below(3) as u16;
        let shard_count = ShardCount::new(NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN));
        let shared = Arc::new(Shared::with_access(shard_count, limits(), [1, 2], Box::new(Doorman)));
        let shards: Vec<Shard> =
            (0..count).map(|number| Shard::new(Arc::clone(&shared), ShardId::new(number))).collect();
        let links = (0..shards.len() * shards.len()).map(|_| VecDeque::new()).collect();
        let now = Time::from_millis(1000);
        let (peers, questions) = (Vec::new(), Vec::new());
        Self { random, shared, shards, links, peers, questions, now, messages: 0 }
    }

    /// Lets the peer read so many bytes at most.
    fn flush(&mut self, place: usize, bytes_max: usize) {
        let peer = &mut self.peers[place];
        let Some(mut output) = self.shards[peer.shard].output(peer.id) else { return };
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
                        Effect::Close(id, _) => self.on_close(shard, id),
                        Effect::Authenticate { connection, .. } => {
                            self.questions.push((shard, connection));
                        }
                        Effect::View(_) | Effect::Event(_) => {}
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
            let queued: usize = shard.sessions.iter().map(Session::queued).sum();
            assert_eq!(shard.queued, queued, "messages in queues");
            let backlog: usize = shard.connections.iter().map(|(_, connection)| connection.backlog).sum();
            assert_eq!(shard.backlog, backlog, "bytes of output");
            for session in shard.sessions.iter() {
                assert!(session.subscriptions_len() <= limits.subscriptions_per_session_max);
                let Some(flow) = session.flow() else { continue };
                let (messages_max, bytes_max) = (limits.queued_messages_max, limits.queued_bytes_max);
                let exceeded = flow.queue.exceeded(0, messages_max + 1, bytes_max);
                assert_eq!(exceeded, None, "the queue has its bound");
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
            let connect = Connect { clean_start: false, properties, ..connect(client_id, Version::V5) };
            let shard = &self.shards[self.shared.shard_of(client_id).as_index()];
            let owner = shard.sessions.find(client_id).map(|session| &shard.sessions[session].identity);
            let has_owner = owner.is_some_and(|owner| owner.user_name.is_some());
            self.open(&Connect { user_name: has_owner.then(|| text("u")), ..connect });
            self.forward_all();
            while !self.questions.is_empty() {
                self.say(0, allow());
                self.forward_all();
            }
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

impl Access for Doorman {
    fn connect(&self, _: &Caller, connect: &Connect) -> Admission {
        if connect.user_name.is_some() || connect.properties.authentication_method.is_some() {
            Admission::Ask
        } else {
            Admission::Allow(Identity::default())
        }
    }

    fn publish(&self, _: Subject<'_>, _: &TopicName) -> Decision {
        Decision::Allow
    }

    fn subscribe(&self, _: Subject<'_>, _: &TopicFilter) -> Decision {
        Decision::Allow
    }
}
