//! The messages as they come: counted, paused, searched.

use std::cell::Cell;
use std::rc::Rc;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::detail::Detail;
use super::follow::{Follow, use_follow};
use crate::catalogue::{fill, rate};
use crate::components::{Empty, Icon, Symbol};
use crate::hooks::use_watch;
use crate::services::subscriber::Subscriber;
use crate::state::filters::letter;
use crate::state::payload;
use crate::state::stream::{BYTES_MAX, MESSAGES_MAX};
use crate::widgets::{StreamList, StreamRow, StreamRows, StreamSource};

/// Characters of a payload in a row.
const VALUE_CHARS: usize = 160;

/// The stream with its controls.
#[component]
pub(in crate::pages) fn StreamView() -> Html {
    let follow = use_follow();
    let words = follow.words;
    let chosen = use_state_eq(|| None::<u64>);
    let (is_empty, has_filters) = use_watch((), |hub, ()| {
        let subscriber = Subscriber::of(hub);
        subscriber.search_on(hub);
        let is_empty = subscriber.stream().is_empty() && !subscriber.stream().is_searching();
        (is_empty, subscriber.filters().iter().len() > 0)
    });
    let rows = use_memo((follow.hub.clone(), follow.locale.clone()), |_| {
        let shown = Shown { follow: follow.clone(), chosen: chosen.setter(), second: Cell::default() };
        StreamRows(Rc::new(shown))
    });
    let on_search = {
        let follow = follow.clone();
        Callback::from(move |event: InputEvent| {
            let typed = event.target_dyn_into::<HtmlInputElement>().map(|input| input.value());
            follow.subscriber.set_search(&follow.hub, typed.unwrap_or_default());
        })
    };
    let search = follow.subscriber.search().clone();
    let on_close = {
        let chosen = chosen.setter();
        Callback::from(move |()| chosen.set(None))
    };
    html! {
        <section class={classes!("card", (!is_empty).then_some("card--stream"))} aria-label={words.messages}>
            <div class="card__head">
                <h2 class="card__title">{words.messages}</h2>
                <Controls />
            </div>
            <div class="search" role="search">
                <label class="visually-hidden" for="stream-search">{words.search}</label>
                <span class="search__symbol"><Icon symbol={Symbol::Search} /></span>
                <input id="stream-search" class="search__input" type="search" value={search} oninput={on_search}
                    placeholder={words.search_placeholder} autocomplete="off" spellcheck="false" autocapitalize="off"
                    data-testid="stream-search" />
            </div>
            <Figures />
            if is_empty {
                if has_filters {
                    <Empty symbol={Symbol::Topics} title={words.waits_title} text={words.waits_text} />
                } else {
                    <Empty symbol={Symbol::Topics} title={words.none_title} text={words.none_text} />
                }
            } else {
                <StreamList rows={(*rows).clone()} repaint={follow.hub.frames().clone()} name={words.messages} />
            }
            if let Some(number) = *chosen {
                <Detail {number} {on_close} />
            }
        </section>
    }
}

/// What the list reads.
struct Shown {
    follow: Follow,
    chosen: UseStateSetter<Option<u64>>,
    /// The second that was written last, since most rows share it.
    second: Cell<(u64, [u8; 16])>,
}

impl StreamSource for Shown {
    fn len(&self) -> usize {
        self.follow.subscriber.stream().len()
    }

    fn read(&self, index: usize, row: &mut StreamRow) {
        let stream = self.follow.subscriber.stream();
        let Some(entry) = stream.shown(index) else { return };
        if row.number == entry.number && !row.facts.is_empty() {
            return;
        }
        row.number = entry.number;
        row.mark = entry.marks.iter().next().unwrap_or_default();
        row.letters.clear();
        row.letters.extend(entry.marks.iter().map(letter));
        self.write_time(entry.at_ms, &mut row.time);
        row.topic.clear();
        row.topic.push_str(entry.topic.as_str());
        payload::preview(&entry.payload, VALUE_CHARS, &mut row.value);
        row.facts.clear();
        row.facts.push_str(match entry.qos.bits() {
            0 => "QoS 0",
            1 => "QoS 1",
            _ => "QoS 2",
        });
        if entry.retain {
            row.facts.push_str(" · ");
            row.facts.push_str(self.follow.words.retained);
        }
    }

    fn revision(&self) -> u64 {
        self.follow.subscriber.told(&self.follow.hub).revision
    }

    fn hold(&self) {
        if !self.follow.subscriber.stream().is_paused() {
            self.follow.subscriber.change(&self.follow.hub, |stream| stream.pause());
        }
    }

    fn choose(&self, number: u64) {
        self.hold();
        self.chosen.set(Some(number));
    }
}

impl Shown {
    /// The browser takes some microseconds for each time that it formats.
    fn write_time(&self, at_ms: f64, time: &mut String) {
        let second = (at_ms / 1000.0) as u64;
        let (known, bytes) = self.second.get();
        time.clear();
        if known == second
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            time.push_str(text.trim_end_matches('\0'));
            return;
        }
        time.push_str(&self.follow.locale.clock_seconds(at_ms));
        let mut bytes = [0; 16];
        if let Some(place) = bytes.get_mut(..time.len()) {
            place.copy_from_slice(time.as_bytes());
            self.second.set((second, bytes));
        }
    }
}

/// Pause, resume, clear.
#[component]
fn Controls() -> Html {
    let follow = use_follow();
    let words = follow.words;
    let (is_paused, waiting) = use_watch((), |hub, ()| {
        let subscriber = Subscriber::of(hub);
        (subscriber.stream().is_paused(), subscriber.told(hub).counts.waiting)
    });
    let toggle = {
        let follow = follow.clone();
        Callback::from(move |_: MouseEvent| {
            follow
                .subscriber
                .change(&follow.hub, |stream| if is_paused { stream.resume() } else { stream.pause() });
        })
    };
    let clear = {
        let follow = follow.clone();
        Callback::from(move |_: MouseEvent| follow.subscriber.change(&follow.hub, |stream| stream.clear()))
    };
    let label = match (is_paused, waiting) {
        (false, _) => words.pause.to_owned(),
        (true, 0) => words.resume.to_owned(),
        (true, waiting) => fill(words.resume_waiting, &[("count", &follow.locale.count(waiting))]),
    };
    html! {
        <>
            <button type="button" class={classes!("button", is_paused.then_some("button--primary"))} onclick={toggle}
                data-testid="stream-pause" data-paused={is_paused.to_string()}>{label}</button>
            <button type="button" class="button button--quiet" onclick={clear} data-testid="stream-clear">
                {words.clear}</button>
        </>
    }
}

/// What was counted. It changes ten times a second under load, so that it is a component of its own.
#[component]
fn Figures() -> Html {
    let follow = use_follow();
    let words = follow.words;
    let (counts, per_second) = use_watch((), |hub, ()| {
        let subscriber = Subscriber::of(hub);
        let told = subscriber.told(hub);
        (told.counts, told.per_second)
    });
    let is_paused = use_watch((), |hub, ()| Subscriber::of(hub).stream().is_paused());
    let count = |count: u64| follow.locale.count(count);
    let rate = rate(follow.locale.catalogue(), per_second as f64);
    let kept = fill(words.counts, &[("delivered", &count(counts.delivered)), ("kept", &count(counts.kept))]);
    let rate = rate.map(|rate| fill(words.rate, &[("rate", &rate)]));
    html! {
        <div class="stream-figures" data-testid="stream-counts" data-delivered={counts.delivered.to_string()}
            data-kept={counts.kept.to_string()} data-dropped={counts.dropped.to_string()}>
            <p class="counts">{[Some(kept), rate].into_iter().flatten().collect::<Vec<_>>().join(" · ")}</p>
            if counts.dropped > 0 {
                <p class="field__hint">{fill(words.dropped, &[
                    ("dropped", &count(counts.dropped)),
                    ("messages", &count(MESSAGES_MAX as u64)),
                    ("bytes", &count((BYTES_MAX / (1024 * 1024)) as u64)),
                ])}</p>
            }
            if is_paused {
                <p class="card__note" role="status">{words.paused}</p>
            }
        </div>
    }
}
