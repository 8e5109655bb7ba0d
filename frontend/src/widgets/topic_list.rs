//! A list of topics of any length: only the rows on the screen exist, and they are painted once a frame.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};
use yew::prelude::*;

use super::row_pool::{RowPool, RowSource, RowWords};
use super::scroll_area::{RowKeeper, ScrollArea};
use crate::state::signal::Signal;
use crate::state::window::Window;

/// Rows that a page key moves by.
const PAGE_ROWS: usize = 10;

/// The rows, compared by place: the same source may change its rows at each ring of the signal.
#[derive(Clone)]
pub struct Rows(pub Rc<dyn RowSource>);

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Props of [`TopicList`].
#[derive(Clone, PartialEq, Properties)]
pub struct TopicListProps {
    /// Where the rows come from.
    pub rows: Rows,
    /// Rings when they may have changed.
    pub repaint: Signal,
    /// The words that rows carry.
    pub words: RowWords,
    /// What the list is called.
    pub name: AttrValue,
    /// What chose the rows; those of a new choice are shown from the first one on.
    pub query: AttrValue,
    /// The topic whose row is to be seen, as soon as it is there.
    pub chosen: Option<AttrValue>,
}

/// Milliseconds after which a row that was there stays where it is: by then a broker has told what it keeps.
const SOUGHT_MS: f64 = 10_000.0;

/// The list.
#[component]
pub fn TopicList(props: &TopicListProps) -> Html {
    let scroller = use_node_ref();
    let list = use_node_ref();
    let (area, sought) = (use_mut_ref(|| None::<ScrollArea>), use_mut_ref(|| None::<Sought>));
    {
        let (scroller, list) = (scroller.clone(), list.clone());
        let (area, sought) = (Rc::clone(&area), Rc::clone(&sought));
        let deps = (props.rows.clone(), props.repaint.clone(), props.words);
        use_effect_with(deps, move |(rows, repaint, words)| {
            let start = |(scroller, list): (HtmlElement, HtmlElement)| {
                let pool = RefCell::new(RowPool::new(Element::from(list.clone()), *words)?);
                ScrollArea::start(scroller, list, repaint, TopicKeeper { rows: rows.clone(), pool, sought })
            };
            let elements = scroller.cast::<HtmlElement>().zip(list.cast::<HtmlElement>());
            area.replace(elements.and_then(start));
            move || drop(area.take())
        });
    }
    {
        let area = Rc::clone(&area);
        use_effect_with(props.query.clone(), move |_| {
            if let Some(area) = &*area.borrow() {
                area.to_top();
            }
        });
    }
    use_effect_with(props.chosen.clone(), move |chosen| {
        sought.replace(chosen.clone().map(|topic| Sought { topic, until_ms: None }));
        if let Some(area) = &*area.borrow() {
            area.measure();
        }
    });
    html! {
        <div class="topic-list" ref={scroller} data-testid="topic-list">
            <ul class="topic-list__rows" ref={list} role="list" aria-label={&props.name}></ul>
        </div>
    }
}

/// A topic whose row is to be seen.
struct Sought {
    topic: AttrValue,
    /// From when its row is there: until then it is, in milliseconds since 1970.
    until_ms: Option<f64>,
}

struct TopicKeeper {
    rows: Rows,
    pool: RefCell<RowPool>,
    // Scrolled to when its row is there, and again when others come before it; until a person does something.
    sought: Rc<RefCell<Option<Sought>>>,
}

impl RowKeeper for TopicKeeper {
    fn len(&self) -> usize {
        self.rows.0.len()
    }

    fn is_due(&self) -> bool {
        true
    }

    fn poll_sought(&self) -> Option<usize> {
        let now_ms = js_sys::Date::now();
        let mut sought = self.sought.borrow_mut();
        if sought.as_ref()?.until_ms.is_some_and(|until_ms| now_ms > until_ms) {
            *sought = None;
        }
        let row = sought.as_mut()?;
        let index = self.rows.0.find(&row.topic)?;
        row.until_ms.get_or_insert(now_ms + SOUGHT_MS);
        Some(index)
    }

    fn poll_awaited(&self) -> bool {
        self.rows.0.poll_awaited()
    }

    fn on_act(&self) {
        self.sought.take();
    }

    fn paint(&self, window: &Window, row_height: f64) {
        // It fails only when the document is going away.
        let _ = self.pool.borrow_mut().paint(&*self.rows.0, window, row_height);
    }

    fn on_scroll(&self, _rows: f64) {}

    fn on_click(&self, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(target) = target else { return };
        let (pinned, toggled) = {
            let pool = self.pool.borrow();
            (pool.pinned_index(&target), pool.toggled_index(&target))
        };
        if let Some(index) = pinned {
            event.prevent_default();
            self.rows.0.pin(index);
        } else if let Some(index) = toggled {
            event.prevent_default();
            self.rows.0.toggle(index);
        }
    }

    fn on_key(&self, event: &KeyboardEvent) -> Option<usize> {
        let at = self.pool.borrow().focused_index()?;
        Some(match event.key().as_str() {
            "ArrowDown" => at + 1,
            "ArrowUp" => at.saturating_sub(1),
            "PageDown" => at + PAGE_ROWS,
            "PageUp" => at.saturating_sub(PAGE_ROWS),
            "Home" => 0,
            "End" => usize::MAX,
            key @ ("ArrowRight" | "ArrowLeft") => {
                let is_open = self.pool.borrow().focused_open();
                if is_open == Some(key == "ArrowLeft") {
                    event.prevent_default();
                    self.rows.0.toggle(at);
                }
                return None;
            }
            "p" if !(event.ctrl_key() || event.alt_key() || event.meta_key()) => {
                event.prevent_default();
                self.rows.0.pin(at);
                return None;
            }
            _ => return None,
        })
    }

    fn focus(&self, index: usize) {
        self.pool.borrow().focus_index(index);
    }
}
