//! The `$SYS` topics: what the broker says about itself, to whoever subscribes.
//!
//! Names and meanings below `$SYS/broker` are Mosquitto's, so that its dashboards work; what only Hearth has is below
//! `$SYS/hearth`. All are retained, and one is published anew only when it has changed.

mod load;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::engine::Engine;
use crate::history::History;
use topics::{Snapshot, Topics};

/// How long the shards may take to say what they counted. Above it there is something worse than old figures.
const PATIENCE: Duration = Duration::from_secs(5);

/// Publishes until `stop`: at once, and then every `period`.
pub(crate) async fn run(
    engine: Engine,
    admission: Arc<Admission>,
    history: Option<History>,
    period: Duration,
    stop: CancellationToken,
) {
    let started = Instant::now();
    let mut topics = Topics::new();
    let mut ticks = interval_at(started, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(shards) = engine.stats(PATIENCE).await else {
            tracing::warn!("a shard does not say what it has counted: the $SYS topics are not updated");
            continue;
        };
        let (retained_messages, retained_bytes) = engine.retained_size();
        let snapshot = Snapshot {
            uptime: started.elapsed(),
            shards,
            refused: admission.refusals().collect(),
            retained_messages,
            retained_bytes,
            store: engine.store_state(),
            written: engine.store_counts(),
            history: history.as_ref().map(History::counts),
        };
        engine.publish_own(topics.update(&snapshot));
    }
}
