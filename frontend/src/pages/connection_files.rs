//! Connections that go from one browser to another as JSON.

use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::connection_form::explain_fault;
use super::connections::{head, use_title_focus};
use crate::catalogue::connections::ConnectionWords;
use crate::catalogue::fill;
use crate::components::Toggle;
use crate::hooks::use_locale;
use crate::services::{document, download, file};
use crate::state::profile::{ImportError, Merged, Profile, Profiles, export, import, without_password};

/// A hundred profiles with everything filled in have some 100 kB.
const FILE_BYTES_MAX: f64 = 1024.0 * 1024.0;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct ExportCardProps {
    pub profiles: Profiles,
    pub on_back: Callback<()>,
}

/// Shows the document, to be copied or saved.
#[component]
pub(super) fn ExportCard(props: &ExportCardProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = ConnectionWords::of(text);
    let with_passwords = use_state_eq(|| false);
    let copied = use_state_eq(|| None::<bool>);
    use_title_focus();
    let profiles: Vec<Profile> = props
        .profiles
        .as_slice()
        .iter()
        .map(|profile| if *with_passwords { profile.clone() } else { without_password(profile) })
        .collect();
    let document = export(&profiles);
    let on_copy = {
        let (document, copied) = (document.clone(), copied.setter());
        Callback::from(move |_: MouseEvent| {
            let copied = copied.clone();
            document::copy(&document, move |is_done| copied.set(Some(is_done)));
        })
    };
    let on_save = {
        let document = document.clone();
        Callback::from(move |_: MouseEvent| {
            download::save_text("hearth-connections.json", "application/json", &document);
        })
    };
    let on_change = {
        let with_passwords = with_passwords.setter();
        Callback::from(move |on| with_passwords.set(on))
    };
    html! {
        <>
            {head(words.export_title, &props.on_back, words)}
            <section class="card form">
                <p>{words.export_text}</p>
                <Toggle label={words.export_passwords} hint={words.export_passwords_hint} on={*with_passwords} {on_change}
                    testid="export-passwords" />
                <textarea class="input input--code input--area" rows="14" readonly=true value={document} spellcheck="false"
                    aria-label={words.export_title} data-testid="export-text" />
                <div class="actions">
                    <button type="button" class="button button--primary" onclick={on_save} data-testid="export-save">
                        {words.download}</button>
                    <button type="button" class="button" onclick={on_copy} data-testid="export-copy">{text.copy}</button>
                    if let Some(is_done) = *copied {
                        <p role="status" class="outcome">{if is_done { text.copied } else { text.copy_failed }}</p>
                    }
                </div>
            </section>
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(super) struct ImportCardProps {
    pub profiles: Profiles,
    pub on_import: Callback<Profiles>,
    pub on_back: Callback<()>,
}

/// Takes a document, from a file or as text.
#[component]
pub(super) fn ImportCard(props: &ImportCardProps) -> Html {
    let locale = use_locale();
    let words = ConnectionWords::of(locale.catalogue());
    let typed = use_state_eq(String::new);
    let outcome = use_state_eq(|| None::<(bool, String)>);
    use_title_focus();
    let take = {
        let (profiles, on_import, outcome) =
            (props.profiles.clone(), props.on_import.clone(), outcome.setter());
        Callback::from(move |document: Option<String>| {
            let Some(document) = document else {
                return outcome.set(Some((false, words.import_unread.to_owned())));
            };
            outcome.set(Some(match import(&document) {
                Ok(found) => {
                    let mut profiles = profiles.clone();
                    let merged = profiles.merge(found.profiles);
                    on_import.emit(profiles);
                    (true, told(merged, &found.unknown, words))
                }
                Err(error) => (false, explain_import(&error, words)),
            }));
        })
    };
    let onchange = {
        let take = take.clone();
        Callback::from(move |event: Event| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                let take = take.clone();
                file::read_chosen_text(&input, FILE_BYTES_MAX, move |document| take.emit(document));
            }
        })
    };
    let oninput = {
        let typed = typed.setter();
        Callback::from(move |event: InputEvent| {
            let area = event.target_dyn_into::<HtmlTextAreaElement>();
            typed.set(area.map(|area| area.value()).unwrap_or_default());
        })
    };
    let on_take = {
        let (take, typed) = (take, typed.clone());
        Callback::from(move |_: MouseEvent| take.emit(Some((*typed).clone())))
    };
    html! {
        <>
            {head(words.import_title, &props.on_back, words)}
            <section class="card form">
                <p>{words.import_text}</p>
                <div class="field">
                    <label class="field__label" for="import-file">{words.import_file}</label>
                    <input id="import-file" class="input" type="file" accept=".json,application/json" {onchange}
                        data-testid="import-file" />
                </div>
                <div class="field">
                    <label class="field__label" for="import-text">{words.import_paste}</label>
                    <textarea id="import-text" class="input input--code input--area" rows="8" value={(*typed).clone()} {oninput}
                        spellcheck="false" data-testid="import-text" />
                </div>
                <div class="actions">
                    <button type="button" class="button button--primary" onclick={on_take} data-testid="import-take">
                        {words.import}</button>
                </div>
                if let Some((is_done, told)) = &*outcome {
                    <p role="status" class={if *is_done { "outcome outcome--sent" } else { "outcome outcome--failed" }}
                        data-testid="import-result">{told}</p>
                }
            </section>
        </>
    }
}

fn told(merged: Merged, unknown: &[String], words: &'static ConnectionWords) -> String {
    let count = |words: &str, count: usize| fill(words, &[("count", &count.to_string())]);
    let mut told = vec![count(words.imported, merged.added)];
    if merged.known > 0 {
        told.push(count(words.imported_known, merged.known));
    }
    if merged.left_out > 0 {
        told.push(count(words.imported_left_out, merged.left_out));
    }
    if !unknown.is_empty() {
        told.push(fill(words.imported_unknown, &[("names", &unknown.join(", "))]));
    }
    told.join(" ")
}

/// Why a document gave nothing, as a sentence.
pub(super) fn explain_import(error: &ImportError, words: &'static ConnectionWords) -> String {
    match error {
        ImportError::NotJson(detail) => fill(words.import_not_json, &[("detail", detail)]),
        ImportError::NotConnections => words.import_other.to_owned(),
        ImportError::Newer(version) => fill(words.import_newer, &[("version", &version.to_string())]),
        ImportError::TooMany(count) => fill(words.import_many, &[("count", &count.to_string())]),
        ImportError::Malformed(number, detail) => {
            fill(words.import_malformed, &[("number", &number.to_string()), ("detail", detail)])
        }
        ImportError::Faulty(number, field, fault) => {
            let (field, _) = words.field(*field);
            let detail = explain_fault(fault, words);
            fill(
                words.import_faulty,
                &[("number", &number.to_string()), ("field", field), ("detail", &detail)],
            )
        }
    }
}
