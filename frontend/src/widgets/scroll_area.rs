//! A list of any length of which only the rows on the screen exist: what it measures, paints, scrolls and hears.

use std::cell::Cell;
use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, HtmlElement, KeyboardEvent, ResizeObserver};

use crate::state::signal::{Signal, Subscription};
use crate::state::window::{OVERSCAN, Window, scrolled_height};

/// The height of a row where the style sheet says none, in CSS pixels.
const ROW_HEIGHT: f64 = 44.0;

/// Who draws the rows and knows what a click or key on them means.
pub(super) trait RowKeeper: 'static {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether the rows may be others than those that are drawn.
    fn is_due(&self) -> bool;

    /// The row that is to be seen now that there are others than before, if one is.
    fn poll_sought(&self) -> Option<usize>;

    /// Whether a person waits for the picture that is drawn next: what is out of sight is drawn with the one after it.
    fn poll_awaited(&self) -> bool {
        false
    }

    /// A person does something, with the list or elsewhere.
    fn on_act(&self) {}

    /// Draws the rows of a window; `row_height` in CSS pixels.
    fn paint(&self, window: &Window, row_height: f64);

    /// A person has scrolled, so many rows from the first.
    fn on_scroll(&self, rows: f64);

    /// A person clicked somewhere in the list.
    fn on_click(&self, event: &Event);

    /// A person pressed a key; the row that is to have the focus then.
    fn on_key(&self, event: &KeyboardEvent) -> Option<usize>;

    /// Gives the focus to a row that is on the screen.
    fn focus(&self, index: usize);
}

struct Area<K> {
    scroller: HtmlElement,
    list: HtmlElement,
    keeper: K,
    row_height: Cell<f64>,
    height: Cell<f64>,
    /// How far it is scrolled, in CSS pixels: to ask the browser is to have it lay out what is not drawn yet.
    top: Cell<f64>,
    count: Cell<usize>,
}

/// The list, for as long as it lives.
pub(super) struct ScrollArea {
    measure: Box<dyn Fn()>,
    to_top: Box<dyn Fn()>,
    _frames: Subscription,
    _listeners: [EventListener; 6],
    resized: ResizeObserver,
    _on_resize: Closure<dyn FnMut()>,
}

impl Drop for ScrollArea {
    fn drop(&mut self) {
        self.resized.disconnect();
    }
}

impl ScrollArea {
    /// Keeps the rows of `list` in `scroller`; they are looked at with each ring of `repaint`. `None` where the browser cannot.
    pub(super) fn start<K: RowKeeper>(
        scroller: HtmlElement,
        list: HtmlElement,
        repaint: &Signal,
        keeper: K,
    ) -> Option<Self> {
        let area = Rc::new(Area {
            scroller: scroller.clone(),
            list,
            keeper,
            row_height: Cell::new(0.0),
            height: Cell::new(0.0),
            top: Cell::new(0.0),
            count: Cell::new(usize::MAX),
        });
        let [framed, scrolled, resized, keyed, clicked, touched, turned, pressed, measured, topped] =
            std::array::from_fn(|_| Rc::clone(&area));
        let on_resize = Closure::<dyn FnMut()>::new(move || resized.measure());
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok()?;
        observer.observe(&scroller);
        let options = EventListenerOptions::enable_prevent_default;
        let (window, early) = (web_sys::window()?, EventListenerOptions::run_in_capture_phase());
        let listeners = [
            EventListener::new(&scroller, "scroll", move |_| scrolled.on_scroll()),
            EventListener::new_with_options(&scroller, "click", options(), move |event| {
                clicked.keeper.on_click(event);
            }),
            EventListener::new_with_options(&scroller, "keydown", options(), move |event| {
                if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
                    keyed.on_key(event);
                }
            }),
            // Anywhere, and before it has its effect.
            EventListener::new_with_options(&window, "pointerdown", early, move |_| touched.keeper.on_act()),
            EventListener::new_with_options(&window, "wheel", early, move |_| turned.keeper.on_act()),
            EventListener::new_with_options(&window, "keydown", early, move |_| pressed.keeper.on_act()),
        ];
        area.measure();
        let frames = repaint.subscribe(move || framed.on_frame());
        Some(Self {
            measure: Box::new(move || measured.measure()),
            to_top: Box::new(move || topped.scroll(0)),
            _frames: frames,
            _listeners: listeners,
            resized: observer,
            _on_resize: on_resize,
        })
    }

    /// Draws all anew, by the sizes that the style sheet decides now.
    pub(super) fn measure(&self) {
        (self.measure)();
    }

    /// Shows the first row.
    pub(super) fn to_top(&self) {
        (self.to_top)();
    }
}

impl<K: RowKeeper> Area<K> {
    /// Reads the sizes that the style sheet decides, then paints.
    fn measure(&self) {
        let style = web_sys::window().and_then(|window| window.get_computed_style(&self.list).ok().flatten());
        let height = style.and_then(|style| style.get_property_value("--row-height").ok());
        let height = height.and_then(|height| height.trim().trim_end_matches("px").parse().ok());
        self.row_height.set(height.unwrap_or(ROW_HEIGHT));
        self.height.set(f64::from(self.scroller.client_height()));
        self.top.set(f64::from(self.scroller.scroll_top()));
        self.count.set(usize::MAX);
        self.paint();
    }

    fn on_frame(&self) {
        if self.keeper.is_due() {
            self.paint();
        }
    }

    fn on_scroll(&self) {
        self.top.set(f64::from(self.scroller.scroll_top()));
        self.keeper.on_scroll(self.top.get() / self.row_height.get());
        self.paint();
    }

    fn paint(&self) {
        let is_new = self.count.get() != self.keeper.len();
        let sought = is_new.then(|| self.keeper.poll_sought()).flatten();
        // Only now: what hides the row that is sought was opened.
        let count = self.keeper.len();
        let row_height = self.row_height.get();
        if self.count.replace(count) != count {
            let height = format!("{}px", scrolled_height(row_height, count));
            // A valid property and value; a browser does not refuse it.
            let _ = self.list.style().set_property("height", &height);
        }
        if let Some(index) = sought {
            self.scroll_to(index);
        }
        let around = if self.keeper.poll_awaited() { 0 } else { OVERSCAN };
        let window = Window::at(self.top.get(), self.height.get(), row_height, count, around);
        self.keeper.paint(&window, row_height);
    }

    fn on_key(&self, event: &KeyboardEvent) {
        if let Some(to) = self.keeper.on_key(event) {
            event.prevent_default();
            self.reveal(to.min(self.keeper.len().saturating_sub(1)));
        }
    }

    /// Scrolls until a row is on the screen, and gives it the focus.
    fn reveal(&self, index: usize) {
        self.scroll_to(index);
        self.paint();
        self.keeper.focus(index);
    }

    fn scroll_to(&self, index: usize) {
        let (row_height, height) = (self.row_height.get(), self.height.get());
        let top = index as f64 * row_height;
        if top < self.top.get() {
            self.scroll(top as i32);
        } else if top + row_height > self.top.get() + height {
            self.scroll((top + row_height - height).ceil() as i32);
        }
    }

    fn scroll(&self, top: i32) {
        if self.top.get() != f64::from(top) {
            self.scroller.set_scroll_top(top);
            // The browser keeps it within the list.
            self.top.set(f64::from(self.scroller.scroll_top()));
        }
    }
}
