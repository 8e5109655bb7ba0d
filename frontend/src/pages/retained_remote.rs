//! The retained messages of a large broker, as it lists them itself: the page loads the rows that it shows, and, before it clears
//! messages, those messages, so that they can be given back.

use std::rc::Rc;

use hearth_api::TreeRow;
use yew::prelude::*;

use super::retained::RetainedFilter;
use super::retained_clearing::Confirm;
use super::retained_item::{Item, VALUE_CHARS, facts, marked};
use crate::catalogue::fill;
use crate::catalogue::retained::{RetainedWords, words};
use crate::components::{Empty, Symbol};
use crate::hooks::{use_hub, use_locale, use_search};
use crate::services::clock;
use crate::services::hub::{Hub, Watch};
use crate::services::locale::Locale;
use crate::state::payload;
use crate::state::remote_search::{Among, first};

/// Rows that are listed before a person asks for more.
const ROWS_FIRST: u32 = 100;

/// Rows that are listed at most, and messages that are loaded and cleared at once: a few megabytes.
const ROWS_MAX: u32 = 1_600;

/// Milliseconds that the messages may take to come before they are cleared.
const FETCH_MS: f64 = 5_000.0;

/// The list.
#[component]
pub(super) fn RemoteRetained() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let words = words(text.tag);
    let typed = use_state_eq(String::new);
    let shown = use_state_eq(|| ROWS_FIRST);
    let chosen = use_state_eq(|| Rc::new(Vec::<String>::new()));
    let asked = use_state_eq(Vec::<String>::new);
    let fetched = use_state_eq(|| None::<Rc<Vec<String>>>);
    let missed = use_state_eq(|| 0_usize);
    let (search, is_current) = use_search(first(Among::Retained, *shown, typed.trim()));
    use_fetch(&hub, &fetched, &missed);
    let topics: Vec<String> = search.rows().filter_map(|row| row.topic.clone()).collect();
    let marked_topics: Vec<String> = topics.iter().filter(|topic| chosen.contains(topic)).cloned().collect();
    let on_typed = {
        let (typed, shown) = (typed.setter(), shown.setter());
        Callback::from(move |text| {
            typed.set(text);
            shown.set(ROWS_FIRST);
        })
    };
    let on_mark = {
        let chosen = chosen.clone();
        Callback::from(move |(topic, is_marked)| chosen.set(Rc::new(marked(&chosen, topic, is_marked))))
    };
    let ask = |topics: Vec<String>| {
        let asked = asked.setter();
        Callback::from(move |_: MouseEvent| asked.set(topics.clone()))
    };
    let on_end = {
        let (asked, chosen, fetched, missed) =
            (asked.clone(), chosen.setter(), fetched.setter(), missed.setter());
        Callback::from(move |is_confirmed| {
            if is_confirmed {
                fetched.set(Some(Rc::new((*asked).clone())));
                missed.set(0);
                chosen.set(Rc::default());
            }
            asked.set(Vec::new());
        })
    };
    let more = {
        let (shown, next) = (shown.setter(), (*shown * 4).min(ROWS_MAX));
        Callback::from(move |_: MouseEvent| shown.set(next))
    };
    let (count, total) = (topics.len() as u64, u64::from(search.total()));
    let left = total.saturating_sub(count);
    let state = match &search.trouble {
        Some(reason) if is_current => fill(words.trouble, &[("reason", reason)]),
        Some(_) | None => counts(&locale, words, is_current, total, count),
    };
    html! {
        <>
            <p class="card__note">{words.remote}</p>
            {fetching(&locale, words, (*fetched).as_deref(), *missed)}
            <RetainedFilter typed={(*typed).clone()} {on_typed} />
            <div class="topic-controls">
                <p class="counts" role="status" data-testid="retained-count" data-count={total.to_string()}
                    data-current={is_current.to_string()}>{state}</p>
                {clear(&locale, words, count, &marked_topics, fetched.is_some(), ask(
                    if marked_topics.is_empty() { topics.clone() } else { marked_topics.clone() },
                ))}
            </div>
            if is_current && total == 0 {
                <Empty symbol={Symbol::Search} title={text.retained_none_title} text={text.retained_none_text} />
            } else {
                <ul class="card retained" aria-label={text.retained_page}>
                    {for search.rows().zip(&topics).map(|(row, topic)| html! {
                        <Item key={topic.clone()} topic={topic.clone()} value={value(row, &locale)} facts={row_facts(row, &locale)}
                            is_marked={chosen.contains(topic)} on_mark={on_mark.clone()} on_clear={ask(vec![topic.clone()])} />
                    })}
                </ul>
            }
            if left > 0 && *shown < ROWS_MAX {
                <button type="button" class="button button--quiet" onclick={more} data-testid="retained-more">
                    {fill(text.tree_more, &[("count", &locale.count(left))])}</button>
            } else if left > 0 && is_current {
                <p class="card__note">{fill(words.full, &[("count", &locale.count(count))])}</p>
            }
            if !asked.is_empty() {
                <Confirm topics={(*asked).clone()} {on_end} />
            }
        </>
    }
}

fn counts(locale: &Locale, words: &RetainedWords, is_current: bool, total: u64, count: u64) -> String {
    let numbers = [("total", locale.count(total)), ("count", locale.count(count))];
    let numbers = numbers.each_ref().map(|(name, number)| (*name, number.as_str()));
    match () {
        () if !is_current => words.asking.to_owned(),
        () if total > count => fill(words.counts_listed, &numbers),
        () => fill(words.counts, &numbers),
    }
}

/// The button that clears what is marked, or else what is listed.
fn clear(
    locale: &Locale,
    words: &RetainedWords,
    count: u64,
    marked: &[String],
    is_busy: bool,
    onclick: Callback<MouseEvent>,
) -> Html {
    if count == 0 {
        return Html::default();
    }
    let label = match marked.len() {
        0 => fill(words.clear_listed, &[("count", &locale.count(count))]),
        marked => fill(locale.catalogue().retained_clear_marked, &[("count", &locale.count(marked as u64))]),
    };
    html! {
        <button type="button" class="button" data-testid="retained-clear" disabled={is_busy} {onclick}>{label}</button>
    }
}

fn fetching(locale: &Locale, words: &RetainedWords, fetched: Option<&Vec<String>>, missed: usize) -> Html {
    let text = match fetched {
        Some(topics) => fill(words.fetching, &[("count", &locale.count(topics.len() as u64))]),
        None if missed > 0 => fill(
            words.missed,
            &[
                ("count", &locale.count(missed as u64)),
                ("seconds", &locale.count((FETCH_MS / 1000.0) as u64)),
            ],
        ),
        None => return Html::default(),
    };
    html! { <p class="notice" role="status" data-testid="retained-fetch">{text}</p> }
}

fn value(row: &TreeRow, locale: &Locale) -> String {
    let Some(value) = &row.node.value else { return String::new() };
    match &value.value {
        Some(begin) => {
            let mut shown = String::new();
            payload::preview(begin.as_bytes(), VALUE_CHARS, &mut shown);
            if (begin.len() as u64) < value.bytes {
                shown.push('…');
            }
            shown
        }
        None => fill(locale.catalogue().bytes_many, &[("count", &locale.count(value.bytes))]),
    }
}

fn row_facts(row: &TreeRow, locale: &Locale) -> String {
    // Of a message from before the start of the broker, nobody knows when it came.
    facts(locale, row.node.value.as_ref().map_or(0, |value| value.bytes), row.node.at.map(|at| at as f64))
}

/// Loads the messages that are to be cleared, and clears them when they are there.
#[hook]
fn use_fetch(hub: &Hub, fetched: &UseStateHandle<Option<Rc<Vec<String>>>>, missed: &UseStateHandle<usize>) {
    let (done, missed) = (fetched.setter(), missed.setter());
    use_effect_with((hub.clone(), (**fetched).clone()), move |(hub, topics)| {
        let subscription = topics.clone().map(|topics| {
            let hub = hub.clone();
            let since_ms = clock::wall_ms();
            // What is followed already is up to date, and does not come again.
            let awaited: Vec<String> =
                topics.iter().filter(|topic| !hub.is_watched(topic)).cloned().collect();
            let watches: Vec<Watch> = topics.iter().map(|topic| hub.watch(topic)).collect();
            let watched = hub.clone();
            let subscription = hub.frames().subscribe(move || {
                let is_there =
                    |topic: &String| watched.retained().get(topic).is_some_and(|kept| kept.at_ms >= since_ms);
                let late: Vec<&String> = awaited.iter().filter(|topic| !is_there(topic)).collect();
                if late.is_empty() || clock::wall_ms() - since_ms > FETCH_MS {
                    let there: Vec<String> =
                        topics.iter().filter(|topic| !late.contains(topic)).cloned().collect();
                    missed.set(late.len());
                    watched.clear_retained(&there);
                    done.set(None);
                }
            });
            (watches, subscription)
        });
        move || drop(subscription)
    });
}
