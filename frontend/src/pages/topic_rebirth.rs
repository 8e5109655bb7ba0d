//! Asks a Sparkplug edge node for its birth certificates, where none is known that names its metrics.

use hearth_protocol::{QoS, TopicName};
use yew::prelude::*;

use crate::catalogue::topic::words;
use crate::hooks::{use_hub, use_locale};
use crate::services::clock;
use crate::services::hub::Hub;
use crate::state::outcome;
use crate::state::sparkplug::{self, Sender};

/// Props of [`Rebirth`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct RebirthProps {
    /// The topic of the edge node or of one of its devices.
    pub(super) topic: AttrValue,
}

/// The button, and what it does in a sentence.
#[component]
pub(super) fn Rebirth(props: &RebirthProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let is_asked = use_state_eq(|| None::<bool>);
    let onclick = {
        let (topic, is_asked) = (props.topic.clone(), is_asked.setter());
        Callback::from(move |_: MouseEvent| is_asked.set(Some(ask(&hub, &topic))))
    };
    let outcome = match *is_asked {
        None => "",
        Some(true) => words.rebirth_asked,
        Some(false) => words.rebirth_failed,
    };
    html! {
        <div class="form" data-testid="rebirth">
            <p class="card__note" data-testid="detail-unborn">{words.rebirth_text}</p>
            <div class="actions">
                <button type="button" class="button" {onclick} data-testid="rebirth-ask">{words.rebirth}</button>
                <span class="card__note" role="status" data-testid="rebirth-outcome">{outcome}</span>
            </div>
        </div>
    }
}

/// Publishes the command, with QoS 0 and without the retain flag (tck-id-payloads-ncmd-qos, tck-id-payloads-ncmd-retain); whether it
/// went out.
fn ask(hub: &Hub, topic: &str) -> bool {
    let command = Sender::of(topic).map(|sender| sender.node_command());
    let Some(topic) = command.and_then(|topic| TopicName::try_from(topic.as_str()).ok()) else {
        return false;
    };
    // Milliseconds since 1970 are whole and far below 2^53.
    let payload = sparkplug::rebirth(clock::wall_ms() as u64);
    let message = outcome::message(topic, &payload, QoS::AtMostOnce, false);
    hub.link().is_online() && hub.connection().publish(message).is_ok()
}
