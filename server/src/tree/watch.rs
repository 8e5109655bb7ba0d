//! One client's look at the tree: what it was shown, and when it is shown more.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::DefaultHashBuilder;
use hearth_api::{TreeNode, TreeRow, TreeValue};
use hearth_broker::{Told, View, ViewId, Viewing};
use hearth_protocol::TopicName;
use serde::Serialize;

use super::painter::{Painter, REORDER, Rows};

/// The time between two looks: four a second is as fast as somebody reads.
const PAUSE: Duration = Duration::from_millis(250);

/// How often rates that fall are told when nothing else has changed.
const RATE_PAUSE: Duration = Duration::from_secs(2);

/// A look that takes long is taken less often, so that it takes a twentieth of a processor at most.
const SHARE: u32 = 20;

/// A subscription to the live tree whose client is connected.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) shard: usize,
    pub(super) viewing: Viewing,
    due: Instant,
    rates_due: Instant,
    rows: Rows,
    /// The version of the index of which they are, and when they hold no more.
    rows_of: Option<(u64, Instant)>,
    /// Of the window, or of each node by its name, what it was like when it was told last.
    told: HashMap<Option<String>, Likeness>,
    /// The version of the index that was looked at last.
    version: Option<u64>,
    has_rates: bool,
}

/// Tells whether something is as it was: a hash of all but rates, and one of rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Likeness {
    content: u64,
    rates: u64,
}

impl Watch {
    pub(super) fn new(shard: usize, viewing: Viewing, now: Instant) -> Self {
        let (rows, told) = (Rows::default(), HashMap::new());
        let (version, rows_of, has_rates) = (None, None, false);
        Self { shard, viewing, due: now, rates_due: now, rows, rows_of, told, version, has_rates }
    }

    pub(super) const fn id(&self) -> ViewId {
        self.viewing.id
    }

    /// Something could not be sent: all is told anew.
    pub(super) fn on_missed(&mut self) {
        self.told.clear();
        self.version = None;
    }

    /// When it is to be looked at; `None` while nothing changes.
    pub(super) fn due(&self, version: u64) -> Option<Instant> {
        if self.version != Some(version) {
            return Some(self.due);
        }
        let rates = self.has_rates.then_some(self.rates_due);
        // What came while the rows held is looked for as soon as they do so no more, though nothing else may come.
        let rows = self.rows_of.filter(|(of, _)| *of != version).map(|(_, end)| end);
        rates.into_iter().chain(rows).min().map(|due| self.due.max(due))
    }

    /// Looks at the tree; what is to be told.
    pub(super) fn look(
        &mut self,
        painter: &Painter<'_>,
        version: u64,
        begun: Instant,
        hash: &DefaultHashBuilder,
    ) -> Vec<Told> {
        let tells_rates = self.rates_due <= begun;
        self.has_rates = false;
        let found_at = self.rows.found_at();
        let told = match self.viewing.view.clone() {
            View::Nodes(pattern) => self.look_at_nodes(painter, pattern.as_deref(), tells_rates, hash),
            View::Window(slice, branch) => {
                let window = painter.window(&slice, branch.as_deref(), &mut self.rows);
                let nodes = || std::iter::once(&window.node).chain(window.rows.iter().map(|row| &row.node));
                let names = window.rows.iter().map(|row| &row.name);
                let like = likeness(hash, (window.from, window.total, names.collect::<Vec<_>>()), nodes);
                self.tell_window(like, tells_rates, &window)
            }
            View::Find(among, slice, words) => {
                let found = painter.found(among, &slice, &words, &mut self.rows);
                let nodes = || found.rows.iter().map(|row: &TreeRow| &row.node);
                let names = found.rows.iter().map(|row| &row.topic);
                let like = likeness(hash, (found.from, found.total, names.collect::<Vec<_>>()), nodes);
                self.tell_window(like, tells_rates, &found)
            }
        };
        self.version = Some(version);
        if self.rows.found_at() != found_at {
            self.rows_of = self.rows.found_at().map(|_| (version, begun + REORDER));
        }
        let took = begun.elapsed();
        self.due = begun + PAUSE.max(took * SHARE);
        if tells_rates {
            self.rates_due = begun + RATE_PAUSE;
        }
        told
    }

    fn tell_window(
        &mut self,
        like: (Likeness, bool),
        tells_rates: bool,
        window: &impl Serialize,
    ) -> Vec<Told> {
        let filter = self.viewing.filter.as_text().clone();
        // The filter of a window has no wildcard.
        let topic = TopicName::new(filter).ok();
        let is_due = self.is_due(&None, like, tells_rates);
        topic.filter(|_| is_due).and_then(|topic| self.told(topic, window)).into_iter().collect()
    }

    fn look_at_nodes(
        &mut self,
        painter: &Painter<'_>,
        pattern: Option<&str>,
        tells_rates: bool,
        hash: &DefaultHashBuilder,
    ) -> Vec<Told> {
        let nodes = painter.nodes(pattern);
        let mut told = Vec::new();
        for (name, node) in &nodes {
            let like = likeness(hash, (), || std::iter::once(node));
            if self.is_due(name, like, tells_rates) {
                told.extend(topic(name.as_deref()).and_then(|topic| self.told(topic, node)));
            }
        }
        if self.told.len() > nodes.len() {
            let there: std::collections::HashSet<_> = nodes.into_iter().map(|(name, _)| name).collect();
            let id = self.id();
            self.told.retain(|name, _| {
                let is_there = there.contains(name);
                // An empty message says that it is gone, as with retained messages.
                let gone = topic(name.as_deref()).filter(|_| !is_there);
                told.extend(gone.map(|topic| Told { id, topic, payload: Bytes::new() }));
                is_there
            });
        }
        told
    }

    /// Whether something is to be told, which then is.
    fn is_due(
        &mut self,
        name: &Option<String>,
        (like, has_rates): (Likeness, bool),
        tells_rates: bool,
    ) -> bool {
        self.has_rates |= has_rates;
        match self.told.get_mut(name) {
            Some(before) => {
                let is_other = before.content != like.content || (tells_rates && before.rates != like.rates);
                if is_other {
                    *before = like;
                }
                self.has_rates |= before.rates != like.rates;
                is_other
            }
            None => {
                self.told.insert(name.clone(), like);
                true
            }
        }
    }

    fn told(&self, topic: TopicName, content: &impl Serialize) -> Option<Told> {
        // Names and numbers always become JSON.
        let payload = serde_json::to_vec(content).ok()?;
        Some(Told { id: self.id(), topic, payload: payload.into() })
    }
}

/// What something is like, and whether it has a rate.
fn likeness<'a, N: Iterator<Item = &'a TreeNode>>(
    hash: &DefaultHashBuilder,
    head: impl Hash,
    nodes: impl Fn() -> N,
) -> (Likeness, bool) {
    let (mut content, mut rates) = (hash.build_hasher(), hash.build_hasher());
    head.hash(&mut content);
    let mut has_rates = false;
    for node in nodes() {
        let TreeNode { children, topics, messages, rate, at, value } = node;
        (children, topics, messages, at).hash(&mut content);
        if let Some(TreeValue { bytes, value, base64, retained }) = value {
            (bytes, value, base64, retained).hash(&mut content);
        }
        rate.to_bits().hash(&mut rates);
        has_rates |= *rate > 0.0;
    }
    (Likeness { content: content.finish(), rates: rates.finish() }, has_rates)
}

/// The topic of a node; none where its name is too long for one.
fn topic(name: Option<&str>) -> Option<TopicName> {
    let topic = match name {
        None => "$hearth/tree".to_owned(),
        Some(name) => format!("$hearth/tree/{name}"),
    };
    TopicName::try_from(Bytes::from(topic)).ok()
}
