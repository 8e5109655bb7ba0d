//! Forms that are kept in this browser under a name.

use yew::prelude::*;

use super::form::use_form;
use crate::catalogue::fill;
use crate::components::{Field, Icon, Symbol};
use crate::services::preferences;
use crate::state::saved::SaveError;

/// What came of saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Saved,
    NotSaved(SaveError),
    NoStorage,
}

/// The saved forms.
#[component]
pub(super) fn Saved() -> Html {
    let form = use_form();
    let words = form.words;
    let list = use_state_eq(preferences::saved_publishes);
    let name = use_state_eq(String::new);
    let told = use_state_eq(|| Told::Nothing);
    let on_save = {
        let (form, list, name, told) = (form.clone(), list.clone(), name.clone(), told.setter());
        Callback::from(move |_: MouseEvent| {
            let mut changed = (*list).clone();
            told.set(match changed.save(&name, &form.publisher.draft()) {
                Ok(()) if preferences::set_saved_publishes(&changed) => {
                    list.set(changed);
                    name.set(String::new());
                    Told::Saved
                }
                Ok(()) => Told::NoStorage,
                Err(error) => Told::NotSaved(error),
            });
        })
    };
    let on_name = {
        let (name, told) = (name.setter(), told.setter());
        Callback::from(move |typed| {
            told.set(Told::Nothing);
            name.set(typed);
        })
    };
    let note = match *told {
        Told::Nothing if list.is_empty() => words.saved_none,
        Told::Nothing => "",
        Told::Saved => words.saved_done,
        Told::NotSaved(SaveError::NoName) => words.saved_no_name,
        Told::NotSaved(SaveError::TooLarge) => words.saved_too_large,
        Told::NotSaved(SaveError::TooMany) => words.saved_too_many,
        Told::NoStorage => words.saved_no_storage,
    };
    let items = list.iter().map(|saved| {
        let load = {
            let saved = saved.draft.clone();
            form.on(move |draft, _: MouseEvent| saved.clone_into(draft))
        };
        let remove = {
            let (list, name) = (list.clone(), saved.name.clone());
            Callback::from(move |_: MouseEvent| {
                let mut changed = (*list).clone();
                changed.remove(&name);
                preferences::set_saved_publishes(&changed);
                list.set(changed);
            })
        };
        let label = |template: &str| fill(template, &[("name", &saved.name)]);
        html! {
            <li class="saved__item" key={saved.name.clone()}>
                <button type="button" class="button saved__load" onclick={load} aria-label={label(words.saved_load)}
                    data-testid="saved-load" data-name={saved.name.clone()}>{&saved.name}</button>
                <button type="button" class="button button--quiet" onclick={remove}
                    aria-label={label(words.saved_remove)} data-testid="saved-remove"><Icon symbol={Symbol::Close} /></button>
            </li>
        }
    });
    html! {
        <details class="fold" data-testid="publish-saved">
            <summary class="fold__title">{words.saved}</summary>
            <div class="fold__body">
                if !list.is_empty() {
                    <ul class="saved">{for items}</ul>
                }
                <Field id="saved-name" label={words.saved_name} value={(*name).clone()} on_input={on_name} />
                <div class="actions">
                    <button type="button" class="button" onclick={on_save} data-testid="saved-save">
                        {words.saved_save}</button>
                </div>
                <p class="card__note" role="status" data-testid="saved-note">{note}</p>
            </div>
        </details>
    }
}
