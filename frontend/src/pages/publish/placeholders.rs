//! What can be written to be filled in anew by each message.

use yew::prelude::*;

use super::form::use_form;
use crate::state::template::NAMES;

/// The names and what becomes of them.
#[component]
pub(super) fn Placeholders() -> Html {
    let words = use_form().words;
    let rows = NAMES.into_iter().zip(words.placeholder_hints);
    html! {
        <details class="fold" data-testid="publish-placeholders">
            <summary class="fold__title">{words.placeholders}</summary>
            <div class="fold__body">
                <p class="card__note">{words.placeholders_text}</p>
                <dl class="facts">
                    {for rows.map(|(name, hint)| html! {
                        <div class="facts__row"><dt><code>{format!("{{{{{name}}}}}")}</code></dt><dd>{hint}</dd></div>
                    })}
                </dl>
            </div>
        </details>
    }
}
