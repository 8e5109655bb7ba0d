//! The button that pins a topic.

use yew::prelude::*;

use crate::catalogue::explore::words;
use crate::components::{Icon, Symbol};
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::state::pins::PINS_MAX;

/// Props of [`PinButton`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct PinButtonProps {
    /// A topic or filter.
    pub(super) filter: AttrValue,
    /// What it says; by itself only that it pins.
    #[prop_or_default]
    pub(super) label: Option<AttrValue>,
}

/// The button. What it shows it says by `aria-pressed` too.
#[component]
pub(super) fn PinButton(props: &PinButtonProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let (is_pinned, is_full) = use_watch(props.filter.clone(), |hub, filter| {
        let pins = hub.pins();
        (pins.has(filter), pins.filters().len() == PINS_MAX)
    });
    let onclick = {
        let filter = props.filter.clone();
        Callback::from(move |_: MouseEvent| {
            // Without room for another the button is not there to be pressed.
            let _is_pinned = hub.toggle_pin(&filter);
        })
    };
    let label = match (&props.label, is_pinned) {
        (_, true) => AttrValue::from(words.pinned),
        (Some(label), false) => label.clone(),
        (None, false) => AttrValue::from(words.pin),
    };
    html! {
        <button type="button" class="button" {onclick} disabled={is_full && !is_pinned} data-testid="pin-button"
            aria-pressed={is_pinned.to_string()}><Icon symbol={Symbol::Pin} />{label}</button>
    }
}
