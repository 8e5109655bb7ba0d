//! What a client is shown of the tree at one moment.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_api::{TreeFound, TreeNode, TreeRow, TreeValue, TreeWindow};
use hearth_broker::{Among, From, Order, Slice};
use hearth_protocol::Query;

use super::index::Index;
use super::lens::{Lens, Sight};
use super::node::{Moment, NodeId, Value};
use super::walk::Walk;

/// Rows that a plain subscription gets at most; for more there are windows.
pub(super) const NODES_MAX: usize = 500;

/// After this, rows are put in order anew when they are ordered by what changes all the time: they must not dance under the finger.
pub(super) const REORDER: Duration = Duration::from_secs(2);

/// Paints what one client sees.
pub(super) struct Painter<'a> {
    pub(super) index: &'a Index,
    pub(super) lens: Lens<'a>,
    pub(super) now: Moment,
    /// Milliseconds since 1970 at the zero of moments.
    pub(super) epoch_millis: u64,
}

/// The rows of a window or a search, as they were found last.
#[derive(Debug, Default)]
pub(super) struct Rows {
    nodes: Vec<NodeId>,
    /// The place of the first one.
    from: u32,
    total: u32,
    /// When they were found.
    found_at: Option<Moment>,
    /// Of the index then, and of the branch.
    removals: u64,
    branch: Option<(NodeId, u32)>,
    /// They hold until a child comes or goes, and not for a time.
    is_lasting: bool,
}

/// A node that may become a row.
struct Candidate<N> {
    node: NodeId,
    /// The higher, the earlier.
    key: u64,
    name: N,
}

impl Rows {
    /// When they were found, if what has come since may change them after a while.
    pub(super) fn found_at(&self) -> Option<Moment> {
        self.found_at.filter(|_| !self.is_lasting)
    }

    /// Whether they are as good as found anew. Those by name hold until a child comes or goes, if the client sees all of them.
    fn hold(&self, painter: &Painter<'_>, branch: Option<(NodeId, u32)>, is_lasting: bool) -> bool {
        let is_recent = self.found_at.and_then(Moment::as_millis).is_some_and(|found_at| {
            let now = painter.now.as_millis().unwrap_or_default();
            Duration::from_millis(now.saturating_sub(found_at)) < REORDER
        });
        let is_same =
            self.removals == painter.index.removals() && self.branch.map(|it| it.0) == branch.map(|it| it.0);
        let has_shape = is_lasting && self.branch == branch && self.found_at.is_some();
        is_same && (has_shape || (is_recent && !is_lasting))
    }
}

impl Painter<'_> {
    /// A part of what is directly below a branch.
    pub(super) fn window(&self, slice: &Slice, branch: Option<&str>, rows: &mut Rows) -> TreeWindow {
        let is_whole = self.lens.is_whole(branch);
        let name = branch.unwrap_or_default();
        let node = match branch {
            None => Some(NodeId::ROOT),
            Some(branch) => self.index.find(branch),
        };
        let Some(node) = node else {
            *rows = Rows::default();
            return TreeWindow { branch: branch.map(str::to_owned), ..TreeWindow::default() };
        };
        let shape = Some((node, self.index[node].shape));
        let is_lasting = is_whole && slice.order == Order::Name;
        if !rows.hold(self, shape, is_lasting) {
            self.find_children(slice, node, name, is_whole, rows);
            (rows.branch, rows.is_lasting) = (shape, is_lasting);
        }
        let sight = self.lens.look(node, name, is_whole);
        let shown = rows.nodes.iter().filter_map(|child| {
            let level = &*self.index[*child].level;
            let full = join(branch, level);
            let sight = self.lens.look_at_child(*child, &full, is_whole);
            let name = Some(level.to_owned());
            (sight.topics > 0).then(|| TreeRow { name, topic: None, node: self.node(*child, sight) })
        });
        TreeWindow {
            branch: branch.map(str::to_owned),
            from: rows.from,
            total: if is_whole { sight.children } else { rows.total },
            node: self.node(node, sight),
            rows: shown.collect(),
        }
    }

    fn find_children(&self, slice: &Slice, node: NodeId, name: &str, is_whole: bool, rows: &mut Rows) {
        let branch = (node != NodeId::ROOT).then_some(name);
        let candidate = |child: NodeId| {
            let at = &self.index[child];
            let sight = if is_whole && !at.level.starts_with('$') {
                Sight { traffic: at.traffic, topics: at.topics, ..Sight::default() }
            } else {
                self.lens.look_at_child(child, &join(branch, &at.level), is_whole)
            };
            let key = self.key(slice.order, sight);
            (sight.topics > 0).then_some(Candidate { node: child, key, name: &*at.level })
        };
        let candidates: Vec<_> = self.index.children(node).filter_map(candidate).collect();
        self.remember(slice, candidates, None, rows);
    }

    /// A part of the topics that answer a search.
    pub(super) fn found(&self, among: Among, slice: &Slice, words: &str, rows: &mut Rows) -> TreeFound {
        if !rows.hold(self, None, false) {
            self.search(among, slice, &Query::parse(words), rows);
        }
        let shown = rows.nodes.iter().filter_map(|node| {
            let topic = self.index.name(*node);
            let sight = self.lens.look(*node, &topic, self.lens.is_whole(Some(&topic)));
            let is_shown = sight.has_value && self.is_among(among, *node);
            is_shown.then(|| TreeRow { name: None, topic: Some(topic), node: self.node(*node, sight) })
        });
        TreeFound { words: words.to_owned(), from: rows.from, total: rows.total, rows: shown.collect() }
    }

    fn is_among(&self, among: Among, node: NodeId) -> bool {
        match among {
            Among::All => true,
            Among::Retained => self.index[node].value.as_ref().is_some_and(|value| value.is_retained),
        }
    }

    fn search(&self, among: Among, slice: &Slice, query: &Query, rows: &mut Rows) {
        // Bounded when the filter is read.
        let end = match slice.from {
            From::Place(from) => from as usize + slice.count as usize,
            From::Name(_) => slice.count as usize,
        };
        let names_own = query.names_own();
        let mut candidates = Vec::new();
        let mut total = 0;
        let mut walk = Walk::new(self.index, NodeId::ROOT, "");
        while let Some((node, name)) = walk.here() {
            if !names_own && name.starts_with('$') {
                walk.pass();
                continue;
            }
            let value = self.index[node].value.as_ref();
            if self.is_among(among, node)
                && let Some(value) = value.filter(|value| query.matches(name, &value.preview))
                && self.lens.sees_topic(name)
            {
                total += 1;
                let sight = Sight { traffic: value.traffic, ..Sight::default() };
                let key = self.key(slice.order, sight);
                candidates.push(Candidate { node, key, name: Box::<str>::from(name) });
                if candidates.len() >= 2 * end + 1000 {
                    candidates.select_nth_unstable_by(end, Candidate::compare);
                    candidates.truncate(end);
                }
            }
            walk.enter();
        }
        self.remember(slice, candidates, Some(total), rows);
    }

    fn remember<N: Ord + AsRef<str>>(
        &self,
        slice: &Slice,
        candidates: Vec<Candidate<N>>,
        total: Option<u32>,
        rows: &mut Rows,
    ) {
        // Nodes are bounded below 2^32.
        let total = total.unwrap_or(candidates.len() as u32);
        let from = match &slice.from {
            From::Place(from) => *from,
            From::Name(name) => place_of(name, &candidates),
        };
        let picked = pick(candidates, from as usize, slice.count as usize);
        let nodes = picked.into_iter().map(|candidate| candidate.node).collect();
        let (found_at, removals) = (Some(self.now), self.index.removals());
        *rows = Rows { nodes, from, total, found_at, removals, branch: None, is_lasting: false };
    }

    fn key(&self, order: Order, sight: Sight) -> u64 {
        match order {
            Order::Name => 0,
            Order::Activity => sight.traffic.at.as_millis().map_or(0, |at| at + 1),
            Order::Traffic => sight.traffic.messages,
            // Thousandths: rates are never negative.
            Order::Rate => (sight.traffic.rate(self.now) * 1000.0) as u64,
        }
    }

    /// Every node that a pattern matches, with its name, in the order of names; as many as a plain subscription gets. `None` is the
    /// whole tree.
    pub(super) fn nodes(&self, pattern: Option<&str>) -> Vec<(Option<String>, TreeNode)> {
        let levels: Vec<&str> = pattern.map(|pattern| pattern.split('/').collect()).unwrap_or_default();
        let mut found = Vec::new();
        // What is still to be looked at, the next one last: depth costs no stack.
        let mut ahead = vec![(NodeId::ROOT, None, 0)];
        while let Some((node, name, depth)) = ahead.pop() {
            let rest = levels.get(depth);
            // `#` stands for the level before it too (4.7.1.2).
            if rest.is_none_or(|level| *level == "#") {
                self.add_node(node, name.clone(), &mut found);
            }
            if found.len() >= NODES_MAX {
                return found;
            }
            let name = name.as_deref();
            match rest {
                None => {}
                Some(level @ (&"+" | &"#")) => {
                    let depth = if *level == "#" { depth } else { depth + 1 };
                    let children = self.first_children(node, NODES_MAX - found.len());
                    let below = children.into_iter().rev();
                    ahead.extend(below.map(|(child, level)| (child, Some(join(name, level)), depth)));
                }
                Some(level) => {
                    let child = self.index.child(node, level);
                    ahead.extend(child.map(|child| (child, Some(join(name, level)), depth + 1)));
                }
            }
        }
        found
    }

    fn add_node(&self, node: NodeId, name: Option<String>, found: &mut Vec<(Option<String>, TreeNode)>) {
        let is_whole = self.lens.is_whole(name.as_deref());
        let sight = self.lens.look(node, name.as_deref().unwrap_or_default(), is_whole);
        if sight.topics > 0 || name.is_none() {
            found.push((name, self.node(node, sight)));
        }
    }

    /// Children by name. Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
    fn first_children(&self, node: NodeId, count: usize) -> Vec<(NodeId, &str)> {
        let candidate = |child| Candidate { node: child, key: 0, name: &*self.index[child].level };
        let is_matched = |it: &Candidate<&str>| node != NodeId::ROOT || !it.name.starts_with('$');
        let children: Vec<_> = self.index.children(node).map(candidate).filter(is_matched).collect();
        // Some may not be seen, so that all are looked at by those who do not see all.
        let count = if self.lens.is_whole(None) { count } else { children.len() };
        pick(children, 0, count).into_iter().map(|it| (it.node, it.name)).collect()
    }

    fn node(&self, node: NodeId, sight: Sight) -> TreeNode {
        let Sight { traffic, topics, children, has_value } = sight;
        let value = self.index[node].value.as_ref().filter(|_| has_value);
        TreeNode {
            children,
            topics,
            messages: traffic.messages,
            rate: (f64::from(traffic.rate(self.now)) * 10.0).round() / 10.0,
            at: traffic.at.as_millis().map(|millis| self.epoch_millis + millis),
            value: value.map(|value| show(value)),
        }
    }
}

impl<N: Ord> Candidate<N> {
    fn compare(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key).then_with(|| self.name.cmp(&other.name))
    }
}

/// Where a name stands among the candidates, or would stand without any messages.
fn place_of<N: AsRef<str>>(name: &str, candidates: &[Candidate<N>]) -> u32 {
    let itself = candidates.iter().find(|candidate| candidate.name.as_ref() == name);
    let key = itself.map_or(0, |candidate| candidate.key);
    let is_before = |it: &&Candidate<N>| (Reverse(it.key), it.name.as_ref()) < (Reverse(key), name);
    // Nodes are bounded below 2^32.
    candidates.iter().filter(is_before).count() as u32
}

/// The candidates from one place to another in their order, without putting the others in order.
fn pick<N: Ord>(mut candidates: Vec<Candidate<N>>, from: usize, count: usize) -> Vec<Candidate<N>> {
    let end = from.saturating_add(count);
    if from >= candidates.len() {
        return Vec::new();
    }
    if end < candidates.len() {
        candidates.select_nth_unstable_by(end, Candidate::compare);
        candidates.truncate(end);
    }
    candidates.select_nth_unstable_by(from, Candidate::compare);
    candidates.drain(..from);
    candidates.sort_unstable_by(Candidate::compare);
    candidates
}

/// The name of a child; `None` is the whole tree.
fn join(branch: Option<&str>, level: &str) -> String {
    match branch {
        None => level.to_owned(),
        Some(branch) => format!("{branch}/{level}"),
    }
}

fn show(value: &Value) -> TreeValue {
    let preview = &*value.preview;
    let is_cut = preview.len() < value.payload_len as usize;
    // A character may have been cut, of four bytes at most.
    let text = match std::str::from_utf8(preview) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&preview[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    TreeValue {
        bytes: u64::from(value.payload_len),
        value: text.map(str::to_owned),
        base64: text.is_none().then(|| STANDARD.encode(preview)),
        retained: value.is_retained,
    }
}
