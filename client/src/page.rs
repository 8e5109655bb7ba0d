//! The page, or worker, that the client lives in: whether it is seen, when it wakes up and when it goes.

use gloo::events::EventListener;
use js_sys::global;
use wasm_bindgen::JsCast;
use web_sys::{Document, EventTarget, VisibilityState, Window};

/// Whether the page can be seen; a worker always counts as seen.
pub(crate) fn is_visible() -> bool {
    document().is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Calls `wake` when the page becomes visible, when it goes on after the browser has frozen it, when the network returns
/// and when the page comes back from the browser's cache.
pub(crate) fn on_wake(wake: impl Fn() + Clone + 'static) -> Vec<EventListener> {
    let (online, shown, resumed) = (wake.clone(), wake.clone(), wake.clone());
    let resumed = document().map(|document| EventListener::new(&document, "resume", move |_| resumed()));
    let visible = document().map(|document| {
        EventListener::new(&document, "visibilitychange", move |_| {
            if is_visible() {
                wake();
            }
        })
    });
    let scope: EventTarget = global().unchecked_into();
    let online = EventListener::new(&scope, "online", move |_| online());
    let shown = EventListener::new(&scope, "pageshow", move |_| shown());
    visible.into_iter().chain(resumed).chain([online, shown]).collect()
}

/// Calls `leave` when the page is closed or put aside.
pub(crate) fn on_leave(leave: impl Fn() + 'static) -> EventListener {
    let scope: EventTarget = global().unchecked_into();
    EventListener::new(&scope, "pagehide", move |_| leave())
}

fn document() -> Option<Document> {
    global().dyn_into::<Window>().ok()?.document()
}
