//! The payload as it is typed or chosen, and whether it is what it is said to be.

use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::form::{Form, use_form};
use super::outcome::hex_words;
use crate::catalogue::fill;
use crate::services::file;
use crate::state::draft::{Draft, DraftError, Kind};
use crate::state::{hex, json, template};

/// The payload.
#[component]
pub(super) fn Payload() -> Html {
    let form = use_form();
    let words = form.words;
    let draft = form.publisher.draft();
    if draft.kind == Kind::File {
        return html! { <FileField /> };
    }
    let on_payload = form.on(|draft: &mut Draft, event: InputEvent| {
        let area = event.target_dyn_into::<HtmlTextAreaElement>();
        draft.payload = area.map(|area| area.value()).unwrap_or_default();
    });
    let (note, is_good) = note(&form, &draft);
    let placeholder = match draft.kind {
        Kind::Hex => words.hex_placeholder,
        Kind::Text | Kind::Json | Kind::File => words.payload_placeholder,
    };
    let indented = (draft.kind == Kind::Json).then(|| json::pretty(draft.payload.as_bytes())).flatten();
    let indented = indented.filter(|indented| *indented != draft.payload);
    html! {
        <div class="field">
            <label class="field__label" for="publish-payload">{words.payload}</label>
            <textarea id="publish-payload" class="input input--code input--area" value={draft.payload.clone()}
                oninput={on_payload} {placeholder} rows="4" spellcheck="false" autocapitalize="off"
                aria-describedby="publish-payload-note" data-testid="publish-payload" />
            <div class="field__below">
                <p id="publish-payload-note" class={if is_good { "card__note" } else { "field__hint" }} role="status"
                    data-testid="publish-note" data-good={is_good.to_string()}>{note}</p>
                if let Some(indented) = indented {
                    <button type="button" class="button button--quiet" data-testid="publish-indent"
                        onclick={form.on(move |draft: &mut Draft, _: MouseEvent| draft.payload.clone_from(&indented))}>
                        {words.json_indent}</button>
                }
            </div>
        </div>
    }
}

/// What there is to say of the payload, and whether it is good.
fn note(form: &Form, draft: &Draft) -> (String, bool) {
    let words = form.words;
    let values = form.publisher.values();
    match draft.complaint(&values) {
        Some(DraftError::Json { line, column, detail }) => {
            let (line, column) = (line.to_string(), column.to_string());
            let place = [("line", line.as_str()), ("column", &column), ("detail", &detail)];
            return (fill(words.json_bad, &place), false);
        }
        Some(DraftError::Hex(error)) => return (hex_words(words, error), false),
        // Said when it is sent.
        Some(
            DraftError::Topic(_)
            | DraftError::ResponseTopic(_)
            | DraftError::NoFile
            | DraftError::NotUtf8
            | DraftError::MessageExpiry
            | DraftError::CorrelationData(_)
            | DraftError::Text(_),
        )
        | None => {}
    }
    if draft.retain && draft.payload.is_empty() {
        return (words.payload_clears.to_owned(), false);
    }
    if draft.payload.trim().is_empty() {
        return (String::new(), true);
    }
    match draft.kind {
        Kind::Json => (words.json_good.to_owned(), true),
        Kind::Hex => {
            let count = hex::parse(&template::expand(&draft.payload, &values)).map_or(0, |bytes| bytes.len());
            (fill(words.hex_good, &[("count", &form.locale.count(count as u64))]), true)
        }
        Kind::Text | Kind::File => (String::new(), true),
    }
}

/// A file instead of something typed.
#[component]
fn FileField() -> Html {
    let form = use_form();
    let words = form.words;
    let failed = use_state_eq(|| false);
    let onchange = {
        let (form, failed) = (form.clone(), failed.setter());
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            let (form, failed) = (form.clone(), failed.clone());
            file::read_chosen(&input, move |file| {
                failed.set(file.is_none());
                form.edit(|draft| draft.file = file);
            });
        })
    };
    let note = match &form.publisher.draft().file {
        Some(file) => {
            let count = form.locale.count(file.bytes.len() as u64);
            fill(words.file_chosen, &[("name", &file.name), ("count", &count)])
        }
        None if *failed => words.file_failed.to_owned(),
        None => words.file_none.to_owned(),
    };
    html! {
        <div class="field">
            <label class="field__label" for="publish-file">{words.file}</label>
            <input id="publish-file" class="input input--file" type="file" {onchange} aria-describedby="publish-file-note"
                data-testid="publish-file" />
            <p id="publish-file-note" class={if *failed { "field__hint" } else { "card__note" }} role="status"
                data-testid="publish-note">{note}</p>
        </div>
    }
}
