//! A payload for reading, in the way that fits it best or that a person chose; never cut without saying so.

use std::borrow::Cow;
use std::rc::Rc;

use yew::prelude::*;

use super::{Choice, Segmented, TreeView};
use crate::catalogue::topic::words;
use crate::catalogue::{Catalogue, fill};
use crate::services::document;
use crate::services::locale::Locale;
use crate::state::json;
use crate::state::json_parts::{Part, parts};
use crate::state::payload::{Form, hex_dump};
use crate::state::sparkplug::{self, Births};
use crate::state::tree::TREE_BYTES_MAX;
use crate::state::view::{self, Told, View};

/// Bytes shown before a person asks for all: more would make each update of the page slow.
const SHOWN_BYTES: usize = 64 * 1024;

/// JSON up to this length is coloured: each part is an element of its own, and a message may come twenty times a second.
const COLOURED_BYTES: usize = 8 * 1024;

/// A payload this short is a value: it is set large.
const SHORT_BYTES: usize = 24;

/// Props of [`PayloadView`].
#[derive(Clone, PartialEq, Properties)]
pub struct PayloadViewProps {
    /// The topic that it came under.
    pub topic: AttrValue,
    /// The payload, whole.
    pub payload: Rc<[u8]>,
    /// What the publisher says that it is.
    pub content_type: Option<AttrValue>,
    /// What Sparkplug's birth certificates say.
    pub births: Rc<Births>,
    /// Whether to say that metrics have no names.
    #[prop_or(true)]
    pub tells_unborn: bool,
    /// Whether it is up to date.
    pub live: bool,
    /// The person's language.
    pub locale: Locale,
}

/// The payload.
#[component]
pub fn PayloadView(props: &PayloadViewProps) -> Html {
    let chosen = use_state_eq(|| None::<&'static str>);
    let offered = use_memo(props.clone(), |props| {
        let content_type = props.content_type.as_deref();
        view::offered(Told { topic: &props.topic, content_type, births: &props.births }, &props.payload)
    });
    let text = props.locale.catalogue();
    // A choice holds for as long as the messages allow it.
    let shown = offered.iter().copied().find(|view| Some(view.as_str()) == *chosen).unwrap_or(offered[0]);
    let on_choose = {
        let chosen = chosen.setter();
        Callback::from(move |value| chosen.set(Some(value)))
    };
    let choices = offered.iter().map(|view| Choice {
        value: view.as_str(),
        label: label(text, *view).into(),
        hint: None,
    });
    let stale = (!props.live).to_string();
    let tree = shown.tree(&props.payload, &props.births);
    let is_unborn = props.tells_unborn
        && shown == View::Sparkplug
        && sparkplug::has_unknown_alias(&props.payload, &props.births);
    let is_beyond_tree = props.payload.len() > TREE_BYTES_MAX && Form::of(&props.payload) == Form::Json;
    html! {
        <>
            if offered.len() > 1 {
                <Segmented name="payload-view" legend={text.payload_view} choices={choices.collect::<Vec<_>>()}
                    chosen={shown.as_str()} {on_choose} />
            }
            if is_beyond_tree {
                <p class="card__note" data-testid="detail-no-tree">
                    {fill(words(text.tag).no_tree, &[("mib", &(TREE_BYTES_MAX / (1024 * 1024)).to_string())])}</p>
            }
            if let Some(node) = tree {
                <TreeView node={Rc::new(node)} chart_topic={props.topic.clone()} locale={props.locale.clone()} />
                if is_unborn {
                    <p class="card__note" data-testid="detail-unborn">{words(text.tag).unborn}</p>
                }
            } else if let Some(media_type) = view::image_type(&props.payload).filter(|_| shown == View::Image) {
                <img class="payload-image" alt={text.payload_image} data-testid="detail-image" data-stale={stale}
                    src={format!("data:{media_type};base64,{}", document::base64(&props.payload))} />
            } else {
                <Characters view={shown} payload={props.payload.clone()} locale={props.locale.clone()} {stale} />
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct CharactersProps {
    view: View,
    payload: Rc<[u8]>,
    locale: Locale,
    stale: String,
}

/// A payload that is shown as characters.
#[component]
fn Characters(props: &CharactersProps) -> Html {
    let all = use_state_eq(|| false);
    let text = props.locale.catalogue();
    let payload = &*props.payload;
    let shown = if *all { payload.len() } else { SHOWN_BYTES };
    let (format, body): (&str, Cow<'_, str>) = match props.view {
        View::Hex => ("hex", Cow::Owned(hex_dump(payload, shown))),
        View::Base64 => ("base64", Cow::Owned(document::base64(&payload[..payload.len().min(shown)]))),
        View::Text | View::Json | View::Image | View::MessagePack | View::Cbor | View::Sparkplug => {
            readable(text, payload, shown)
        }
    };
    let short = format == "text" && payload.len() <= SHORT_BYTES;
    let cut = payload.len() > shown && format != "json";
    let show_all = {
        let all = all.setter();
        Callback::from(move |_: MouseEvent| all.set(true))
    };
    html! {
        <>
            <pre class={classes!("payload", format!("payload--{format}"), short.then_some("payload--short"))}
                tabindex="0" data-testid="detail-payload" data-format={format}
                data-stale={props.stale.clone()}>
                {if format == "json" && body.len() <= COLOURED_BYTES { coloured(&body) } else { body.into_owned().into() }}
            </pre>
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

/// JSON in the colours of its parts.
fn coloured(json: &str) -> Html {
    let part = |(part, range): (Part, std::ops::Range<usize>)| match part {
        Part::Between => html! { {json[range].to_owned()} },
        Part::Name | Part::Text | Part::Number | Part::Word => {
            html! { <span class={format!("json-{}", part.as_str())}>{json[range].to_owned()}</span> }
        }
    };
    parts(json).into_iter().map(part).collect()
}

fn label(text: &'static Catalogue, view: View) -> &'static str {
    match view {
        View::Text => text.format_text,
        View::Json => text.view_tree,
        View::Hex => "Hex",
        View::Base64 => "Base64",
        View::Image => text.view_image,
        View::MessagePack => "MessagePack",
        View::Cbor => "CBOR",
        View::Sparkplug => "Sparkplug B",
    }
}

/// A payload as it came, JSON indented.
fn readable<'a>(text: &'static Catalogue, payload: &'a [u8], shown: usize) -> (&'static str, Cow<'a, str>) {
    match Form::of(payload) {
        Form::Empty => ("empty", Cow::Borrowed(text.empty_payload)),
        Form::Json => match json::pretty(payload) {
            Some(pretty) => ("json", Cow::Owned(pretty)),
            None => ("text", head(payload, shown)),
        },
        Form::Text | Form::Hex => ("text", head(payload, shown)),
    }
}

/// The first bytes as text, cut between characters.
fn head(payload: &[u8], bytes_max: usize) -> Cow<'_, str> {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let end =
        (0..=bytes_max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    Cow::Borrowed(&text[..end])
}
