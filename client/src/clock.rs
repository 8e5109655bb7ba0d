//! The clock that drives the client: it never goes backwards and does not stop while the computer sleeps.

use std::cell::Cell;

use hearth_protocol::Time;

/// Milliseconds since the clock was made.
#[derive(Debug)]
pub struct Clock {
    now_ms: Cell<f64>,
    steady_ms: Cell<f64>,
    wall_ms: Cell<f64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { now_ms: Cell::new(0.0), steady_ms: Cell::new(steady_ms()), wall_ms: Cell::new(wall_ms()) }
    }
}

impl Clock {
    /// Now. `performance.now()` stands still in a sleeping computer on some systems, and the wall clock may be
    /// set back: whichever has gone further counts. A wall clock set forward looks like a sleep, which costs a
    /// PINGREQ.
    pub fn now(&self) -> Time {
        let (steady, wall) = (steady_ms(), wall_ms());
        let passed =
            (steady - self.steady_ms.replace(steady)).max(wall - self.wall_ms.replace(wall)).max(0.0);
        let now_ms = self.now_ms.get() + passed;
        self.now_ms.set(now_ms);
        Time::from_millis(now_ms as u64)
    }
}

/// Milliseconds since 1970, for people.
pub fn wall_ms() -> f64 {
    js_sys::Date::now()
}

fn steady_ms() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or_else(wall_ms, |clock| clock.now())
}
