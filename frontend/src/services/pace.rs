//! How often what comes in is shown: often enough to look alive, and no more often than anybody reads.

use std::cell::Cell;

use super::clock;
use super::hub::Hub;

/// Ten times a second, in milliseconds.
const NEWS_EVERY_MS: f64 = 100.0;

/// When news were shown last. All that is paced is shown in the same frames, so that the frames between them cost nothing.
#[derive(Debug, Default)]
pub struct Pace {
    shown: Cell<f64>,
}

impl Pace {
    /// Whether news are to be shown with this frame; else they are with a later one, which comes even when nothing else does.
    pub fn is_due(&self, hub: &Hub) -> bool {
        let beat = (clock::wall_ms() / NEWS_EVERY_MS).floor();
        let is_due = self.shown.replace(beat) != beat;
        if !is_due {
            hub.touch_news();
        }
        is_due
    }

    /// The next frame shows all there is: a person waits for it.
    pub fn hasten(&self, hub: &Hub) {
        self.shown.set(0.0);
        hub.touch();
    }
}
