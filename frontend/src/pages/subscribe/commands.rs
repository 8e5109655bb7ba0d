//! Command lines that a person copies.

use yew::prelude::*;

use super::follow::use_follow;
use crate::components::{Icon, Symbol};
use crate::hooks::use_watch;
use crate::services::document;
use crate::services::subscriber::Subscriber;
use crate::state::command_line;
use hearth_protocol::packet::Subscription;

/// Props of [`CommandLine`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct CommandLineProps {
    /// The line.
    pub(super) line: AttrValue,
}

/// A line with a button to copy it.
#[component]
pub(super) fn CommandLine(props: &CommandLineProps) -> Html {
    let words = use_follow().words;
    let copied = use_state_eq(|| None::<bool>);
    let onclick = {
        let (copied, line) = (copied.setter(), props.line.clone());
        Callback::from(move |_: MouseEvent| {
            let copied = copied.clone();
            document::copy(&line, move |allowed| copied.set(Some(allowed)));
        })
    };
    let label = match *copied {
        None => words.copy,
        Some(true) => words.copied,
        Some(false) => words.copy_failed,
    };
    html! {
        <div class="command-line">
            <pre class="command" tabindex="0" data-testid="command">{&props.line}</pre>
            <button type="button" class="button button--quiet" {onclick} data-testid="command-copy">
                <Icon symbol={Symbol::Copy} /><span role="status">{label}</span></button>
        </div>
    }
}

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
    let lines = follow.server().map(|server| command_line::subscribe_all(&server, &subscriptions));
    html! {
        <details class="fold" data-testid="subscribe-commands">
            <summary class="fold__title">{words.commands}</summary>
            <div class="fold__body">
                if let Some(lines) = lines {
                    <p class="card__note">{words.commands_text}</p>
                    {for lines.into_iter().map(|line| html! { <CommandLine key={line.clone()} line={line.clone()} /> })}
                } else {
                    <p class="card__note">{words.commands_none}</p>
                }
            </div>
        </details>
    }
}
