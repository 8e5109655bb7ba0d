//! The page itself: its address, its look, its clipboard.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, HtmlElement, PerformanceResourceTiming, Window};

/// The window. The app is started by a page, so there is one.
///
/// # Panics
/// Outside a browser's main thread.
#[expect(clippy::expect_used, reason = "Trunk's start script runs in a document, never in a worker")]
pub fn window() -> Window {
    web_sys::window().expect("the app runs in a page")
}

/// The document.
///
/// # Panics
/// Outside a browser's main thread.
#[expect(clippy::expect_used, reason = "a window that runs a script has a document")]
pub fn document() -> Document {
    window().document().expect("a page has a document")
}

/// Bytes as base64 (RFC 4648, section 4); the browser has it.
pub fn base64(bytes: &[u8]) -> String {
    let latin: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    // Refused only for characters beyond the 256 that stand for bytes.
    window().btoa(&latin).unwrap_or_default()
}

/// The address of the page; empty where the browser will not tell.
pub fn href() -> String {
    window().location().href().unwrap_or_default()
}

/// What of the address stands behind the `#`, with it.
pub fn hash() -> String {
    window().location().hash().unwrap_or_default()
}

/// The language that the browser prefers.
pub fn language() -> String {
    window().navigator().language().unwrap_or_default()
}

/// Goes to a page of the app by its address, with the leading `#`.
pub fn go(address: &str) {
    // Refused only for addresses that are no addresses.
    let _ = window().location().set_hash(address);
}

/// Lets the page have another address behind the `#` without going anywhere: nothing is told of it, and the way back stays as it is.
pub fn readdress(address: &str) {
    if let Ok(history) = window().history() {
        // Refused where it comes too often; the next one says the same.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(address));
    }
}

/// Whether the page has an element with this id.
pub fn has(id: &str) -> bool {
    document().get_element_by_id(id).is_some()
}

/// Moves the keyboard's focus to the element with this id.
pub fn focus(id: &str) {
    if let Some(element) =
        document().get_element_by_id(id).and_then(|element| element.dyn_into::<HtmlElement>().ok())
    {
        // It fails only for elements that cannot take the focus at all.
        let _ = element.focus();
    }
}

/// Copies a text to the clipboard; `done` is told whether the browser allowed it. Browsers offer the clipboard
/// on https and localhost only.
pub fn copy(text: &str, done: impl FnOnce(bool) + 'static) {
    let clipboard = Reflect::get(&window().navigator(), &JsValue::from_str("clipboard"));
    let write = clipboard.as_ref().ok().and_then(|clipboard| {
        Reflect::get(clipboard, &JsValue::from_str("writeText")).ok()?.dyn_into::<js_sys::Function>().ok()
    });
    let (Ok(clipboard), Some(write)) = (clipboard, write) else { return done(false) };
    let promise = write
        .call1(&clipboard, &JsValue::from_str(text))
        .ok()
        .and_then(|promise| promise.dyn_into::<js_sys::Promise>().ok());
    let Some(promise) = promise else { return done(false) };
    yew::platform::spawn_local(async move {
        done(wasm_bindgen_futures::JsFuture::from(promise).await.is_ok());
    });
}

/// What loading the app took, in bytes over the wire and unpacked; `None` where the browser does not tell.
pub fn loaded_bytes() -> Option<(f64, f64)> {
    let entries = window().performance()?.get_entries_by_type("resource");
    let (mut wire, mut full) = (0.0, 0.0);
    for entry in entries.iter() {
        if let Some(entry) = entry.dyn_ref::<PerformanceResourceTiming>() {
            wire += entry.encoded_body_size();
            full += entry.decoded_body_size();
        }
    }
    (full > 0.0).then_some((wire, full))
}

/// Changes when the page's size, its pixel density or the system's wish for dark colours does: what is drawn on a
/// canvas must be drawn anew then.
pub fn look() -> String {
    let window = window();
    let dark = window
        .match_media("(prefers-color-scheme: dark)")
        .ok()
        .flatten()
        .is_some_and(|query| query.matches());
    let width = window.inner_width().ok().and_then(|width| width.as_f64()).unwrap_or_default();
    let height = window.inner_height().ok().and_then(|height| height.as_f64()).unwrap_or_default();
    format!("{width}x{height}@{}{dark}", window.device_pixel_ratio())
}

/// Puts the title of the page on the browser's tab.
pub fn set_title(title: &str) {
    document().set_title(title);
}

/// Scrolls the element with this id back to its top.
pub fn scroll_to_top(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        element.set_scroll_top(0);
    }
}
