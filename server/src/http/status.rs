//! What the resources need to know of the running broker.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_api::StoreState;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;

/// The shards, as a health check sees them.
pub(crate) trait Shards: Clone + Send + Sync + 'static {
    /// How many there are.
    fn count(&self) -> u16;

    /// How many MQTT connections they have.
    fn connections(&self) -> u64;

    /// Whether what has to outlive the process can be written.
    fn store(&self) -> StoreState;

    /// Whether each shard answers within `patience`, in the order of their numbers.
    fn answers(&self, patience: Duration) -> impl Future<Output = Vec<bool>> + Send;
}

/// The broker's state; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Status<S> {
    pub(super) shards: S,
    pub(super) admission: Arc<Admission>,
    pub(super) listeners: Arc<[hearth_api::Listener]>,
    pub(super) started: Instant,
    pub(super) stop: CancellationToken,
}

impl<S: Shards> Status<S> {
    /// The state of a broker that starts now and stops when `stop` is cancelled.
    pub(crate) fn new(
        shards: S,
        admission: Arc<Admission>,
        listeners: Vec<hearth_api::Listener>,
        stop: CancellationToken,
    ) -> Self {
        Self { shards, admission, listeners: listeners.into(), started: Instant::now(), stop }
    }
}
