//! A payload for reading: text as it is, JSON indented, anything else as hex; never cut without saying so.

use std::borrow::Cow;

use yew::prelude::*;

use crate::catalogue::fill;
use crate::services::locale::Locale;
use crate::state::json;
use crate::state::payload::{Form, hex_dump};

/// Bytes shown before a person asks for all: more would make each update of the page slow.
const SHOWN_BYTES: usize = 64 * 1024;

/// A payload this short is a value: it is set large.
const SHORT_BYTES: usize = 24;

/// Props of [`PayloadView`].
#[derive(Clone, PartialEq, Properties)]
pub struct PayloadViewProps {
    /// The payload, whole.
    pub payload: std::rc::Rc<[u8]>,
    /// Whether it is up to date.
    pub live: bool,
    /// The person's language.
    pub locale: Locale,
}

/// The payload.
#[component]
pub fn PayloadView(props: &PayloadViewProps) -> Html {
    let all = use_state_eq(|| false);
    let text = props.locale.catalogue();
    let payload = &*props.payload;
    let shown = if *all { payload.len() } else { SHOWN_BYTES };
    let (format, body): (&str, Cow<'_, str>) = match Form::of(payload) {
        Form::Empty => ("empty", Cow::Borrowed(text.empty_payload)),
        Form::Json => match json::pretty(payload) {
            Some(pretty) => ("json", Cow::Owned(pretty)),
            None => ("text", head(payload, shown)),
        },
        Form::Text => ("text", head(payload, shown)),
        Form::Hex => ("hex", Cow::Owned(hex_dump(payload, shown))),
    };
    let short = format == "text" && payload.len() <= SHORT_BYTES;
    let cut = payload.len() > shown && format != "json";
    let show_all = {
        let all = all.setter();
        Callback::from(move |_: MouseEvent| all.set(true))
    };
    html! {
        <>
            <pre class={classes!("payload", format!("payload--{format}"), short.then_some("payload--short"))} tabindex="0" data-testid="detail-payload"
                data-format={format} data-stale={(!props.live).to_string()}>{body.into_owned()}</pre>
            if cut {
                <p class="payload__cut">
                    {fill(text.payload_cut, &[
                        ("shown", &props.locale.count(shown as u64)),
                        ("total", &props.locale.count(payload.len() as u64)),
                    ])}
                    <button type="button" class="button button--quiet" onclick={show_all}>{text.show_all}</button>
                </p>
            }
        </>
    }
}

/// The first bytes as text, cut between characters.
fn head(payload: &[u8], bytes_max: usize) -> Cow<'_, str> {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let end =
        (0..=bytes_max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    Cow::Borrowed(&text[..end])
}
