//! Whether a media query holds, as the screen changes.

use gloo::events::EventListener;
use yew::prelude::*;

use crate::services::document;

/// Whether the query holds. A query that the browser does not know does not hold.
#[hook]
pub fn use_media(query: &'static str) -> bool {
    let list = use_memo(query, |query| document::window().match_media(query).ok().flatten());
    let holds = use_state_eq(|| list.as_ref().as_ref().is_some_and(|list| list.matches()));
    use_effect_with(query, {
        let holds = holds.setter();
        move |_| {
            let listener = list
                .as_ref()
                .clone()
                .map(|list| EventListener::new(&list.clone(), "change", move |_| holds.set(list.matches())));
            move || drop(listener)
        }
    });
    *holds
}
