//! The filters as command lines.

use yew::prelude::*;

use super::follow::use_follow;
use crate::hooks::use_watch;
use crate::pages::command_lines::{CommandLine, Tools};
use crate::services::subscriber::Subscriber;
use crate::state::command_line;
use hearth_protocol::packet::Subscription;

/// What the filters are for `mosquitto_sub`.
#[component]
pub(super) fn SubscribeCommands() -> Html {
    let follow = use_follow();
    let words = follow.words;
    use_watch((), |hub, ()| (Subscriber::of(hub).filters().changes(), hub.info().is_some()));
    let subscriptions: Vec<Subscription> =
        follow.subscriber.filters().iter().map(|filter| filter.subscription.clone()).collect();
    if subscriptions.is_empty() {
        return Html::default();
    }
    let tools = Tools::of(&follow.hub);
    html! {
        <details class="fold" data-testid="subscribe-commands">
            <summary class="fold__title">{words.commands}</summary>
            <div class="fold__body">
                if let Some(tools) = tools {
                    <p class="card__note">{words.commands_text}</p>
                    {tools.notes(words)}
                    {for command_line::subscribe_all(tools.caller(), &subscriptions).into_iter().map(|line| html! { <CommandLine key={line.clone()} line={line.clone()} /> })}
                } else {
                    <p class="card__note">{words.commands_none}</p>
                }
            </div>
        </details>
    }
}
