//! A value of the home: what, how much, and how it went lately.

use yew::prelude::*;

use super::SparkLine;
use crate::components::{Icon, Symbol};
use crate::state::spark::Spark;

/// A reading longer than this is set smaller, so that it stays on its line.
const LONG_CHARS: usize = 8;

/// Props of [`Tile`].
#[derive(Clone, PartialEq, Properties)]
pub struct TileProps {
    /// The topic.
    pub topic: AttrValue,
    /// Where a tap leads.
    pub href: AttrValue,
    /// Decoration.
    pub symbol: Symbol,
    /// What is measured.
    pub label: AttrValue,
    /// The value, in words or digits.
    pub value: AttrValue,
    /// Its unit; empty where there is none.
    pub unit: AttrValue,
    /// Said instead of nothing when the value is not up to date.
    pub stale_note: Option<AttrValue>,
    /// How it went.
    pub spark: Option<Spark>,
    /// A tint that tells measures apart.
    pub tint: &'static str,
}

/// A tile.
#[component]
pub fn Tile(props: &TileProps) -> Html {
    let stale = props.stale_note.is_some();
    let long = props.value.chars().count() + props.unit.chars().count() > LONG_CHARS;
    html! {
        <a class={classes!("tile", format!("tile--{}", props.tint), stale.then_some("is-stale"))} href={&props.href}
            data-testid="tile" data-topic={&props.topic} data-stale={stale.to_string()}>
            <span class="tile__head">
                <span class="tile__symbol"><Icon symbol={props.symbol} /></span>
                <span class="tile__label">{&props.label}</span>
            </span>
            <span class="tile__reading">
                <span class={classes!("tile__value", long.then_some("tile__value--long"))} data-testid="tile-value">{&props.value}</span>
                if !props.unit.is_empty() {
                    <span class="tile__unit">{"\u{202f}"}{&props.unit}</span>
                }
            </span>
            if let Some(note) = &props.stale_note {
                <span class="tile__note">{note}</span>
            }
            if let Some(spark) = &props.spark {
                <SparkLine spark={spark.clone()} />
            }
        </a>
    }
}
