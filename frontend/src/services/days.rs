//! The last day of topics, asked of the broker that served the page for one after the other: a home of many tiles is not to
//! keep its questions busy.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::Callback;

use super::clock;
use super::past::{self, NoPast, Question};
use crate::state::course::Past;
use crate::state::spark;
use crate::state::ticks::DAY_MS;

/// Four, the first, lowest, highest and last one, for each of the pieces of time that a sparkline tells apart.
const POINTS: u32 = 4 * spark::SLICES;

/// What one asks for, and whom to tell.
type Wish = (Rc<str>, Callback<Rc<Past>>);

thread_local! {
    static WAITING: RefCell<VecDeque<Wish>> = RefCell::default();
    static IS_ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Asks for the last day of a topic whose payload is a number. Where the broker has none of it, nothing is told.
pub fn ask(topic: Rc<str>, on_past: Callback<Rc<Past>>) {
    WAITING.with_borrow_mut(|waiting| waiting.push_back((topic, on_past)));
    if !IS_ASKING.replace(true) {
        spawn_local(ask_all());
    }
}

async fn ask_all() {
    while let Some((topic, on_past)) = WAITING.with_borrow_mut(VecDeque::pop_front) {
        match day_of(&topic).await {
            Ok(past) => on_past.emit(Rc::new(past)),
            // The tile goes on with what it hears, and asks again later.
            Err(NoPast::Absent | NoPast::Refused | NoPast::Unreachable) => {}
        }
    }
    IS_ASKING.set(false);
}

async fn day_of(topic: &str) -> Result<Past, NoPast> {
    let series = past::series_of(topic).await?;
    let series = series.iter().find(|series| series.field.is_empty()).ok_or(NoPast::Absent)?;
    let question = Question {
        topic: topic.to_owned(),
        field: String::new(),
        // The points are those of equal pieces of time, which must not lie where there is nothing yet.
        from_ms: (clock::wall_ms() - DAY_MS).max(series.first as f64),
        to_ms: None,
        points: POINTS,
        is_known: true,
    };
    Ok(past::ask(question).await?.past)
}
