//! `/readyz`: whether clients are served.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hearth_api::{Readiness, ReadyState, Shard, ShardState, StoreState};

use super::healthz::NO_STORE;
use super::{Shards, Status};

/// How long a shard may take to answer. A turn takes milliseconds; those who ask commonly wait a second or more.
const PATIENCE: Duration = Duration::from_millis(800);

/// Asks every shard.
pub(super) async fn show<S: Shards>(State(status): State<Status<S>>) -> impl IntoResponse {
    let answers = status.shards.answers(PATIENCE).await;
    let readiness = readiness(&answers, status.shards.store(), status.stop.is_cancelled());
    let code = match readiness.state {
        ReadyState::Ready => StatusCode::OK,
        ReadyState::Stuck | ReadyState::StoreFailing | ReadyState::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    (code, NO_STORE, Json(readiness))
}

fn readiness(answers: &[bool], store: StoreState, is_stopping: bool) -> Readiness {
    let shard = |(number, answers): (u16, &bool)| Shard {
        number,
        state: if *answers { ShardState::Serving } else { ShardState::Silent },
    };
    let state = if is_stopping {
        ReadyState::Stopping
    } else if !answers.iter().all(|answers| *answers) {
        ReadyState::Stuck
    } else {
        match store {
            StoreState::Off | StoreState::Writing => ReadyState::Ready,
            StoreState::Failing => ReadyState::StoreFailing,
        }
    };
    Readiness { state, shards: (0..).zip(answers).map(shard).collect(), store }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_cannot_be_written_shows_unless_something_worse_does() {
        let state =
            |answers: &[bool], is_stopping| readiness(answers, StoreState::Failing, is_stopping).state;
        assert_eq!(state(&[true], false), ReadyState::StoreFailing);
        assert_eq!(state(&[true, false], false), ReadyState::Stuck);
        assert_eq!(state(&[true], true), ReadyState::Stopping);
        assert_eq!(readiness(&[true], StoreState::Off, false).state, ReadyState::Ready);
    }
}
