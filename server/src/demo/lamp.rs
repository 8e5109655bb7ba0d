//! A lamp that obeys.

use std::time::Duration;

use hearth_protocol::Time;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::device::{Device, Report};

/// What a lamp on a radio takes to obey, in milliseconds.
const DELAY_MS: std::ops::Range<u64> = 120..450;

/// One lamp.
#[derive(Debug)]
pub(super) struct Lamp {
    prefix: String,
    is_on: bool,
    change: Option<Change>,
    random: SmallRng,
    is_told: bool,
}

/// What it was told and has not done yet.
#[derive(Clone, Copy, Debug)]
struct Change {
    to: bool,
    at: Time,
}

impl Lamp {
    /// A lamp below `prefix`: its state is there, commands come at `<prefix>/set`.
    pub(super) fn new(prefix: &str, is_on: bool, seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self { prefix: prefix.to_owned(), is_on, change: None, random, is_told: true }
    }
}

/// What a lamp says and hears.
pub(super) const fn word(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

impl Device for Lamp {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn filters(&self) -> Vec<String> {
        vec![format!("{}/set", self.prefix)]
    }

    fn handle_online(&mut self, _now: Time) {
        self.is_told = false;
    }

    fn handle_message(&mut self, now: Time, _topic: &str, payload: &[u8]) {
        let wanted = self.change.map_or(self.is_on, |change| change.to);
        let to = match payload.trim_ascii().to_ascii_lowercase().as_slice() {
            b"on" => true,
            b"off" => false,
            b"toggle" => !wanted,
            // Like a real one: what it does not understand it does not do.
            _ => return,
        };
        let delay = Duration::from_millis(self.random.random_range(DELAY_MS));
        self.change = Some(Change { to, at: now.saturating_add(delay) });
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Some(change) = self.change
            && change.at <= now
        {
            self.change = None;
            self.is_on = change.to;
            // Said even when nothing changed: whoever asked waits for the answer.
            self.is_told = false;
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.change.map(|change| change.at)
    }

    fn poll_report(&mut self) -> Option<Report> {
        let is_told = std::mem::replace(&mut self.is_told, true);
        (!is_told).then(|| Report::state(self.prefix.clone(), word(self.is_on)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{drain, run_for};
    use super::*;

    fn lamp(is_on: bool) -> Lamp {
        let mut lamp = Lamp::new("home/kitchen/lamp", is_on, 1);
        lamp.handle_online(Time::ZERO);
        assert_eq!(drain(&mut lamp), [Report::state("home/kitchen/lamp".to_owned(), word(is_on))]);
        lamp
    }

    fn told(lamp: &mut Lamp, commands: &[&[u8]]) -> Vec<String> {
        for command in commands {
            lamp.handle_message(Time::ZERO, "home/kitchen/lamp/set", command);
        }
        run_for(lamp, Duration::from_secs(1)).into_iter().map(|report| report.payload).collect()
    }

    #[test]
    fn it_obeys_and_says_so_even_when_nothing_changed() {
        for (is_on, command, expected) in [
            (false, &b"on"[..], "on"),
            (true, b"off", "off"),
            (false, b"toggle", "on"),
            (true, b"toggle", "off"),
            (true, b"on", "on"),
            (false, b" ON\n", "on"),
        ] {
            assert_eq!(told(&mut lamp(is_on), &[command]), [expected], "{is_on} {command:?}");
        }
    }

    #[test]
    fn it_takes_a_moment_as_a_real_lamp_does() {
        let mut lamp = lamp(false);
        lamp.handle_message(Time::ZERO, "home/kitchen/lamp/set", b"on");
        assert_eq!(drain(&mut lamp), []);
        let due = lamp.poll_timeout().unwrap().as_millis();
        assert!(DELAY_MS.contains(&due), "{due}");
        lamp.handle_timeout(Time::from_millis(due - 1));
        assert_eq!(drain(&mut lamp), []);
        lamp.handle_timeout(Time::from_millis(due));
        assert_eq!(drain(&mut lamp).len(), 1);
        assert_eq!(lamp.poll_timeout(), None);
    }

    #[test]
    fn the_last_of_several_quick_commands_counts_and_two_toggles_cancel_out() {
        assert_eq!(told(&mut lamp(false), &[b"on", b"off", b"on"]), ["on"]);
        assert_eq!(told(&mut lamp(false), &[b"toggle", b"toggle"]), ["off"]);
    }

    #[test]
    fn what_it_does_not_understand_it_does_not_do() {
        assert_eq!(told(&mut lamp(true), &[b"", b"purple", b"\xff\xfe", b"of"]), Vec::<String>::new());
    }
}
