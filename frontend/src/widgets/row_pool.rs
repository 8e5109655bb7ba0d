//! The rows of the topic list as a few DOM nodes that are written over and over, outside the virtual DOM.

use std::fmt::Write as _;
use std::ops::Range;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, HtmlElement};

use crate::components::Symbol;
use crate::state::news::News;
use crate::state::window::Window;

/// The namespace of drawings.
const SVG: &str = "http://www.w3.org/2000/svg";

/// What a row shows; kept, so that only what changed is written to the DOM.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The topic.
    pub topic: String,
    /// The address of its page.
    pub href: String,
    /// The last payload, on one line.
    pub value: String,
    /// Messages a second, in words; empty when it is silent.
    pub rate: String,
    /// How long ago the last message came.
    pub age: String,
    /// Whether the broker keeps it.
    pub retained: bool,
    /// Whether the value is not up to date.
    pub stale: bool,
    /// Messages so far: tells a repeated value from none.
    pub count: u64,
    /// Where the row is one of a tree.
    pub place: Option<Place>,
    /// Whether it is pinned; `None` where it cannot be.
    pub pinned: Option<bool>,
    /// Whether its topic is looked at beside the list.
    pub is_chosen: bool,
}

/// Where a row of a tree stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The level that it is named by.
    pub level: String,
    /// Levels above it.
    pub depth: u16,
    /// Whether something is below it: `Some` with whether that is shown.
    pub open: Option<bool>,
    /// Whether a message came under exactly this name.
    pub is_topic: bool,
}

/// Where the rows come from.
pub trait RowSource {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes row `index` into `row`, whose strings are reused.
    fn read(&self, index: usize, row: &mut Row);

    /// The row of a topic, if it can be shown; whatever hides it is opened.
    fn find(&self, _topic: &str) -> Option<usize> {
        None
    }

    /// Opens or closes what is below row `index`; nothing in a list that is no tree.
    fn toggle(&self, _index: usize) {}

    /// Whether a person waits for the picture that is drawn next.
    fn poll_awaited(&self) -> bool {
        false
    }

    /// Pins row `index`, or unpins it.
    fn pin(&self, _index: usize) {}

    /// These rows are drawn, and no others.
    fn shown(&self, _rows: &Range<usize>) {}
}

/// The words that the rows carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowWords {
    /// On the mark of a retained message.
    pub retained: &'static str,
    /// Explains it.
    pub retained_name: &'static str,
    /// Names the button that opens and closes a branch.
    pub toggle: &'static str,
    /// Names the button that pins.
    pub pin: &'static str,
}

struct Node {
    item: HtmlElement,
    toggle: Element,
    link: Element,
    parent: Element,
    leaf: Element,
    value: Element,
    rate: Element,
    age: Element,
    retained: Element,
    pin: Element,
    shown: Row,
    index: usize,
    placed: Option<(f64, usize, usize)>,
    is_lit: bool,
    /// When it had news last, in milliseconds since 1970.
    changed_ms: f64,
}

/// The nodes.
pub(super) struct RowPool {
    document: Document,
    list: Element,
    words: RowWords,
    nodes: Vec<Node>,
    scratch: Row,
    news: News,
}

impl RowPool {
    /// A pool that puts its rows into `list`.
    pub(super) fn new(list: Element, words: RowWords) -> Option<Self> {
        let document = list.owner_document()?;
        let news = News::default();
        Some(Self { document, list, words, nodes: Vec::new(), scratch: Row::default(), news })
    }

    /// Shows the rows of a window; `row_height` in CSS pixels.
    ///
    /// # Errors
    /// The browser's own, when it refuses a node.
    pub(super) fn paint(
        &mut self,
        source: &dyn RowSource,
        window: &Window,
        row_height: f64,
    ) -> Result<(), JsValue> {
        let wanted = window.rows.len();
        while self.nodes.len() < wanted {
            self.nodes.push(self.build()?);
        }
        let refocus = self.focused_topic();
        source.shown(&window.rows);
        let slots = self.nodes.len();
        let mut used = vec![false; slots];
        self.news.begin(js_sys::Date::now());
        for (place, index) in window.rows.clone().enumerate() {
            // A row keeps its node while it is on the screen, and with it the keyboard's focus.
            let slot = index % slots.max(1);
            used[slot] = true;
            source.read(index, &mut self.scratch);
            let top = window.top + place as f64 * row_height;
            let (node, words) = (&mut self.nodes[slot], &self.words);
            node.write(&self.scratch, words, &mut self.news)?;
            node.index = index;
            if !node.item.is_connected() {
                self.list.append_child(&node.item)?;
            }
            node.place(top, index, source.len())?;
            std::mem::swap(&mut node.shown, &mut self.scratch);
        }
        for (node, used) in self.nodes.iter().zip(used) {
            if !used && node.item.is_connected() {
                node.item.remove();
            }
        }
        if let Some(topic) = refocus {
            self.focus_topic(&topic);
        }
        Ok(())
    }

    /// The index of the row that has the keyboard's focus.
    pub(super) fn focused_index(&self) -> Option<usize> {
        let active = self.document.active_element()?;
        self.nodes.iter().find(|node| *node.link == *active).map(|node| node.index)
    }

    /// The index of the row whose node holds `element` in a part that opens and closes it.
    pub(super) fn toggled_index(&self, element: &Element) -> Option<usize> {
        let part = element.closest(".topic-item__toggle, [data-branch=true]").ok().flatten()?;
        self.nodes.iter().find(|node| node.toggle == part || node.link == part).map(|node| node.index)
    }

    /// The index of the row whose button that pins holds `element`.
    pub(super) fn pinned_index(&self, element: &Element) -> Option<usize> {
        let button = element.closest(".topic-item__pin").ok().flatten()?;
        self.nodes.iter().find(|node| node.pin == button).map(|node| node.index)
    }

    /// Whether the row that has the focus is open; `None` where nothing is below it.
    pub(super) fn focused_open(&self) -> Option<bool> {
        let index = self.focused_index()?;
        let node = self.nodes.iter().find(|node| node.index == index)?;
        node.shown.place.as_ref().and_then(|place| place.open)
    }

    /// Gives the focus to the row with this index, when it is on the screen.
    pub(super) fn focus_index(&self, index: usize) {
        if let Some(node) = self.nodes.iter().find(|node| node.index == index && node.item.is_connected()) {
            focus(&node.link);
        }
    }

    fn focused_topic(&self) -> Option<String> {
        let active = self.document.active_element()?;
        self.nodes.iter().find(|node| *node.link == *active).map(|node| node.shown.topic.clone())
    }

    fn focus_topic(&self, topic: &str) {
        let active = self.document.active_element();
        if let Some(node) =
            self.nodes.iter().find(|node| node.shown.topic == topic && node.item.is_connected())
            && active.as_ref() != Some(&node.link)
        {
            focus(&node.link);
        }
    }

    fn build(&self) -> Result<Node, JsValue> {
        let item = self.element("li", "topic-item")?;
        let toggle = self.element("button", "topic-item__toggle")?;
        toggle.set_attribute("type", "button")?;
        toggle.set_attribute("data-testid", "topic-toggle")?;
        let link = self.element("a", "topic-row")?;
        link.set_attribute("data-testid", "topic-row")?;
        let name = self.element("span", "topic-row__topic")?;
        let parent = self.element("span", "topic-row__parent")?;
        let leaf = self.element("span", "topic-row__leaf")?;
        name.append_with_node_2(&parent, &leaf)?;
        let value = self.cell("value", "topic-value")?;
        let rate = self.cell("rate", "topic-rate")?;
        let age = self.cell("age", "topic-age")?;
        let retained = self.cell("retained", "topic-retained")?;
        retained.set_attribute("title", self.words.retained_name)?;
        for cell in [&name, &value, &rate, &age, &retained] {
            link.append_child(cell)?;
        }
        let pin = self.element("button", "topic-item__pin")?;
        pin.set_attribute("type", "button")?;
        pin.set_attribute("data-testid", "topic-pin")?;
        pin.set_attribute("hidden", "")?;
        let icon = self.icon(Symbol::Pin)?;
        pin.append_child(&icon)?;
        item.append_with_node_3(&toggle, &link, &pin)?;
        let item = item.dyn_into::<HtmlElement>()?;
        let shown = Row { retained: true, ..Row::default() };
        let (index, placed, is_lit) = (usize::MAX, None, false);
        Ok(Node {
            item,
            toggle,
            link,
            parent,
            leaf,
            value,
            rate,
            age,
            retained,
            pin,
            shown,
            index,
            placed,
            is_lit,
            changed_ms: 0.0,
        })
    }

    fn cell(&self, name: &str, testid: &str) -> Result<Element, JsValue> {
        let cell = self.element("span", &format!("topic-row__{name}"))?;
        cell.set_attribute("data-testid", testid)?;
        Ok(cell)
    }

    fn icon(&self, symbol: Symbol) -> Result<Element, JsValue> {
        let icon = self.document.create_element_ns(Some(SVG), "svg")?;
        icon.set_attribute("class", "icon")?;
        icon.set_attribute("viewBox", "0 0 24 24")?;
        icon.set_attribute("aria-hidden", "true")?;
        let path = self.document.create_element_ns(Some(SVG), "path")?;
        path.set_attribute("d", symbol.path())?;
        icon.append_child(&path)?;
        Ok(icon)
    }

    fn element(&self, tag: &str, class: &str) -> Result<Element, JsValue> {
        let element = self.document.create_element(tag)?;
        element.set_class_name(class);
        Ok(element)
    }
}

impl Drop for RowPool {
    fn drop(&mut self) {
        for node in &self.nodes {
            node.item.remove();
        }
    }
}

impl Node {
    /// Writes what differs from what is shown.
    fn write(&mut self, row: &Row, words: &RowWords, news: &mut News) -> Result<(), JsValue> {
        let shown = &self.shown;
        let same_topic = row.topic == shown.topic;
        let level = |row: &Row| row.place.as_ref().map(|place| place.level.clone());
        if !same_topic || level(row) != level(shown) {
            let split = row.topic.rfind('/').map_or(0, |slash| slash + 1);
            let (parent, leaf) = match &row.place {
                Some(place) => ("", &*place.level),
                None => row.topic.split_at(split),
            };
            // In a tree what stands above a level is not written again.
            if row.place.is_none() || shown.place.is_none() {
                self.parent.set_text_content(Some(parent));
            }
            self.leaf.set_text_content(Some(leaf));
            self.link.set_attribute("data-topic", &row.topic)?;
            self.link.set_attribute("title", &row.topic)?;
        }
        if row.href != shown.href {
            self.link.set_attribute("href", &row.href)?;
        }
        if row.place != shown.place || !same_topic || self.is_new() {
            self.write_place(row, words)?;
        }
        if row.value != shown.value {
            self.value.set_text_content(Some(&row.value));
        }
        if row.rate != shown.rate {
            self.rate.set_text_content(Some(&row.rate));
        }
        if row.age != shown.age {
            self.age.set_text_content(Some(&row.age));
        }
        if row.retained != shown.retained || self.is_new() {
            self.retained.set_text_content(Some(if row.retained { words.retained } else { "" }));
            self.link.set_attribute("data-retained", if row.retained { "true" } else { "false" })?;
        }
        if row.stale != shown.stale || self.is_new() {
            self.link.set_attribute("data-stale", if row.stale { "true" } else { "false" })?;
        }
        // One that cannot be pinned has no name to be written.
        if row.pinned != shown.pinned || row.pinned.is_some() && !same_topic {
            self.write_pin(row, words)?;
        }
        if row.is_chosen != shown.is_chosen {
            match row.is_chosen {
                true => self.link.set_attribute("aria-current", "true")?,
                false => self.link.remove_attribute("aria-current")?,
            }
        }
        self.flash(row, same_topic, news)
    }

    /// Whether it has shown nothing yet.
    const fn is_new(&self) -> bool {
        self.index == usize::MAX
    }

    /// Writes what differs: a browser takes what it is told for news, even where it is the same.
    fn write_place(&self, row: &Row, words: &RowWords) -> Result<(), JsValue> {
        let (place, before) = (row.place.as_ref(), self.shown.place.as_ref());
        let depth = |place: Option<&Place>| place.map(|place| place.depth);
        if depth(place) != depth(before) || self.is_new() {
            let depth = place.map_or(0, |place| place.depth).to_string();
            self.item.style().set_property("--depth", &depth)?;
            match place {
                Some(_) => self.item.set_attribute("data-depth", &depth)?,
                None => self.item.remove_attribute("data-depth")?,
            }
        }
        // A row without a topic of its own opens and closes where others lead to their page.
        let is_branch = |place: Option<&Place>| place.is_some_and(|place| !place.is_topic);
        if is_branch(place) != is_branch(before) || self.is_new() {
            self.link.set_attribute("data-branch", if is_branch(place) { "true" } else { "false" })?;
        }
        let open = |place: Option<&Place>| place.and_then(|place| place.open);
        if open(place) != open(before) || self.is_new() {
            match open(place) {
                Some(open) => {
                    self.toggle.set_attribute("aria-expanded", if open { "true" } else { "false" })?;
                    self.toggle.remove_attribute("hidden")?;
                }
                None => self.toggle.set_attribute("hidden", "")?,
            }
        }
        // One that is hidden is named when it is shown.
        if open(place).is_some() && (row.topic != self.shown.topic || open(before).is_none()) {
            self.toggle.set_attribute("aria-label", &format!("{}: {}", words.toggle, row.topic))?;
        }
        Ok(())
    }

    fn write_pin(&self, row: &Row, words: &RowWords) -> Result<(), JsValue> {
        let Some(is_pinned) = row.pinned else { return self.pin.set_attribute("hidden", "") };
        self.pin.set_attribute("aria-pressed", if is_pinned { "true" } else { "false" })?;
        self.pin.set_attribute("aria-label", &format!("{}: {}", words.pin, row.topic))?;
        self.pin.remove_attribute("hidden")
    }

    /// Lets a new value light up. The name alternates, so that the animation starts anew each time.
    fn flash(&mut self, row: &Row, same_topic: bool, news: &mut News) -> Result<(), JsValue> {
        if !same_topic {
            self.changed_ms = 0.0;
            let was_lit = std::mem::take(&mut self.is_lit);
            return if was_lit { self.link.remove_attribute("data-news") } else { Ok(()) };
        }
        if row.count == self.shown.count {
            return Ok(());
        }
        // What fades already is left alone.
        if !news.is_lit(&mut self.changed_ms) {
            return Ok(());
        }
        self.is_lit = true;
        self.link.set_attribute("data-news", if row.count.is_multiple_of(2) { "even" } else { "odd" })
    }

    /// Where the row is, and that it is the one of so many.
    fn place(&mut self, top: f64, index: usize, count: usize) -> Result<(), JsValue> {
        let placed = Some((top, index, count));
        if std::mem::replace(&mut self.placed, placed) == placed {
            return Ok(());
        }
        let mut transform = String::with_capacity(32);
        // Writing to a String cannot fail. Properties set from a script are not the inline styles that the
        // content security policy forbids.
        let _ = write!(transform, "translateY({top}px)");
        self.item.style().set_property("transform", &transform)?;
        self.item.set_attribute("aria-posinset", &(index + 1).to_string())?;
        self.item.set_attribute("aria-setsize", &count.to_string())
    }
}

fn focus(element: &Element) {
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        // It fails only for elements that cannot take the focus at all.
        let _ = element.focus();
    }
}
