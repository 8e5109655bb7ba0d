//! What JavaScript lets be called: the receiving side of the package's module.

use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The client of `index.js`. None of its methods throws.
    #[derive(Clone, Debug)]
    pub type Sink;

    /// An error object of the package: its kind, words, and the reason code or `undefined`.
    #[wasm_bindgen(method)]
    pub(super) fn error(this: &Sink, kind: &str, message: &str, reason_code: Option<u8>) -> JsValue;

    /// The connection is in another state; times in milliseconds. `error` says why there is none.
    #[wasm_bindgen(method)]
    pub(super) fn link(
        this: &Sink,
        state: &str,
        round_trip_ms: Option<f64>,
        retry_in_ms: Option<f64>,
        error: JsValue,
    );

    /// The server took the connection; with its terms as an object.
    #[wasm_bindgen(method)]
    pub(super) fn accepted(this: &Sink, session_present: bool, client_id: &str, terms: JsValue);

    /// What became of a publication.
    #[wasm_bindgen(method)]
    pub(super) fn published(this: &Sink, token: f64, reason_code: u8);

    /// The answer to SUBSCRIBE.
    #[wasm_bindgen(method)]
    pub(super) fn subscribed(this: &Sink, number: u32, reason_codes: &[u8]);

    /// The answer to UNSUBSCRIBE.
    #[wasm_bindgen(method)]
    pub(super) fn unsubscribed(this: &Sink, number: u32);

    /// A new route: its topic, and the subscriptions that its messages are for.
    #[wasm_bindgen(method)]
    pub(super) fn route(this: &Sink, number: u32, topic: &str, subscriptions: &[u32]);

    /// All routes are forgotten; numbers begin again.
    #[wasm_bindgen(method)]
    pub(super) fn forget(this: &Sink);

    /// Messages of one WebSocket frame; `batch.rs` says what their words mean.
    #[wasm_bindgen(method)]
    pub(super) fn messages(this: &Sink, frame: &ArrayBuffer, words: &[u32], extras: &Array);
}
