//! What of the topics is looked at, as the address says it.

use gloo::events::EventListener;
use yew::prelude::*;

use crate::services::document;
use crate::state::outlook::Outlook;

/// What the address said when the page began to be shown.
#[hook]
pub fn use_outlook() -> Outlook {
    (*use_memo((), |()| Outlook::of(&document::hash()).unwrap_or_default())).clone()
}

/// Tells what it says later, where somebody follows another link to the page.
#[hook]
pub fn use_outlook_links(on_link: impl Fn(Outlook) + 'static) {
    use_effect_with((), move |()| {
        let listener = EventListener::new(&document::window(), "hashchange", move |_| {
            if let Some(outlook) = Outlook::of(&document::hash()) {
                on_link(outlook);
            }
        });
        move || drop(listener)
    });
}
