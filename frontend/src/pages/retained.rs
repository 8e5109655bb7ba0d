//! The retained messages: which there are, how large, and a way to clear them that can be undone.

use std::collections::HashMap;
use std::rc::Rc;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::parts_notice::use_is_in_parts;
use super::retained_clearing::{Confirm, Progressing};
use super::retained_item::{Item, VALUE_CHARS, facts, marked};
use super::retained_remote::RemoteRetained;
use crate::catalogue::fill;
use crate::components::{Empty, Icon, Symbol};
use crate::hooks::{use_hub, use_locale, use_search, use_watch};
use crate::route::Route;
use crate::services::clock;
use crate::state::payload;
use crate::state::remote_search::{Among, first};
use hearth_protocol::Query;

/// Rows shown before a person asks for more.
const ROWS_MAX: usize = 100;

/// The page.
#[component]
pub fn RetainedPage() -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let is_in_parts = use_is_in_parts();
    html! {
        <>
            <header class="page__head">
                <a class="back" href={Route::Topics.href()}><Icon symbol={Symbol::Back} />{text.back_to_topics}</a>
                <h1 class="page__title">{text.retained_page}</h1>
                <p class="page__intro">{text.retained_intro}</p>
            </header>
            <Progressing />
            if is_in_parts {
                <RemoteRetained />
            } else {
                <HeardRetained />
            }
        </>
    }
}

/// What was heard, of a broker that is taken in whole.
#[component]
fn HeardRetained() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let typed = use_state_eq(String::new);
    let shown = use_state_eq(|| ROWS_MAX);
    let chosen = use_state_eq(|| Rc::new(Vec::<String>::new()));
    let asked = use_state_eq(Vec::<String>::new);
    use_watch((), |hub, ()| hub.retained().changes());
    let query = Query::parse(&typed);
    // When a message came that was there before the page, the broker knows alone.
    let rows = u32::try_from(*shown).unwrap_or(u32::MAX);
    let (search, _) =
        use_search(if hub.is_own() { first(Among::Retained, rows, typed.trim()) } else { Vec::new() });
    let ages: HashMap<&str, f64> =
        search.rows().filter_map(|row| Some((row.topic.as_deref()?, row.node.at? as f64))).collect();
    let (retained, topics) = (hub.retained(), hub.topics());
    let found = retained.find(topics.sorted().iter().map(|&id| topics.topic(id).name()), &query);
    let bytes: usize = found.iter().map(|(_, bytes)| bytes).sum();
    // What is gone, or no longer answers the filter, is not cleared unseen.
    let marked_topics: Vec<String> = found
        .iter()
        .filter(|(topic, _)| chosen.iter().any(|other| other == topic))
        .map(|(topic, _)| (*topic).to_owned())
        .collect();
    let on_mark = {
        let chosen = chosen.clone();
        Callback::from(move |(topic, is_marked): (String, bool)| {
            chosen.set(Rc::new(marked(&chosen, topic, is_marked)));
        })
    };
    let ask = |topics: Vec<String>| {
        let asked = asked.setter();
        Callback::from(move |_: MouseEvent| asked.set(topics.clone()))
    };
    let ask_all = {
        let (hub, asked, query) = (hub.clone(), asked.setter(), query.clone());
        Callback::from(move |_: MouseEvent| {
            let (retained, topics) = (hub.retained(), hub.topics());
            let found = retained.find(topics.sorted().iter().map(|&id| topics.topic(id).name()), &query);
            asked.set(found.into_iter().map(|(topic, _)| topic.to_owned()).collect());
        })
    };
    let (count, is_all) = (marked_topics.len(), marked_topics.is_empty());
    let words = if is_all {
        fill(text.retained_clear_found, &[("count", &locale.count(found.len() as u64))])
    } else {
        fill(text.retained_clear_marked, &[("count", &locale.count(count as u64))])
    };
    let more = {
        let (shown, next) = (shown.setter(), *shown * 4);
        Callback::from(move |_: MouseEvent| shown.set(next))
    };
    html! {
        <>
            <RetainedFilter typed={(*typed).clone()} on_typed={let typed = typed.setter(); Callback::from(move |text| typed.set(text))} />
            <div class="topic-controls">
                <p class="counts" role="status" data-testid="retained-count" data-count={found.len().to_string()}>
                    {fill(text.retained_counts, &[
                        ("count", &locale.count(found.len() as u64)), ("bytes", &locale.count(bytes as u64)),
                    ])}
                </p>
                if !found.is_empty() {
                    <button type="button" class="button" data-testid="retained-clear"
                        onclick={if is_all { ask_all } else { ask(marked_topics) }}>{words}</button>
                }
            </div>
            if found.is_empty() {
                <Empty symbol={Symbol::Search} title={text.retained_none_title} text={text.retained_none_text} />
            } else {
                <ul class="card retained" aria-label={text.retained_page}>
                    {for found.iter().take(*shown).map(|&(topic, bytes)| html! {
                        <HeardItem key={topic} topic={topic.to_owned()} {bytes} at_ms={ages.get(topic).copied()} is_marked={chosen.iter().any(|other| other == topic)}
                            on_mark={on_mark.clone()} on_clear={ask(vec![topic.to_owned()])} />
                    })}
                </ul>
                if found.len() > *shown {
                    <button type="button" class="button button--quiet" onclick={more}>
                        {fill(text.tree_more, &[("count", &locale.count((found.len() - *shown) as u64))])}</button>
                }
            }
            if !asked.is_empty() {
                <Confirm topics={(*asked).clone()} on_end={
                    let (hub, asked, chosen) = (hub.clone(), asked.clone(), chosen.setter());
                    Callback::from(move |is_confirmed| {
                        if is_confirmed {
                            hub.clear_retained(&asked);
                            chosen.set(Rc::default());
                        }
                        asked.set(Vec::new());
                    })
                } />
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct HeardItemProps {
    topic: String,
    bytes: usize,
    /// When the broker got it, where that is told.
    at_ms: Option<f64>,
    is_marked: bool,
    on_mark: Callback<(String, bool)>,
    on_clear: Callback<MouseEvent>,
}

#[component]
fn HeardItem(props: &HeardItemProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    // Ages grow by the minute here.
    use_watch((), |_, ()| (clock::wall_ms() / 60_000.0) as u64);
    let retained = hub.retained();
    let Some(kept) = retained.get(&props.topic) else { return Html::default() };
    let mut value = String::new();
    payload::preview(&kept.payload, VALUE_CHARS, &mut value);
    let topics = hub.topics();
    let was_there = topics.find(&props.topic).is_none_or(|id| topics.topic(id).is_kept());
    let at_ms = props.at_ms.or((!was_there).then_some(kept.at_ms));
    html! {
        <Item topic={props.topic.clone()} {value} facts={facts(&locale, props.bytes as u64, at_ms)}
            is_marked={props.is_marked} on_mark={props.on_mark.clone()} on_clear={props.on_clear.clone()} />
    }
}

/// Props of [`RetainedFilter`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct RetainedFilterProps {
    /// What is typed.
    pub(super) typed: String,
    /// Hears what is typed now.
    pub(super) on_typed: Callback<String>,
}

/// The field of the filter.
#[component]
pub(super) fn RetainedFilter(props: &RetainedFilterProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let oninput = props.on_typed.reform(|event: InputEvent| {
        event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default()
    });
    html! {
        <div class="search" role="search">
            <label class="visually-hidden" for="retained-filter">{text.filter_label}</label>
            <span class="search__symbol"><Icon symbol={Symbol::Search} /></span>
            <input id="retained-filter" class="search__input" type="search" value={props.typed.clone()} {oninput}
                placeholder={text.retained_placeholder} autocomplete="off" spellcheck="false" autocapitalize="off"
                data-testid="retained-filter" />
        </div>
    }
}
