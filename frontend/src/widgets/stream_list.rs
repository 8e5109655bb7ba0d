//! A stream of messages: only the rows on the screen exist, and they are painted once a frame, outside the virtual DOM.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement, KeyboardEvent};
use yew::prelude::*;

use super::scroll_area::{RowKeeper, ScrollArea};
use crate::state::signal::Signal;
use crate::state::window::Window;

/// What a row shows; kept, so that only what changed is written to the DOM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRow {
    /// The number of the message.
    pub number: u64,
    /// The colour, from 0.
    pub mark: u8,
    /// The letters of the filters that brought it.
    pub letters: String,
    /// When it came.
    pub time: String,
    /// Its topic.
    pub topic: String,
    /// Its payload, on one line.
    pub value: String,
    /// Its QoS and whether it was retained.
    pub facts: String,
}

/// Where the rows come from.
pub trait StreamSource {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes row `index`, the newest first, into `row`, whose strings are reused.
    fn read(&self, index: usize, row: &mut StreamRow);

    /// Another number than before when the rows are others: what is drawn stays until then.
    fn revision(&self) -> u64;

    /// A person looks at rows that must not move away.
    fn hold(&self);

    /// A person chose the message with this number.
    fn choose(&self, number: u64);
}

/// The rows, compared by place.
#[derive(Clone)]
pub struct StreamRows(pub Rc<dyn StreamSource>);

impl PartialEq for StreamRows {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Props of [`StreamList`].
#[derive(Clone, PartialEq, Properties)]
pub struct StreamListProps {
    /// Where the rows come from.
    pub rows: StreamRows,
    /// Rings when they may have changed.
    pub repaint: Signal,
    /// What the list is called.
    pub name: AttrValue,
}

/// The list.
#[component]
pub fn StreamList(props: &StreamListProps) -> Html {
    let scroller = use_node_ref();
    let list = use_node_ref();
    {
        let (scroller, list) = (scroller.clone(), list.clone());
        use_effect_with((props.rows.clone(), props.repaint.clone()), move |(rows, repaint)| {
            let painter = scroller.cast::<HtmlElement>().zip(list.cast::<HtmlElement>()).and_then(
                |(scroller, list)| {
                    let keeper = StreamKeeper {
                        list: list.clone(),
                        rows: rows.clone(),
                        nodes: RefCell::default(),
                        scratch: RefCell::default(),
                        painted: Cell::default(),
                    };
                    ScrollArea::start(scroller, list, repaint, keeper)
                },
            );
            move || drop(painter)
        });
    }
    html! {
        <div class="stream" ref={scroller} data-testid="stream">
            <ul class="stream__rows" ref={list} role="list" aria-label={&props.name}></ul>
        </div>
    }
}

struct Node {
    item: HtmlElement,
    button: HtmlElement,
    mark: Element,
    time: Element,
    topic: Element,
    value: Element,
    facts: Element,
    shown: Option<StreamRow>,
    index: usize,
}

struct StreamKeeper {
    list: HtmlElement,
    rows: StreamRows,
    nodes: RefCell<Vec<Node>>,
    scratch: RefCell<StreamRow>,
    /// What the rows were like when they were painted last.
    painted: Cell<Option<u64>>,
}

impl Drop for StreamKeeper {
    fn drop(&mut self) {
        for node in &*self.nodes.borrow() {
            node.item.remove();
        }
    }
}

impl RowKeeper for StreamKeeper {
    fn len(&self) -> usize {
        self.rows.0.len()
    }

    fn is_due(&self) -> bool {
        self.painted.get() != Some(self.rows.0.revision())
    }

    fn poll_sought(&self) -> Option<usize> {
        None
    }

    fn paint(&self, window: &Window, row_height: f64) {
        self.painted.set(Some(self.rows.0.revision()));
        // It fails only when the document is going away.
        let _ = self.paint_rows(window, row_height);
    }

    fn on_scroll(&self, rows: f64) {
        // Rows would slip away under the finger while new ones come in above them.
        if rows > 0.5 {
            self.rows.0.hold();
        }
    }

    fn on_click(&self, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let button = target.and_then(|element| element.closest(".stream-row").ok().flatten());
        let Some(button) = button else { return };
        let nodes = self.nodes.borrow();
        let node = nodes.iter().find(|node| **node.button == *button);
        let number = node.and_then(|node| node.shown.as_ref()).map(|row| row.number);
        drop(nodes);
        if let Some(number) = number {
            self.rows.0.choose(number);
        }
    }

    fn on_key(&self, event: &KeyboardEvent) -> Option<usize> {
        let active = self.list.owner_document().and_then(|document| document.active_element())?;
        let at = self.nodes.borrow().iter().find(|node| **node.button == *active).map(|node| node.index)?;
        let to = match event.key().as_str() {
            "ArrowDown" => at + 1,
            "ArrowUp" => at.saturating_sub(1),
            "Home" => 0,
            "End" => usize::MAX,
            _ => return None,
        };
        self.rows.0.hold();
        Some(to)
    }

    fn focus(&self, index: usize) {
        if let Some(node) = self.nodes.borrow().iter().find(|node| node.index == index) {
            // It fails only for elements that cannot take the focus at all.
            let _ = node.button.focus();
        }
    }
}

impl StreamKeeper {
    fn paint_rows(&self, window: &Window, row_height: f64) -> Result<(), JsValue> {
        let count = self.rows.0.len();
        let mut nodes = self.nodes.borrow_mut();
        while nodes.len() < window.rows.len() {
            nodes.push(Node::build(&self.list)?);
        }
        let slots = nodes.len().max(1);
        for node in nodes.iter_mut().filter(|node| !window.rows.contains(&node.index)) {
            node.index = usize::MAX;
        }
        let mut scratch = self.scratch.borrow_mut();
        for (place, index) in window.rows.clone().enumerate() {
            // A row keeps its node while it is on the screen, and with it the keyboard's focus.
            let node = &mut nodes[index % slots];
            self.rows.0.read(index, &mut scratch);
            node.write(&scratch)?;
            match &mut node.shown {
                Some(shown) => std::mem::swap(shown, &mut scratch),
                None => node.shown = Some(scratch.clone()),
            }
            node.index = index;
            if !node.item.is_connected() {
                self.list.append_child(&node.item)?;
            }
            node.place(window.top + place as f64 * row_height, count)?;
        }
        for node in nodes.iter().filter(|node| node.index == usize::MAX && node.item.is_connected()) {
            node.item.remove();
        }
        Ok(())
    }
}

impl Node {
    fn build(list: &HtmlElement) -> Result<Self, JsValue> {
        let document = list.owner_document().ok_or(JsValue::UNDEFINED)?;
        let element = |tag: &str, class: &str| {
            let element = document.create_element(tag)?;
            element.set_class_name(class);
            Ok::<Element, JsValue>(element)
        };
        let item = element("li", "stream__item")?;
        let button = element("button", "stream-row")?;
        button.set_attribute("type", "button")?;
        button.set_attribute("data-testid", "stream-row")?;
        let [mark, time, topic, value, facts] = [
            element("span", "mark")?,
            element("span", "stream-row__time")?,
            element("span", "stream-row__topic")?,
            element("span", "stream-row__value")?,
            element("span", "stream-row__facts")?,
        ];
        for cell in [&mark, &time, &topic, &value, &facts] {
            button.append_child(cell)?;
        }
        item.append_child(&button)?;
        let (item, button) = (item.dyn_into()?, button.dyn_into()?);
        Ok(Self { item, button, mark, time, topic, value, facts, shown: None, index: usize::MAX })
    }

    /// Writes what differs from what is shown.
    fn write(&self, row: &StreamRow) -> Result<(), JsValue> {
        let shown = self.shown.as_ref();
        let differs = |part: fn(&StreamRow) -> &str| shown.is_none_or(|shown| part(shown) != part(row));
        if shown.is_none_or(|shown| shown.mark != row.mark) {
            self.mark.set_attribute("data-mark", &row.mark.to_string())?;
        }
        if differs(|row| &row.letters) {
            self.mark.set_text_content(Some(&row.letters));
        }
        if differs(|row| &row.time) {
            self.time.set_text_content(Some(&row.time));
        }
        if differs(|row| &row.topic) {
            self.topic.set_text_content(Some(&row.topic));
            self.button.set_attribute("data-topic", &row.topic)?;
        }
        if differs(|row| &row.value) {
            self.value.set_text_content(Some(&row.value));
        }
        if differs(|row| &row.facts) {
            self.facts.set_text_content(Some(&row.facts));
        }
        Ok(())
    }

    fn place(&self, top: f64, count: usize) -> Result<(), JsValue> {
        let mut transform = String::with_capacity(32);
        // Writing to a String cannot fail. Properties set from a script are not the inline styles that the
        // content security policy forbids.
        let _ = write!(transform, "translateY({top}px)");
        self.item.style().set_property("transform", &transform)?;
        self.item.set_attribute("aria-posinset", &(self.index + 1).to_string())?;
        self.item.set_attribute("aria-setsize", &count.to_string())
    }
}
