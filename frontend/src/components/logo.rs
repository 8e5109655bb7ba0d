//! The mark of Hearth: a flame in the arch of a fireplace.

use yew::prelude::*;

/// The mark, for beside the name.
#[component]
pub fn Logo() -> Html {
    html! {
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="logo__arch" d="M4 28.5V15a12 12 0 0 1 24 0v13.5a1.5 1.5 0 0 1-1.5 1.5h-21A1.5 1.5 0 0 1 4 28.5z" />
            <path class="logo__flame" d="M16.4 8.2c.4 3.6 5.6 5.9 5.6 11.2a6 6 0 0 1-12 .1c0-2.5 1.3-4 2.5-5.3.3 1.5 1 2.2 1.7 2.4-.5-3.3.3-6.4 2.2-8.4z" />
            <path class="logo__ember" d="M16.2 18c.3 1.7 2.4 2.5 2.4 4.6a2.6 2.6 0 0 1-5.2 0c0-1.9 1.9-2.7 2.8-4.6z" />
        </svg>
    }
}
