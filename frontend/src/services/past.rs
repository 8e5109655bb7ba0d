//! The past of topics, asked of the broker that served the page (docs/history.md).

use std::cell::Cell;

use hearth_api::{History, HistorySeries, HistorySeriesList};
use js_sys::encode_uri_component;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use super::{clock, document};
use crate::state::course::Past;
use crate::state::series::Point;

thread_local! {
    /// Why nothing is ever shown, once the broker has said so: it is not asked again before the page is loaded anew, since
    /// each refusal is a line in the browser's console.
    static CLOSED: Cell<Option<NoPast>> = const { Cell::new(None) };
    /// How far the broker's clock was ahead at its last answer, whatever that was.
    static AHEAD_MS: Cell<Option<f64>> = const { Cell::new(None) };
}

/// Why there is no past to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPast {
    /// The broker keeps nothing of this, or does not know the resource.
    Absent,
    /// It is shown only to those who may connect without a name.
    Refused,
    /// No answer, or one that is none.
    Unreachable,
}

/// What is asked for; times in milliseconds since 1970 by the broker's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The topic.
    pub topic: String,
    /// The JSON pointer; empty: the whole payload.
    pub field: String,
    /// The left end.
    pub from_ms: f64,
    /// The right end; `None`: the present of the broker.
    pub to_ms: Option<f64>,
    /// Points wanted at most.
    pub points: u32,
    /// Whether the broker had this series before.
    pub is_known: bool,
}

/// An answer, and how far the broker's clock is ahead of the page's, in milliseconds, where it told its present.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What it has.
    pub past: Past,
    /// How far it is ahead.
    pub ahead_ms: Option<f64>,
}

/// The address of a question.
fn address(question: &Question) -> String {
    let mut address = format!(
        "{}?topic={}&field={}&from={}&points={}",
        hearth_api::path::HISTORY,
        encode_uri_component(&question.topic),
        encode_uri_component(&question.field),
        question.from_ms.max(0.0).round(),
        question.points
    );
    if let Some(to_ms) = question.to_ms {
        address.push_str(&format!("&to={}", to_ms.max(0.0).round()));
    }
    address
}

/// The address under which the broker gives every value of a part of time as CSV.
pub fn csv_address(topic: &str, field: &str, from_ms: f64, to_ms: f64) -> String {
    let question = Question {
        topic: topic.to_owned(),
        field: field.to_owned(),
        from_ms,
        to_ms: Some(to_ms),
        points: 1000,
        is_known: true,
    };
    format!("{}&format=csv", address(&question))
}

/// Asks for the points of one series; whether there is such a series is asked first, unless that is known.
///
/// # Errors
/// Where there is nothing to show.
pub async fn ask(question: Question) -> Result<Answer, NoPast> {
    if !question.is_known
        && !series_of(&question.topic).await?.iter().any(|series| series.field == question.field)
    {
        return Err(NoPast::Absent);
    }
    let sent_ms = clock::wall_ms();
    let history: History = request(&address(&question)).await?;
    let here_ms = f64::midpoint(sent_ms, clock::wall_ms());
    // The answer begins where its values may still be kept; nothing is known to be there before that.
    let (from_ms, to_ms) = (question.from_ms, history.to as f64);
    let points: Vec<Point> =
        history.points.iter().map(|&(at_ms, value)| Point { at_ms: at_ms as f64, value }).collect();
    let pieces = f64::from(question.points / 4).max(1.0);
    let folded = history.count > points.len() as u64;
    let past = Past {
        from_ms,
        to_ms,
        asked_ms: if question.to_ms.is_none() { to_ms } else { f64::INFINITY },
        count: history.count,
        points,
        piece_ms: if folded { (to_ms - history.from as f64) / pieces } else { 0.0 },
    };
    Ok(Answer { past, ahead_ms: question.to_ms.is_none().then_some(to_ms - here_ms) })
}

/// The series that the broker has of one topic.
///
/// # Errors
/// Where there is nothing to show.
pub async fn series_of(topic: &str) -> Result<Vec<HistorySeries>, NoPast> {
    if let Some(why) = CLOSED.get() {
        return Err(why);
    }
    let address = format!("{}?filter={}", hearth_api::path::HISTORY_SERIES, encode_uri_component(topic));
    let list = request::<HistorySeriesList>(&address).await.inspect_err(|why| match why {
        NoPast::Absent | NoPast::Refused => CLOSED.set(Some(*why)),
        NoPast::Unreachable => {}
    })?;
    Ok(list.series.into_iter().filter(|series| series.topic == topic).collect())
}

/// How far the broker's clock is ahead of the page's, in milliseconds and to a second or two, as its last answer said, whatever that
/// was: a page whose clock is hours ahead asks for what is to come, which is refused.
pub fn ahead_ms() -> Option<f64> {
    AHEAD_MS.get()
}

async fn request<T: serde::de::DeserializeOwned>(address: &str) -> Result<T, NoPast> {
    let unreachable = |_: JsValue| NoPast::Unreachable;
    let response = JsFuture::from(document::window().fetch_with_str(address)).await.map_err(unreachable)?;
    let response: Response = response.dyn_into().map_err(unreachable)?;
    let said = response.headers().get("date").ok().flatten().map(|date| js_sys::Date::parse(&date));
    if let Some(at_ms) = said.filter(|at_ms| at_ms.is_finite()) {
        AHEAD_MS.set(Some(at_ms - clock::wall_ms()));
    }
    match response.status() {
        200 => {}
        404 => return Err(NoPast::Absent),
        401 | 403 => return Err(NoPast::Refused),
        _ => return Err(NoPast::Unreachable),
    }
    let body = JsFuture::from(response.text().map_err(unreachable)?).await.map_err(unreachable)?;
    serde_json::from_str(&body.as_string().unwrap_or_default()).map_err(|_| NoPast::Absent)
}
