//! Reads a file that a person chose.

use bytes::Bytes;
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlInputElement;

use crate::state::draft::File;

/// Bytes; a larger one is no message that any broker takes, and would be held in memory several times over.
pub const FILE_BYTES_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// Reads the file chosen in `input`; `done` is told nothing when it is too large or cannot be read. Without a chosen file
/// nothing happens.
pub fn read_chosen(input: &HtmlInputElement, done: impl FnOnce(Option<File>) + 'static) {
    let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
    if file.size() > FILE_BYTES_MAX {
        return done(None);
    }
    yew::platform::spawn_local(async move {
        let content = JsFuture::from(file.array_buffer()).await.ok();
        done(content.map(|content| {
            let bytes = Bytes::from(js_sys::Uint8Array::new(&content).to_vec());
            File { name: file.name(), bytes }
        }));
    });
}

/// As [`read_chosen`], as text of at most so many bytes.
pub fn read_chosen_text(
    input: &HtmlInputElement,
    bytes_max: f64,
    done: impl FnOnce(Option<String>) + 'static,
) {
    let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
    if file.size() > bytes_max {
        return done(None);
    }
    let text = file.text();
    yew::platform::spawn_local(async move {
        done(JsFuture::from(text).await.ok().and_then(|text| text.as_string()));
    });
}
