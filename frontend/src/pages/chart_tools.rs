//! What stands around a chart: its ranges, the buttons that move it, and the files that it can be saved as.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::chart_canvas::Step;
use super::chart_panel::StageHandle;
use super::chart_stage::Readout;
use crate::catalogue::chart::words;
use crate::catalogue::fill;
use crate::components::{Choice, Segmented};
use crate::hooks::use_locale;
use crate::services::{download, past};
use crate::state::chart_range::RANGES;
use crate::state::export;
use crate::state::viewport::Viewport;

/// Props of [`ChartRanges`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct ChartRangesProps {
    /// The chosen one, one of [`RANGES`] or `custom`.
    pub(super) range: &'static str,
    /// Hears of another one.
    pub(super) on_range: Callback<&'static str>,
    /// Hears of a part of time that somebody typed.
    pub(super) on_custom: Callback<Viewport>,
    /// The chart.
    pub(super) stage: StageHandle,
}

/// The ranges.
#[component]
pub(super) fn ChartRanges(props: &ChartRangesProps) -> Html {
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let labels = [words.minutes_5, words.hour, words.day, words.week, words.month, words.custom];
    let choices: Vec<Choice> = RANGES
        .iter()
        .map(|(value, _)| *value)
        .chain(["custom"])
        .zip(labels)
        .map(|(value, label)| Choice { value, label: label.into(), hint: None })
        .collect();
    html! {
        <>
            <Segmented name="chart-span" legend={words.range} {choices} chosen={props.range}
                on_choose={props.on_range.clone()} />
            if props.range == "custom" {
                <CustomRange stage={props.stage.clone()} on_custom={props.on_custom.clone()} />
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct CustomRangeProps {
    stage: StageHandle,
    on_custom: Callback<Viewport>,
}

/// Two times of the reader's time zone.
#[component]
fn CustomRange(props: &CustomRangeProps) -> Html {
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let (from, to) = (use_node_ref(), use_node_ref());
    let wrong = use_state_eq(|| false);
    let onsubmit = {
        let (from, to, wrong) = (from.clone(), to.clone(), wrong.setter());
        let (stage, on_custom) = (props.stage.0.clone(), props.on_custom.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            // A date and time without a zone is of the reader's own (ECMA-262, 21.4.1.32).
            let time = |field: &NodeRef| {
                let value = field.cast::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
                Some(js_sys::Date::parse(&value)).filter(|ms| ms.is_finite())
            };
            let range = time(&from).zip(time(&to)).filter(|(from_ms, to_ms)| from_ms < to_ms);
            wrong.set(range.is_none());
            if let Some((from_ms, to_ms)) = range {
                on_custom.emit(Viewport::between(from_ms, to_ms, stage.now_ms()));
            }
        })
    };
    html! {
        <form class="chart__custom" {onsubmit} data-testid="chart-custom">
            <label class="field">
                <span class="field__label">{words.from}</span>
                <input ref={from} class="input" type="datetime-local" step="1" data-testid="chart-from" />
            </label>
            <label class="field">
                <span class="field__label">{words.to}</span>
                <input ref={to} class="input" type="datetime-local" step="1" data-testid="chart-to" />
            </label>
            <button class="button" type="submit" data-testid="chart-apply">{words.apply}</button>
            if *wrong {
                <p class="field__hint" role="alert">{words.range_wrong}</p>
            }
        </form>
    }
}

/// Props of [`ChartSteps`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct ChartStepsProps {
    /// The chart.
    pub(super) stage: StageHandle,
    /// Leads back to the chosen range.
    pub(super) on_reset: Callback<()>,
}

/// The buttons that move a chart.
#[component]
pub(super) fn ChartSteps(props: &ChartStepsProps) -> Html {
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let steps = [
        (Step::Earlier, "‹", words.pan_left, "chart-earlier"),
        (Step::ZoomOut, "−", words.zoom_out, "chart-zoom-out"),
        (Step::ZoomIn, "+", words.zoom_in, "chart-zoom-in"),
        (Step::Later, "›", words.pan_right, "chart-later"),
    ];
    let buttons = steps.into_iter().map(|(step, sign, label, testid)| {
        let stage = props.stage.0.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            stage.show(step.of(stage.viewport(), stage.now_ms()));
        });
        html! {
            <button type="button" class="button chart__step" aria-label={label} title={label} {onclick}
                data-testid={testid}>{sign}</button>
        }
    });
    html! {
        <div class="chart__steps" role="group" aria-label={words.controls}>
            {for buttons}
            <button type="button" class="button" onclick={props.on_reset.reform(|_: MouseEvent| ())}
                data-testid="chart-reset">{words.reset}</button>
        </div>
    }
}

/// Props of [`ChartExport`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct ChartExportProps {
    /// The chart.
    pub(super) stage: StageHandle,
    /// What is told of it.
    pub(super) readout: Readout,
}

/// What a chart can be saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Csv,
    Json,
    Png,
}

/// The files that a chart can be saved as.
#[component]
pub(super) fn ChartExport(props: &ChartExportProps) -> Html {
    let locale = use_locale();
    let words = words(locale.catalogue().tag);
    let kinds = [
        (File::Csv, "CSV", "chart-csv"),
        (File::Json, "JSON", "chart-json"),
        (File::Png, "PNG", "chart-png"),
    ];
    let buttons = kinds.into_iter().map(|(file, label, testid)| {
        let stage = props.stage.clone();
        let onclick = Callback::from(move |_: MouseEvent| save(&stage, file));
        html! { <button type="button" class="button" {onclick} data-testid={testid}>{label}</button> }
    });
    let readout = &props.readout;
    let links = readout.lines.iter().filter(|line| line.no_past.is_none()).map(|line| {
        let name = format!("{} {}", line.key.topic, line.key.field);
        let href =
            past::csv_address(&line.key.topic, &line.key.field, readout.from_ms, readout.to_ms + 1000.0);
        html! {
            <a class="button button--quiet" {href} download="history.csv" data-testid="chart-all">
                {fill(words.export_all, &[("name", name.trim())])}
            </a>
        }
    });
    html! {
        <div class="chart__export" role="group" aria-label={words.export}>
            <span class="fields__title">{words.export}</span>
            {for buttons}
            {for links}
        </div>
    }
}

fn save(StageHandle(stage): &StageHandle, file: File) {
    let series = stage.export();
    let name = series.first().map(|one| format!("{}{}", one.topic, one.field)).unwrap_or_default();
    match file {
        File::Csv => {
            download::save_text(&export::file_name(&name, "csv"), "text/csv", &export::series_csv(&series));
        }
        File::Json => {
            let (from_ms, to_ms) = stage.viewport().range(stage.now_ms());
            let json = export::series_json(&series, from_ms, to_ms);
            download::save_text(&export::file_name(&name, "json"), "application/json", &json);
        }
        File::Png => {
            if let Some(canvas) = stage.export_picture() {
                download::save_png(&export::file_name(&name, "png"), &canvas);
            }
        }
    }
}
