//! Keys that work on every page.

use gloo::events::{EventListener, EventListenerOptions};
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};
use yew::prelude::*;

use super::use_route::current;
use crate::route::Route;
use crate::services::document;

/// The id of the filter field, which `/` leads to.
pub const FILTER_ID: &str = "topic-filter";

/// How often the filter is looked for once it was asked for, and how many times: for ten seconds, which a slow line may take to
/// bring the page's code.
const FOCUS_EVERY_MS: u32 = 60;
const FOCUS_TRIES: u32 = 10_000 / FOCUS_EVERY_MS;

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
            focus_filter(FOCUS_TRIES);
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

/// Goes to the filter once the page has been drawn, whose code may be on its way still. Nothing owns the timer: it ends with the
/// tries, or when the person goes elsewhere.
fn focus_filter(tries: u32) {
    Timeout::new(FOCUS_EVERY_MS, move || {
        if document::has(FILTER_ID) {
            document::focus(FILTER_ID);
        } else if current() == Route::Topics && tries > 1 {
            focus_filter(tries - 1);
        }
    })
    .forget();
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
