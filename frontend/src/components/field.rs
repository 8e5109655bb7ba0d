//! A line of text to type, with its label and a hint.

use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Props of [`Field`].
#[derive(Clone, PartialEq, Properties)]
pub struct FieldProps {
    /// Of the input, and for tests.
    pub id: &'static str,
    /// What is typed here.
    pub label: AttrValue,
    /// What stands there.
    pub value: AttrValue,
    /// Hears what is typed.
    pub on_input: Callback<String>,
    /// What it does; empty for nothing to say.
    #[prop_or_default]
    pub hint: AttrValue,
    /// An example.
    #[prop_or_default]
    pub placeholder: AttrValue,
    /// `numeric` for a number.
    #[prop_or_default]
    pub inputmode: Option<&'static str>,
}

/// The field.
#[component]
pub fn Field(props: &FieldProps) -> Html {
    let oninput = props.on_input.reform(|event: InputEvent| {
        event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default()
    });
    let hint_id = (!props.hint.is_empty()).then(|| format!("{}-hint", props.id));
    html! {
        <div class="field">
            <label class="field__label" for={props.id}>{&props.label}</label>
            <input id={props.id} class="input input--code" type="text" value={props.value.clone()} {oninput}
                placeholder={props.placeholder.clone()} inputmode={props.inputmode} aria-describedby={hint_id.clone()}
                autocomplete="off" spellcheck="false" autocapitalize="off" data-testid={props.id} />
            if let Some(id) = hint_id {
                <p class="card__note" {id}>{&props.hint}</p>
            }
        </div>
    }
}
