//! What a page shows before it has heard a message: how to send one, or that there is no connection to hear it over.

use hearth_api::{Info, ListenerKind};
use yew::prelude::*;

use crate::components::{Empty, Symbol};
use crate::hooks::{use_locale, use_watch};
use crate::services::document;
use crate::state::address::{host_name, port};

/// The port that clients use when nothing is said.
const MQTT_PORT: u16 = 1883;

/// Props of [`Unheard`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct UnheardProps {
    /// Decoration.
    pub(super) symbol: Symbol,
    /// What is the case while the page is connected.
    pub(super) title: AttrValue,
    /// Why, and what to do.
    pub(super) text: AttrValue,
    /// More under the command.
    #[prop_or_default]
    pub(super) children: Html,
}

/// The empty state of a whole page.
#[component]
pub(super) fn Unheard(props: &UnheardProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let info = use_watch((), |hub, ()| hub.info());
    let online = use_watch((), |hub, ()| hub.link().is_online());
    if !online {
        // Nothing that a terminal sends would appear.
        return html! {
            <Empty heads_page=true symbol={props.symbol} title={text.unconnected_title} text={text.unconnected_text} />
        };
    }
    html! {
        <Empty heads_page=true symbol={props.symbol} title={&props.title} text={&props.text}
            command={example_command(info.as_ref())}>
            {props.children.clone()}
        </Empty>
    }
}

/// A command that publishes something to this broker, for people to try.
fn example_command(info: Option<&Info>) -> String {
    let href = document::href();
    let host = host_name(&href);
    let host = if host.is_empty() { "localhost" } else { host };
    let listeners = info.map(|info| info.listeners.as_slice()).unwrap_or_default();
    // A unix socket has no port, and no page is on its machine for sure.
    let port_of = |kind| {
        listeners.iter().filter(|listener| listener.kind == kind).find_map(|listener| port(&listener.address))
    };
    let port = match port_of(ListenerKind::Mqtt).or_else(|| port_of(ListenerKind::One)) {
        None | Some(MQTT_PORT) => String::new(),
        Some(port) => format!(" -p {port}"),
    };
    format!("mosquitto_pub -h {host}{port} -t home/kitchen/temperature -m 21.5 -r")
}
