//! A front door that people go through now and then.

use std::time::Duration;

use hearth_protocol::Time;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::device::{Device, Report};

/// How long it stays closed and open, in seconds.
const CLOSED_SECONDS: std::ops::Range<u64> = 20..90;
const OPEN_SECONDS: std::ops::Range<u64> = 3..12;

/// A contact on a door.
#[derive(Debug)]
pub(super) struct Door {
    is_open: bool,
    next: Time,
    random: SmallRng,
    is_told: bool,
}

impl Door {
    /// A closed door.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let next = Time::ZERO.saturating_add(Duration::from_secs(random.random_range(CLOSED_SECONDS)));
        Self { is_open: false, next, random, is_told: true }
    }
}

impl Device for Door {
    fn prefix(&self) -> &'static str {
        "home/door"
    }

    fn handle_online(&mut self, _now: Time) {
        self.is_told = false;
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.next <= now {
            self.is_open = !self.is_open;
            let seconds = if self.is_open { OPEN_SECONDS } else { CLOSED_SECONDS };
            self.next = now.saturating_add(Duration::from_secs(self.random.random_range(seconds)));
            self.is_told = false;
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        Some(self.next)
    }

    fn poll_report(&mut self) -> Option<Report> {
        let is_told = std::mem::replace(&mut self.is_told, true);
        let state = if self.is_open { "open" } else { "closed" };
        (!is_told).then(|| Report::state("home/door/front".to_owned(), state))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::run_for;
    use super::*;

    #[test]
    fn it_opens_and_closes_in_turn_and_is_mostly_closed() {
        let mut door = Door::new(4);
        door.handle_online(Time::ZERO);
        let reports = run_for(&mut door, Duration::from_secs(3600));
        assert_eq!(reports[0].payload, "closed");
        let states: Vec<&str> = reports.iter().map(|report| report.payload.as_str()).collect();
        assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "{states:?}");
        assert!((60..320).contains(&states.len()), "an hour has some dozens of passages: {}", states.len());
    }
}
