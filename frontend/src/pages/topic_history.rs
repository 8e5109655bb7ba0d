//! The course of a topic's numbers on its page: past and present, with the ranges and files of the chart.

use yew::prelude::*;

use super::chart_fields::{CatalogueRef, FieldChooser, chosen};
use super::chart_line::SeriesKey;
use super::chart_panel::ChartPanel;
use crate::catalogue::chart::words;
use crate::components::{Icon, Symbol};
use crate::hooks::use_locale;
use crate::route::Route;

/// Props of [`HistoryCard`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct HistoryCardProps {
    /// The topic.
    pub(super) topic: AttrValue,
    /// The JSON pointers of its numbers; at least one.
    pub(super) fields: Vec<String>,
}

/// The card.
#[component]
pub(super) fn HistoryCard(props: &HistoryCardProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = words(text.tag);
    let wanted = use_state_eq(String::new);
    let field = chosen(&props.fields, &wanted);
    let topic = props.topic.to_string();
    let on_choose = {
        let wanted = wanted.setter();
        Callback::from(move |field| wanted.set(field))
    };
    html! {
        <section class="card chart" aria-labelledby="history-title" data-testid="detail-history">
            <div class="card__head">
                <h2 class="card__title" id="history-title">{words.history}</h2>
                <a class="button button--quiet" href={Route::Chart(Some(topic.clone()), field.clone()).href()}>
                    <Icon symbol={Symbol::Chart} />{words.open}
                </a>
            </div>
            <FieldChooser id="history-field" fields={props.fields.clone()} chosen={field.clone()}
                text={CatalogueRef(text)} {on_choose} />
            <ChartPanel keys={vec![SeriesKey { topic, field }]} range="24h" />
        </section>
    }
}
