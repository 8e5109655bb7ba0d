//! The `$SYS` topics: what the broker says about itself, to whoever subscribes.
//!
//! Names and meanings below `$SYS/broker` are Mosquitto's, so that its dashboards work; what only Hearth has is below
//! `$SYS/hearth`. All are retained, and one is published anew only when it has changed.

mod load;
mod topics;

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::figures::Instruments;
use topics::Topics;

/// How long the shards may take to say what they counted. Above it there is something worse than old figures.
const PATIENCE: Duration = Duration::from_secs(5);

/// Publishes until `stop`: at once, and then every `period`.
pub(crate) async fn run(instruments: Instruments, period: Duration, stop: CancellationToken) {
    let mut topics = Topics::new();
    let mut ticks = interval_at(Instant::now(), period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(figures) = instruments.read(PATIENCE).await else {
            tracing::warn!("a shard does not say what it has counted: the $SYS topics are not updated");
            continue;
        };
        instruments.engine.publish_own(topics.update(&figures));
    }
}
