//! A device that reports at its own pace.

use std::collections::VecDeque;
use std::time::Duration;

use hearth_protocol::Time;

use super::device::{Device, Report};

/// What a sensor measures, and how often.
pub(super) trait Sensor: Send {
    /// As [`Device::prefix`].
    fn prefix(&self) -> &str;

    /// As [`Device::filters`].
    fn filters(&self) -> Vec<String> {
        Vec::new()
    }

    /// Measures; time has passed since the last call.
    fn measure(&mut self, now: Time) -> Vec<Report>;

    /// How long until the next measurement.
    fn pause(&mut self) -> Duration;

    /// A message came; whether that is a reason to measure at once.
    fn hears(&mut self, _topic: &str, _payload: &[u8]) -> bool {
        false
    }
}

/// The device of a sensor.
#[derive(Debug)]
pub(super) struct Paced<S> {
    sensor: S,
    next: Time,
    reports: VecDeque<Report>,
}

impl<S: Sensor> Paced<S> {
    /// A device whose first measurement is due.
    pub(super) fn new(sensor: S) -> Self {
        Self { sensor, next: Time::ZERO, reports: VecDeque::new() }
    }

    fn measure(&mut self, now: Time) {
        self.reports.extend(self.sensor.measure(now));
        self.next = now.saturating_add(self.sensor.pause());
    }
}

impl<S: Sensor> Device for Paced<S> {
    fn prefix(&self) -> &str {
        self.sensor.prefix()
    }

    fn filters(&self) -> Vec<String> {
        self.sensor.filters()
    }

    fn handle_online(&mut self, now: Time) {
        self.measure(now);
    }

    fn handle_message(&mut self, now: Time, topic: &str, payload: &[u8]) {
        if self.sensor.hears(topic, payload) {
            self.measure(now);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.next <= now {
            self.measure(now);
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        Some(self.next)
    }

    fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }
}
