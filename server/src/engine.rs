//! The shards and their threads, and the way to give them connections.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hearth_api::StoreState;
use hearth_broker::{
    Limits, Options, Peer, Shard, ShardCount, ShardId, ShardImage, Shared, TallySlot, Transport,
};
use hearth_protocol::{Text, TopicName};
use rand::distr::{Alphanumeric, SampleString};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::admission::Presence;
use crate::auth::{Authenticator, Policies};
use crate::clock::Clock;
use crate::config::TreeConfig;
use crate::figures::ShardFigures;
use crate::history::{History, Recorder};
use crate::listener::{Porter, Standing};
use crate::shard_driver::{self, HandOver, Inbox, Reactor, Seat, ShardDriver};
use crate::socket::Detached;
use crate::store::{Committer, Counters, OpenedStore, StoreCounts};
use crate::tree::{Desk, Keeper, Surroundings, Tree, TreeCounts};

/// Gives connections to the shards; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
    inboxes: Arc<[Arc<Inbox>]>,
    clock: Clock,
    /// What was written, where anything outlives the process.
    store: Option<Arc<Counters>>,
    /// Where the live tree leaves word, if there is one.
    tree: Option<Arc<Desk>>,
}

/// The running shards.
#[derive(Debug)]
pub(crate) struct Shards {
    engine: Engine,
    threads: Vec<ShardThread>,
    committer: Option<Committer>,
    /// The thread of the live tree.
    keeper: Option<Keeper>,
}

#[derive(Debug)]
struct ShardThread {
    handle: JoinHandle<()>,
    /// Its other end goes when the thread does.
    end: oneshot::Receiver<()>,
}

/// What stands beside the shards.
#[derive(Debug, Default)]
pub(crate) struct Sides<'a> {
    /// Where anything outlives the process.
    pub(crate) store: Option<OpenedStore>,
    /// Where values are kept.
    pub(crate) history: Option<&'a History>,
    /// Where topics are shown.
    pub(crate) tree: Option<&'a TreeConfig>,
}

/// What a shard takes onto its thread.
struct Cargo {
    authenticator: Authenticator,
    /// What was kept of it.
    image: Option<ShardImage>,
    /// Who notes down values, where they are kept.
    recorder: Option<Recorder>,
    /// Where it counts what comes of each topic, if somebody wants to know.
    tally: Option<Arc<TallySlot>>,
}

/// A connection as the door has it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: Detached,
    /// Everything that was read from it.
    pub(crate) bytes: Bytes,
    /// Where it comes from.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it is on this machine.
    pub(crate) is_local: bool,
    /// How its bytes are framed.
    pub(crate) transport: Transport,
    /// Its place at the door.
    pub(crate) standing: Standing,
    /// Its entry in the book of its address.
    pub(crate) presence: Option<Presence>,
}

impl Engine {
    /// Starts `count` shards, or as many as there may be, each on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread or no file descriptor for one of them.
    pub(crate) fn start(
        count: NonZeroU16,
        limits: Limits,
        options: Options,
        policies: Policies,
        authenticator: &Authenticator,
        sides: Sides<'_>,
    ) -> io::Result<Shards> {
        let Sides { store, history, tree } = sides;
        let count = ShardCount::new(count);
        let shared = Shared::with_access(count, limits, rand::random(), Box::new(policies));
        let mut shared = shared.with_options(options);
        let (inboxes, seats) = shard_driver::connect(count.get());
        let inboxes: Arc<[Arc<Inbox>]> = inboxes.into();
        let clock = Clock::start();
        if store.is_some() {
            shared = shared.with_store(epoch_millis());
        }
        let shared = Arc::new(shared);
        let mut images: Vec<Option<ShardImage>> = seats.iter().map(|_| None).collect();
        let mut committer = None;
        if let Some(OpenedStore { database, image, lock }) = store {
            let [sessions, waiting, retained] = image.counts();
            let (restored, changes) = image.restore(&shared);
            if sessions + waiting + retained > 0 {
                tracing::info!(sessions, waiting, retained, "took up what was kept");
            }
            images = restored.into_iter().map(Some).collect();
            let (shared, inboxes) = (Arc::clone(&shared), Arc::clone(&inboxes));
            committer = Some(Committer::start(database, lock, changes, shared, inboxes)?);
        }
        let commit_queue = committer.as_ref().map(Committer::queue);
        let store = committer.as_ref().map(Committer::counters);
        let tree = tree.map(|config| Tree::new(config, count.get()));
        let desk = tree.as_ref().map(|tree| Arc::clone(&tree.desk));
        let slots = tree.as_ref().map(|tree| tree.slots.clone());
        let engine = Self { shared, inboxes, clock, store, tree: desk.clone() };
        let mut shards = Shards { engine, threads: Vec::new(), committer, keeper: None };
        // Nobody's message may be routed before every session has its subscriptions again.
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let (restored, all_restored) = mpsc::channel();
        for ((number, seat), image) in (0..).zip(seats).zip(images) {
            // A failure drops `shards`, which ends the threads that run.
            let seat = seat.with_store(commit_queue.clone()).with_tree(desk.clone());
            let tally = slots.as_ref().map(|slots| Arc::clone(&slots[usize::from(number)]));
            let recorder = history.map(|history| history.recorder(usize::from(number)));
            let (restored, gate) = (restored.clone(), Arc::clone(&gate));
            let wait = move || {
                // Nobody listens only if the start has failed.
                let _unheard = restored.send(());
                drop(gate.lock());
            };
            let cargo = Cargo { authenticator: authenticator.clone(), image, recorder, tally };
            let thread = shards.engine.start_thread(number, clock, seat, cargo, wait)?;
            shards.threads.push(thread);
        }
        drop(restored);
        for _ in &shards.threads {
            let ended = |_| io::Error::other("a shard has ended before it had its sessions");
            all_restored.recv().map_err(ended)?;
        }
        if let Some(tree) = tree {
            let (shared, inboxes) = (Arc::clone(&shards.engine.shared), Arc::clone(&shards.engine.inboxes));
            shards.keeper = Some(tree.start(Surroundings { shared, inboxes, clock })?);
        }
        drop(closed);
        Ok(shards)
    }

    /// `wait` is called once its sessions are there.
    fn start_thread(
        &self,
        number: u16,
        clock: Clock,
        seat: Seat,
        cargo: Cargo,
        wait: impl FnOnce() + Send + 'static,
    ) -> io::Result<ShardThread> {
        let Cargo { authenticator, image, recorder, tally } = cargo;
        let reactor = Reactor::new(seat.bell())?;
        let shared = Arc::clone(&self.shared);
        let (alive, end) = oneshot::channel();
        let handle = std::thread::Builder::new().name(format!("shard-{number}")).spawn(move || {
            let _alive: oneshot::Sender<()> = alive;
            let mut shard = Shard::new(Arc::clone(&shared), ShardId::new(number));
            if let Some(image) = image {
                shard.restore(clock.now(), image);
            }
            if let Some(recorder) = recorder {
                shard.set_tap(Box::new(recorder));
            }
            if let Some(tally) = tally {
                shard.set_tally(tally);
            }
            wait();
            let driver = ShardDriver::new(shard, shared.limits(), clock, seat, authenticator, reactor);
            if let Err(error) = driver.run() {
                tracing::error!(shard = number, %error, "a shard cannot wait for its sockets and has ended");
            }
        })?;
        Ok(ShardThread { handle, end })
    }

    /// The shard of a connection's client id, and what that needs to serve it. An empty id, or one that could not be made
    /// out, is replaced by a new one, which the shard uses if CONNECT leaves the choice to it.
    pub(crate) fn place(&self, client_id: Option<&str>, arrival: Arrival) -> (usize, HandOver) {
        // As long as every server has to accept [MQTT-3.1.3-5], and 131 bits of chance.
        const ASSIGNED_ID_CHARS: usize = 22;
        let Arrival { socket, bytes, address, is_local, transport, standing, presence } = arrival;
        let (shard, assigned_client_id) = match client_id {
            Some(client_id) if !client_id.is_empty() => (self.shared.shard_of(client_id), Text::EMPTY),
            _ => {
                let assigned = Alphanumeric.sample_string(&mut rand::rng(), ASSIGNED_ID_CHARS);
                let shard = self.shared.shard_of(&assigned);
                // Letters and digits are always a text.
                (shard, Text::try_from(assigned).unwrap_or_default())
            }
        };
        let is_websocket = match transport {
            Transport::Tcp | Transport::Unix => false,
            Transport::WebSocket => true,
        };
        let peer = Peer { address, is_local, transport, assigned_client_id };
        (shard.as_index(), HandOver { socket, bytes, peer, is_websocket, standing, presence })
    }

    /// Gives a connection to its shard.
    pub(crate) fn hand_over(&self, shard: usize, hand_over: HandOver) {
        self.inboxes[shard].open(hand_over);
    }

    /// Lets a shard take the connections of a listener; where there are fewer shards than that, another one.
    pub(crate) fn listen(&self, shard: usize, porter: Porter) {
        self.inboxes[shard % self.inboxes.len()].listen(porter);
    }

    /// The bounds of the broker.
    pub(crate) fn limits(&self) -> &Limits {
        self.shared.limits()
    }

    /// Connections of all shards now.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// How many shards there are.
    pub(crate) fn shard_count(&self) -> usize {
        self.inboxes.len()
    }

    /// Whether each shard takes a turn within `patience`, in the order of their numbers.
    pub(crate) async fn probe(&self, patience: Duration) -> Vec<bool> {
        let deadline = Instant::now() + patience;
        let probes: Vec<_> = self.inboxes.iter().map(|inbox| inbox.probe()).collect();
        let mut answers = Vec::with_capacity(probes.len());
        for probe in probes {
            answers.push(matches!(timeout_at(deadline, probe).await, Ok(Ok(()))));
        }
        answers
    }

    /// What each shard has counted; `None` when one of them does not answer within `patience`.
    pub(crate) async fn figures(&self, patience: Duration) -> Option<Vec<ShardFigures>> {
        let deadline = Instant::now() + patience;
        let asked: Vec<_> = self.inboxes.iter().map(|inbox| inbox.figures()).collect();
        let mut figures = Vec::with_capacity(asked.len());
        for answer in asked {
            figures.push(timeout_at(deadline, answer).await.ok()?.ok()?);
        }
        Some(figures)
    }

    /// Retained messages and their bytes.
    pub(crate) fn retained_size(&self) -> (usize, usize) {
        self.shared.retained_size(self.clock.now())
    }

    /// Whether what has to outlive the process can be written.
    pub(crate) fn store_state(&self) -> StoreState {
        match &self.store {
            None => StoreState::Off,
            Some(_) if self.shared.is_store_failing() => StoreState::Failing,
            Some(_) => StoreState::Writing,
        }
    }

    /// What was written to the store; nothing where there is none.
    pub(crate) fn store_counts(&self) -> StoreCounts {
        self.store.as_ref().map(|counters| counters.read()).unwrap_or_default()
    }

    /// What the live tree has, where there is one.
    pub(crate) fn tree_counts(&self) -> Option<TreeCounts> {
        self.tree.as_ref().map(|desk| desk.counts())
    }

    /// Publishes retained messages of the broker itself.
    pub(crate) fn publish_own(&self, messages: Vec<(TopicName, Bytes)>) {
        if let Some(inbox) = self.inboxes.first() {
            inbox.publish(messages);
        }
    }

    /// Has the shards send those away who may not stay.
    pub(crate) fn access_changed(&self) {
        for inbox in self.inboxes.iter() {
            inbox.access_changed();
        }
        if let Some(tree) = &self.tree {
            tree.access_changed();
        }
    }

    fn stop(&self) {
        for inbox in self.inboxes.iter() {
            inbox.stop();
        }
    }
}

impl Shards {
    /// The handle that gives them connections.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Lets the shards say goodbye to their clients and waits for their threads. They end in bounded time.
    pub(crate) async fn stop(mut self) {
        self.engine.stop();
        for thread in std::mem::take(&mut self.threads) {
            // Nothing is ever sent: this is an error as soon as the thread is about to end.
            let _ended = thread.end.await;
            if thread.handle.join().is_err() {
                tracing::error!("a shard ended by a panic; see above");
            }
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.stop().await;
        }
        if let Some(committer) = self.committer.take() {
            committer.stop().await;
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.engine.stop();
        if let Some(committer) = &self.committer {
            // It writes what has come; nobody waits for what the shards have yet.
            committer.queue().close();
        }
    }
}

/// The time of day at the zero of a clock that starts now, in milliseconds since 1970.
fn epoch_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::auth::{Anonymous, Passwords, Policy};

    #[tokio::test]
    async fn nobody_knows_beforehand_which_shard_a_client_id_comes_to() {
        let policies = Policies::new(Policy { users: None, anonymous: Anonymous::Yes });
        let passwords = Passwords::new(TaskTracker::new(), CancellationToken::new());
        let authenticator = Authenticator::new(policies.clone(), Arc::new(passwords));
        let two = NonZeroU16::new(2).unwrap();
        let start = || {
            let (limits, options) = (Limits::default(), Options::default());
            Engine::start(two, limits, options, policies.clone(), &authenticator, Sides::default()).unwrap()
        };
        let (first, second) = (start(), start());
        let shard = |shards: &Shards, number| shards.engine.shared.shard_of(&format!("client-{number}"));
        // By chance they agree on all once in 2^64 runs.
        let differ = (0..64).filter(|number| shard(&first, *number) != shard(&second, *number)).count();
        assert!(differ > 0);
        first.stop().await;
        second.stop().await;
    }
}
