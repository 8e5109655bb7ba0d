//! One message of the stream: whole, with its properties, and as a command line.

use std::rc::Rc;

use yew::prelude::*;

use super::follow::{Follow, use_follow};
use crate::components::{Icon, PayloadView, Symbol};
use crate::pages::command_lines::publish_line;
use crate::pages::topic_facts::properties;
use crate::route::Route;
use crate::state::births;
use crate::state::sparkplug::Births;
use crate::state::stream::Entry;
use hearth_protocol::packet::{Publish, PublishProperties};

/// Props of [`Detail`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct DetailProps {
    /// The number of the message.
    pub(super) number: u64,
    /// Closes it.
    pub(super) on_close: Callback<()>,
}

/// The message. It stays although the stream may forget it.
#[component]
pub(super) fn Detail(props: &DetailProps) -> Html {
    let follow = use_follow();
    let words = follow.words;
    let entry = use_memo(props.number, |number| follow.subscriber.stream().find(*number).cloned());
    let payload =
        use_memo(props.number, |_| (*entry).as_ref().map(|entry| Rc::<[u8]>::from(&*entry.payload)));
    let births = use_memo((props.number, follow.hub.clone()), |(_, hub)| match (*entry).as_ref() {
        Some(entry) => births::of(&hub.topics(), entry.topic.as_str()),
        None => Births::default(),
    });
    let content_type = (*entry).as_ref().and_then(|entry| entry.properties.as_ref()?.content_type.clone());
    let content_type = content_type.map(|content_type| AttrValue::from(content_type.as_str().to_owned()));
    let close = props.on_close.reform(|_: MouseEvent| ());
    html! {
        <section class="stream-detail" aria-label={words.message} data-testid="stream-detail">
            <div class="card__head">
                <h3 class="card__title">{words.message}</h3>
                <button type="button" class="button button--quiet" onclick={close} aria-label={words.close}
                    data-testid="stream-detail-close"><Icon symbol={Symbol::Close} /></button>
            </div>
            if let Some((entry, payload)) = (*entry).as_ref().zip((*payload).clone()) {
                <p class="sent__head">
                    <span class="messages__time">{follow.locale.moment(entry.at_ms)}</span>
                    <a class="sent__topic" href={Route::Topic(entry.topic.to_string()).href()}
                        title={words.open_topic}>{entry.topic.to_string()}</a>
                    <span class="badge badge--calm">{format!("QoS {}", entry.qos.bits())}</span>
                    if entry.retain {
                        <span class="badge badge--calm">{words.retained}</span>
                    }
                </p>
                <PayloadView topic={entry.topic.to_string()} {payload} {content_type} births={births.clone()} live=true
                    locale={follow.locale.clone()} />
                {properties(&follow.locale, entry.properties.as_deref())}
                {again(&follow, entry)}
            } else {
                <p class="card__note">{words.message_gone}</p>
            }
        </section>
    }
}

/// The command line that publishes it again.
fn again(follow: &Follow, entry: &Entry) -> Html {
    let words = follow.words;
    let properties = entry.properties.as_ref().map(|properties| {
        // These belong to the delivery.
        Box::new(PublishProperties {
            subscription_ids: Vec::new(),
            topic_alias: None,
            ..(**properties).clone()
        })
    });
    let message = Publish {
        dup: false,
        qos: entry.qos,
        retain: entry.retain,
        topic: entry.topic.clone(),
        packet_id: None,
        payload: entry.payload.clone(),
        properties,
    };
    html! { <><h4 class="card__subtitle">{words.as_pub}</h4>{publish_line(&follow.hub, words, &message)}</> }
}
