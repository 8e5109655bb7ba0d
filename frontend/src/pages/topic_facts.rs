//! What came with a topic's last message: flags, times and every MQTT 5 property.

use std::rc::Rc;

use hearth_protocol::packet::PublishProperties;
use hearth_protocol::property::PayloadFormat;
use yew::prelude::*;

use super::topic::{TopicPageProps, size};
use crate::catalogue::topic::words;
use crate::catalogue::{age, rate};
use crate::hooks::{use_hub, use_locale, use_topic, use_watch};
use crate::services::clock;
use crate::services::locale::Locale;
use crate::state::payload;
use crate::state::topics::Topic;

/// The card.
#[component]
pub(super) fn FactsCard(props: &TopicPageProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    // Ages grow by the second.
    use_watch((), |_, ()| (clock::wall_ms() / 1000.0) as u64);
    let Some(mark) = use_topic(Rc::from(props.topic.as_str())) else { return Html::default() };
    let topics = hub.topics();
    let topic = topics.topic(mark.id);
    html! {
        <section class="card" aria-labelledby="facts-title">
            <h2 class="card__title" id="facts-title">{text.facts}</h2>
            <dl class="facts" data-testid="detail-facts">{facts(&locale, topic)}</dl>
            {properties(&locale, topic.properties())}
        </section>
    }
}

fn fact(name: impl Into<AttrValue>, value: impl Into<AttrValue>) -> Html {
    html! { <div class="facts__row"><dt>{name.into()}</dt><dd>{value.into()}</dd></div> }
}

fn facts(locale: &Locale, topic: &Topic) -> Html {
    let text = locale.catalogue();
    let words = words(text.tag);
    let now_ms = clock::wall_ms();
    let received = format!("{} · {}", locale.moment(topic.at_ms()), age(text, now_ms - topic.at_ms()));
    let retained = if topic.retain() { text.retained_yes } else { text.retained_no };
    let rate = rate(text, topic.per_second(now_ms)).unwrap_or_else(|| "–".to_owned());
    html! {
        <>
            {fact(text.received, received)}
            {fact(words.size, size(locale, topic.payload().len()))}
            {fact("QoS", topic.qos().bits().to_string())}
            {fact(text.retained_flag, retained)}
            {fact(words.dup_flag, if topic.dup() { words.dup_yes } else { words.dup_no })}
            {fact(text.messages, locale.count(topic.count()))}
            {fact(text.rate, rate)}
        </>
    }
}

/// All that a PUBLISH can carry but the topic alias, which the connection has resolved (MQTT 5.0, 3.3.2.3).
pub(super) fn properties(locale: &Locale, properties: Option<&PublishProperties>) -> Html {
    let text = locale.catalogue();
    let words = words(text.tag);
    let empty = PublishProperties::EMPTY;
    let properties = properties.unwrap_or(&empty);
    let rows = rows(locale, properties);
    if rows.is_empty() && properties.user_properties.is_empty() {
        return html! { <p class="card__note" data-testid="detail-properties">{words.no_properties}</p> };
    }
    html! {
        <div data-testid="detail-properties">
            if !rows.is_empty() {
                <h3 class="card__subtitle">{text.properties}</h3>
                <dl class="facts">{for rows}</dl>
            }
            if !properties.user_properties.is_empty() {
                <h3 class="card__subtitle">{words.user_properties}</h3>
                <dl class="facts" data-testid="detail-user-properties">
                    {for properties.user_properties.iter().map(|(name, value)| {
                        fact(name.to_string(), value.to_string())
                    })}
                </dl>
            }
        </div>
    }
}

fn rows(locale: &Locale, properties: &PublishProperties) -> Vec<Html> {
    let text = locale.catalogue();
    let words = words(text.tag);
    let mut rows = Vec::new();
    if let Some(format) = properties.payload_format {
        let words = match format {
            PayloadFormat::Bytes => text.payload_format_bytes,
            PayloadFormat::Utf8 => text.payload_format_text,
        };
        rows.push(fact(text.payload_format, words));
    }
    if let Some(content_type) = &properties.content_type {
        rows.push(fact(text.content_type, content_type.to_string()));
    }
    if let Some(seconds) = properties.message_expiry {
        rows.push(fact(text.message_expiry, format!("{} s", locale.count(u64::from(seconds)))));
    }
    if let Some(topic) = &properties.response_topic {
        rows.push(fact(text.response_topic, topic.to_string()));
    }
    if let Some(data) = &properties.correlation_data {
        let mut digits = String::new();
        payload::hex_pairs(data, &mut digits);
        rows.push(fact(text.correlation_data, digits));
        if let Some(readable) = payload::readable(data).filter(|readable| !readable.is_empty()) {
            rows.push(fact(words.correlation_text, readable.to_owned()));
        }
    }
    if !properties.subscription_ids.is_empty() {
        let ids: Vec<String> = properties.subscription_ids.iter().map(u32::to_string).collect();
        rows.push(fact(words.subscription_ids, ids.join(", ")));
    }
    rows
}
