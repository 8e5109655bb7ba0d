//! The rows of the topics page: what each shows of its topic or branch.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use super::remote_rows::RemoteRows;
use crate::catalogue::{age, fill, rate};
use crate::route::Route;
use crate::services::clock;
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::pace::Pace;
use crate::state::extent::Scope;
use crate::state::listing::Listing;
use crate::state::payload;
use crate::state::settings::Shape;
use crate::state::signal::{Signal, Subscription};
use crate::state::topic_tree::{Order, TreeRow};
use crate::state::topics::TopicId;
use crate::widgets::{Place, Row, RowSource};
use hearth_protocol::Query;

/// Characters of a value in the list: what fits on a wide screen.
const VALUE_CHARS: usize = 200;

/// Where the rows come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shown {
    /// What was heard, by name.
    #[default]
    List,
    /// What was heard, level below level.
    Tree,
    /// The broker's own tree.
    Remote,
}

/// The topics as rows, filtered.
pub(super) struct TopicRows {
    hub: Hub,
    locale: Locale,
    shown: Cell<Shown>,
    listing: RefCell<Listing>,
    remote: Rc<RemoteRows>,
    repaint: Signal,
    pace: Pace,
    is_awaited: Cell<bool>,
    // The topic that is looked at beside the list.
    chosen: RefCell<Option<Rc<str>>>,
}

impl TopicRows {
    pub(super) fn new(hub: Hub, locale: Locale) -> Self {
        let remote = RemoteRows::new(hub.clone(), locale.clone());
        Self {
            hub,
            locale,
            shown: Cell::default(),
            listing: RefCell::default(),
            remote,
            repaint: Signal::default(),
            pace: Pace::default(),
            is_awaited: Cell::default(),
            chosen: RefCell::default(),
        }
    }

    /// Rings when the rows are to be painted.
    pub(super) const fn repaint(&self) -> &Signal {
        &self.repaint
    }

    /// Shows what answers `query`, as a list or as a tree, with the next frame. Of a broker that is not taken in whole, the tree is its own.
    pub(super) fn show(&self, query: &str, shape: Shape, order: Order) {
        let shown = match shape {
            Shape::List => Shown::List,
            Shape::Tree if self.hub.extent().0 == Scope::Parts => Shown::Remote,
            Shape::Tree => Shown::Tree,
        };
        if self.shown.replace(shown) == Shown::Remote && shown != Shown::Remote {
            self.remote.hide();
        }
        match shown {
            Shown::Remote => self.remote.show(query, order),
            Shown::List => self.listing.borrow_mut().set_query(Query::parse(query)),
            Shown::Tree => {
                let mut tree = self.hub.tree();
                tree.set_query(Query::parse(query));
                tree.set_order(order);
            }
        }
        self.await_rows();
    }

    /// Marks the row of a topic from now on.
    pub(super) fn choose(&self, topic: Option<&str>) {
        self.chosen.replace(topic.map(Rc::from));
        self.repaint.ring();
    }

    /// Follows the topics, then paints: in this order, so that a painted row exists.
    pub(super) fn follow(self: &Rc<Self>) -> Subscription {
        let rows = Rc::clone(self);
        self.hub.frames().subscribe(move || rows.on_frame())
    }

    fn on_frame(&self) {
        // The broker tells of its own tree no more often than can be read.
        let is_due = self.shown.get() == Shown::Remote || self.pace.is_due(&self.hub);
        let (is_searching, is_awaited) = (self.is_searching(), self.is_awaited.get());
        if is_due || is_searching {
            // A search goes on with each frame, and tells now and then what it has found.
            let are_others = self.update();
            if is_due || are_others {
                self.repaint.ring();
            }
        }
        if is_searching || is_awaited {
            self.hub.touch();
        }
    }

    /// Topics that the filter leaves.
    pub(super) fn found(&self) -> usize {
        match self.shown.get() {
            Shown::List => self.listing.borrow().rows(&self.hub.topics()).len(),
            Shown::Tree => self.hub.tree().found(),
            Shown::Remote => self.remote.found(),
        }
    }

    /// Whether the filter leaves nothing, as far as all topics have been looked at.
    pub(super) fn is_fruitless(&self) -> bool {
        if self.shown.get() == Shown::Remote {
            return self.remote.is_known_empty();
        }
        !self.is_searching() && self.found() == 0 && !self.hub.topics().is_empty()
    }

    /// Whether what was heard has not been looked at to the end.
    fn is_searching(&self) -> bool {
        match self.shown.get() {
            Shown::List => !self.listing.borrow().is_searched(),
            Shown::Tree => !self.hub.tree().is_searched(),
            Shown::Remote => false,
        }
    }

    /// Why rows are missing, if they are.
    pub(super) fn trouble(&self) -> Option<String> {
        match self.shown.get() {
            Shown::List | Shown::Tree => None,
            Shown::Remote => self.remote.trouble(),
        }
    }

    /// Opens or closes every branch. The broker's tree is only closed: nobody could look at all of it.
    pub(super) fn set_all_open(&self, is_open: bool) {
        match self.shown.get() {
            Shown::List => {}
            Shown::Tree => self.hub.tree().set_all_open(is_open),
            Shown::Remote if is_open => {}
            Shown::Remote => self.remote.close_all(),
        }
        self.await_rows();
    }

    /// The next frame shows all there is, and the one after it what is out of sight.
    fn await_rows(&self) {
        self.is_awaited.set(true);
        self.pace.hasten(&self.hub);
    }

    /// Brings the rows up to date; says whether they may be others.
    pub(super) fn update(&self) -> bool {
        let (topics, now_ms) = (self.hub.topics(), clock::wall_ms());
        match self.shown.get() {
            Shown::List => self.listing.borrow_mut().update(&topics, now_ms),
            Shown::Tree => self.hub.tree().update(&topics, now_ms),
            Shown::Remote => {
                self.remote.update();
                true
            }
        }
    }

    fn read_topic(&self, id: TopicId, row: &mut Row) {
        let topics = self.hub.topics();
        let topic = topics.topic(id);
        let text = self.locale.catalogue();
        let now_ms = clock::wall_ms();
        if row.topic != topic.name() || row.href.is_empty() {
            topic.name().clone_into(&mut row.topic);
            row.href = Route::Topic(topic.name().to_owned()).href();
        }
        payload::preview(topic.payload(), VALUE_CHARS, &mut row.value);
        if topic.payload().is_empty() {
            row.value.push_str(text.empty_payload);
        }
        row.age = if topic.is_kept() { String::new() } else { age(text, now_ms - topic.at_ms()) };
        row.retained = topic.retain();
        row.stale = !topics.is_live(id);
        // What does not come any more has no rate; the column says so in words.
        row.rate = if row.stale {
            text.stale.to_owned()
        } else {
            rate(text, topic.per_second(now_ms)).unwrap_or_default()
        };
        row.count = topic.count();
        row.pinned = Some(self.hub.pins().has(topic.name()));
    }

    fn read_branch(&self, tree_row: TreeRow, row: &mut Row) {
        let (topic, path, place) = {
            let tree = self.hub.tree();
            let place = Place {
                level: tree.level(tree_row.node).to_owned(),
                depth: tree_row.depth,
                open: tree.is_open(tree_row.node),
                is_topic: tree.topic(tree_row.node).is_some(),
            };
            (tree.topic(tree_row.node), tree.path(tree_row.node), place)
        };
        // A level becomes a topic when a message comes under its name: its address is made anew.
        row.href.clear();
        match topic {
            Some(id) => self.read_topic(id, row),
            None => self.read_level(tree_row, path, row),
        }
        row.place = Some(place);
    }

    /// A level without a message of its own tells what is below it.
    fn read_level(&self, tree_row: TreeRow, path: String, row: &mut Row) {
        let tree = self.hub.tree();
        let text = self.locale.catalogue();
        let (topics, messages) = (u64::from(tree.topics(tree_row.node)), tree.messages(tree_row.node));
        row.value = match topics {
            1 => text.tree_below_one.to_owned(),
            _ => fill(text.tree_below, &[("topics", &self.locale.count(topics))]),
        };
        row.href = Route::Topics.href();
        row.topic = path;
        row.age = age(text, clock::wall_ms() - tree.at_ms(tree_row.node));
        row.rate = fill(text.tree_messages, &[("count", &self.locale.count(messages))]);
        row.retained = false;
        row.stale = false;
        row.count = messages;
        row.pinned = None;
    }
}

impl RowSource for TopicRows {
    fn len(&self) -> usize {
        match self.shown.get() {
            Shown::List => self.found(),
            Shown::Tree => self.hub.tree().rows().len(),
            Shown::Remote => self.remote.len(),
        }
    }

    fn read(&self, index: usize, row: &mut Row) {
        match self.shown.get() {
            Shown::List => {
                row.place = None;
                let id = self.listing.borrow().rows(&self.hub.topics()).get(index).copied();
                if let Some(id) = id {
                    self.read_topic(id, row);
                }
            }
            Shown::Tree => {
                let tree_row = self.hub.tree().rows().get(index).copied();
                if let Some(tree_row) = tree_row {
                    self.read_branch(tree_row, row);
                }
            }
            Shown::Remote => self.remote.read(index, row),
        }
        row.is_chosen = self.chosen.borrow().as_deref() == Some(&*row.topic);
    }

    fn find(&self, topic: &str) -> Option<usize> {
        let id = self.hub.topics().find(topic)?;
        match self.shown.get() {
            Shown::List => self.listing.borrow().rows(&self.hub.topics()).iter().position(|&row| row == id),
            Shown::Tree => {
                self.hub.tree().reveal(id);
                self.update();
                let tree = self.hub.tree();
                tree.rows().iter().position(|row| tree.topic(row.node) == Some(id))
            }
            // The broker's tree is drawn from where the person opens it.
            Shown::Remote => None,
        }
    }

    fn toggle(&self, index: usize) {
        match self.shown.get() {
            Shown::List => {}
            Shown::Tree => {
                let row = self.hub.tree().rows().get(index).copied();
                if let Some(row) = row {
                    self.hub.tree().toggle(row.node);
                    self.update();
                }
            }
            Shown::Remote => self.remote.toggle(index),
        }
        self.await_rows();
    }

    fn poll_awaited(&self) -> bool {
        self.is_awaited.take()
    }

    fn pin(&self, index: usize) {
        let mut row = Row::default();
        self.read(index, &mut row);
        if row.pinned.is_some() {
            // Without room for one more nothing changes, and the list of pins says why.
            let _is_pinned = self.hub.toggle_pin(&row.topic);
            self.repaint.ring();
        }
    }

    fn shown(&self, rows: &Range<usize>) {
        match self.shown.get() {
            Shown::List | Shown::Tree => {}
            Shown::Remote => self.remote.shown(rows),
        }
    }
}
