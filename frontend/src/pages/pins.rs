//! What is pinned, above the topics.

use std::rc::Rc;

use yew::prelude::*;

use super::pin_button::PinButton;
use crate::catalogue::explore::words;
use crate::catalogue::{age, fill, reason};
use crate::components::{Icon, Symbol};
use crate::hooks::{use_hub, use_locale, use_topic, use_watch};
use crate::route::Route;
use crate::services::clock;
use crate::state::payload;
use crate::state::pins::{PINS_MAX, is_pattern};
use hearth_protocol::Query;

/// Characters of a value.
const VALUE_CHARS: usize = 120;

/// Props of [`Pins`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct PinsProps {
    /// Shows the topics that a pinned filter matches.
    pub(super) on_query: Callback<String>,
}

/// The pins; nothing where there are none.
#[component]
pub(super) fn Pins(props: &PinsProps) -> Html {
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let pins = use_watch((), |hub, ()| hub.pins().clone());
    if pins.filters().is_empty() {
        return Html::default();
    }
    html! {
        <section class="card pins" aria-labelledby="pins-title" data-testid="pins">
            <h2 class="card__title" id="pins-title">{words.pinned}</h2>
            <ul class="pins__list" role="list">
                {for pins.filters().iter().map(|filter| html! {
                    <li class="pins__item" key={filter.clone()} data-testid="pin" data-filter={filter.clone()}>
                        if is_pattern(filter) {
                            <Pattern filter={filter.clone()} on_query={props.on_query.clone()} />
                        } else {
                            <Pinned topic={filter.clone()} />
                        }
                        <Unpin filter={filter.clone()} />
                    </li>
                })}
            </ul>
            if pins.filters().len() == PINS_MAX {
                <p class="card__note">{fill(words.pins_full, &[("count", &PINS_MAX.to_string())])}</p>
            }
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FilterProps {
    filter: AttrValue,
}

#[component]
fn Unpin(props: &FilterProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let onclick = {
        let filter = props.filter.clone();
        Callback::from(move |_: MouseEvent| {
            let _is_pinned = hub.toggle_pin(&filter);
        })
    };
    html! {
        <button type="button" class="button button--quiet" {onclick} data-testid="unpin"
            aria-label={fill(words.unpin, &[("topic", &props.filter)])}><Icon symbol={Symbol::Close} /></button>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct PinnedProps {
    topic: AttrValue,
}

#[component]
fn Pinned(props: &PinnedProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let words = words(text.tag);
    // Ages grow by the second.
    use_watch((), |_, ()| (clock::wall_ms() / 1000.0) as u64);
    let mark = use_topic(Rc::from(props.topic.as_str()));
    let refused = use_watch(props.topic.clone(), |hub, topic| hub.refusal(topic));
    let (mut value, mut since) = (String::new(), String::new());
    if let Some(mark) = mark {
        let topics = hub.topics();
        let topic = topics.topic(mark.id);
        payload::preview(topic.payload(), VALUE_CHARS, &mut value);
        if topic.payload().is_empty() {
            value.push_str(text.empty_payload);
        }
        since = if mark.live { age(text, clock::wall_ms() - topic.at_ms()) } else { text.stale.to_owned() };
    }
    let note = match (refused, mark) {
        (Some(code), _) => Some(fill(words.pin_refused, &[("reason", &reason(code))])),
        (None, None) => Some(words.pin_silent.to_owned()),
        (None, Some(_)) => None,
    };
    html! {
        <a class="pins__link" href={Route::Topic(props.topic.to_string()).href()}>
            <span class="pins__topic">{&props.topic}</span>
            <span class="pins__value" data-testid="pin-value">{value}</span>
            <span class="card__note">{note.unwrap_or(since)}</span>
        </a>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct PatternProps {
    filter: AttrValue,
    on_query: Callback<String>,
}

#[component]
fn Pattern(props: &PatternProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let words = words(text.tag);
    let known = use_watch((), |hub, ()| hub.topics().sorted().len());
    let refused = use_watch(props.filter.clone(), |hub, filter| hub.refusal(filter));
    let count = use_memo((props.filter.clone(), known), |(filter, _)| {
        let query = Query::parse(filter);
        let topics = hub.topics();
        let names = topics.sorted().iter().map(|&id| topics.topic(id).name());
        names.filter(|name| query.matches(name, b"")).count()
    });
    let note = match (refused, *count) {
        (Some(code), _) => fill(words.pin_refused, &[("reason", &reason(code))]),
        (None, 0) => words.pin_silent.to_owned(),
        (None, 1) => text.count_one.to_owned(),
        (None, count) => fill(text.count_all, &[("total", &locale.count(count as u64))]),
    };
    let onclick = {
        let (on_query, filter) = (props.on_query.clone(), props.filter.to_string());
        Callback::from(move |_: MouseEvent| on_query.emit(filter.clone()))
    };
    html! {
        <button type="button" class="pins__link" {onclick}>
            <span class="pins__topic">{&props.filter}</span>
            <span class="card__note">{note}</span>
        </button>
    }
}

/// Props of [`PinFilter`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct PinFilterProps {
    /// What the filter field holds.
    pub(super) query: AttrValue,
}

/// Pins what the filter field holds, where that is one MQTT filter.
#[component]
pub(super) fn PinFilter(props: &PinFilterProps) -> Html {
    let locale = use_locale();
    let filter = props.query.trim().to_owned();
    if !is_pattern(&filter) || filter.contains(char::is_whitespace) {
        return Html::default();
    }
    html! { <PinButton {filter} label={words(locale.catalogue().tag).pin_filter} /> }
}
