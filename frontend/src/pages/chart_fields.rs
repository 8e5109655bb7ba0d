//! The fields of a topic that a chart can be drawn of: those in its payload, and those that the broker keeps.

use hearth_api::HistorySeries;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::catalogue::Catalogue;
use crate::hooks::{use_hub, use_watch};
use crate::services::hub::Hub;
use crate::services::past;
use crate::state::births;
use crate::state::view::{self, Told};

/// Numbers inside a payload that are offered.
const FIELDS_MAX: usize = 64;

/// The JSON pointers of a topic's numbers; an empty one is the whole payload.
#[hook]
pub(super) fn use_fields(topic: &AttrValue) -> Vec<String> {
    use_fields_and_past(topic).0
}

/// As [`use_fields`], and what the broker has kept of the topic; `None` until it has answered.
#[hook]
pub(super) fn use_fields_and_past(topic: &AttrValue) -> (Vec<String>, Option<Vec<HistorySeries>>) {
    let hub = use_hub();
    // Payloads are taken apart once for each message, not once a frame.
    let mark = use_watch(topic.clone(), |hub, topic| {
        let topics = hub.topics();
        (topics.find(topic).map(|id| topics.topic(id).count()), births::mark(&topics, topic))
    });
    let heard = use_memo((topic.clone(), mark), move |(topic, _)| heard_fields(&hub, topic));
    // With the topic that it was asked for: an answer may come when another one is shown.
    let kept = use_state_eq(|| (String::new(), Vec::<HistorySeries>::new()));
    // Asked again when the first number was heard: the broker has it too then.
    // Only the broker that served the page can be asked.
    let (is_own, is_online) = use_watch((), |hub, ()| (hub.is_own(), hub.link().is_online()));
    use_effect_with((topic.clone(), heard.is_empty(), is_own && is_online), {
        let kept = kept.setter();
        move |(topic, _, is_online)| {
            let topic = topic.to_string();
            if *is_online && !topic.is_empty() {
                spawn_local(async move {
                    // Another broker, or one that keeps nothing, has none.
                    let series = past::series_of(&topic).await.unwrap_or_default();
                    kept.set((topic, series));
                });
            }
        }
    });
    let past = if is_own { (*kept.0 == **topic).then(|| kept.1.clone()) } else { Some(Vec::new()) };
    let mut fields = (*heard).clone();
    for series in past.iter().flatten() {
        if !fields.contains(&series.field) {
            fields.push(series.field.clone());
        }
    }
    (fields, past)
}

fn heard_fields(hub: &Hub, topic: &str) -> Vec<String> {
    let topics = hub.topics();
    let Some(id) = topics.find(topic) else { return Vec::new() };
    let topic = topics.topic(id);
    if topic.series().is_some() {
        return vec![String::new()];
    }
    let births = births::of(&topics, topic.name());
    let told = Told { topic: topic.name(), content_type: topic.content_type(), births: &births };
    view::numeric_fields(told, topic.payload(), FIELDS_MAX)
}

/// The wanted field; where that is the whole payload and there is no such series, the first that there is.
pub(super) fn chosen(fields: &[String], wanted: &str) -> String {
    if wanted.is_empty() && !fields.iter().any(String::is_empty) {
        return fields.first().cloned().unwrap_or_default();
    }
    wanted.to_owned()
}

/// Props of [`FieldChooser`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct FieldChooserProps {
    /// The id in the page, and for tests.
    pub(super) id: &'static str,
    /// The fields.
    pub(super) fields: Vec<String>,
    /// The chosen one.
    pub(super) chosen: String,
    /// The sentences.
    pub(super) text: CatalogueRef,
    /// Hears of another one.
    pub(super) on_choose: Callback<String>,
}

/// The catalogue as a prop: a language has one.
#[derive(Clone, Copy)]
pub(super) struct CatalogueRef(pub(super) &'static Catalogue);

impl PartialEq for CatalogueRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// Chooses a field, where there are several.
#[component]
pub(super) fn FieldChooser(props: &FieldChooserProps) -> Html {
    let text = props.text.0;
    let is_known = props.fields.contains(&props.chosen);
    if props.fields.len() < 2 && is_known || props.fields.is_empty() {
        return Html::default();
    }
    let onchange = {
        let on_choose = props.on_choose.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<web_sys::HtmlSelectElement>() {
                on_choose.emit(select.value());
            }
        })
    };
    let label = |field: &str| if field.is_empty() { text.chart_whole.to_owned() } else { field.to_owned() };
    html! {
        <div class="field">
            <label class="field__label" for={props.id}>{text.chart_field}</label>
            <select id={props.id} class="input" {onchange} data-testid={props.id}>
                if !is_known {
                    <option value={props.chosen.clone()} selected=true>{label(&props.chosen)}</option>
                }
                {for props.fields.iter().map(|field| html! {
                    <option value={field.clone()} selected={*field == props.chosen}>{label(field)}</option>
                })}
            </select>
        </div>
    }
}
