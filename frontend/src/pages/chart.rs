//! The chart of one number, following it live.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::chart_figures::{Figures, Reading, low_high};
use super::parts_notice::{PartsNotice, use_is_in_parts};
use super::unheard::Unheard;
use crate::catalogue::{Catalogue, fill};
use crate::components::{Choice, Empty, Segmented, Symbol};
use crate::hooks::{use_app, use_follow, use_hub, use_locale, use_watch};
use crate::route::Route;
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::{clock, document};
use crate::state::births;
use crate::state::field_series::FieldSeries;
use crate::state::measure::Measure;
use crate::state::series::Series;
use crate::state::topics::TopicId;
use crate::state::view::{self, Told};
use crate::widgets::{ChartData, LineChart};

/// Topics that the field suggests.
const SUGGESTED_MAX: usize = 200;

/// Numbers inside a payload that are offered.
const FIELDS_MAX: usize = 64;

/// Time spans: the word in the page, and milliseconds.
const SPANS: [(&str, f64); 4] = [("1m", 60e3), ("5m", 300e3), ("15m", 900e3), ("1h", 3600e3)];

/// A shorter span would only show noise.
const SPAN_MIN_MS: f64 = 10e3;

/// Props of [`ChartPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct ChartPageProps {
    /// The topic, where one was chosen.
    pub topic: Option<AttrValue>,
    /// The JSON pointer of the number; empty for the whole payload.
    pub field: AttrValue,
}

/// The page.
#[component]
pub fn ChartPage(props: &ChartPageProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let span = use_state_eq(|| SPANS[1].0);
    let first = use_watch((), |hub, ()| numeric_topics(hub, 1).pop());
    let is_in_parts = use_is_in_parts();
    use_follow(props.topic.clone());
    let Some(topic) = props.topic.clone().or_else(|| first.map(AttrValue::from)) else {
        if is_in_parts {
            return html! { <PartsNotice is_alone=true /> };
        }
        return html! {
            <Unheard symbol={Symbol::Chart} title={text.chart_empty_title} text={text.chart_empty_text} />
        };
    };
    let on_span = {
        let span = span.setter();
        Callback::from(move |value| span.set(value))
    };
    html! {
        <>
            <h1 class="visually-hidden">{text.chart}</h1>
                <div class="chart-controls">
                    <TopicChooser topic={topic.clone()} />
                    <FieldChooser topic={topic.clone()} field={props.field.clone()} />
                    <Segmented name="chart-span" legend={text.chart_span} choices={span_choices(text)} chosen={*span}
                        on_choose={on_span} />
                </div>
            <LiveChart {topic} field={props.field.clone()} span={*span} />
        </>
    }
}

fn span_choices(text: &'static Catalogue) -> Vec<Choice> {
    let labels = [text.span_minute, text.span_five_minutes, text.span_quarter_hour, text.span_hour];
    SPANS
        .iter()
        .zip(labels)
        .map(|((value, _), label)| Choice { value, label: label.into(), hint: None })
        .collect()
}

/// Topics that have carried numbers, those with a known meaning first.
fn numeric_topics(hub: &Hub, count_max: usize) -> Vec<String> {
    let topics = hub.topics();
    let numeric = |known: bool| {
        topics.sorted().iter().map(|&id| topics.topic(id)).filter(move |topic| {
            let level = topic.name().rsplit('/').next().unwrap_or_default();
            topic.series().is_some() && Measure::of_level(level).is_some() == known
        })
    };
    numeric(true).chain(numeric(false)).take(count_max).map(|topic| topic.name().to_owned()).collect()
}

#[derive(Clone, PartialEq, Properties)]
struct TopicChooserProps {
    topic: AttrValue,
}

#[component]
fn TopicChooser(props: &TopicChooserProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let known = use_watch((), |hub, ()| hub.topics().sorted().len());
    let suggested = use_memo(known, move |_| numeric_topics(&hub, SUGGESTED_MAX));
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
        let draft = draft.setter();
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            let topic = input.value();
            if topic.is_empty() {
                // An emptied field waits for a name; the chart stays.
                draft.set(Some(AttrValue::default()));
            } else {
                draft.set(None);
                go(&Route::Chart(Some(topic), String::new()));
            }
        })
    };
    let value = draft.as_ref().unwrap_or(&props.topic).clone();
    html! {
        <div class="field field--grow">
            <label class="field__label" for="chart-topic">{text.chart_choose}</label>
            <input id="chart-topic" class="input input--code" type="text" list="chart-topics" {value}
                placeholder={props.topic.clone()} {oninput} {onchange} spellcheck="false" autocapitalize="off" autocomplete="off" data-testid="chart-topic" />
            <datalist id="chart-topics">
                {for suggested.iter().map(|topic| html! { <option value={topic.clone()} key={topic.clone()} /> })}
            </datalist>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FieldChooserProps {
    topic: AttrValue,
    field: AttrValue,
}

/// Offered where the payload is JSON with numbers inside.
#[component]
fn FieldChooser(props: &FieldChooserProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let fields = use_watch(props.topic.clone(), |hub, topic| {
        let topics = hub.topics();
        topics
            .find(topic)
            .map(|id| {
                let topic = topics.topic(id);
                let births = births::of(&topics, topic.name());
                let told = Told { topic: topic.name(), content_type: topic.content_type(), births: &births };
                view::numeric_fields(told, topic.payload(), FIELDS_MAX)
            })
            .unwrap_or_default()
    });
    if fields.is_empty() {
        return Html::default();
    }
    let onchange = {
        let topic = props.topic.to_string();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<web_sys::HtmlSelectElement>() {
                go(&Route::Chart(Some(topic.clone()), select.value()));
            }
        })
    };
    html! {
        <div class="field">
            <label class="field__label" for="chart-field">{text.chart_field}</label>
            <select id="chart-field" class="input" {onchange} data-testid="chart-field">
                if props.field.is_empty() {
                    <option value="" selected=true>{text.chart_whole}</option>
                }
                {for fields.iter().map(|field| html! {
                    <option value={field.clone()} selected={*field == *props.field}>{field}</option>
                })}
            </select>
        </div>
    }
}

fn go(route: &Route) {
    // Refused only for addresses that are no addresses.
    let _ = document::window().location().set_hash(&route.href());
}

#[derive(Clone, PartialEq, Properties)]
struct LiveChartProps {
    topic: AttrValue,
    field: AttrValue,
    span: &'static str,
}

#[component]
fn LiveChart(props: &LiveChartProps) -> Html {
    let hub = use_hub();
    let app = use_app();
    let locale = app.locale.clone();
    let text = locale.catalogue();
    let mark = use_watch(props.topic.clone(), |hub, topic| ChartMark::of(hub, topic));
    let look = use_watch((), |_, ()| document::look());
    let gathered = use_mut_ref(FieldSeries::default);
    let topics = hub.topics();
    let topic = mark.map(|mark| topics.topic(mark.id));
    let mut gathered = gathered.borrow_mut();
    let series = match topic {
        Some(topic) if props.field.is_empty() => topic.series(),
        Some(topic) => Some(gathered.follow(topic, &props.field, &births::of(&topics, topic.name())))
            .filter(|series| !series.is_empty()),
        None => None,
    };
    let Some((topic, series)) = topic.zip(series) else {
        return html! {
            <Empty symbol={Symbol::Chart} title={text.chart_waiting_title}
                text={fill(text.chart_waiting_text, &[("topic", &props.topic)])} />
        };
    };
    let reading = Reading::of(&locale, &props.topic, &props.field, topic.payload());
    let span_ms = SPANS.iter().find(|(word, _)| *word == props.span).map_or(SPANS[1].1, |(_, ms)| *ms);
    let data = window(series, span_ms);
    let live = mark.is_some_and(|mark| mark.live);
    let name = chart_name(text, &props.topic, &data, &reading);
    html! {
        <section class="card chart" aria-label={props.topic.clone()}>
            <Figures reading={reading.clone()} data={data.clone()} latest={series.last().map(|point| point.value)} {live} />
            <LineChart {data} topic={props.topic.clone()} {name} look={format!("{look}{}", app.theme.as_str())}
                time_label={time_label(&locale, span_ms)} value_label={value_label(&locale)} />
            <p class="card__note">
                {fill(text.chart_points, &[("count", &locale.count(series.len() as u64))])}
            </p>
        </section>
    }
}

/// What tells one picture from the next. A slow topic is drawn with each message, a fast one ten times a second,
/// and the picture moves on even when nothing comes.
#[derive(Clone, Copy, PartialEq)]
struct ChartMark {
    id: TopicId,
    live: bool,
    messages: u64,
    beat: u64,
}

/// Messages a second above which not each one is drawn.
const DRAWN_PER_SECOND_MAX: f64 = 10.0;

impl ChartMark {
    fn of(hub: &Hub, topic: &str) -> Option<Self> {
        let topics = hub.topics();
        let id = topics.find(topic)?;
        let now_ms = clock::wall_ms();
        let topic = topics.topic(id);
        let is_fast = topic.per_second(now_ms) > DRAWN_PER_SECOND_MAX;
        let (messages, beat_ms) = if is_fast { (0, 100.0) } else { (topic.count(), 500.0) };
        Some(Self { id, live: topics.is_live(id), messages, beat: (now_ms / beat_ms) as u64 })
    }
}

/// The chosen span, or as much of it as there are points for: a young series is not pressed to the edge.
fn window(series: &Series, span_ms: f64) -> ChartData {
    let to_ms = clock::wall_ms();
    let first_ms = series.first().map_or(to_ms, |point| point.at_ms).min(to_ms - SPAN_MIN_MS);
    let from_ms = (to_ms - span_ms).max(first_ms);
    ChartData { points: series.window(from_ms), from_ms, to_ms }
}

fn time_label(locale: &Locale, span_ms: f64) -> Callback<f64, String> {
    let locale = locale.clone();
    Callback::from(
        move |at_ms| {
            if span_ms <= 900e3 { locale.clock_seconds(at_ms) } else { locale.clock(at_ms) }
        },
    )
}

fn value_label(locale: &Locale) -> Callback<(f64, usize), String> {
    let locale = locale.clone();
    Callback::from(move |(value, decimals)| locale.number(value, decimals))
}

fn chart_name(text: &Catalogue, topic: &str, data: &ChartData, reading: &Reading) -> String {
    let (low, high) = low_high(data).unwrap_or_default();
    let latest = data.points.last().map_or(0.0, |point| point.value);
    fill(
        text.chart_name,
        &[
            ("topic", topic),
            ("latest", &reading.words(latest)),
            ("lowest", &reading.words(low)),
            ("highest", &reading.words(high)),
        ],
    )
}
