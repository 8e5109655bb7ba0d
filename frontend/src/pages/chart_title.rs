//! What a chart is called: the room and the measure, as the home page names them.

use super::chart_line::SeriesKey;
use super::room::measure_name;
use crate::catalogue::chart::words;
use crate::catalogue::{Catalogue, fill};
use crate::services::locale::Locale;
use crate::state::series_name::series_name;

/// The title of a chart of these series.
pub(super) fn title(locale: &Locale, keys: &[SeriesKey]) -> String {
    let text = locale.catalogue();
    let Some((first, others)) = keys.split_first() else { return text.chart.to_owned() };
    let name = name(text, first);
    match others {
        [] => name,
        [other] => fill(words(text.tag).and_other, &[("name", &name), ("other", &self::name(text, other))]),
        [..] => {
            let count = locale.count(others.len() as u64);
            fill(words(text.tag).and_others, &[("name", &name), ("count", &count)])
        }
    }
}

fn name(text: &Catalogue, key: &SeriesKey) -> String {
    series_name(&key.topic, &key.field, |measure, level| measure_name(text, measure, level))
}
