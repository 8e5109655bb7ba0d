//! The command palette: any page, topic or command by a few letters.

use std::rc::Rc;

use web_sys::{HtmlDialogElement, HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use super::parts_notice::use_is_in_parts;
use crate::catalogue::{fill, palette, subscribe};
use crate::hooks::{App, Search, use_app, use_search};
use crate::route::Route;
use crate::services::document;
use crate::state::palette::{SHOWN_MAX, answer, is_searched, searches, step};
use crate::state::settings::{Language, Theme};

/// What an entry does.
#[derive(Clone, PartialEq)]
enum Deed {
    Go(Route),
    Theme(Theme),
    Language(Language),
    Retry,
    CopyAddress,
}

#[derive(Clone, PartialEq)]
struct Entry {
    label: String,
    kind: &'static str,
    deed: Deed,
}

/// Props of [`Palette`].
#[derive(Clone, PartialEq, Properties)]
pub struct PaletteProps {
    /// It is to go away.
    pub on_close: Callback<()>,
}

/// The palette, open.
#[component]
pub fn Palette(props: &PaletteProps) -> Html {
    let app = use_app();
    let words = palette::words(app.locale.catalogue().tag);
    let typed = use_state_eq(String::new);
    let chosen = use_state_eq(|| 0_usize);
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
    let is_in_parts = use_is_in_parts();
    let searches = if is_in_parts { searches(&typed) } else { Vec::new() };
    let is_asked = !searches.is_empty();
    let (search, is_current) = use_search(searches);
    let topics = if is_asked { found(&search, &typed) } else { heard(&app, &typed) };
    let note = is_asked.then(|| note(&app, &search, is_current, topics.len())).flatten();
    let entries = Rc::new(entries(&app, &typed, topics));
    let count = entries.len();
    let run = {
        let (entries, on_close) = (Rc::clone(&entries), props.on_close.clone());
        Callback::from(move |place: usize| {
            on_close.emit(());
            if let Some(entry) = entries.get(place) {
                carry_out(&app, &entry.deed);
            }
        })
    };
    let at = (*chosen).min(count.saturating_sub(1));
    let on_input = {
        let (typed, chosen) = (typed.setter(), chosen.setter());
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                typed.set(input.value());
                chosen.set(0);
            }
        })
    };
    let on_key = {
        let (chosen, run) = (chosen.setter(), run.clone());
        Callback::from(move |event: KeyboardEvent| {
            match event.key().as_str() {
                "ArrowDown" => chosen.set(step(at, 1, count)),
                "ArrowUp" => chosen.set(step(at, -1, count)),
                "Enter" => run.emit(at),
                _ => return,
            }
            event.prevent_default();
        })
    };
    let option = |place: usize, entry: &Entry| {
        let on_click = run.reform(move |_: MouseEvent| place);
        html! {
            <li key={place} id={option_id(place)} class="palette__entry" role="option"
                aria-selected={(place == at).to_string()} onclick={on_click} data-testid="palette-entry">
                <span class="palette__label">{&entry.label}</span>
                <span class="palette__kind">{entry.kind}</span>
            </li>
        }
    };
    html! {
        <dialog class="dialog palette" ref={dialog} aria-label={words.name} data-testid="palette"
            oncancel={props.on_close.reform(|_| ())}>
            <input class="input" type="text" role="combobox" aria-expanded="true" aria-controls="palette-entries"
                aria-autocomplete="list" aria-activedescendant={(count > 0).then(|| option_id(at))}
                aria-label={words.hint} placeholder={words.hint} autofocus=true autocomplete="off" spellcheck="false"
                value={(*typed).clone()} oninput={on_input} onkeydown={on_key} data-testid="palette-input" />
            if let Some(note) = note {
                <p class="card__note" role="status" data-testid="palette-note">{note}</p>
            } else if count == 0 {
                <p class="card__note" role="status">{words.nothing}</p>
            }
            <ul class="palette__entries" id="palette-entries" role="listbox" aria-label={words.name}>
                {for entries.iter().enumerate().map(|(place, entry)| option(place, entry))}
            </ul>
            <p class="card__note palette__keys">{words.keys}</p>
        </dialog>
    }
}

fn option_id(place: usize) -> String {
    format!("palette-{place}")
}

/// The entries that answer what is typed: pages and commands, and then topics.
fn entries(app: &App, typed: &str, topics: Vec<String>) -> Vec<Entry> {
    let fixed = fixed(app);
    let mut entries: Vec<Entry> = answer(typed, fixed.iter().map(|entry| entry.label.as_str()))
        .into_iter()
        .map(|at| fixed[at].clone())
        .collect();
    let kind = palette::words(app.locale.catalogue().tag).topic;
    let topic = |name: String| Entry { label: name.clone(), kind, deed: Deed::Go(Route::Topic(name)) };
    entries.extend(topics.into_iter().map(topic));
    entries
}

/// The best topics among those that were heard.
fn heard(app: &App, typed: &str) -> Vec<String> {
    if !is_searched(typed) {
        return Vec::new();
    }
    let topics = app.hub.topics();
    let names = || topics.heard_from(0).map(|(_, topic)| topic.name());
    let found = answer(typed, names());
    found.into_iter().filter_map(|place| names().nth(place).map(str::to_owned)).collect()
}

/// The best topics among those that the broker has found; those that answer by their value come last.
fn found(search: &Search, typed: &str) -> Vec<String> {
    let mut names: Vec<&str> = search.rows().filter_map(|row| row.topic.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let best = answer(typed, names.iter().copied());
    let others = (0..names.len()).filter(|place| !best.contains(place));
    best.iter().copied().chain(others).take(SHOWN_MAX).map(|place| names[place].to_owned()).collect()
}

/// What to say of a search by the broker, if anything.
fn note(app: &App, search: &Search, is_current: bool, shown: usize) -> Option<String> {
    let words = palette::words(app.locale.catalogue().tag);
    if let Some(reason) = search.trouble.as_ref().filter(|_| is_current) {
        return Some(fill(words.trouble, &[("reason", reason)]));
    }
    if !is_current {
        return Some(words.searching.to_owned());
    }
    let (shown, total) = (shown as u64, u64::from(search.total()));
    let count = |count: u64| app.locale.count(count);
    (total > shown).then(|| fill(words.topics_of, &[("count", &count(shown)), ("total", &count(total))]))
}

fn fixed(app: &App) -> Vec<Entry> {
    let text = app.locale.catalogue();
    let words = palette::words(text.tag);
    let pages = [
        (text.home, Route::Home),
        (text.topics, Route::Topics),
        (text.retained_page, Route::Retained),
        (text.publish, Route::Publish(None)),
        (subscribe::words(text).title, Route::Subscribe),
        (text.chart, Route::Chart(None, String::new())),
        (text.connections, Route::Connections),
        (text.about, Route::About),
    ];
    let mut entries: Vec<Entry> = pages
        .into_iter()
        .map(|(label, route)| Entry { label: label.to_owned(), kind: words.go_to, deed: Deed::Go(route) })
        .collect();
    let mut command = |label: String, deed: Deed| entries.push(Entry { label, kind: words.action, deed });
    for theme in Theme::ALL {
        let choice = match theme {
            Theme::System => text.theme_system,
            Theme::Light => text.theme_light,
            Theme::Dark => text.theme_dark,
            Theme::Contrast => text.theme_contrast,
        };
        command(fill(words.theme, &[("choice", choice)]), Deed::Theme(theme));
    }
    for language in Language::ALL {
        let choice = match language {
            Language::System => text.language_system,
            Language::English => "English",
            Language::German => "Deutsch",
        };
        command(fill(words.language, &[("choice", choice)]), Deed::Language(language));
    }
    command(words.reconnect.to_owned(), Deed::Retry);
    command(words.copy_address.to_owned(), Deed::CopyAddress);
    entries
}

fn carry_out(app: &App, deed: &Deed) {
    match deed {
        Deed::Go(route) => document::go(&route.href()),
        Deed::Theme(theme) => app.set_theme.emit(*theme),
        Deed::Language(language) => app.set_language.emit(*language),
        Deed::Retry => app.hub.connect(),
        // Where the browser forbids it, the address is in its bar to be copied there.
        Deed::CopyAddress => document::copy(&document::href(), |_| ()),
    }
}
