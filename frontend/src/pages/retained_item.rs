//! A retained message in a list.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::catalogue::{age, fill};
use crate::components::{Icon, Symbol};
use crate::hooks::use_locale;
use crate::route::Route;
use crate::services::clock;
use crate::services::locale::Locale;

/// Characters of a payload.
pub(super) const VALUE_CHARS: usize = 120;

/// Props of [`Item`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct ItemProps {
    /// Its topic.
    pub(super) topic: String,
    /// Its payload, on one line.
    pub(super) value: String,
    /// Its size and age.
    pub(super) facts: String,
    /// Whether it is chosen.
    pub(super) is_marked: bool,
    /// Chooses it, or not any more.
    pub(super) on_mark: Callback<(String, bool)>,
    /// It is to be cleared.
    pub(super) on_clear: Callback<MouseEvent>,
}

/// The item.
#[component]
pub(super) fn Item(props: &ItemProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let onchange = {
        let (on_mark, topic) = (props.on_mark.clone(), props.topic.clone());
        Callback::from(move |event: Event| {
            let is_marked = event.target_dyn_into::<HtmlInputElement>().is_some_and(|input| input.checked());
            on_mark.emit((topic.clone(), is_marked));
        })
    };
    let name = |words: &str| fill(words, &[("topic", &props.topic)]);
    html! {
        <li class="retained__item" data-testid="retained-item" data-topic={props.topic.clone()}>
            <label class="retained__mark">
                <input type="checkbox" checked={props.is_marked} {onchange} aria-label={name(text.retained_mark)} />
            </label>
            <a class="retained__topic" href={Route::Topic(props.topic.clone()).href()}>{&props.topic}</a>
            <span class="retained__value">{&props.value}</span>
            <span class="retained__facts">{&props.facts}</span>
            <button type="button" class="button button--quiet" onclick={props.on_clear.clone()}
                aria-label={name(text.retained_clear_one)} data-testid="retained-clear-one">
                <Icon symbol={Symbol::Close} /></button>
        </li>
    }
}

/// Size and age of a message, in words; the age where it is known.
pub(super) fn facts(locale: &Locale, bytes: u64, at_ms: Option<f64>) -> String {
    let text = locale.catalogue();
    let size = match bytes {
        1 => text.bytes_one.to_owned(),
        bytes => fill(text.bytes_many, &[("count", &locale.count(bytes))]),
    };
    match at_ms {
        Some(at_ms) => format!("{size} · {}", age(text, clock::wall_ms() - at_ms)),
        None => size,
    }
}

/// Whether a topic is chosen among others: the list of those that are, after a change.
pub(super) fn marked(chosen: &[String], topic: String, is_marked: bool) -> Vec<String> {
    let mut topics: Vec<String> = chosen.iter().filter(|other| **other != topic).cloned().collect();
    if is_marked {
        topics.push(topic);
    }
    topics
}
