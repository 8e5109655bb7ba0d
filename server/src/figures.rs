//! What the broker knows of itself at one moment, for `$SYS` and `/metrics`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_api::StoreState;
use hearth_broker::{Pressure, Stats};

use crate::admission::Admission;
use crate::engine::Engine;
use crate::histogram::Histogram;
use crate::history::{History, HistoryCounts};
use crate::own_process::OwnProcess;
use crate::store::StoreCounts;
use crate::tree::TreeCounts;

/// Where the figures come from; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Instruments {
    pub(crate) engine: Engine,
    pub(crate) admission: Arc<Admission>,
    pub(crate) history: Option<History>,
    pub(crate) started: Instant,
}

/// All figures.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) uptime: Duration,
    /// In the order of their numbers.
    pub(crate) shards: Vec<ShardFigures>,
    /// How often each setting of the door has turned somebody away.
    pub(crate) refused: Vec<(&'static str, u64)>,
    pub(crate) retained_messages: usize,
    pub(crate) retained_bytes: usize,
    pub(crate) store: StoreState,
    /// To the store, if there is one.
    pub(crate) written: StoreCounts,
    /// What was kept of values, if any are.
    pub(crate) history: Option<HistoryCounts>,
    /// What the live tree has, if there is one.
    pub(crate) tree: Option<TreeCounts>,
    /// Where the system tells.
    pub(crate) process: Option<OwnProcess>,
}

/// What one shard and its thread have counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardFigures {
    /// The shard's own.
    pub(crate) stats: Stats,
    /// Its thread's.
    pub(crate) turns: TurnFigures,
}

/// What the thread of a shard has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TurnFigures {
    /// How long each turn took.
    pub(crate) durations: Histogram,
    /// Turns at whose end something waited for room in the ring to another shard.
    pub(crate) congested: u64,
    /// What waits for that now.
    pub(crate) ring_waiting: usize,
    /// Connections that are not read now because the shard does not want their input.
    pub(crate) paused: usize,
}

impl Instruments {
    /// Reads them; `None` when a shard does not answer within `patience`.
    pub(crate) async fn read(&self, patience: Duration) -> Option<Figures> {
        let shards = self.engine.figures(patience).await?;
        let (retained_messages, retained_bytes) = self.engine.retained_size();
        Some(Figures {
            uptime: self.started.elapsed(),
            shards,
            refused: self.admission.refusals().collect(),
            retained_messages,
            retained_bytes,
            store: self.engine.store_state(),
            written: self.engine.store_counts(),
            history: self.history.as_ref().map(History::counts),
            tree: self.engine.tree_counts(),
            process: OwnProcess::look(),
        })
    }
}

impl Figures {
    /// What is done about what is held for clients, on the shard where it is worst.
    pub(crate) fn pressure(&self) -> Pressure {
        let is_somewhere =
            |pressure: &Pressure| self.shards.iter().any(|shard| shard.stats.pressure == *pressure);
        [Pressure::Refusing, Pressure::Pausing].into_iter().find(is_somewhere).unwrap_or_default()
    }

    /// A counter of all shards.
    pub(crate) fn sum(&self, count: impl Fn(&Stats) -> u64) -> u64 {
        self.shards.iter().map(|shard| count(&shard.stats)).sum()
    }

    /// The same for what there is now.
    pub(crate) fn sum_of_sizes(&self, size: impl Fn(&Stats) -> usize) -> usize {
        self.shards.iter().map(|shard| size(&shard.stats)).sum()
    }
}
