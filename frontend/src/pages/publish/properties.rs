//! The properties of MQTT 5.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::form::{Form, use_form};
use crate::catalogue::fill;
use crate::components::{Field, Icon, Symbol, Toggle};
use crate::state::draft::{Draft, USER_PROPERTIES_MAX};

/// All properties, folded away until they are wanted.
#[component]
pub(super) fn Properties() -> Html {
    let form = use_form();
    let words = form.words;
    let draft = form.publisher.draft();
    let typed = &draft.properties;
    let make_up = {
        let client_id = form.hub.connection().client_id();
        form.on(move |draft: &mut Draft, _: MouseEvent| {
            draft.properties.response_topic = format!("reply/{client_id}");
            if draft.properties.correlation_data.is_empty() {
                draft.properties.correlation_data = "{{id}}".to_owned();
            }
        })
    };
    html! {
        <details class="fold" data-testid="publish-properties">
            <summary class="fold__title">
                {if typed.is_empty() { words.properties } else { words.properties_set }}</summary>
            <div class="fold__body">
                <Field id="publish-content-type" label={words.content_type} value={typed.content_type.clone()}
                    on_input={form.on(|draft: &mut Draft, typed| draft.properties.content_type = typed)}
                    placeholder="application/json" />
                <Field id="publish-expiry" label={words.message_expiry} value={typed.message_expiry.clone()}
                    on_input={form.on(|draft: &mut Draft, typed| draft.properties.message_expiry = typed)}
                    inputmode={Some("numeric")} />
                <Field id="publish-response" label={words.response_topic} value={typed.response_topic.clone()}
                    on_input={form.on(|draft: &mut Draft, typed| draft.properties.response_topic = typed)}
                    hint={words.response_topic_hint} />
                <Field id="publish-correlation" label={words.correlation_data} value={typed.correlation_data.clone()}
                    on_input={form.on(|draft: &mut Draft, typed| draft.properties.correlation_data = typed)}
                    hint={words.correlation_hint} />
                <div class="actions">
                    <button type="button" class="button" onclick={make_up} data-testid="publish-make-up">
                        {words.response_make}</button>
                </div>
                <Toggle label={words.is_utf8} hint={words.is_utf8_hint} on={typed.is_utf8} testid="publish-utf8"
                    on_change={form.on(|draft: &mut Draft, is_on| draft.properties.is_utf8 = is_on)} />
                {user_properties(&form, &draft)}
                <p class="field__hint">{words.alias_hint}</p>
            </div>
        </details>
    }
}

fn user_properties(form: &Form, draft: &Draft) -> Html {
    let words = form.words;
    let pairs = &draft.properties.user_properties;
    let add =
        form.on(|draft: &mut Draft, _: MouseEvent| draft.properties.user_properties.push(Default::default()));
    html! {
        <fieldset class="pairs">
            <legend class="field__label">{words.user_properties}</legend>
            {for pairs.iter().enumerate().map(|(index, pair)| user_property(form, index, pair))}
            if pairs.len() < USER_PROPERTIES_MAX {
                <button type="button" class="button" onclick={add} data-testid="publish-user-add">
                    {words.user_add}</button>
            }
        </fieldset>
    }
}

fn user_property(form: &Form, index: usize, (name, value): &(String, String)) -> Html {
    let words = form.words;
    let number = (index + 1).to_string();
    let label = |template: &str| fill(template, &[("number", &number)]);
    let on_part = |set: fn(&mut (String, String), String)| {
        form.on(move |draft: &mut Draft, event: InputEvent| {
            let input = event.target_dyn_into::<HtmlInputElement>();
            if let Some((pair, input)) = draft.properties.user_properties.get_mut(index).zip(input) {
                set(pair, input.value());
            }
        })
    };
    let remove = form.on(move |draft: &mut Draft, _: MouseEvent| {
        if index < draft.properties.user_properties.len() {
            draft.properties.user_properties.remove(index);
        }
    });
    html! {
        <div class="pairs__item" key={index}>
            <input class="input input--code" type="text" value={name.clone()} oninput={on_part(|pair, typed| pair.0 = typed)}
                aria-label={label(words.user_name)} placeholder={label(words.user_name)} spellcheck="false"
                autocapitalize="off" data-testid={format!("publish-user-name-{number}")} />
            <input class="input input--code" type="text" value={value.clone()} oninput={on_part(|pair, typed| pair.1 = typed)}
                aria-label={label(words.user_value)} placeholder={label(words.user_value)} spellcheck="false"
                autocapitalize="off" data-testid={format!("publish-user-value-{number}")} />
            <button type="button" class="button button--quiet" onclick={remove} aria-label={label(words.user_remove)}>
                <Icon symbol={Symbol::Close} /></button>
        </div>
    }
}
