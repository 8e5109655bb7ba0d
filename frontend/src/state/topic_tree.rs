//! The topics as a tree of their levels: an arena outside the virtual DOM, and the rows that are open in it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::listing::SEARCHED_PER_FRAME;
use super::topics::{TopicId, Topics};
use hearth_protocol::Query;

/// Milliseconds between two orderings by what changes all the time: rows must not dance under the finger.
const REORDER_MS: f64 = 2000.0;

/// Milliseconds between two looks at what a search has found so far: to lay out a large answer takes longer than to go on.
const SO_FAR_MS: f64 = 250.0;

/// By what the rows of a branch are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// The newest message first.
    Activity,
    /// The most messages first, those of the whole subtree.
    Traffic,
}

impl Order {
    /// The word for settings and tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Activity => "activity",
            Self::Traffic => "traffic",
        }
    }

    /// The order of a word, by name for any other.
    pub fn of(word: &str) -> Self {
        [Self::Activity, Self::Traffic].into_iter().find(|order| order.as_str() == word).unwrap_or_default()
    }
}

/// The place of a branch or leaf in the tree; it never changes while the page lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(u32);

impl NodeId {
    const ROOT: Self = Self(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A row of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// What it shows.
    pub node: NodeId,
    /// Levels above it.
    pub depth: u16,
}

#[derive(Debug)]
struct Branch {
    level: Box<str>,
    parent: NodeId,
    topic: Option<TopicId>,
    children: Vec<NodeId>,
    is_sorted: bool,
    is_open: bool,
    // The last search that left it or something below it.
    found_in: u32,
    topics: u32,
    messages: u64,
    at_ms: f64,
}

/// A search, which goes on from frame to frame, and the one before, which is shown until it is at its end.
#[derive(Debug, Default)]
struct Search {
    // Counts searches.
    number: u32,
    // What this one and later ones found is shown.
    shown: u32,
    // How many topics it has looked at, in the order in which they were heard.
    seen: usize,
    found: usize,
    found_before: usize,
}

/// The tree.
#[derive(Debug)]
pub struct TopicTree {
    nodes: Vec<Branch>,
    // Places in `nodes` by parent and level.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    of_topic: Vec<NodeId>,
    order: Order,
    query: Query,
    rows: Vec<TreeRow>,
    search: Search,
    is_stale: bool,
    ordered_at_ms: f64,
    laid_out_at_ms: f64,
}

impl Default for TopicTree {
    fn default() -> Self {
        let root = Branch {
            level: Box::default(),
            parent: NodeId::ROOT,
            topic: None,
            children: Vec::new(),
            is_sorted: true,
            is_open: true,
            found_in: 0,
            topics: 0,
            messages: 0,
            at_ms: 0.0,
        };
        Self {
            nodes: vec![root],
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            of_topic: Vec::new(),
            order: Order::default(),
            query: Query::default(),
            rows: Vec::new(),
            search: Search::default(),
            is_stale: true,
            ordered_at_ms: 0.0,
            laid_out_at_ms: 0.0,
        }
    }
}

impl TopicTree {
    /// Takes a message of a topic in. Topics come in the order of their ids when they are new.
    pub fn record(&mut self, id: TopicId, name: &str, at_ms: f64) {
        let node = match self.of_topic.get(id.index()) {
            Some(&node) => node,
            None => self.insert(id, name),
        };
        let mut at = node;
        loop {
            let branch = &mut self.nodes[at.index()];
            branch.messages += 1;
            branch.at_ms = at_ms;
            if at == NodeId::ROOT {
                return;
            }
            at = branch.parent;
        }
    }

    fn insert(&mut self, id: TopicId, name: &str) -> NodeId {
        let mut at = NodeId::ROOT;
        for level in name.split('/') {
            at = self.child(at, level);
        }
        self.nodes[at.index()].topic = Some(id);
        debug_assert_eq!(self.of_topic.len(), id.index(), "topics are told in their order");
        self.of_topic.push(at);
        let mut up = at;
        loop {
            let branch = &mut self.nodes[up.index()];
            branch.topics += 1;
            if up == NodeId::ROOT {
                break;
            }
            up = branch.parent;
        }
        self.is_stale = true;
        at
    }

    fn child(&mut self, parent: NodeId, level: &str) -> NodeId {
        let hash = self.hasher.hash_one((parent.0, level));
        let nodes = &self.nodes;
        let found = self.index.find(hash, |&index| {
            let node = &nodes[index as usize];
            node.parent == parent && *node.level == *level
        });
        if let Some(&index) = found {
            return NodeId(index);
        }
        // Topics are bounded, and with them the levels, far below u32::MAX.
        let index = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Branch {
            level: level.into(),
            parent,
            topic: None,
            children: Vec::new(),
            is_sorted: true,
            is_open: false,
            found_in: 0,
            topics: 0,
            messages: 0,
            at_ms: 0.0,
        });
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.index.insert_unique(hash, index, |&other| {
            let node = &nodes[other as usize];
            hasher.hash_one((node.parent.0, &*node.level))
        });
        let parent = &mut self.nodes[parent.index()];
        parent.children.push(NodeId(index));
        parent.is_sorted = false;
        NodeId(index)
    }

    /// Orders by `order` from now on.
    pub fn set_order(&mut self, order: Order) {
        if order != self.order {
            self.order = order;
            for node in &mut self.nodes {
                node.is_sorted = false;
            }
            self.is_stale = true;
        }
    }

    /// Shows only what answers `query`, with the branches that lead there.
    pub fn set_query(&mut self, query: Query) {
        if query != self.query {
            self.query = query;
            self.is_stale = true;
            self.begin_search();
            // Of another filter's answer nothing is of use.
            self.search.shown = self.search.number;
        }
    }

    /// Opens a closed branch and closes an open one.
    pub fn toggle(&mut self, node: NodeId) {
        let branch = &mut self.nodes[node.index()];
        branch.is_open = !branch.is_open;
        self.is_stale = true;
    }

    /// Opens or closes every branch.
    pub fn set_all_open(&mut self, is_open: bool) {
        for node in self.nodes.iter_mut().skip(1) {
            node.is_open = is_open;
        }
        self.is_stale = true;
    }

    /// Opens the branches above a topic, so that its row is shown.
    pub fn reveal(&mut self, id: TopicId) {
        let Some(&node) = self.of_topic.get(id.index()) else { return };
        let mut up = self.nodes[node.index()].parent;
        while up != NodeId::ROOT {
            self.nodes[up.index()].is_open = true;
            up = self.nodes[up.index()].parent;
        }
        self.is_stale = true;
    }

    /// Brings the rows up to date; says whether they may have changed. Call it once a frame, after
    /// [`Topics::merge`].
    pub fn update(&mut self, topics: &Topics, now_ms: f64) -> bool {
        let moves = self.order != Order::Name || self.query.reads_values();
        let is_due = moves && now_ms - self.ordered_at_ms >= REORDER_MS;
        if is_due {
            self.ordered_at_ms = now_ms;
            if self.query.reads_values() && self.is_searched() {
                self.begin_search();
            }
        }
        let is_searching = !self.is_searched();
        if is_searching {
            self.go_on_searching(topics);
        }
        let is_told = is_searching && (self.is_searched() || now_ms - self.laid_out_at_ms >= SO_FAR_MS);
        if !self.is_stale && !is_due && !is_told {
            return false;
        }
        self.is_stale = false;
        self.laid_out_at_ms = now_ms;
        self.flatten();
        true
    }

    /// The rows as of the last [`Self::update`].
    pub fn rows(&self) -> &[TreeRow] {
        &self.rows
    }

    /// How many topics the filter leaves, as of the last [`Self::update`].
    pub fn found(&self) -> usize {
        if self.query.is_empty() {
            return self.of_topic.len();
        }
        let search = &self.search;
        if search.shown == search.number { search.found } else { search.found_before }
    }

    /// The level that a row is named by.
    pub fn level(&self, node: NodeId) -> &str {
        &self.nodes[node.index()].level
    }

    /// The whole name of the branch.
    pub fn path(&self, node: NodeId) -> String {
        let mut levels = Vec::new();
        let mut at = node;
        while at != NodeId::ROOT {
            let branch = &self.nodes[at.index()];
            levels.push(&*branch.level);
            at = branch.parent;
        }
        levels.reverse();
        levels.join("/")
    }

    /// The topic of exactly this name, where there is one.
    pub fn topic(&self, node: NodeId) -> Option<TopicId> {
        self.nodes[node.index()].topic
    }

    /// Whether something is below it: `Some` with whether that is shown.
    pub fn is_open(&self, node: NodeId) -> Option<bool> {
        let branch = &self.nodes[node.index()];
        (!branch.children.is_empty()).then(|| branch.is_open || !self.query.is_empty())
    }

    /// Topics at and below it.
    pub fn topics(&self, node: NodeId) -> u32 {
        self.nodes[node.index()].topics
    }

    /// Messages at and below it since the page was opened.
    pub fn messages(&self, node: NodeId) -> u64 {
        self.nodes[node.index()].messages
    }

    /// When the last message came at or below it, in milliseconds since 1970.
    pub fn at_ms(&self, node: NodeId) -> f64 {
        self.nodes[node.index()].at_ms
    }

    fn begin_search(&mut self) {
        let search = &mut self.search;
        *search = Search {
            number: search.number.wrapping_add(1),
            shown: search.shown,
            seen: 0,
            found: 0,
            found_before: search.found,
        };
    }

    /// Whether the filter has looked at every topic.
    pub fn is_searched(&self) -> bool {
        self.query.is_empty() || self.search.seen >= self.of_topic.len()
    }

    /// Looks at the next topics. Topics that are heard meanwhile come last.
    fn go_on_searching(&mut self, topics: &Topics) {
        let (from, number) = (self.search.seen, self.search.number);
        for (id, topic) in topics.heard_from(from).take(SEARCHED_PER_FRAME) {
            self.search.seen += 1;
            let Some(&node) = self.of_topic.get(id.index()) else { continue };
            if !self.query.matches(topic.name(), topic.payload()) {
                continue;
            }
            self.search.found += 1;
            let mut up = node;
            while up != NodeId::ROOT && self.nodes[up.index()].found_in != number {
                self.nodes[up.index()].found_in = number;
                up = self.nodes[up.index()].parent;
            }
        }
        if self.is_searched() {
            self.search.shown = number;
        }
    }

    fn is_found(&self, node: NodeId) -> bool {
        self.nodes[node.index()].found_in >= self.search.shown
    }

    fn flatten(&mut self) {
        let is_filtered = !self.query.is_empty();
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        // What is still to be visited, the next one last: depth costs no stack.
        let mut ahead = Vec::new();
        self.sort(NodeId::ROOT);
        self.push_children(NodeId::ROOT, 0, is_filtered, &mut ahead);
        while let Some(row) = ahead.pop() {
            rows.push(row);
            let branch = &self.nodes[row.node.index()];
            if branch.children.is_empty() || !(branch.is_open || is_filtered) {
                continue;
            }
            self.sort(row.node);
            self.push_children(row.node, row.depth.saturating_add(1), is_filtered, &mut ahead);
        }
        self.rows = rows;
    }

    fn push_children(&self, node: NodeId, depth: u16, is_filtered: bool, ahead: &mut Vec<TreeRow>) {
        let children = self.nodes[node.index()].children.iter().rev();
        let shown = children.filter(|child| !is_filtered || self.is_found(**child));
        ahead.extend(shown.map(|&node| TreeRow { node, depth }));
    }

    fn sort(&mut self, node: NodeId) {
        if self.nodes[node.index()].is_sorted && self.order == Order::Name {
            return;
        }
        let mut children = std::mem::take(&mut self.nodes[node.index()].children);
        let branch = |id: &NodeId| &self.nodes[id.index()];
        children.sort_unstable_by(|a, b| {
            let (a, b) = (branch(a), branch(b));
            let first = match self.order {
                Order::Name => std::cmp::Ordering::Equal,
                Order::Activity => b.at_ms.total_cmp(&a.at_ms),
                Order::Traffic => b.messages.cmp(&a.messages),
            };
            first.then_with(|| a.level.cmp(&b.level))
        });
        let branch = &mut self.nodes[node.index()];
        branch.children = children;
        branch.is_sorted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::topics::Recorded;
    use super::super::topics::tests::message;
    use super::*;

    #[derive(Default)]
    struct House {
        topics: Topics,
        tree: TopicTree,
        now_ms: f64,
    }

    impl House {
        fn hear(&mut self, name: &str, payload: &str) {
            let recorded = self.topics.record(&message(name, payload.as_bytes(), false), self.now_ms);
            let (Recorded::New(id) | Recorded::NewKind(id) | Recorded::Value(id)) = recorded else {
                panic!("the topic is kept")
            };
            self.tree.record(id, name, self.now_ms);
        }

        /// The rows, indented.
        fn rows(&mut self) -> Vec<String> {
            self.topics.merge();
            self.tree.update(&self.topics, self.now_ms);
            let tree = &self.tree;
            let row = |row: &TreeRow| {
                let sign = match tree.is_open(row.node) {
                    Some(true) => "-",
                    Some(false) => "+",
                    None => " ",
                };
                let indent = "  ".repeat(usize::from(row.depth));
                format!("{indent}{sign}{}", tree.level(row.node))
            };
            tree.rows().iter().map(row).collect()
        }

        fn find(&mut self, path: &str) -> NodeId {
            let nodes = (1..self.tree.nodes.len()).map(|at| NodeId(u32::try_from(at).unwrap()));
            nodes.into_iter().find(|&node| self.tree.path(node) == path).expect("a branch of this name")
        }
    }

    fn house() -> House {
        let mut house = House::default();
        for name in ["home/kitchen/lamp", "home/bath/lamp", "car/speed", "home/kitchen", "/odd//name"] {
            house.hear(name, "1");
        }
        house
    }

    #[test]
    fn branches_open_and_close_and_are_ordered_by_name() {
        let mut house = house();
        assert_eq!(house.rows(), ["+", "+car", "+home"]);
        let home = house.find("home");
        house.tree.toggle(home);
        assert_eq!(house.rows(), ["+", "+car", "-home", "  +bath", "  +kitchen"]);
        house.hear("home/attic", "1");
        assert_eq!(house.rows(), ["+", "+car", "-home", "   attic", "  +bath", "  +kitchen"]);
        house.tree.toggle(home);
        assert_eq!(house.rows(), ["+", "+car", "+home"]);
        house.tree.set_all_open(true);
        let all = ["-", "  -odd", "    -", "       name", "-car", "   speed", "-home", "   attic", "  -bath"];
        assert_eq!(house.rows()[..9], all);
    }

    #[test]
    fn a_branch_counts_what_is_below_it_and_may_be_a_topic_itself() {
        let mut house = house();
        house.now_ms = 5.0;
        house.hear("home/kitchen/lamp", "0");
        let (home, kitchen) = (house.find("home"), house.find("home/kitchen"));
        assert_eq!((house.tree.topics(home), house.tree.messages(home)), (3, 4));
        assert_eq!((house.tree.topics(kitchen), house.tree.messages(kitchen)), (2, 3));
        assert_eq!(house.tree.at_ms(home), 5.0);
        assert_eq!(house.tree.topic(kitchen), house.topics.find("home/kitchen"));
        assert_eq!(house.tree.topic(home), None);
        let odd = house.find("/odd//name");
        assert_eq!(house.tree.topic(odd), house.topics.find("/odd//name"));
    }

    #[test]
    fn a_filter_leaves_what_answers_it_and_the_way_there() {
        let mut house = house();
        house.tree.set_query(Query::parse("lamp"));
        assert_eq!(house.rows(), ["-home", "  -bath", "     lamp", "  -kitchen", "     lamp"]);
        house.tree.set_query(Query::parse("home/+"));
        assert_eq!(house.rows(), ["-home", "  -kitchen"]);
        house.tree.set_query(Query::default());
        assert_eq!(house.rows(), ["+", "+car", "+home"]);
    }

    #[test]
    fn a_value_that_answers_the_filter_enters_soon() {
        let mut house = house();
        house.tree.set_query(Query::parse("alarm"));
        assert_eq!(house.rows(), [""; 0]);
        house.hear("car/speed", "alarm");
        house.now_ms = REORDER_MS;
        assert_eq!(house.rows(), ["-car", "   speed"]);
    }

    #[test]
    fn a_long_search_goes_on_from_frame_to_frame_and_shows_the_old_answer_meanwhile() {
        let mut house = House::default();
        let all = SEARCHED_PER_FRAME + 1;
        for number in 0..all {
            house.hear(&format!("t{number:06}"), "on");
        }
        house.tree.set_query(Query::parse("on"));
        assert_eq!(house.rows().len(), SEARCHED_PER_FRAME);
        assert_eq!((house.rows().len(), house.tree.found()), (all, all));
        house.hear("t000000", "off");
        house.hear("one more", "");
        assert_eq!((house.rows().len(), house.tree.found()), (all + 1, all + 1), "its name answers");
        house.now_ms = REORDER_MS;
        assert_eq!((house.rows().len(), house.tree.found()), (all + 1, all + 1), "half of the next search");
        assert_eq!((house.rows().len(), house.tree.found()), (all, all));
    }

    #[test]
    fn the_busiest_and_the_newest_come_first_but_not_at_every_message() {
        let mut house = house();
        house.tree.set_order(Order::Traffic);
        assert_eq!(house.rows(), ["+home", "+", "+car"]);
        house.now_ms = 10.0;
        for _ in 0..9 {
            house.hear("car/speed", "2");
        }
        assert_eq!(house.rows(), ["+home", "+", "+car"], "too early");
        house.now_ms = REORDER_MS + 10.0;
        assert_eq!(house.rows(), ["+car", "+home", "+"]);
        house.hear("/odd//name", "2");
        house.tree.set_order(Order::Activity);
        assert_eq!(house.rows(), ["+", "+car", "+home"]);
        house.tree.set_order(Order::Name);
        assert_eq!(house.rows(), ["+", "+car", "+home"]);
    }

    #[test]
    fn a_topic_far_below_is_revealed() {
        let mut house = house();
        let lamp = house.topics.find("home/bath/lamp").unwrap();
        house.tree.reveal(lamp);
        assert_eq!(house.rows(), ["+", "+car", "-home", "  -bath", "     lamp", "  +kitchen"]);
    }
}
