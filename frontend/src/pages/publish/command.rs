//! What the form holds as a command line.

use yew::prelude::*;

use super::form::use_form;
use crate::catalogue::subscribe;
use crate::hooks::use_watch;
use crate::pages::command_lines::publish_line;

/// The line, behind a heading that opens.
#[component]
pub(super) fn PublishCommand() -> Html {
    let form = use_form();
    let is_open = use_state_eq(|| false);
    use_watch((), |hub, ()| hub.info().is_some());
    let words = subscribe::words(form.locale.catalogue());
    let ontoggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: Event| is_open.set(!*is_open))
    };
    html! {
        <details class="fold" {ontoggle} open={*is_open} data-testid="publish-command">
            <summary class="fold__title">{words.commands}</summary>
            <div class="fold__body">
                // A file of megabytes is not looked through for a line that nobody sees.
                if *is_open {
                    {match form.publisher.draft().message(&form.publisher.values()) {
                        Ok(message) => publish_line(&form.hub, words, &message),
                        Err(_) => html! { <p class="card__note">{words.commands_incomplete}</p> },
                    }}
                }
            </div>
        </details>
    }
}
