//! The retained messages: which there are, how large, and a way to clear them that can be undone.

use std::rc::Rc;

use web_sys::{HtmlDialogElement, HtmlInputElement};
use yew::prelude::*;

use super::parts_notice::PartsNotice;
use crate::catalogue::{age, fill, reason};
use crate::components::{Empty, Icon, Symbol};
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::route::Route;
use crate::services::clock;
use crate::services::locale::Locale;
use crate::state::payload;
use hearth_protocol::Query;

/// Rows shown before a person asks for more.
const ROWS_MAX: usize = 100;

/// Characters of a payload.
const VALUE_CHARS: usize = 120;

/// Topics that are named before they are cleared; the others are counted.
const NAMED_MAX: usize = 8;

/// The page.
#[component]
pub fn RetainedPage() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let typed = use_state_eq(String::new);
    let shown = use_state_eq(|| ROWS_MAX);
    let chosen = use_state_eq(|| Rc::new(Vec::<String>::new()));
    let asked = use_state_eq(Vec::<String>::new);
    use_watch((), |hub, ()| hub.retained().changes());
    let query = Query::parse(&typed);
    let (retained, topics) = (hub.retained(), hub.topics());
    let found = retained.find(topics.sorted().iter().map(|&id| topics.topic(id).name()), &query);
    let bytes: usize = found.iter().map(|(_, bytes)| bytes).sum();
    // What is gone, or no longer answers the filter, is not cleared unseen.
    let marked: Vec<String> = found
        .iter()
        .filter(|(topic, _)| chosen.iter().any(|other| other == topic))
        .map(|(topic, _)| (*topic).to_owned())
        .collect();
    let oninput = {
        let typed = typed.setter();
        Callback::from(move |event: InputEvent| {
            typed.set(
                event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default(),
            );
        })
    };
    let on_mark = {
        let chosen = chosen.clone();
        Callback::from(move |(topic, is_marked): (String, bool)| {
            let mut topics = (**chosen).clone();
            topics.retain(|other| *other != topic);
            if is_marked {
                topics.push(topic);
            }
            chosen.set(Rc::new(topics));
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
    let (count, is_all) = (marked.len(), marked.is_empty());
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
            <header class="page__head">
                <a class="back" href={Route::Topics.href()}><Icon symbol={Symbol::Back} />{text.back_to_topics}</a>
                <h1 class="page__title">{text.retained_page}</h1>
                <p class="page__intro">{text.retained_intro}</p>
            </header>
            <PartsNotice />
            <Progressing />
            <div class="search" role="search">
                <label class="visually-hidden" for="retained-filter">{text.filter_label}</label>
                <span class="search__symbol"><Icon symbol={Symbol::Search} /></span>
                <input id="retained-filter" class="search__input" type="search" value={(*typed).clone()} {oninput}
                    placeholder={text.retained_placeholder} autocomplete="off" spellcheck="false" autocapitalize="off"
                    data-testid="retained-filter" />
            </div>
            <div class="topic-controls">
                <p class="counts" role="status" data-testid="retained-count" data-count={found.len().to_string()}>
                    {fill(text.retained_counts, &[
                        ("count", &locale.count(found.len() as u64)), ("bytes", &locale.count(bytes as u64)),
                    ])}
                </p>
                if !found.is_empty() {
                    <button type="button" class="button" data-testid="retained-clear"
                        onclick={if is_all { ask_all } else { ask(marked) }}>{words}</button>
                }
            </div>
            if found.is_empty() {
                <Empty symbol={Symbol::Search} title={text.retained_none_title} text={text.retained_none_text} />
            } else {
                <ul class="card retained" aria-label={text.retained_page}>
                    {for found.iter().take(*shown).map(|&(topic, bytes)| html! {
                        <Item key={topic} topic={topic.to_owned()} {bytes} is_marked={chosen.iter().any(|other| other == topic)}
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
struct ItemProps {
    topic: String,
    bytes: usize,
    is_marked: bool,
    on_mark: Callback<(String, bool)>,
    on_clear: Callback<MouseEvent>,
}

#[component]
fn Item(props: &ItemProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    // Ages grow by the minute here.
    use_watch((), |_, ()| (clock::wall_ms() / 60_000.0) as u64);
    let retained = hub.retained();
    let Some(kept) = retained.get(&props.topic) else { return Html::default() };
    let mut value = String::new();
    payload::preview(&kept.payload, VALUE_CHARS, &mut value);
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
            <span class="retained__value">{value}</span>
            <span class="retained__facts">{facts(&locale, props.bytes, kept.at_ms)}</span>
            <button type="button" class="button button--quiet" onclick={props.on_clear.clone()}
                aria-label={name(text.retained_clear_one)} data-testid="retained-clear-one">
                <Icon symbol={Symbol::Close} /></button>
        </li>
    }
}

fn facts(locale: &Locale, bytes: usize, at_ms: f64) -> String {
    let text = locale.catalogue();
    let size = match bytes {
        1 => text.bytes_one.to_owned(),
        bytes => fill(text.bytes_many, &[("count", &locale.count(bytes as u64))]),
    };
    format!("{size} · {}", age(text, clock::wall_ms() - at_ms))
}

/// What is under way, what came of it, and the way back.
#[component]
fn Progressing() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let (progress, restorable) = use_watch((), |hub, ()| hub.janitor());
    if progress.total == 0 {
        return Html::default();
    }
    let count = |count: usize| locale.count(count as u64);
    let numbers = [("done", count(progress.done)), ("total", count(progress.total))];
    let numbers = numbers.each_ref().map(|(name, number)| (*name, number.as_str()));
    let words =
        fill(if progress.restores { text.retained_restored } else { text.retained_cleared }, &numbers);
    let undo = Callback::from(move |_: MouseEvent| hub.restore_retained());
    html! {
        <div class="notice" role="status" data-testid="retained-progress" data-busy={progress.is_busy().to_string()}>
            <p class="notice__text">
                {words}
                if progress.failed > 0 {
                    {" "}{fill(text.retained_failed, &[("count", &count(progress.failed))])}
                    if let Some(code) = progress.reason {
                        {" "}{reason(code)}
                    }
                }
            </p>
            if restorable > 0 && !progress.is_busy() {
                <button type="button" class="button button--quiet" onclick={undo} data-testid="retained-undo">
                    {text.undo}</button>
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ConfirmProps {
    topics: Vec<String>,
    on_end: Callback<bool>,
}

/// Asks before anything is cleared.
#[component]
fn Confirm(props: &ConfirmProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // It fails only for a dialog that is open already.
                let _ = dialog.show_modal();
            }
        });
    }
    let count = props.topics.len();
    let title = match count {
        1 => text.retained_ask_one.to_owned(),
        count => fill(text.retained_ask, &[("count", &locale.count(count as u64))]),
    };
    let end = |is_confirmed: bool| props.on_end.reform(move |_: MouseEvent| is_confirmed);
    html! {
        <dialog class="dialog" ref={dialog} aria-labelledby="confirm-title" data-testid="confirm"
            oncancel={props.on_end.reform(|_| false)}>
            <h2 class="card__title" id="confirm-title">{title}</h2>
            <ul class="dialog__list">
                {for props.topics.iter().take(NAMED_MAX).map(|topic| html! { <li key={topic.clone()}>{topic}</li> })}
                if count > NAMED_MAX {
                    <li>{fill(text.and_more, &[("count", &locale.count((count - NAMED_MAX) as u64))])}</li>
                }
            </ul>
            <p class="card__note">{text.retained_ask_text}</p>
            <div class="actions">
                <button type="button" class="button" onclick={end(false)} data-testid="confirm-cancel">{text.cancel}</button>
                <button type="button" class="button button--primary" onclick={end(true)} data-testid="confirm-clear">
                    {text.retained_confirm}</button>
            </div>
        </dialog>
    }
}
