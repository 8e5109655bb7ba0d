//! Rouses a shard's task from any thread.

use std::sync::OnceLock;
use std::task::{Context, Waker};

/// The way to say that something waits for a shard.
///
/// Ringing before the shard first listens is not lost: its first turn looks at everything. Ringing many
/// times before its next turn costs one wake-up, since the runtime keeps a single mark for its root task.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waker: OnceLock<Waker>,
}

impl Bell {
    /// Called by the shard's task at the start of each turn, before it looks for work.
    pub(crate) fn listen(&self, context: &Context<'_>) {
        self.waker.get_or_init(|| context.waker().clone());
    }

    /// Makes the shard take a turn.
    pub(crate) fn ring(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}
