//! The numbers of each series of a chart, and what the lines mean: latest, lowest, highest, mean, gaps, and where the
//! past is missing.

use yew::prelude::*;

use super::chart_line::LineReadout;
use crate::catalogue::chart::{ChartWords, words};
use crate::catalogue::fill;
use crate::components::{Icon, Symbol};
use crate::hooks::use_locale;
use crate::services::locale::Locale;
use crate::services::past::NoPast;
use crate::widgets::DASHES;

/// Props of [`Figures`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct FiguresProps {
    /// What is told of the series.
    pub(super) line: LineReadout,
    /// Its place among the lines.
    pub(super) place: usize,
    /// Whether there are others.
    pub(super) has_others: bool,
    /// Takes it out of the chart, where that can be done.
    pub(super) on_remove: Option<Callback<usize>>,
}

/// A value of a series with its unit.
pub(super) fn reading(locale: &Locale, line: &LineReadout, value: f64) -> String {
    let number = locale.number(value, line.decimals);
    if line.unit.is_empty() { number } else { format!("{number}\u{202f}{}", line.unit) }
}

/// A length of time in one number and a unit.
fn duration(locale: &Locale, ms: f64) -> String {
    let seconds = ms / 1000.0;
    let (value, unit) = match seconds {
        s if s < 120.0 => (s, "s"),
        s if s < 7_200.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "d"),
    };
    format!("{}\u{202f}{unit}", locale.number(value, 0))
}

/// The numbers of one series.
#[component]
pub(super) fn Figures(props: &FiguresProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let line = &props.line;
    let value =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| reading(&locale, line, value));
    let is_stale = !line.is_live && line.latest.is_some();
    let name = format!("{} {}", line.key.topic, line.key.field);
    let remove = props.on_remove.clone().filter(|_| props.has_others).map(|on_remove| {
        let place = props.place;
        html! {
            <button type="button" class="button button--quiet" data-testid="chart-remove"
                aria-label={fill(words(text.tag).remove, &[("name", &name)])}
                onclick={Callback::from(move |_: MouseEvent| on_remove.emit(place))}>
                <Icon symbol={Symbol::Close} />
            </button>
        }
    });
    html! {
        <div class="chart__series" data-testid="chart-series">
            if props.has_others {
                <p class="chart__name">
                    <Swatch place={props.place} />
                    <span class="chart__topic">{name}</span>
                    {remove}
                </p>
            }
            <dl class={classes!("figures", props.has_others.then_some("figures--small"))}>
                <div class={classes!("figure", "figure--main", is_stale.then_some("is-stale"))}>
                    <dt>{text.chart_latest}</dt>
                    <dd data-testid="chart-latest">{value(line.latest)}</dd>
                    if is_stale {
                        <dd class="figure__note"><span class="badge badge--warn">{text.last_known}</span></dd>
                    }
                </div>
                <div class="figure"><dt>{text.chart_lowest}</dt>
                    <dd data-testid="chart-lowest">{value(line.low_high.map(|(low, _)| low))}</dd></div>
                <div class="figure"><dt>{text.chart_highest}</dt>
                    <dd data-testid="chart-highest">{value(line.low_high.map(|(_, high)| high))}</dd></div>
                <div class="figure"><dt>{text.chart_mean}</dt><dd>{value(line.mean)}</dd></div>
            </dl>
            <p class="card__note" data-testid="chart-note">{note(words(text.tag), &locale, line)}</p>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct SwatchProps {
    place: usize,
}

/// A piece of the line: its colour and its dash.
#[component]
fn Swatch(props: &SwatchProps) -> Html {
    let place = props.place % DASHES.len();
    let dash: Vec<String> = DASHES[place].iter().map(f64::to_string).collect();
    html! {
        <svg class={format!("swatch swatch--{place}")} viewBox="0 0 32 8" aria-hidden="true">
            <line x1="0" y1="4" x2="32" y2="4" stroke-dasharray={(!dash.is_empty()).then(|| dash.join(" "))} />
        </svg>
    }
}

/// How many points there are, where they are missing, and why.
fn note(words: &ChartWords, locale: &Locale, line: &LineReadout) -> String {
    let count = locale.count(line.points as u64);
    let mut notes = vec![match line.values {
        Some(values) => fill(words.folded, &[("count", &count), ("values", &locale.count(values))]),
        None if line.points == 1 => words.point_one.to_owned(),
        None => fill(words.points, &[("count", &count)]),
    }];
    let (gaps, longest_ms) = line.gaps;
    if gaps > 0 {
        let template = if gaps == 1 { words.gap_one } else { words.gap_many };
        let (count, longest) = (locale.count(gaps as u64), duration(locale, longest_ms));
        notes.push(fill(template, &[("count", &count), ("longest", &longest)]));
    }
    let mut note = notes.join(" · ");
    if line.points == 0 && line.low_high.is_none() {
        words.nothing_here.clone_into(&mut note);
    }
    let missing = match line.no_past {
        None => return note,
        Some(NoPast::Absent) => words.past_absent,
        Some(NoPast::Refused) => words.past_refused,
        Some(NoPast::Unreachable) => words.past_unreachable,
    };
    format!("{note} {missing}")
}
