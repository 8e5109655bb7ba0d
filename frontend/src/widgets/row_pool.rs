//! The rows of the topic list as a few DOM nodes that are written over and over, outside the virtual DOM.

use std::fmt::Write as _;
use std::ops::Range;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, HtmlElement};

use crate::components::Symbol;
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
}

/// The nodes.
pub(super) struct RowPool {
    document: Document,
    list: Element,
    words: RowWords,
    nodes: Vec<Node>,
    scratch: Row,
}

impl RowPool {
    /// A pool that puts its rows into `list`.
    pub(super) fn new(list: Element, words: RowWords) -> Option<Self> {
        let document = list.owner_document()?;
        Some(Self { document, list, words, nodes: Vec::new(), scratch: Row::default() })
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
        for (place, index) in window.rows.clone().enumerate() {
            // A row keeps its node while it is on the screen, and with it the keyboard's focus.
            let slot = index % slots.max(1);
            used[slot] = true;
            source.read(index, &mut self.scratch);
            let top = window.top + place as f64 * row_height;
            let (node, words) = (&mut self.nodes[slot], &self.words);
            node.write(&self.scratch, words)?;
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
        let index = usize::MAX;
        Ok(Node { item, toggle, link, parent, leaf, value, rate, age, retained, pin, shown, index })
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
    fn write(&self, row: &Row, words: &RowWords) -> Result<(), JsValue> {
        let shown = &self.shown;
        let same_topic = row.topic == shown.topic;
        let level = |row: &Row| row.place.as_ref().map(|place| place.level.clone());
        if !same_topic || level(row) != level(shown) {
            let split = row.topic.rfind('/').map_or(0, |slash| slash + 1);
            let (parent, leaf) = match &row.place {
                Some(place) => ("", &*place.level),
                None => row.topic.split_at(split),
            };
            self.parent.set_text_content(Some(parent));
            self.leaf.set_text_content(Some(leaf));
            self.link.set_attribute("data-topic", &row.topic)?;
            self.link.set_attribute("title", &row.topic)?;
        }
        if row.href != shown.href {
            self.link.set_attribute("href", &row.href)?;
        }
        if row.place != shown.place || !same_topic || self.index == usize::MAX {
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
        if row.retained != shown.retained || self.index == usize::MAX {
            self.retained.set_text_content(Some(if row.retained { words.retained } else { "" }));
            self.link.set_attribute("data-retained", if row.retained { "true" } else { "false" })?;
        }
        if row.stale != shown.stale || self.index == usize::MAX {
            self.link.set_attribute("data-stale", if row.stale { "true" } else { "false" })?;
        }
        if row.pinned != shown.pinned || !same_topic {
            self.write_pin(row, words)?;
        }
        if row.is_chosen != shown.is_chosen {
            match row.is_chosen {
                true => self.link.set_attribute("aria-current", "true")?,
                false => self.link.remove_attribute("aria-current")?,
            }
        }
        self.flash(row, same_topic)
    }

    fn write_place(&self, row: &Row, words: &RowWords) -> Result<(), JsValue> {
        let place = row.place.clone().unwrap_or_default();
        self.item.style().set_property("--depth", &place.depth.to_string())?;
        // A row without a topic of its own opens and closes where others lead to their page.
        let is_branch = row.place.is_some() && !place.is_topic;
        self.link.set_attribute("data-branch", if is_branch { "true" } else { "false" })?;
        if row.place.is_some() {
            self.item.set_attribute("data-depth", &place.depth.to_string())?;
        } else {
            self.item.remove_attribute("data-depth")?;
        }
        match place.open {
            Some(open) => {
                self.toggle.set_attribute("aria-expanded", if open { "true" } else { "false" })?;
                self.toggle.set_attribute("aria-label", &format!("{}: {}", words.toggle, row.topic))?;
                self.toggle.remove_attribute("hidden")
            }
            None => self.toggle.set_attribute("hidden", ""),
        }
    }

    fn write_pin(&self, row: &Row, words: &RowWords) -> Result<(), JsValue> {
        let Some(is_pinned) = row.pinned else { return self.pin.set_attribute("hidden", "") };
        self.pin.set_attribute("aria-pressed", if is_pinned { "true" } else { "false" })?;
        self.pin.set_attribute("aria-label", &format!("{}: {}", words.pin, row.topic))?;
        self.pin.remove_attribute("hidden")
    }

    /// Lets a new value light up. The name alternates, so that the animation starts anew each time.
    fn flash(&self, row: &Row, same_topic: bool) -> Result<(), JsValue> {
        if !same_topic {
            return self.link.remove_attribute("data-news");
        }
        if row.count == self.shown.count {
            return Ok(());
        }
        self.link.set_attribute("data-news", if row.count.is_multiple_of(2) { "even" } else { "odd" })
    }

    fn place(&self, top: f64, index: usize, count: usize) -> Result<(), JsValue> {
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
