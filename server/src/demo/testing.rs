//! Runs a device on a clock that jumps.

use std::time::Duration;

use hearth_protocol::Time;

use super::device::{Device, Report};

/// Everything that it has to say now.
pub(super) fn drain(device: &mut impl Device) -> Vec<Report> {
    std::iter::from_fn(|| device.poll_report()).collect()
}

/// What it says until the clock shows `time`, from timer to timer.
pub(super) fn run_for(device: &mut impl Device, time: Duration) -> Vec<Report> {
    let end = Time::ZERO.saturating_add(time);
    let mut reports = drain(device);
    while let Some(now) = device.poll_timeout().filter(|now| *now <= end) {
        device.handle_timeout(now);
        reports.extend(drain(device));
        assert!(device.poll_timeout().is_none_or(|next| next > now), "a timer that was served is over");
    }
    reports
}
