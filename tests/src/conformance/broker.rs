//! One broker for all the tests of a module that run at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::hearth::{Hearth, HearthCommand};

/// A place for a broker, as a `static` of its module.
///
/// Whoever comes while others use it shares theirs, and the last one ends it: a static that holds a process would never
/// let go of it, and a broker that panicked would go unseen. So a test counts on no other's state, nor on its absence:
/// it takes its client ids and topics from [`unique`](super::unique).
pub struct SharedBroker {
    running: Mutex<Weak<Hearth>>,
    settings: &'static [(&'static str, &'static str)],
}

/// What differs from the defaults. A connection that broke a rule is not to end because patience with it is over, which a
/// test could not tell from the end that the rule asks for.
pub const SETTINGS: &[(&str, &str)] =
    &[("HEARTH_SHARDS", "2"), ("HEARTH_LIMITS_CONNECT_SECONDS_MAX", "3600")];

impl SharedBroker {
    /// On two shards, with the settings as they are by default but for [`SETTINGS`].
    pub const fn new() -> Self {
        Self::with(&[])
    }

    /// With other settings, by the names of their variables such as `HEARTH_LIMITS_INFLIGHT_MAX`.
    pub const fn with(settings: &'static [(&'static str, &'static str)]) -> Self {
        Self { running: Mutex::new(Weak::new()), settings }
    }

    /// The broker that runs, or a new one. A test keeps it until its end: when nobody holds it, it ends, and closes every
    /// connection, which could be taken for what a test waits for.
    #[must_use]
    #[track_caller]
    pub fn get(&self) -> Arc<Hearth> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hearth) = running.upgrade() {
            return hearth;
        }
        let mut command = HearthCommand::new().args([
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--ws",
            "127.0.0.1:0",
        ]);
        for (name, value) in SETTINGS.iter().chain(self.settings) {
            command = command.env(name, value);
        }
        let hearth = Arc::new(command.start());
        *running = Arc::downgrade(&hearth);
        hearth
    }
}
