//! A chart with all that belongs to it: ranges, buttons, the canvas, numbers and files.

use std::cell::Cell;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use yew::prelude::*;

use super::chart_canvas::{ChartCanvas, KEYS_ID};
use super::chart_figures::{Figures, reading};
use super::chart_line::SeriesKey;
use super::chart_stage::{Readout, Stage};
use super::chart_tools::{ChartExport, ChartRanges, ChartSteps};
use crate::catalogue::chart::words;
use crate::catalogue::{Catalogue, fill};
use crate::components::{Empty, Symbol};
use crate::hooks::{use_app, use_follow, use_watch};
use crate::services::locale::Locale;
use crate::services::{clock, document};
use crate::state::chart_range::RANGES;
use crate::state::viewport::Viewport;

/// How long a part of time stands before the address names it, in milliseconds: browsers bear a few changes a second.
const ADDRESS_MS: u32 = 400;

/// Props of [`ChartPanel`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct ChartPanelProps {
    /// The series; at least one.
    pub(super) keys: Vec<SeriesKey>,
    /// The range to begin with, one of [`RANGES`]; `None` while it is not known. Another one later is shown to those who still
    /// see the first.
    pub(super) range: Option<&'static str>,
    /// Whether the page's address names the part of time.
    #[prop_or_default]
    pub(super) is_addressed: bool,
    /// Takes a series out of the chart, where that can be done.
    #[prop_or_default]
    pub(super) on_remove: Option<Callback<usize>>,
}

/// The chart.
#[component]
pub(super) fn ChartPanel(props: &ChartPanelProps) -> Html {
    let app = use_app();
    let locale = app.locale.clone();
    let text = locale.catalogue();
    let begin = use_memo((), |()| {
        addressed().filter(|_| props.is_addressed).unwrap_or(live(props.range.unwrap_or(RANGES[0].0)))
    });
    let range = use_state_eq(|| word(*begin));
    // What a reset leads back to.
    let chosen = use_state_eq(|| *begin);
    let viewport = use_memo((), |()| Rc::new(Cell::new(*begin)));
    let stage = use_memo((app.hub.clone(), locale.clone(), props.keys.clone()), |(hub, locale, keys)| {
        Stage::new(hub.clone(), locale.clone(), keys, Rc::clone(&viewport))
    });
    let stage: Rc<Stage> = Rc::clone(&stage);
    let readout = use_readout(&stage);
    let on_begin = {
        let (range, chosen) = (range.setter(), chosen.setter());
        Callback::from(move |viewport| {
            range.set(word(viewport));
            chosen.set(viewport);
        })
    };
    use_begin(*begin, props.range.map(live), &stage, on_begin);
    use_address(props.is_addressed, props.range.map(live), readout.viewport, &stage);
    let look = use_watch((), |_, ()| document::look());
    use_effect_with((look, app.theme), {
        let stage = Rc::clone(&stage);
        move |_| stage.paint()
    });
    let show = {
        let (stage, chosen) = (Rc::clone(&stage), chosen.setter());
        Callback::from(move |viewport: Viewport| {
            chosen.set(viewport);
            stage.show(viewport);
        })
    };
    let on_range = {
        let (range, show) = (range.setter(), show.clone());
        Callback::from(move |word: &'static str| {
            range.set(word);
            if word != "custom" {
                show.emit(live(word));
            }
        })
    };
    let on_reset = {
        let (stage, chosen) = (Rc::clone(&stage), *chosen);
        Callback::from(move |()| stage.show(chosen))
    };
    let Some(first) = readout.lines.first() else { return Html::default() };
    let words = words(text.tag);
    let is_waiting = readout.lines.iter().all(|line| line.latest.is_none() && line.no_past.is_some());
    html! {
        <>
            {for props.keys.iter().map(|key| html! { <Followed topic={key.topic.clone()} /> })}
            <ChartRanges range={*range} {on_range} on_custom={show} stage={StageHandle(Rc::clone(&stage))} />
            {for readout.lines.iter().enumerate().map(|(place, line)| html! {
                <Figures line={line.clone()} {place} has_others={readout.lines.len() > 1}
                    on_remove={props.on_remove.clone()} />
            })}
            if is_waiting {
                <Empty symbol={Symbol::Chart} title={text.chart_waiting_title}
                    text={fill(text.chart_waiting_text, &[("topic", &first.key.topic)])} />
            } else {
            <ChartCanvas stage={Rc::clone(&stage)} topic={first.key.topic.clone()} name={name(text, &locale, &readout)}
                on_reset={on_reset.clone()} />
            {cursor(&locale, &readout)}
            <div class="chart__foot">
                <p class="card__note" data-testid="chart-range">{shown_range(&locale, &readout)}</p>
                <ChartSteps stage={StageHandle(Rc::clone(&stage))} {on_reset} />
            </div>
            <p class="card__note chart__keys" id={KEYS_ID}>{words.keys}</p>
            <ChartExport stage={StageHandle(stage)} readout={readout.clone()} />
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FollowedProps {
    topic: AttrValue,
}

/// Hears a topic for as long as it is on the chart, also where not all topics are heard.
#[component]
fn Followed(props: &FollowedProps) -> Html {
    use_follow(Some(props.topic.clone()));
    Html::default()
}

/// A chart as a prop: the same one is equal.
#[derive(Clone)]
pub(super) struct StageHandle(pub(super) Rc<Stage>);

impl PartialEq for StageHandle {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// The range of a word, up to the present.
fn live(word: &str) -> Viewport {
    let span_ms = RANGES.iter().find(|(own, _)| *own == word).map_or(RANGES[0].1, |(_, ms)| *ms);
    Viewport::Live { span_ms }
}

/// The word of a range, or that of a part that is none of them.
fn word(viewport: Viewport) -> &'static str {
    let known = RANGES.iter().find(|(_, ms)| viewport == Viewport::Live { span_ms: *ms });
    known.map_or("custom", |(word, _)| word)
}

/// The part of time that the page's address names.
fn addressed() -> Option<Viewport> {
    let href = document::href();
    Viewport::of_query(href.split_once('#')?.1.split_once('?')?.1, clock::wall_ms())
}

/// Keeps the address of the page what is shown, but for what is shown without being asked for; and shows what it names. While
/// it is not known what that would be, the address stays as it is.
#[hook]
fn use_address(is_addressed: bool, usual: Option<Viewport>, viewport: Viewport, stage: &Rc<Stage>) {
    use_effect_with((is_addressed, usual, viewport), move |(is_addressed, usual, viewport)| {
        let shown = Some(*viewport).filter(|viewport| Some(*viewport) != *usual);
        let timer = (*is_addressed && usual.is_some()).then(|| {
            Timeout::new(ADDRESS_MS, move || {
                let address = document::window().location().hash().unwrap_or_default();
                document::readdress(&Viewport::addressed(shown, &address));
            })
        });
        move || drop(timer)
    });
    use_effect_with((is_addressed, StageHandle(Rc::clone(stage))), |(is_addressed, StageHandle(stage))| {
        let stage = Rc::clone(stage);
        let listener = is_addressed.then(|| {
            EventListener::new(&document::window(), "hashchange", move |_| {
                if let Some(named) = addressed().filter(|named| *named != stage.viewport()) {
                    stage.show(named);
                }
            })
        });
        move || drop(listener)
    });
}

/// Goes along when another range is to be begun with, as long as nobody asked for what is shown.
#[hook]
fn use_begin(begin: Viewport, range: Option<Viewport>, stage: &Rc<Stage>, on_begin: Callback<Viewport>) {
    let before = use_mut_ref(|| begin);
    use_effect_with((range, StageHandle(Rc::clone(stage))), move |(range, StageHandle(stage))| {
        let Some(range) = *range else { return };
        let before = before.replace(range);
        if before != range && stage.viewport() == before && addressed().is_none() {
            stage.show(range);
            on_begin.emit(range);
        }
    });
}

/// What is read at the cursor: time and value of each series. Whoever steps by keys hears it.
fn cursor(locale: &Locale, readout: &Readout) -> Html {
    let words = words(locale.catalogue().tag);
    let has_others = readout.lines.len() > 1;
    let read = readout.cursor.as_ref().map(|cursor| {
        let values = readout.lines.iter().zip(&cursor.points).map(|(line, point)| {
            let told = match point {
                Some(point) => {
                    format!("{} · {}", locale.moment(point.at_ms), reading(locale, line, point.value))
                }
                None => words.read_nothing.to_owned(),
            };
            let name = format!("{} {}", line.key.topic, line.key.field);
            if has_others { format!("{}: {told}", name.trim_end()) } else { told }
        });
        values.collect::<Vec<_>>()
    });
    let is_told = readout.cursor.as_ref().is_some_and(|cursor| cursor.is_by_keys);
    html! {
        <ul class="chart__read card__note" data-testid="chart-cursor" role="list"
            aria-live={if is_told { "polite" } else { "off" }} aria-atomic="true">
            if let Some(read) = read {
                {for read.into_iter().map(|line| html! { <li>{line}</li> })}
            } else {
                <li class="chart__hint">{words.read_hint}</li>
                <li class="chart__hint chart__hint--finger">{words.read_hint_finger}</li>
            }
        </ul>
    }
}

/// What is told of the chart, kept up to date while it follows what comes in.
#[hook]
fn use_readout(stage: &Rc<Stage>) -> Readout {
    let readout = use_state_eq(|| stage.readout());
    let set = readout.setter();
    use_effect_with(StageHandle(Rc::clone(stage)), move |StageHandle(stage)| {
        let (painted, frames) = (Rc::downgrade(stage), Rc::downgrade(stage));
        let told = stage.painted().subscribe(move || {
            if let Some(stage) = painted.upgrade() {
                set.set(stage.readout());
            }
        });
        let followed = stage.follow(move || {
            if let Some(stage) = frames.upgrade() {
                stage.on_frame();
            }
        });
        stage.paint();
        move || drop((told, followed))
    });
    (*readout).clone()
}

/// Both ends of the shown part of time, in the reader's time zone.
fn shown_range(locale: &Locale, readout: &Readout) -> String {
    let words = words(locale.catalogue().tag);
    let range = fill(
        words.shown_range,
        &[("from", &locale.moment(readout.from_ms)), ("to", &locale.moment(readout.to_ms))],
    );
    if readout.is_live { format!("{range} · {}", words.live) } else { range }
}

fn name(text: &Catalogue, locale: &Locale, readout: &Readout) -> String {
    let lines = readout.lines.iter().map(|line| {
        let (low, high) = line.low_high.unwrap_or_default();
        let value = |value: f64| reading(locale, line, value);
        fill(
            text.chart_name,
            &[
                ("topic", &format!("{} {}", line.key.topic, line.key.field)),
                ("latest", &line.latest.map_or_else(|| "–".to_owned(), value)),
                ("lowest", &value(low)),
                ("highest", &value(high)),
            ],
        )
    });
    lines.collect::<Vec<_>>().join("; ")
}
