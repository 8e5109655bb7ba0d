//! Command lines of Mosquitto's tools that a person copies.

use hearth_api::ListenerKind;
use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::Publish;
use yew::prelude::*;

use crate::catalogue::fill;
use crate::catalogue::subscribe::{SubscribeWords, words};
use crate::components::{Icon, Symbol};
use crate::hooks::use_locale;
use crate::services::document;
use crate::services::hub::Hub;
use crate::state::command_line::{self, Caller, NotSayable, Server};

/// How the tools reach the broker of a connection.
pub(super) struct Tools {
    server: Server,
    options: ClientOptions,
    is_own: bool,
}

impl Tools {
    /// Those for the connection of a hub; `None` where there is no broker.
    pub(super) fn of(hub: &Hub) -> Option<Self> {
        let takes_mqtt = |kind: ListenerKind| match kind {
            ListenerKind::Mqtt | ListenerKind::One => true,
            ListenerKind::Http | ListenerKind::Ws => false,
        };
        let port = hub.info().and_then(|info| {
            let mut listeners = info.listeners.iter().filter(|listener| takes_mqtt(listener.kind));
            listeners.find_map(|listener| listener.address.rsplit_once(':')?.1.parse().ok())
        });
        let server = Server::of(hub.connection().address()?, port)?;
        Some(Self { server, options: hub.connection().options(), is_own: hub.is_own() })
    }

    /// Who calls them.
    pub(super) const fn caller(&self) -> Caller<'_> {
        Caller { server: &self.server, options: &self.options, is_chosen: !self.is_own }
    }

    /// What a person must know to use the lines.
    pub(super) fn notes(&self, words: &'static SubscribeWords) -> Html {
        html! {
            <>
                if self.server.is_assumed {
                    <p class="card__note" data-testid="command-assumed">
                        {fill(words.commands_assumed, &[("port", &self.server.port.to_string())])}</p>
                }
                if self.caller().has_password() {
                    <p class="card__note">{words.commands_password}</p>
                }
            </>
        }
    }
}

/// The line that publishes a message, or why there is none.
pub(super) fn publish_line(hub: &Hub, words: &'static SubscribeWords, message: &Publish) -> Html {
    let Some(tools) = Tools::of(hub) else {
        return html! { <p class="card__note">{words.commands_none}</p> };
    };
    match command_line::publish(tools.caller(), message) {
        Ok(line) => html! { <>{tools.notes(words)}<CommandLine {line} /></> },
        Err(NotSayable::Payload) => html! { <p class="card__note">{words.pub_payload}</p> },
        Err(NotSayable::Correlation) => html! { <p class="card__note">{words.pub_correlation}</p> },
    }
}

/// Props of [`CommandLine`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct CommandLineProps {
    /// The line.
    pub(super) line: AttrValue,
}

/// A line with a button to copy it.
#[component]
pub(super) fn CommandLine(props: &CommandLineProps) -> Html {
    let words = words(use_locale().catalogue());
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
