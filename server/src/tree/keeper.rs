//! The thread that keeps the index and shows it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hashbrown::DefaultHashBuilder;
use hearth_broker::{RetainedCursor, Shared, Sighting, Subject, Tally, TallySlot, ViewChange};
use hearth_protocol::{TopicFilter, TopicName};
use tokio::sync::oneshot;

use super::desk::{Desk, Patience, TreeCounts, Word};
use super::index::{Bounds, Index, News};
use super::lens::Lens;
use super::node::Moment;
use super::painter::Painter;
use super::watch::Watch;
use crate::clock::Clock;
use crate::config::TreeConfig;
use crate::shard_driver::Inbox;

/// How long messages come together while somebody looks.
const PAUSE: Duration = Duration::from_millis(250);

/// How long they do while nobody looks.
const IDLE_PAUSE: Duration = Duration::from_secs(2);

/// How long a turn may go on reading what is retained.
const SEED_TURN: Duration = Duration::from_millis(20);

/// How long the turn of a shard is waited for. They take milliseconds.
const TURN_MAX: Duration = Duration::from_millis(100);

/// After showing something, the thread rests for so many times as long, so that it takes a quarter of a processor at most.
const REST: u32 = 3;

/// The running thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    desk: Closing,
    thread: JoinHandle<()>,
    /// Its other end goes when the thread does.
    end: oneshot::Receiver<()>,
}

/// Closes the desk when it goes, so that the thread ends even when nobody waits for it.
#[derive(Debug)]
struct Closing(Arc<Desk>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the thread is given.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inboxes: Arc<[Arc<Inbox>]>,
    pub(crate) clock: Clock,
}

/// A live tree before its thread runs: where shards count, and where they leave word.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) desk: Arc<Desk>,
    /// By shard.
    pub(crate) slots: Vec<Arc<TallySlot>>,
    bounds: Bounds,
    preview_bytes: usize,
}

impl Tree {
    /// For so many shards.
    pub(crate) fn new(config: &TreeConfig, shards: usize) -> Self {
        let desk = Arc::new(Desk::default());
        let preview_bytes = usize::from(config.preview_bytes_max);
        let slot = |_| {
            let desk = Arc::clone(&desk);
            Arc::new(TallySlot::new(preview_bytes, Box::new(move |is_urgent| desk.call(is_urgent))))
        };
        let slots = (0..shards).map(slot).collect();
        let bounds = Bounds { topics_max: config.topics_max as usize, bytes_max: config.bytes_max as usize };
        Self { desk, slots, bounds, preview_bytes }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// There is none to be had.
    pub(crate) fn start(self, surroundings: Surroundings) -> io::Result<Keeper> {
        let (alive, end) = oneshot::channel();
        let desk = Arc::clone(&self.desk);
        let mut work = Work::new(self, surroundings);
        let thread = std::thread::Builder::new().name("tree".to_owned()).spawn(move || {
            let _alive: oneshot::Sender<()> = alive;
            work.run();
        })?;
        Ok(Keeper { desk: Closing(desk), thread, end })
    }
}

impl Keeper {
    /// Ends the thread, once all shards have ended.
    pub(crate) async fn stop(self) {
        drop(self.desk);
        // Nothing is ever sent: this is an error as soon as the thread is about to end.
        let _ended = self.end.await;
        if self.thread.join().is_err() {
            tracing::error!("the thread of the live tree ended by a panic; see above");
        }
    }
}

/// What the thread does.
pub(super) struct Work {
    desk: Arc<Desk>,
    slots: Vec<Arc<TallySlot>>,
    tally: Box<Tally>,
    surroundings: Surroundings,
    index: Index,
    /// Changes when the index does.
    version: u64,
    preview_bytes: usize,
    watches: Vec<Watch>,
    hash: DefaultHashBuilder,
    epoch_millis: u64,
    has_news: bool,
    taken_at: Instant,
    /// Nothing is shown before.
    rested_at: Instant,
    left_out: u64,
    /// Where what is retained is still to be read from, if it is.
    unread: Option<Option<RetainedCursor>>,
    /// When what is retained is over, the next one first; each topic once.
    expiries: BinaryHeap<Reverse<(hearth_protocol::Time, TopicName)>>,
    expiring: HashSet<TopicName>,
}

impl Work {
    pub(super) fn new(tree: Tree, surroundings: Surroundings) -> Self {
        let now = Instant::now();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = since.saturating_sub(surroundings.clock.elapsed());
        Self {
            desk: tree.desk,
            slots: tree.slots,
            tally: Box::new(Tally::new(tree.preview_bytes)),
            surroundings,
            index: Index::new(tree.bounds),
            version: 0,
            preview_bytes: tree.preview_bytes,
            watches: Vec::new(),
            hash: DefaultHashBuilder::default(),
            epoch_millis: u64::try_from(epoch.as_millis()).unwrap_or(u64::MAX),
            has_news: false,
            taken_at: now,
            rested_at: now,
            left_out: 0,
            unread: Some(None),
            expiries: BinaryHeap::new(),
            expiring: HashSet::new(),
        }
    }

    fn run(&mut self) {
        loop {
            let word = self.desk.wait(self.patience(Instant::now()));
            if word.is_closing {
                return;
            }
            self.turn(word);
            self.desk.tell(TreeCounts {
                topics: self.index.topics(),
                bytes: self.index.bytes(),
                views: self.watches.len(),
                evicted: self.index.evicted(),
                left_out: self.left_out + self.index.left_out(),
            });
        }
    }

    /// Takes what has come, and shows what has changed.
    pub(super) fn turn(&mut self, word: Word) {
        let Word { changes, has_news, is_urgent, has_other_rules, is_closing: _ } = word;
        let now = Instant::now();
        self.has_news |= has_news;
        let mut is_begun = false;
        for (shard, change) in changes {
            is_begun |= matches!(change, ViewChange::Begins(_));
            self.on_change(shard, change, now);
        }
        if has_other_rules {
            // Every look is out of date.
            self.version += 1;
        }
        // Whoever begins to look sees what is there now.
        if self.has_news && (is_urgent || is_begun || self.take_due() <= now) {
            self.take_tallies(now);
        }
        if let Some(from) = self.unread.take() {
            self.unread = self.read_retained(from);
        }
        self.end_expired();
        self.show(Instant::now());
    }

    /// How long there is nothing to do.
    pub(super) fn patience(&self, now: Instant) -> Patience {
        if self.unread.is_some() {
            return Patience { at_most: Some(Duration::ZERO), is_idle: false };
        }
        let shows = self.watches.iter().filter_map(|watch| watch.due(self.version));
        let takes = self.has_news.then(|| self.take_due());
        let next = shows.min().map(|due| due.max(self.rested_at)).into_iter().chain(takes).min();
        let expiry = self.expiries.peek().map(|Reverse((at, _))| self.surroundings.clock.instant(*at));
        let next = next.into_iter().chain(expiry).min();
        let at_most = next.map(|next| next.saturating_duration_since(now));
        Patience { at_most, is_idle: !self.has_news }
    }

    /// When what came is taken.
    fn take_due(&self) -> Instant {
        self.taken_at + if self.watches.is_empty() { IDLE_PAUSE } else { PAUSE }
    }

    /// Who looks, in the order in which they began.
    #[cfg(test)]
    pub(super) fn watching(&self) -> Vec<hearth_broker::ViewId> {
        self.watches.iter().map(Watch::id).collect()
    }

    fn on_change(&mut self, shard: usize, change: ViewChange, now: Instant) {
        match change {
            ViewChange::Begins(viewing) => self.watches.push(Watch::new(shard, *viewing, now)),
            ViewChange::Ends(id) => self.watches.retain(|watch| (watch.shard, watch.id()) != (shard, id)),
            ViewChange::Missed(id) => {
                let watch = self.watches.iter_mut().find(|watch| (watch.shard, watch.id()) == (shard, id));
                if let Some(watch) = watch {
                    watch.on_missed();
                }
            }
        }
    }

    fn take_tallies(&mut self, now: Instant) {
        (self.has_news, self.taken_at) = (false, now);
        for place in 0..self.slots.len() {
            let spare = std::mem::take(&mut self.tally);
            match Arc::clone(&self.slots[place]).exchange(spare, TURN_MAX) {
                Ok(round) => {
                    self.take(&round);
                    self.tally = round;
                }
                Err(spare) => {
                    // The next look is soon.
                    self.has_news = true;
                    self.tally = spare;
                }
            }
        }
    }

    fn take(&mut self, tally: &Tally) {
        if tally.left_out() > 0 {
            self.on_left_out(tally.left_out());
        }
        for sighting in tally.sightings() {
            let is_retained = sighting.is_retain.then(|| self.is_retained(sighting.topic));
            let Sighting { topic, messages, payload_len, preview, at, is_retain: _ } = sighting;
            let at = Moment::of(at);
            self.index.take(News { topic: topic.as_str(), messages, at, payload_len, preview, is_retained });
            self.version += 1;
        }
    }

    /// Messages were left out, and nobody knows of which topics: what is retained is read anew.
    pub(super) fn on_left_out(&mut self, messages: u64) {
        self.left_out += messages;
        self.index.forget_retained();
        self.unread = Some(None);
    }

    /// Whether there is a retained message now. Shards do not tell in which order they took two of one topic; the store knows the
    /// last one.
    fn is_retained(&mut self, topic: &TopicName) -> bool {
        let until = self.surroundings.shared.retained_until(topic, self.surroundings.clock.now());
        if let Some(Some(at)) = until {
            self.await_expiry(topic, at);
        }
        until.is_some()
    }

    fn await_expiry(&mut self, topic: &TopicName, at: hearth_protocol::Time) {
        if self.expiring.insert(topic.clone()) {
            self.expiries.push(Reverse((at, topic.clone())));
        }
    }

    fn end_expired(&mut self) {
        let now = self.surroundings.clock.now();
        while self.expiries.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, topic))) = self.expiries.pop() else { return };
            self.expiring.remove(&topic);
            if !self.is_retained(&topic) {
                self.index.expire(topic.as_str());
                self.version += 1;
            }
        }
    }

    /// Reads some of what is retained; where the rest begins.
    fn read_retained(&mut self, mut from: Option<RetainedCursor>) -> Option<Option<RetainedCursor>> {
        let begun = Instant::now();
        while begun.elapsed() < SEED_TURN {
            let now = self.surroundings.clock.now();
            let (page, next) = self.surroundings.shared.retained_page(from, now);
            for message in page {
                let (topic, payload) = (message.topic(), message.payload());
                let preview = &payload[..payload.len().min(self.preview_bytes)];
                self.index.take_retained(topic.as_str(), payload.len(), preview);
                if let Some(at) = message.expires_at() {
                    self.await_expiry(topic, at);
                }
            }
            self.version += 1;
            from = Some(next?);
        }
        Some(from)
    }

    fn show(&mut self, begun: Instant) {
        if begun < self.rested_at {
            return;
        }
        let Self { index, version, watches, surroundings, hash, epoch_millis, .. } = self;
        let Surroundings { shared, inboxes, clock } = &*surroundings;
        let mut told: Vec<Vec<_>> = inboxes.iter().map(|_| Vec::new()).collect();
        let is_due = |watch: &&mut Watch| watch.due(*version).is_some_and(|due| due <= begun);
        for watch in watches.iter_mut().filter(is_due) {
            let (client_id, identity) = (watch.viewing.client_id.clone(), watch.viewing.identity.clone());
            let may_see = |filter: &str| {
                let subject = Subject { client_id: &client_id, identity: &identity };
                // A name that is too long for a filter is nobody's.
                TopicFilter::try_from(filter).is_ok_and(|filter| shared.may_see(subject, &filter))
            };
            let lens = Lens::new(index, &may_see);
            let painter = Painter { index, lens, now: Moment::of(clock.now()), epoch_millis: *epoch_millis };
            let shard = watch.shard;
            told[shard].extend(watch.look(&painter, *version, Instant::now(), hash));
        }
        for (inbox, told) in inboxes.iter().zip(told).filter(|(_, told)| !told.is_empty()) {
            inbox.tell(told);
        }
        self.rested_at = Instant::now() + begun.elapsed() * REST;
    }
}
