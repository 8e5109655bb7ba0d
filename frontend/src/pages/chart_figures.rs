//! The numbers beside a chart: latest, lowest, highest, mean.

use yew::prelude::*;

use crate::hooks::use_locale;
use crate::services::locale::Locale;
use crate::state::measure::Measure;
use crate::state::payload;
use crate::widgets::ChartData;

/// How the numbers of this chart are written.
#[derive(Clone, PartialEq)]
pub(super) struct Reading {
    locale: Locale,
    unit: &'static str,
    decimals: usize,
}

impl Reading {
    /// For a topic, or a field inside it, whose last payload is this.
    pub(super) fn of(locale: &Locale, topic: &str, field: &str, payload: &[u8]) -> Self {
        let path = if field.is_empty() { topic } else { field };
        let measure = Measure::of_level(path.rsplit('/').next().unwrap_or_default());
        let decimals = if field.is_empty() { payload::decimals(payload).min(6) } else { 2 };
        Self { locale: locale.clone(), unit: measure.map_or("", Measure::unit), decimals }
    }

    /// A value with its unit.
    pub(super) fn words(&self, value: f64) -> String {
        let number = self.locale.number(value, self.decimals);
        if self.unit.is_empty() { number } else { format!("{number}\u{202f}{}", self.unit) }
    }
}

/// The lowest and the highest value.
pub(super) fn low_high(data: &ChartData) -> Option<(f64, f64)> {
    data.points
        .iter()
        .map(|point| (point.value, point.value))
        .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
}

/// Props of [`Figures`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct FiguresProps {
    /// How they are written.
    pub(super) reading: Reading,
    /// What is drawn.
    pub(super) data: ChartData,
    /// The newest value.
    pub(super) latest: Option<f64>,
    /// Whether it is up to date.
    pub(super) live: bool,
}

/// The numbers.
#[component]
pub(super) fn Figures(props: &FiguresProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| props.reading.words(value));
    let bounds = low_high(&props.data);
    let count = props.data.points.len();
    let mean =
        (count > 0).then(|| props.data.points.iter().map(|point| point.value).sum::<f64>() / count as f64);
    html! {
        <dl class="figures">
            <div class={classes!("figure", "figure--main", (!props.live).then_some("is-stale"))}>
                <dt>{text.chart_latest}</dt>
                <dd data-testid="chart-latest">{words(props.latest)}</dd>
                if !props.live {
                    <dd class="figure__note"><span class="badge badge--warn">{text.last_known}</span></dd>
                }
            </div>
            <div class="figure"><dt>{text.chart_lowest}</dt><dd>{words(bounds.map(|(low, _)| low))}</dd></div>
            <div class="figure"><dt>{text.chart_highest}</dt><dd>{words(bounds.map(|(_, high)| high))}</dd></div>
            <div class="figure"><dt>{text.chart_mean}</dt><dd>{words(mean)}</dd></div>
        </dl>
    }
}
