//! The rows of the topics page: what each shows of its topic or branch.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::catalogue::{age, fill, rate};
use crate::route::Route;
use crate::services::clock;
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::state::listing::Listing;
use crate::state::payload;
use crate::state::query::Query;
use crate::state::settings::Shape;
use crate::state::signal::{Signal, Subscription};
use crate::state::topic_tree::{Order, TreeRow};
use crate::state::topics::TopicId;
use crate::widgets::{Place, Row, RowSource};

/// Characters of a value in the list: what fits on a wide screen.
const VALUE_CHARS: usize = 200;

/// The topics as rows, filtered.
pub(super) struct TopicRows {
    hub: Hub,
    locale: Locale,
    shape: Cell<Shape>,
    listing: RefCell<Listing>,
    repaint: Signal,
}

impl TopicRows {
    pub(super) fn new(hub: Hub, locale: Locale) -> Self {
        Self { hub, locale, shape: Cell::default(), listing: RefCell::default(), repaint: Signal::default() }
    }

    /// Where the topics come from.
    pub(super) const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Rings when the rows are to be painted.
    pub(super) const fn repaint(&self) -> &Signal {
        &self.repaint
    }

    /// Shows what answers `query`, as a list or as a tree.
    pub(super) fn show(&self, query: &str, shape: Shape, order: Order) {
        self.shape.set(shape);
        match shape {
            Shape::List => self.listing.borrow_mut().set_query(Query::parse(query)),
            Shape::Tree => {
                let mut tree = self.hub.tree();
                tree.set_query(Query::parse(query));
                tree.set_order(order);
            }
        }
        self.update();
    }

    /// Follows the topics, then paints: in this order, so that a painted row exists.
    pub(super) fn follow(self: &Rc<Self>) -> Subscription {
        let rows = Rc::clone(self);
        self.hub.frames().subscribe(move || {
            rows.update();
            rows.repaint.ring();
        })
    }

    /// Topics that the filter leaves.
    pub(super) fn found(&self) -> usize {
        match self.shape.get() {
            Shape::List => self.listing.borrow().rows(&self.hub.topics()).len(),
            Shape::Tree => self.hub.tree().found(),
        }
    }

    /// Whether the filter leaves nothing, as far as all topics have been looked at.
    pub(super) fn is_fruitless(&self) -> bool {
        let is_searched = match self.shape.get() {
            Shape::List => self.listing.borrow().is_searched(),
            Shape::Tree => self.hub.tree().is_searched(),
        };
        is_searched && self.len() == 0 && !self.hub.topics().is_empty()
    }

    fn update(&self) {
        let (topics, now_ms) = (self.hub.topics(), clock::wall_ms());
        match self.shape.get() {
            Shape::List => self.listing.borrow_mut().update(&topics, now_ms),
            Shape::Tree => self.hub.tree().update(&topics, now_ms),
        };
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
        row.age = age(text, now_ms - topic.at_ms());
        row.retained = topic.retain();
        row.stale = !topics.is_live(id);
        // What does not come any more has no rate; the column says so in words.
        row.rate = if row.stale {
            text.stale.to_owned()
        } else {
            rate(text, topic.per_second(now_ms)).unwrap_or_default()
        };
        row.count = topic.count();
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
    }
}

impl RowSource for TopicRows {
    fn len(&self) -> usize {
        match self.shape.get() {
            Shape::List => self.found(),
            Shape::Tree => self.hub.tree().rows().len(),
        }
    }

    fn read(&self, index: usize, row: &mut Row) {
        match self.shape.get() {
            Shape::List => {
                row.place = None;
                let id = self.listing.borrow().rows(&self.hub.topics()).get(index).copied();
                if let Some(id) = id {
                    self.read_topic(id, row);
                }
            }
            Shape::Tree => {
                let tree_row = self.hub.tree().rows().get(index).copied();
                if let Some(tree_row) = tree_row {
                    self.read_branch(tree_row, row);
                }
            }
        }
    }

    fn toggle(&self, index: usize) {
        if self.shape.get() == Shape::Tree {
            let row = self.hub.tree().rows().get(index).copied();
            if let Some(row) = row {
                self.hub.tree().toggle(row.node);
                self.update();
                self.repaint.ring();
            }
        }
    }
}
