//! A yes or no: a native checkbox that looks like a switch.

use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Props of [`Toggle`].
#[derive(Clone, PartialEq, Properties)]
pub struct ToggleProps {
    /// What is switched.
    pub label: AttrValue,
    /// What that means.
    pub hint: AttrValue,
    /// Whether it is on.
    pub on: bool,
    /// Hears the new state.
    pub on_change: Callback<bool>,
    /// For tests.
    pub testid: &'static str,
}

/// A switch with its words.
#[component]
pub fn Toggle(props: &ToggleProps) -> Html {
    let onchange = props.on_change.reform(|event: Event| {
        event.target_dyn_into::<HtmlInputElement>().is_some_and(|input| input.checked())
    });
    html! {
        <label class="toggle">
            <input type="checkbox" class="toggle__input" checked={props.on} {onchange} data-testid={props.testid} />
            <span class="toggle__track" aria-hidden="true"><span class="toggle__thumb"></span></span>
            <span class="toggle__words">
                <span class="toggle__label">{&props.label}</span>
                <span class="toggle__hint">{&props.hint}</span>
            </span>
        </label>
    }
}
