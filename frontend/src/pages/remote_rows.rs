//! The rows of the broker's own tree: what is on the screen is looked at, and nothing else.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::{Rc, Weak};

use gloo::timers::callback::Timeout;
use hearth_api::{TreeRow, TreeValue};

use crate::catalogue::explore::{ExploreWords, words};
use crate::catalogue::{age, fill, rate, reason};
use crate::route::Route;
use crate::services::clock;
use crate::services::hub::{Hub, Watch};
use crate::services::locale::Locale;
use crate::state::payload;
use crate::state::remote_tree::RemoteTree;
use crate::state::topic_tree::Order;
use crate::widgets::{Place, Row};

/// Characters of a value in the list: what fits on a wide screen.
const VALUE_CHARS: usize = 200;

/// Milliseconds between two looks while somebody scrolls: a flick passes rows by that nobody reads.
const LOOK_MS: u32 = 120;

/// The rows. What is open is kept beside the connection, for as long as the app lives.
pub(super) struct RemoteRows {
    hub: Hub,
    locale: Locale,
    tree: Rc<RefCell<RemoteTree>>,
    watches: RefCell<HashMap<String, Watch>>,
    is_shown: Cell<bool>,
    range: RefCell<Range<usize>>,
    next_look: RefCell<Option<Timeout>>,
    trouble: RefCell<Option<String>>,
    this: Weak<Self>,
}

impl RemoteRows {
    pub(super) fn new(hub: Hub, locale: Locale) -> Rc<Self> {
        let tree = hub.beside::<RefCell<RemoteTree>>();
        Rc::new_cyclic(|this| Self {
            hub,
            locale,
            tree,
            watches: RefCell::default(),
            is_shown: Cell::default(),
            range: RefCell::default(),
            next_look: RefCell::default(),
            trouble: RefCell::default(),
            this: this.clone(),
        })
    }

    /// Shows what answers `query`.
    pub(super) fn show(&self, query: &str, order: Order) {
        {
            let mut tree = self.tree.borrow_mut();
            tree.set_order(order);
            tree.set_words(query);
        }
        self.is_shown.set(true);
        self.look();
    }

    /// Looks at nothing any more.
    pub(super) fn hide(&self) {
        self.is_shown.set(false);
        self.next_look.replace(None);
        self.watches.borrow_mut().clear();
    }

    /// Takes in what came.
    pub(super) fn update(&self) {
        let mut is_changed = false;
        let watches = self.watches.borrow();
        let came = watches.keys().filter_map(|filter| Some((filter, self.hub.take_live(filter)?)));
        for (filter, payload) in came {
            match self.tree.borrow_mut().handle_window(filter, &payload) {
                Ok(changed) => {
                    is_changed |= changed;
                    self.trouble.replace(None);
                }
                Err(error) => {
                    self.trouble.replace(Some(error.to_string()));
                }
            }
        }
        drop(watches);
        if is_changed {
            self.look();
        }
    }

    /// Why rows are missing, if they are.
    pub(super) fn trouble(&self) -> Option<String> {
        let refused = || self.watches.borrow().keys().find_map(|filter| self.hub.refusal(filter)).map(reason);
        self.trouble.borrow().clone().or_else(refused)
    }

    /// Rows, those of open branches included.
    pub(super) fn len(&self) -> usize {
        self.tree.borrow().len()
    }

    /// Whether the broker has answered that there is nothing.
    pub(super) fn is_known_empty(&self) -> bool {
        self.tree.borrow().total() == Some(0)
    }

    /// Topics that the filter leaves.
    pub(super) fn found(&self) -> usize {
        let tree = self.tree.borrow();
        if tree.is_search() {
            return tree.total().unwrap_or_default() as usize;
        }
        self.hub.extent().1.map_or(0, |whole| whole.topics as usize)
    }

    /// These rows are on the screen.
    pub(super) fn shown(&self, range: &Range<usize>) {
        if *self.range.borrow() == *range {
            return;
        }
        self.range.replace(range.clone());
        if self.next_look.borrow().is_none() {
            let this = self.this.clone();
            self.next_look.replace(Some(Timeout::new(LOOK_MS, move || {
                if let Some(rows) = this.upgrade() {
                    rows.next_look.replace(None);
                    rows.look();
                }
            })));
        }
    }

    fn look(&self) {
        if !self.is_shown.get() {
            return;
        }
        let wanted = self.tree.borrow_mut().look(self.range.borrow().clone());
        let mut watches = self.watches.borrow_mut();
        watches.retain(|filter, _| wanted.contains(filter));
        for filter in wanted {
            watches.entry(filter).or_insert_with_key(|filter| self.hub.watch(filter));
        }
    }

    pub(super) fn toggle(&self, index: usize) {
        self.tree.borrow_mut().toggle(index);
        self.look();
    }

    pub(super) fn close_all(&self) {
        self.tree.borrow_mut().close_all();
        self.look();
    }

    pub(super) fn read(&self, index: usize, row: &mut Row) {
        let tree = self.tree.borrow();
        let Some(shown) = tree.row(index) else { return };
        let words = words(self.locale.catalogue().tag);
        let is_topic = shown.known.is_some_and(|known| known.node.value.is_some());
        row.stale = !self.hub.link().is_online();
        row.place = (!tree.is_search()).then(|| Place {
            level: level(shown.known, words),
            depth: shown.depth,
            open: shown.open,
            is_topic: is_topic || shown.known.is_none(),
        });
        row.pinned = is_topic.then(|| self.hub.pins().has(&shown.path));
        let href = if is_topic { Route::Topic(shown.path.clone()) } else { Route::Topics };
        row.href = href.href();
        row.topic = shown.path;
        match shown.known {
            Some(known) => self.read_known(known, row, words),
            None => {
                row.value.clear();
                row.rate.clear();
                row.age.clear();
                row.retained = false;
                row.count = 0;
            }
        }
    }

    fn read_known(&self, known: &TreeRow, row: &mut Row, words: &ExploreWords) {
        let text = self.locale.catalogue();
        let node = &known.node;
        row.value.clear();
        match &node.value {
            Some(value) => self.read_value(value, &mut row.value),
            None => {
                let topics = match node.topics {
                    1 => text.tree_below_one.to_owned(),
                    topics => fill(text.tree_below, &[("topics", &self.locale.count(u64::from(topics)))]),
                };
                let messages = match node.messages {
                    1 => words.messages_one.to_owned(),
                    count => fill(words.messages_many, &[("count", &self.locale.count(count))]),
                };
                row.value = format!("{topics} · {messages}");
            }
        }
        // Of a topic that came before the broker has started, nobody knows when.
        row.age = node.at.map(|at| age(text, clock::wall_ms() - at as f64)).unwrap_or_default();
        row.rate = if row.stale { text.stale.to_owned() } else { rate(text, node.rate).unwrap_or_default() };
        row.retained = node.value.as_ref().is_some_and(|value| value.retained);
        row.count = node.messages;
    }

    fn read_value(&self, value: &TreeValue, shown: &mut String) {
        let text = self.locale.catalogue();
        match &value.value {
            _ if value.bytes == 0 => shown.push_str(text.empty_payload),
            Some(begin) => {
                payload::preview(begin.as_bytes(), VALUE_CHARS, shown);
                if (begin.len() as u64) < value.bytes {
                    shown.push('…');
                }
            }
            None => shown.push_str(&fill(text.bytes_many, &[("count", &self.locale.count(value.bytes))])),
        }
    }
}

fn level(known: Option<&TreeRow>, words: &ExploreWords) -> String {
    known.map_or_else(|| words.loading.to_owned(), |row| row.name.clone().unwrap_or_default())
}
