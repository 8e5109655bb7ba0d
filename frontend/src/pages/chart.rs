//! The chart of one number or several, past and present.

use hearth_api::HistorySeries;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::chart_fields::{CatalogueRef, FieldChooser, chosen, use_fields, use_fields_and_past};
use super::chart_line::SeriesKey;
use super::chart_panel::ChartPanel;
use super::chart_title::title;
use super::parts_notice::{PartsNotice, use_is_in_parts};
use super::unheard::Unheard;
use crate::catalogue::chart::words;
use crate::catalogue::fill;
use crate::components::Symbol;
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::route::Route;
use crate::services::hub::Hub;
use crate::services::{clock, document};
use crate::state::chart_range::range_of_past;
use crate::state::first_series::{first_series, numeric_topics};
use crate::state::viewport::Viewport;
use crate::widgets::LINES_MAX;

/// Topics that the field suggests.
const SUGGESTED_MAX: usize = 200;

/// Props of [`ChartPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct ChartPageProps {
    /// The series, each a topic and the JSON pointer of its number, which is empty for the whole payload; where there
    /// is none, the page chooses one.
    pub series: Vec<(String, String)>,
}

/// The page.
#[component]
pub fn ChartPage(props: &ChartPageProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let first = use_first(props.series.is_empty());
    let is_in_parts = use_is_in_parts();
    let series = match first {
        Some(topic) if props.series.is_empty() => vec![(topic, String::new())],
        Some(_) | None => props.series.clone(),
    };
    let topic = series.first().map(|(topic, _)| AttrValue::from(topic.clone())).unwrap_or_default();
    let (fields, past) = use_fields_and_past(&topic);
    let range = use_range(&topic, series.first().map(|(_, field)| chosen(&fields, field)), past);
    if series.is_empty() {
        if is_in_parts {
            return html! { <PartsNotice is_alone=true /> };
        }
        return html! {
            <Unheard symbol={Symbol::Chart} title={text.chart_empty_title} text={text.chart_empty_text} />
        };
    }
    let mut keys: Vec<SeriesKey> = series
        .iter()
        .take(LINES_MAX)
        .map(|(topic, field)| SeriesKey { topic: topic.clone(), field: field.clone() })
        .collect();
    if let Some(first) = keys.first_mut() {
        first.field = chosen(&fields, &first.field);
    }
    let on_topic = {
        let series = series.clone();
        Callback::from(move |topic: String| replace_first(&series, (topic, String::new())))
    };
    let on_field = {
        let (series, topic) = (series.clone(), topic.to_string());
        Callback::from(move |field: String| replace_first(&series, (topic.clone(), field)))
    };
    let on_remove = {
        let series = series.clone();
        Callback::from(move |place: usize| {
            let mut series = series.clone();
            if place < series.len() {
                series.remove(place);
            }
            go(&Route::of_series(series));
        })
    };
    html! {
        <>
            <div class="chart-controls">
                <h1 class="chart__title" data-testid="chart-title">{title(&locale, &keys)}</h1>
                <TopicChooser id="chart-topic" label={text.chart_choose} topic={topic.clone()} on_choose={on_topic} />
                <FieldChooser id="chart-field" fields={fields.clone()} chosen={keys[0].field.clone()}
                    text={CatalogueRef(text)} on_choose={on_field} />
            </div>
            <section class="card chart" aria-label={topic}>
                <ChartPanel keys={keys.clone()} {range} is_addressed=true {on_remove} />
            </section>
            <AddSeries series={keys.into_iter().map(|key| (key.topic, key.field)).collect::<Vec<_>>()} />
        </>
    }
}

/// The topic that is shown while nobody has chosen one; a topic more that carries numbers may be a better one.
#[hook]
fn use_first(is_wanted: bool) -> Option<String> {
    let hub = use_hub();
    let kept = use_mut_ref(|| None::<String>);
    let numeric = use_watch(is_wanted, |hub, is_wanted| is_wanted.then(|| numeric_mark(hub)));
    let first = use_memo(numeric, move |numeric| {
        (*numeric)?;
        let first = first_series(&hub.topics(), kept.borrow().as_deref());
        kept.borrow_mut().clone_from(&first);
        first
    });
    (*first).clone()
}

/// Changes when there are other topics with numbers: when one carries the first, and when one that is new is put in its place.
fn numeric_mark(hub: &Hub) -> (usize, usize) {
    let topics = hub.topics();
    (topics.numeric(), topics.sorted().len())
}

/// The range to begin with, once it is known how far back the past of the first series reaches. It stays while that goes on.
#[hook]
fn use_range(
    topic: &AttrValue,
    field: Option<String>,
    past: Option<Vec<HistorySeries>>,
) -> Option<&'static str> {
    let first_ms = past.map(|past| {
        past.iter().find(|series| Some(&series.field) == field.as_ref()).map(|series| series.first as f64)
    });
    let range = use_memo((topic.clone(), field, first_ms), |(_, _, first_ms)| {
        Some(range_of_past((*first_ms)?.map_or(0.0, |first_ms| clock::wall_ms() - first_ms)))
    });
    *range
}

fn replace_first(series: &[(String, String)], first: (String, String)) {
    let others = series.iter().skip(1).cloned();
    go(&Route::of_series(std::iter::once(first).chain(others).collect()));
}

#[derive(Clone, PartialEq, Properties)]
struct TopicChooserProps {
    id: &'static str,
    label: &'static str,
    topic: AttrValue,
    on_choose: Callback<String>,
}

#[component]
fn TopicChooser(props: &TopicChooserProps) -> Html {
    let hub = use_hub();
    let numeric = use_watch((), |hub, ()| numeric_mark(hub));
    let suggested = use_memo(numeric, move |_| numeric_topics(&hub.topics(), SUGGESTED_MAX));
    // Whatever comes in draws the page again: what is being typed must not be replaced by it.
    let draft = use_state_eq(|| None::<AttrValue>);
    let oninput = {
        let draft = draft.setter();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                draft.set(Some(input.value().into()));
            }
        })
    };
    let onchange = {
        let (draft, on_choose) = (draft.setter(), props.on_choose.clone());
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            let topic = input.value();
            if topic.is_empty() {
                // An emptied field waits for a name; the chart stays.
                draft.set(Some(AttrValue::default()));
            } else {
                draft.set(None);
                on_choose.emit(topic);
            }
        })
    };
    let value = draft.as_ref().unwrap_or(&props.topic).clone();
    let list = format!("{}s", props.id);
    html! {
        <div class="field field--grow">
            <label class="field__label" for={props.id}>{props.label}</label>
            <input id={props.id} class="input input--code" type="text" list={list.clone()} {value}
                placeholder={props.topic.clone()} {oninput} {onchange} spellcheck="false" autocapitalize="off" autocomplete="off" data-testid={props.id} />
            <datalist id={list}>
                {for suggested.iter().map(|topic| html! { <option value={topic.clone()} key={topic.clone()} /> })}
            </datalist>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct AddSeriesProps {
    series: Vec<(String, String)>,
}

/// Puts another series beside those of the chart.
#[component]
fn AddSeries(props: &AddSeriesProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = words(text.tag);
    let topic = use_state_eq(AttrValue::default);
    let field = use_state_eq(String::new);
    let fields = use_fields(&topic);
    if props.series.len() >= LINES_MAX {
        let count = locale.count(LINES_MAX as u64);
        return html! { <p class="card__note">{fill(words.add_full, &[("count", &count)])}</p> };
    }
    let key = (topic.to_string(), chosen(&fields, &field));
    let on_topic = {
        let (topic, field) = (topic.setter(), field.setter());
        Callback::from(move |name: String| {
            topic.set(name.into());
            field.set(String::new());
        })
    };
    let onclick = {
        let (series, key, topic) = (props.series.clone(), key.clone(), topic.setter());
        Callback::from(move |_: MouseEvent| {
            topic.set(AttrValue::default());
            go(&Route::of_series(series.iter().cloned().chain([key.clone()]).collect()));
        })
    };
    let is_ready = !key.0.is_empty() && !props.series.contains(&key);
    html! {
        <div class="chart-controls">
            <TopicChooser id="chart-add-topic" label={words.add_topic} topic={(*topic).clone()} on_choose={on_topic} />
            <FieldChooser id="chart-add-field" {fields} chosen={key.1} text={CatalogueRef(text)}
                on_choose={let field = field.setter(); Callback::from(move |chosen| field.set(chosen))} />
            <button type="button" class="button" disabled={!is_ready} {onclick} data-testid="chart-add">
                {words.add}
            </button>
        </div>
    }
}

/// Goes to other series in the same part of time.
fn go(route: &Route) {
    let now = document::window().location().hash().unwrap_or_default();
    let shown = now.split_once('?').and_then(|(_, query)| Viewport::of_query(query, clock::wall_ms()));
    document::go(&Viewport::addressed(shown, &route.href()));
}
