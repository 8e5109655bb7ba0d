//! Keys that work on every page.

use gloo::events::{EventListener, EventListenerOptions};
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};
use yew::prelude::*;

use crate::route::Route;
use crate::services::document;

/// The id of the filter field, which `/` leads to.
pub const FILTER_ID: &str = "topic-filter";

/// `/` goes to the filter, `1` to `5` go to the pages, Ctrl or Cmd with K opens the command palette.
#[hook]
pub fn use_shortcuts(palette: UseStateSetter<bool>) {
    use_effect_with((), move |()| {
        let options = EventListenerOptions::enable_prevent_default();
        let listener =
            EventListener::new_with_options(&document::window(), "keydown", options, move |event| {
                if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
                    if is_palette(event) {
                        event.prevent_default();
                        palette.set(true);
                    } else {
                        on_key(event);
                    }
                }
            });
        move || drop(listener)
    });
}

fn is_palette(event: &KeyboardEvent) -> bool {
    (event.ctrl_key() || event.meta_key()) && !event.alt_key() && event.key().eq_ignore_ascii_case("k")
}

fn on_key(event: &KeyboardEvent) {
    if event.ctrl_key() || event.alt_key() || event.meta_key() || is_typing(event) {
        return;
    }
    let route = match event.key().as_str() {
        "/" => {
            event.prevent_default();
            go(&Route::Topics);
            // The field is there once the page has been drawn; it lives for one call, so nothing owns it.
            let _ = Timeout::new(60, || document::focus(FILTER_ID)).forget();
            return;
        }
        "1" => Route::Home,
        "2" => Route::Topics,
        "3" => Route::Publish(None),
        "4" => Route::Chart(None, String::new()),
        "5" => Route::About,
        _ => return,
    };
    go(&route);
}

fn go(route: &Route) {
    document::go(&route.href());
}

fn is_typing(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|element| {
        matches!(element.tag_name().as_str(), "TEXTAREA" | "SELECT")
            || (element.tag_name() == "INPUT"
                && !matches!(element.get_attribute("type").as_deref(), Some("radio" | "checkbox")))
    })
}
