//! A list of topics of any length: only the rows on the screen exist, and they are painted once a frame.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, HtmlElement, KeyboardEvent, ResizeObserver};
use yew::prelude::*;

use super::row_pool::{RowPool, RowSource, RowWords};
use crate::state::signal::{Signal, Subscription};
use crate::state::window::{Window, scrolled_height};

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

/// The list.
#[component]
pub fn TopicList(props: &TopicListProps) -> Html {
    let scroller = use_node_ref();
    let list = use_node_ref();
    let painted = use_mut_ref(Weak::<Canvas>::new);
    {
        let (scroller, list, painted) = (scroller.clone(), list.clone(), Rc::clone(&painted));
        let deps = (props.rows.clone(), props.repaint.clone(), props.words);
        use_effect_with(deps, move |(rows, repaint, words)| {
            let painter = scroller
                .cast::<HtmlElement>()
                .zip(list.cast::<HtmlElement>())
                .and_then(|(scroller, list)| Painter::start(scroller, list, rows, repaint, *words));
            painted
                .replace(painter.as_ref().map(|painter| Rc::downgrade(&painter.canvas)).unwrap_or_default());
            move || drop(painter)
        });
    }
    {
        let scroller = scroller.clone();
        use_effect_with(props.query.clone(), move |_| {
            if let Some(scroller) = scroller.cast::<Element>() {
                scroller.set_scroll_top(0);
            }
        });
    }
    use_effect_with(props.chosen.clone(), move |chosen| {
        if let Some(canvas) = painted.borrow().upgrade() {
            canvas.sought.replace(chosen.clone());
            canvas.measure();
        }
    });
    html! {
        <div class="topic-list" ref={scroller} data-testid="topic-list">
            <ul class="topic-list__rows" ref={list} role="list" aria-label={&props.name}></ul>
        </div>
    }
}

struct Canvas {
    scroller: HtmlElement,
    list: HtmlElement,
    rows: Rows,
    pool: RefCell<RowPool>,
    row_height: Cell<f64>,
    height: Cell<f64>,
    count: Cell<usize>,
    // Scrolled to when its row is there.
    sought: RefCell<Option<AttrValue>>,
}

struct Painter {
    canvas: Rc<Canvas>,
    _frames: Subscription,
    _listeners: [EventListener; 3],
    resized: ResizeObserver,
    _on_resize: Closure<dyn FnMut()>,
}

impl Drop for Painter {
    fn drop(&mut self) {
        self.resized.disconnect();
    }
}

impl Painter {
    fn start(
        scroller: HtmlElement,
        list: HtmlElement,
        rows: &Rows,
        repaint: &Signal,
        words: RowWords,
    ) -> Option<Self> {
        let pool = RefCell::new(RowPool::new(Element::from(list.clone()), words)?);
        let canvas = Rc::new(Canvas {
            scroller: scroller.clone(),
            list,
            rows: rows.clone(),
            pool,
            row_height: Cell::new(0.0),
            height: Cell::new(0.0),
            count: Cell::new(usize::MAX),
            sought: RefCell::default(),
        });
        let (framed, scrolled, resized) = (Rc::clone(&canvas), Rc::clone(&canvas), Rc::clone(&canvas));
        let (keyed, clicked) = (Rc::clone(&canvas), Rc::clone(&canvas));
        let on_resize = Closure::<dyn FnMut()>::new(move || resized.measure());
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok()?;
        observer.observe(&scroller);
        let options = EventListenerOptions::enable_prevent_default();
        let listeners = [
            EventListener::new(&scroller, "scroll", move |_| scrolled.paint()),
            EventListener::new_with_options(&scroller, "click", options, move |event| {
                clicked.on_click(event)
            }),
            EventListener::new_with_options(&scroller, "keydown", options, move |event| {
                if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
                    keyed.on_key(event);
                }
            }),
        ];
        canvas.measure();
        let frames = repaint.subscribe(move || framed.paint());
        Some(Self {
            canvas,
            _frames: frames,
            _listeners: listeners,
            resized: observer,
            _on_resize: on_resize,
        })
    }
}

impl Canvas {
    /// Reads the sizes that the style sheet decides, then paints.
    fn measure(&self) {
        let style = web_sys::window().and_then(|window| window.get_computed_style(&self.list).ok().flatten());
        let height = style.and_then(|style| style.get_property_value("--row-height").ok());
        let height = height.and_then(|height| height.trim().trim_end_matches("px").parse().ok());
        self.row_height.set(height.unwrap_or(44.0));
        self.height.set(f64::from(self.scroller.client_height()));
        self.count.set(usize::MAX);
        self.paint();
    }

    fn paint(&self) {
        let is_new = self.count.get() != self.rows.0.len();
        let sought = is_new.then(|| self.find_sought()).flatten();
        // Only now: what hides the row that is sought was opened.
        let count = self.rows.0.len();
        let row_height = self.row_height.get();
        if self.count.replace(count) != count {
            let height = format!("{}px", scrolled_height(row_height, count));
            // A valid property and value; a browser does not refuse it.
            let _ = self.list.style().set_property("height", &height);
        }
        if let Some(index) = sought {
            self.scroll_to(index);
        }
        let window = Window::at(f64::from(self.scroller.scroll_top()), self.height.get(), row_height, count);
        // It fails only when the document is going away.
        let _ = self.pool.borrow_mut().paint(&*self.rows.0, &window, row_height);
    }

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

    fn on_key(&self, event: &KeyboardEvent) {
        let Some(at) = self.pool.borrow().focused_index() else { return };
        let last = self.rows.0.len().saturating_sub(1);
        let to = match event.key().as_str() {
            "ArrowDown" => at + 1,
            "ArrowUp" => at.saturating_sub(1),
            "PageDown" => at + PAGE_ROWS,
            "PageUp" => at.saturating_sub(PAGE_ROWS),
            "Home" => 0,
            "End" => last,
            key @ ("ArrowRight" | "ArrowLeft") => {
                let is_open = self.pool.borrow().focused_open();
                if is_open == Some(key == "ArrowLeft") {
                    event.prevent_default();
                    self.rows.0.toggle(at);
                }
                return;
            }
            "p" if !(event.ctrl_key() || event.alt_key() || event.meta_key()) => {
                event.prevent_default();
                return self.rows.0.pin(at);
            }
            _ => return,
        };
        event.prevent_default();
        self.reveal(to.min(last));
    }

    /// The row that is sought, once it is there; then nothing is sought any more.
    fn find_sought(&self) -> Option<usize> {
        let index = self.sought.borrow().as_deref().and_then(|topic| self.rows.0.find(topic))?;
        self.sought.take();
        Some(index)
    }

    /// Scrolls until a row is on the screen, and gives it the focus.
    fn reveal(&self, index: usize) {
        self.scroll_to(index);
        self.paint();
        self.pool.borrow().focus_index(index);
    }

    fn scroll_to(&self, index: usize) {
        let (row_height, height) = (self.row_height.get(), self.height.get());
        let top = index as f64 * row_height;
        let scroll_top = f64::from(self.scroller.scroll_top());
        if top < scroll_top {
            self.scroller.set_scroll_top(top as i32);
        } else if top + row_height > scroll_top + height {
            self.scroller.set_scroll_top((top + row_height - height).ceil() as i32);
        }
    }
}
