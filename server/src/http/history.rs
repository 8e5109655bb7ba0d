//! `/api/v1/history` and `/api/v1/history/series`: the past of topics.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hearth_api::{HistorySeries, HistorySeriesList, Problem};

use super::healthz::NO_STORE;
use super::history_query::{HistoryQuery, read_filter, wrong};
use crate::auth::Policies;
use crate::history::{AskError, History, M4, Selection, timestamp};
use crate::listener::Caller;

/// What the resources need; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// `None`: nothing is kept.
    pub(crate) history: Option<History>,
    pub(crate) policies: Policies,
}

/// The parameters, as they came.
type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// An answer that is a [`Problem`].
struct Refusal(StatusCode, Problem);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, NO_STORE, Json(self.1)).into_response()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(StatusCode::BAD_REQUEST, problem)
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        tracing::warn!(%error, "a question about the past was not answered");
        Self(StatusCode::SERVICE_UNAVAILABLE, Problem { error: error.to_string(), parameter: None })
    }
}

impl Past {
    /// The history, for somebody who would be let in as a client without a name.
    fn admit(&self, caller: Option<Extension<ConnectInfo<Caller>>>) -> Result<&History, Refusal> {
        let refuse =
            |status, error: &str| Err(Refusal(status, Problem { error: error.to_owned(), parameter: None }));
        let is_local = caller.is_some_and(|Extension(ConnectInfo(caller))| caller.is_local());
        if !self.policies.admit_unnamed(is_local) {
            let error = "the past is shown to those who may connect without a name (auth.anonymous)";
            return refuse(StatusCode::FORBIDDEN, error);
        }
        let error =
            "nothing is kept: history.enabled is false, history.filters is empty, or durability is none";
        self.history.as_ref().map_or_else(|| refuse(StatusCode::NOT_FOUND, error), Ok)
    }
}

/// Answers with the points of one series: few, or all as CSV.
pub(super) async fn show(
    State(past): State<Past>,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, impl IntoResponse> {
    let history = past.admit(caller)?;
    let Query(parameters) = parameters.map_err(|error| wrong("topic", error.body_text()))?;
    let mut query = HistoryQuery::read(&parameters, timestamp::now())?;
    // What is too old is gone, though the file may have some of it yet.
    query.from = query.from.max(history.oldest().min(query.to));
    let is_csv = query.is_csv.unwrap_or_else(|| wants_csv(&headers));
    if is_csv {
        let selection = history.ask({
            let query = query.clone();
            move |reader| reader.select(&query.topic, &query.field, query.from, query.to)
        });
        return match selection.await? {
            Some(selection) => Ok(csv(history, selection)),
            None => Err(unknown(history, query).await),
        };
    }
    match history
        .ask({
            let query = query.clone();
            move |reader| {
                let selected = reader.select(&query.topic, &query.field, query.from, query.to)?;
                let Some(selection) = selected else { return Ok(None) };
                let mut few = M4::new(query.from, query.to, query.points);
                reader.each(&selection, |point| few.add(point))?;
                Ok(Some(few))
            }
        })
        .await?
    {
        Some(few) => Ok((NO_STORE, Json(answer(query, few))).into_response()),
        None => Err(unknown(history, query).await),
    }
}

fn answer(query: HistoryQuery, few: M4) -> hearth_api::History {
    let HistoryQuery { topic, field, from, to, .. } = query;
    let count = few.count();
    let points = few.finish().into_iter().map(|point| (point.time, point.value)).collect();
    hearth_api::History { topic, field, from, to, count, points }
}

fn csv(history: &History, selection: Selection) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"history.csv\""),
    ];
    (NO_STORE, headers, Body::from_stream(history.clone().export(selection))).into_response()
}

/// Whether CSV is the first of those that are liked.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.find(|kind| matches!(*kind, "text/csv" | "application/json" | "*/*")) == Some("text/csv")
}

/// Says that there is no such series, and which there are.
async fn unknown(history: &History, query: HistoryQuery) -> Refusal {
    let HistoryQuery { topic, field, .. } = query;
    let asked = topic.clone();
    let fields = match history.ask(move |reader| reader.fields(&asked)).await {
        Ok(fields) => fields,
        Err(error) => return error.into(),
    };
    let problem = match fields.as_slice() {
        [] => wrong("topic", format!("no values of `{topic}` are kept")),
        [only] if only.is_empty() => wrong(
            "field",
            format!("`{topic}` has no field `{field}`: its payloads are the values; leave out the field"),
        ),
        fields => {
            let known: Vec<&str> =
                fields.iter().map(|field| if field.is_empty() { "(none)" } else { field }).collect();
            wrong("field", format!("`{topic}` has no field `{field}`; it has {}", known.join(", ")))
        }
    };
    Refusal(StatusCode::NOT_FOUND, problem)
}

/// Lists the series.
pub(super) async fn list(
    State(past): State<Past>,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    parameters: Parameters,
) -> Result<Response, impl IntoResponse> {
    let history = past.admit(caller)?;
    let Query(parameters) = parameters.map_err(|error| wrong("filter", error.body_text()))?;
    let filter = read_filter(&parameters)?;
    let oldest = history.oldest();
    let found = history.ask(move |reader| reader.series(oldest)).await?;
    let is_asked_for = |topic: &str| match &filter {
        Some(filter) => hearth_protocol::topic::matches(filter.pattern(), topic),
        None => true,
    };
    let series = found
        .into_iter()
        .filter(|it| is_asked_for(&it.topic))
        .map(|it| HistorySeries {
            topic: it.topic,
            field: it.field,
            count: it.count,
            first: it.first,
            last: it.last,
        })
        .collect();
    Ok::<_, Refusal>((NO_STORE, Json(HistorySeriesList { series })).into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn csv_is_for_those_who_name_it_first() {
        for (accept, expected) in [
            ("", false),
            ("text/csv", true),
            ("text/csv;q=0.9, application/json", true),
            ("application/json, text/csv", false),
            ("text/html, */*", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_csv(&headers), expected, "{accept}");
        }
    }
}
