//! What the broker says of itself over REST; another broker than Hearth says nothing.

use hearth_api::Info;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use super::document;

/// Asks for [`Info`] beside the page, and hands it over when it comes.
pub fn fetch(found: impl FnOnce(Info) + 'static) {
    yew::platform::spawn_local(async move {
        // A broker without this resource, or one that left meanwhile, is no failure of the page.
        if let Ok(Some(info)) = request().await {
            found(info);
        }
    });
}

async fn request() -> Result<Option<Info>, JsValue> {
    let response = JsFuture::from(document::window().fetch_with_str(hearth_api::path::INFO)).await?;
    let response: Response = response.dyn_into()?;
    if !response.ok() {
        return Ok(None);
    }
    let body = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    Ok(serde_json::from_str(&body).ok())
}
