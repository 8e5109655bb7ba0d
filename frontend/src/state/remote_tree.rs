//! The broker's own tree of all topics: which branches are open here, what is known of them, and which windows are to be
//! looked at. What it costs depends on what is shown, not on how many topics there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use hearth_api::{TreeFound, TreeRow, TreeWindow};

use super::remote_search::{self, Among, FOUND_MAX, Rows};
use super::topic_tree::Order;

/// Rows of one window. More would come whole with each change of one of them, fewer would take more subscriptions for a screen.
const WINDOW_ROWS: u32 = 50;

/// Windows that are looked at together: a third of what a session may have (`limits.views_per_session_max`), since those of
/// the last position are still there while new ones are asked for. A screen has about 40 rows.
const WINDOWS_MAX: usize = 40;

/// Windows that are remembered after they were left: for a way back without a gap.
const KEPT_MAX: usize = 120;

/// Where rows stand in the broker's order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    /// Directly below a branch; `None` is the whole tree.
    Branch(Option<Rc<str>>),
    /// What a search has found.
    Found,
}

/// What is known of a branch or search.
#[derive(Debug, Default)]
struct Known {
    // None until its first window came.
    total: Option<u32>,
    windows: BTreeMap<u32, KnownWindow>,
}

#[derive(Debug)]
struct KnownWindow {
    rows: Vec<TreeRow>,
    used: u64,
}

/// The rows of a source, and those of open branches between them.
#[derive(Debug, Default)]
struct Layout {
    branch: Option<Rc<str>>,
    depth: u16,
    own: usize,
    len: usize,
    // By the place of the row that is open.
    inner: Vec<(usize, Layout)>,
}

/// A row of the remote tree.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteRow<'a> {
    /// The whole name; empty while the row is not there yet.
    pub path: String,
    /// Levels above it.
    pub depth: u16,
    /// Whether something is below it: `Some` with whether that is shown. `None` also for what a search has found.
    pub open: Option<bool>,
    /// What the broker tells of it; `None` while that is under way.
    pub known: Option<&'a TreeRow>,
}

/// The remote tree.
#[derive(Debug, Default)]
pub struct RemoteTree {
    order: Order,
    words: String,
    open: HashSet<Rc<str>>,
    known: HashMap<Source, Known>,
    layout: Layout,
    looked_at: HashMap<String, (Source, u32)>,
    uses: u64,
}

impl RemoteTree {
    /// Orders by `order` from now on.
    pub fn set_order(&mut self, order: Order) {
        if order != self.order {
            self.order = order;
            // Totals are the same in every order.
            self.known.values_mut().for_each(|known| known.windows.clear());
            self.lay_out();
        }
    }

    /// Shows what answers these words, as the filter field takes them; without any, the tree.
    pub fn set_words(&mut self, words: &str) {
        let words = words.trim();
        if words != self.words {
            words.clone_into(&mut self.words);
            self.known.remove(&Source::Found);
            self.lay_out();
        }
    }

    /// Whether the rows are those of a search.
    pub const fn is_search(&self) -> bool {
        !self.words.is_empty()
    }

    /// How many rows there are, those of open branches included.
    pub const fn len(&self) -> usize {
        self.layout.len
    }

    /// Whether there is no row.
    pub const fn is_empty(&self) -> bool {
        self.layout.len == 0
    }

    /// How many topics a search has found, or rows are on the first level; `None` until the broker has answered.
    pub fn total(&self) -> Option<u32> {
        self.known.get(&self.source(None)).and_then(|known| known.total)
    }

    /// Opens the closed branch of a row, and closes an open one.
    pub fn toggle(&mut self, index: usize) {
        let Some(RemoteRow { path, open: Some(is_open), .. }) = self.row(index) else { return };
        let path = Rc::<str>::from(path);
        if is_open {
            self.open.remove(&path);
        } else {
            self.open.insert(path);
        }
        self.lay_out();
    }

    /// Closes every branch.
    pub fn close_all(&mut self) {
        self.open.clear();
        self.lay_out();
    }

    /// The row at a place.
    pub fn row(&self, index: usize) -> Option<RemoteRow<'_>> {
        let (layout, at) = self.layout.find(index)?;
        let source = self.source(layout.branch.clone());
        let at = u32::try_from(at).ok()?;
        let window = self.known.get(&source).and_then(|known| known.windows.get(&(at / WINDOW_ROWS)));
        let known = window.and_then(|window| window.rows.get((at % WINDOW_ROWS) as usize));
        let (path, open) = match known {
            None => (String::new(), None),
            Some(row) if self.is_search() => (row.topic.clone().unwrap_or_default(), None),
            Some(row) => {
                let path = join(layout.branch.as_deref(), row);
                let open = (row.node.children > 0).then(|| self.open.contains(&*path));
                (path, open)
            }
        };
        Some(RemoteRow { path, depth: layout.depth, open, known })
    }

    /// Looks at the rows of this range from now on; says what to be subscribed to for that, and for nothing else of the tree.
    pub fn look(&mut self, rows: Range<usize>) -> Vec<String> {
        self.uses += 1;
        let mut wanted = Vec::new();
        let base = (self.source(None), 0);
        if self.total().is_none() {
            wanted.push(base);
        }
        for index in rows.start..rows.end.min(self.layout.len) {
            let Some((layout, at)) = self.layout.find(index) else { break };
            let Ok(at) = u32::try_from(at) else { break };
            let window = (self.source(layout.branch.clone()), at / WINDOW_ROWS);
            if !wanted.contains(&window) {
                wanted.push(window);
            }
            if wanted.len() == WINDOWS_MAX {
                break;
            }
        }
        if wanted.is_empty() {
            // Of an empty tree, the first row is what may come.
            wanted.push((self.source(None), 0));
        }
        self.looked_at.clear();
        for (source, window) in wanted {
            if let Some(window) = self.known.get_mut(&source).and_then(|known| known.windows.get_mut(&window))
            {
                window.used = self.uses;
            }
            self.looked_at.insert(self.filter(&source, window), (source, window));
        }
        self.forget();
        self.looked_at.keys().cloned().collect()
    }

    /// Takes in what came for a window; says whether the rows may have changed. What nobody looks at any more is left.
    ///
    /// # Errors
    /// The payload is not what the broker documents.
    pub fn handle_window(&mut self, topic: &str, payload: &[u8]) -> Result<bool, serde_json::Error> {
        let Some((source, window)) = self.looked_at.get(topic).cloned() else { return Ok(false) };
        let (total, rows) = match &source {
            Source::Branch(_) => {
                let answer: TreeWindow = serde_json::from_slice(payload)?;
                (answer.total, answer.rows)
            }
            Source::Found => {
                let answer: TreeFound = serde_json::from_slice(payload)?;
                (answer.total.min(FOUND_MAX), answer.rows)
            }
        };
        let used = self.uses;
        let known = self.known.entry(source).or_default();
        known.total = Some(total);
        known.windows.insert(window, KnownWindow { rows, used });
        // What is behind the end is no more.
        known.windows.retain(|window, _| *window == 0 || window * WINDOW_ROWS < total);
        self.lay_out();
        Ok(true)
    }

    fn source(&self, branch: Option<Rc<str>>) -> Source {
        if self.is_search() { Source::Found } else { Source::Branch(branch) }
    }

    fn filter(&self, source: &Source, window: u32) -> String {
        let (order, from) = (self.order.as_str(), window * WINDOW_ROWS);
        match source {
            Source::Branch(None) => format!("$hearth/window/{order}/{from}/{WINDOW_ROWS}"),
            Source::Branch(Some(branch)) => format!("$hearth/window/{order}/{from}/{WINDOW_ROWS}/{branch}"),
            Source::Found => {
                let rows = Rows { from, count: WINDOW_ROWS.min(FOUND_MAX - from) };
                remote_search::filter(Among::All, self.order, rows, &self.words)
            }
        }
    }

    /// Lets go of windows that were left longest ago, but not of those that an open branch stands in: the rows below it would
    /// go with it.
    fn forget(&mut self) {
        let count: usize = self.known.values().map(|known| known.windows.len()).sum();
        if count <= KEPT_MAX {
            return;
        }
        let mut left: Vec<(u64, Source, u32)> = Vec::new();
        for (source, known) in &self.known {
            let branch = match source {
                Source::Branch(branch) => branch.as_deref(),
                Source::Found => None,
            };
            for (&place, window) in &known.windows {
                let holds_open = !self.open.is_empty()
                    && window
                        .rows
                        .iter()
                        .any(|row| row.node.children > 0 && self.open.contains(&*join(branch, row)));
                if window.used != self.uses && !holds_open {
                    left.push((window.used, source.clone(), place));
                }
            }
        }
        left.sort_unstable_by_key(|(used, _, _)| *used);
        for (_, source, place) in left.into_iter().take(count - KEPT_MAX) {
            if let Some(known) = self.known.get_mut(&source) {
                known.windows.remove(&place);
            }
        }
    }

    fn lay_out(&mut self) {
        let mut placed = HashSet::new();
        self.layout = self.layout_of(None, 0, 0, &mut placed);
    }

    /// `expected`: how many rows the branch above says that there are, until its own window tells.
    fn layout_of(
        &self,
        branch: Option<Rc<str>>,
        depth: u16,
        expected: u32,
        placed: &mut HashSet<Rc<str>>,
    ) -> Layout {
        let known = self.known.get(&self.source(branch.clone()));
        let own = known.and_then(|known| known.total).unwrap_or(expected) as usize;
        let mut inner = Vec::new();
        if let Some(known) = known.filter(|_| !self.is_search() && !self.open.is_empty()) {
            for (window, at, row) in known.rows() {
                // Between two messages a row may stand in two windows.
                if row.node.children > 0
                    && let Some(path) = self.open.get(&*join(branch.as_deref(), row))
                    && placed.insert(Rc::clone(path))
                {
                    let place = (window * WINDOW_ROWS) as usize + at;
                    let below = self.layout_of(
                        Some(Rc::clone(path)),
                        depth.saturating_add(1),
                        row.node.children,
                        placed,
                    );
                    inner.push((place, below));
                }
            }
        }
        let len = own + inner.iter().map(|(_, layout)| layout.len).sum::<usize>();
        Layout { branch, depth, own, len, inner }
    }
}

impl Known {
    /// The rows that are known, in their order: window, place in it, row.
    fn rows(&self) -> impl Iterator<Item = (u32, usize, &TreeRow)> {
        self.windows.iter().flat_map(|(&window, known)| {
            known.rows.iter().enumerate().map(move |(at, row)| (window, at, row))
        })
    }
}

impl Layout {
    /// Whose row is at a place, and which of its own.
    fn find(&self, index: usize) -> Option<(&Self, usize)> {
        if index >= self.len {
            return None;
        }
        let (mut layout, mut index) = (self, index);
        'branches: loop {
            // Rows of open branches before the place.
            let mut between = 0;
            for (place, inner) in &layout.inner {
                let begin = place + 1 + between;
                if index < begin {
                    break;
                }
                if index < begin + inner.len {
                    (layout, index) = (inner, index - begin);
                    continue 'branches;
                }
                between += inner.len;
            }
            let at = index - between;
            return (at < layout.own).then_some((layout, at));
        }
    }
}

/// The whole name of a row below a branch.
fn join(branch: Option<&str>, row: &TreeRow) -> String {
    let name = row.name.as_deref().unwrap_or_default();
    match branch {
        None => name.to_owned(),
        Some(branch) => format!("{branch}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window's payload with these rows: name and what is below.
    fn window(total: u32, rows: &[(String, u32)]) -> Vec<u8> {
        let rows: Vec<String> = rows
            .iter()
            .map(|(name, children)| {
                format!(r#"{{"name":"{name}","children":{children},"topics":1,"messages":1,"rate":0}}"#)
            })
            .collect();
        format!(
            r#"{{"from":0,"total":{total},"topics":9,"messages":9,"rate":0,"rows":[{}]}}"#,
            rows.join(",")
        )
        .into_bytes()
    }

    fn numbered(range: Range<u32>, children: u32) -> Vec<(String, u32)> {
        range.map(|number| (format!("r{number:04}"), children)).collect()
    }

    fn look(tree: &mut RemoteTree, rows: Range<usize>) -> Vec<String> {
        let mut filters = tree.look(rows);
        filters.sort();
        filters
    }

    fn rows(tree: &RemoteTree) -> Vec<String> {
        let name = |index| {
            let row = tree.row(index).unwrap();
            let sign = match row.open {
                Some(true) => "-",
                Some(false) => "+",
                None => " ",
            };
            format!("{}{sign}{}", ">".repeat(usize::from(row.depth)), row.path)
        };
        (0..tree.len()).map(name).collect()
    }

    fn house() -> RemoteTree {
        let mut tree = RemoteTree::default();
        assert_eq!(look(&mut tree, 0..40), ["$hearth/window/name/0/50"]);
        let answer = window(3, &[(String::new(), 1), ("car".into(), 0), ("home".into(), 2)]);
        assert!(tree.handle_window("$hearth/window/name/0/50", &answer).unwrap());
        tree
    }

    #[test]
    fn a_branch_opens_with_rows_that_are_under_way_and_closes() {
        let mut tree = house();
        assert_eq!(rows(&tree), ["+", " car", "+home"]);
        tree.toggle(2);
        assert_eq!(rows(&tree), ["+", " car", "-home", "> ", "> "]);
        assert!(tree.row(3).unwrap().known.is_none());
        let filters = ["$hearth/window/name/0/50", "$hearth/window/name/0/50/home"];
        assert_eq!(look(&mut tree, 0..40), filters);
        let answer = window(2, &[("bath".into(), 1), ("hall".into(), 0)]);
        tree.handle_window("$hearth/window/name/0/50/home", &answer).unwrap();
        assert_eq!(rows(&tree), ["+", " car", "-home", ">+home/bath", "> home/hall"]);
        // The branch whose level is empty.
        tree.toggle(0);
        assert!(look(&mut tree, 0..40).contains(&"$hearth/window/name/0/50/".to_owned()));
        let answer = window(1, &[("x".into(), 0)]);
        tree.handle_window("$hearth/window/name/0/50/", &answer).unwrap();
        assert_eq!(rows(&tree)[..2], ["-", "> /x"]);
        tree.close_all();
        assert_eq!(rows(&tree), ["+", " car", "+home"]);
        assert_eq!(look(&mut tree, 0..40), ["$hearth/window/name/0/50"]);
    }

    #[test]
    fn only_windows_of_rows_that_are_shown_are_looked_at() {
        let mut tree = RemoteTree::default();
        look(&mut tree, 0..40);
        tree.handle_window("$hearth/window/name/0/50", &window(1_000_000, &numbered(0..50, 3))).unwrap();
        assert_eq!(tree.len(), 1_000_000);
        let filters = ["$hearth/window/name/499950/50", "$hearth/window/name/500000/50"];
        assert_eq!(look(&mut tree, 499_990..500_030), filters);
        assert!(tree.row(500_010).unwrap().known.is_none());
        tree.handle_window("$hearth/window/name/500000/50", &window(1_000_000, &numbered(0..50, 0))).unwrap();
        assert_eq!(tree.row(500_010).unwrap().path, "r0010");
        // A message that was under way when its window was left.
        assert!(!tree.handle_window("$hearth/window/name/0/50", b"{}").unwrap());
        assert!(tree.handle_window("$hearth/window/name/500000/50", b"{").is_err());
    }

    #[test]
    fn rows_behind_open_branches_are_found_and_the_windows_are_bounded() {
        let mut tree = RemoteTree::default();
        look(&mut tree, 0..40);
        tree.handle_window("$hearth/window/name/0/50", &window(50, &numbered(0..50, 1))).unwrap();
        for index in (0..50).rev() {
            tree.toggle(index);
        }
        assert_eq!(tree.len(), 100);
        assert_eq!(tree.row(98).unwrap().path, "r0049");
        assert_eq!(tree.look(0..100).len(), WINDOWS_MAX);
        assert_eq!(tree.look(90..100).len(), 6, "five branches, and the window that they stand in");
    }

    #[test]
    fn a_row_that_stands_in_two_windows_for_a_moment_is_open_once() {
        let mut tree = RemoteTree::default();
        look(&mut tree, 0..100);
        tree.handle_window("$hearth/window/name/0/50", &window(100, &numbered(0..50, 2))).unwrap();
        look(&mut tree, 0..100);
        tree.handle_window("$hearth/window/name/50/50", &window(100, &numbered(49..99, 2))).unwrap();
        tree.toggle(49);
        assert_eq!(tree.len(), 102);
    }

    #[test]
    fn an_order_and_a_search_are_asked_of_the_broker() {
        let mut tree = house();
        tree.toggle(2);
        tree.set_order(Order::Traffic);
        assert_eq!(look(&mut tree, 0..40), ["$hearth/window/traffic/0/50"]);
        assert_eq!(tree.len(), 3, "the totals are the same");
        tree.set_words(" lamp home/+ 5% ");
        assert!(tree.is_search() && tree.is_empty() && tree.total().is_none());
        let filter = "$hearth/find/traffic/0/50/lamp home/%2B 5%25";
        assert_eq!(look(&mut tree, 0..40), [filter]);
        let answer =
            br#"{"words":"w","from":0,"total":2,"rows":[{"topic":"home/lamp","topics":1,"messages":1,"rate":0}]}"#;
        tree.handle_window(filter, answer).unwrap();
        assert_eq!((tree.total(), rows(&tree)), (Some(2), vec![" home/lamp".to_owned(), " ".to_owned()]));
        tree.set_words("");
        assert_eq!(tree.len(), 3);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_rows_of_open_branches_stay() {
        let mut tree = RemoteTree::default();
        look(&mut tree, 0..40);
        tree.handle_window("$hearth/window/name/0/50", &window(1_000_000, &numbered(0..50, 2))).unwrap();
        tree.toggle(7);
        for place in 1..400_u32 {
            let from = place * WINDOW_ROWS;
            let begin = from as usize + 2;
            look(&mut tree, begin..begin + 40);
            let filter = format!("$hearth/window/name/{from}/50");
            tree.handle_window(&filter, &window(1_000_000, &numbered(from..from + 50, 0))).unwrap();
        }
        let known: usize = tree.known.values().map(|known| known.windows.len()).sum();
        assert!(known <= KEPT_MAX + 1, "{known}");
        assert_eq!(tree.row(7).unwrap().open, Some(true));
    }

    #[test]
    fn a_tree_that_shrinks_loses_its_last_rows() {
        let mut tree = RemoteTree::default();
        look(&mut tree, 0..100);
        tree.handle_window("$hearth/window/name/0/50", &window(60, &numbered(0..50, 0))).unwrap();
        look(&mut tree, 0..100);
        tree.handle_window("$hearth/window/name/50/50", &window(60, &numbered(50..60, 0))).unwrap();
        tree.handle_window("$hearth/window/name/0/50", &window(0, &[])).unwrap();
        assert!(tree.is_empty() && tree.row(0).is_none());
        assert_eq!(look(&mut tree, 0..0), ["$hearth/window/name/0/50"]);
    }
}
