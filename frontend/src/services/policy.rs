//! What the content policy of the page has forbidden it.

use std::cell::{Cell, RefCell};

use gloo::events::EventListener;
use js_sys::Reflect;
use wasm_bindgen::JsValue;

use super::document;

/// Addresses that are remembered; a page tries one connection after the other, so that few are of interest at a time.
const BLOCKED_MAX: usize = 100;

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static BLOCKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Listens from now on, for as long as the page lives.
pub fn watch() {
    if IS_WATCHED.replace(true) {
        return;
    }
    EventListener::new(&document::document(), "securitypolicyviolation", |event| {
        let blocked = Reflect::get(event, &JsValue::from_str("blockedURI"));
        if let Some(blocked) = blocked.ok().and_then(|blocked| blocked.as_string()) {
            BLOCKED.with_borrow_mut(|all| {
                if !all.contains(&blocked) && all.len() < BLOCKED_MAX {
                    all.push(blocked);
                }
            });
        }
    })
    .forget();
}

/// Whether a connection to this address was forbidden. The browser tells the address with or without its path.
pub fn is_blocked(address: &str) -> bool {
    BLOCKED.with_borrow(|all| {
        all.iter().any(|blocked| {
            let rest = address.strip_prefix(blocked.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    })
}
