//! The page that the address names.

use gloo::events::EventListener;
use yew::prelude::*;

use crate::route::Route;
use crate::services::document;

/// The route, followed.
#[hook]
pub fn use_route() -> Route {
    let route = use_state_eq(current);
    let set = route.setter();
    use_effect_with((), move |()| {
        let listener = EventListener::new(&document::window(), "hashchange", move |_| set.set(current()));
        move || drop(listener)
    });
    (*route).clone()
}

/// The route of this moment.
pub(super) fn current() -> Route {
    Route::parse(&document::hash())
}
