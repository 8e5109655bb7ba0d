//! A choice of a few, side by side: native radio buttons in the clothes of a segmented control.

use web_sys::HtmlInputElement;
use yew::prelude::*;

/// One of the choices.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What is reported when it is chosen.
    pub value: &'static str,
    /// What is written on it.
    pub label: AttrValue,
    /// What it means, in a few words, where the label alone does not say.
    pub hint: Option<AttrValue>,
}

/// Props of [`Segmented`].
#[derive(Clone, PartialEq, Properties)]
pub struct SegmentedProps {
    /// Names the group in the page, and for tests: `<name>-<value>`.
    pub name: &'static str,
    /// What is chosen here.
    pub legend: AttrValue,
    /// The choices.
    pub choices: Vec<Choice>,
    /// The value of the chosen one.
    pub chosen: &'static str,
    /// Hears the value of a newly chosen one.
    pub on_choose: Callback<&'static str>,
}

/// A segmented control.
#[component]
pub fn Segmented(props: &SegmentedProps) -> Html {
    let segments = props.choices.iter().map(|choice| {
        let value = choice.value;
        let onchange = {
            let on_choose = props.on_choose.clone();
            Callback::from(move |event: Event| {
                if event.target_dyn_into::<HtmlInputElement>().is_some_and(|input| input.checked()) {
                    on_choose.emit(value);
                }
            })
        };
        html! {
            <label class="segmented__item" key={value}>
                <input type="radio" class="segmented__input" name={props.name} {value} {onchange}
                    checked={value == props.chosen} data-testid={format!("{}-{value}", props.name)} />
                <span class="segmented__label">{&choice.label}</span>
                if let Some(hint) = &choice.hint {
                    <span class="segmented__hint">{hint}</span>
                }
            </label>
        }
    });
    html! {
        <fieldset class="segmented">
            <legend class="field__label">{&props.legend}</legend>
            <div class="segmented__items">{for segments}</div>
        </fieldset>
    }
}
