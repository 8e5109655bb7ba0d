//! How a number went lately, without scales.

use yew::prelude::*;

use crate::state::spark::{self, Spark};

/// Props of [`SparkLine`].
#[derive(Clone, PartialEq, Properties)]
pub struct SparkLineProps {
    /// The line.
    pub spark: Spark,
}

/// A sparkline; it fills its width. It is decoration: the value stands beside it.
#[component]
pub fn SparkLine(props: &SparkLineProps) -> Html {
    html! {
        <svg class="spark" viewBox={format!("0 0 {} {}", spark::WIDTH, spark::HEIGHT)} preserveAspectRatio="none"
            aria-hidden="true" focusable="false">
            <path class="spark__area" d={props.spark.area.clone()} />
            <path class="spark__line" d={props.spark.line.clone()} />
        </svg>
    }
}
