//! Starts the web app in the page; natively there is nothing to start.

#[cfg(target_arch = "wasm32")]
fn main() {
    use hearth_frontend::services::{document, preferences};

    // Before anything is drawn, so that a dark room stays dark.
    preferences::apply_theme(preferences::theme());
    let root = document::document().get_element_by_id("app");
    let root = root.or_else(|| document::document().body().map(Into::into));
    if let Some(root) = root {
        yew::Renderer::<hearth_frontend::app::Root>::with_root(root).render();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
