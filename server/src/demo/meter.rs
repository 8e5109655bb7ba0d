//! The meter of the house: its power follows the lamps.

use std::collections::BTreeMap;
use std::time::Duration;

use hearth_protocol::Time;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::device::Report;
use super::sensor::Sensor;

/// Between two reports, as meters with an optical reader send them.
const PERIOD: Duration = Duration::from_secs(2);

/// What is always on: network, clocks, standby. Watts.
const BASE_WATTS: f64 = 140.0;

/// The compressor of the refrigerator: watts, its cycle, and how much of that it runs.
const FRIDGE_WATTS: f64 = 85.0;
const FRIDGE_CYCLE_SECONDS: f64 = 300.0;
const FRIDGE_SHARE: f64 = 0.4;

/// What a lamp takes that is not in the list of `Meter::new`.
const STRANGE_LAMP_WATTS: f64 = 25.0;

const TOPIC_FILTER: &str = "home/+/lamp";

/// The meter.
#[derive(Debug)]
pub(super) struct Meter {
    /// Watts of each lamp, by topic.
    lamps: BTreeMap<String, f64>,
    /// The lamps that are on, by topic.
    on: BTreeMap<String, f64>,
    kilowatt_hours: f64,
    last: Time,
    random: SmallRng,
}

impl Meter {
    /// A meter that stands at `kilowatt_hours` and knows what each lamp takes.
    pub(super) fn new(lamps: &[(String, f64)], kilowatt_hours: f64, seed: u64) -> Self {
        Self {
            lamps: lamps.iter().cloned().collect(),
            on: BTreeMap::new(),
            kilowatt_hours,
            last: Time::ZERO,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    fn watts(&mut self, now: Time) -> f64 {
        let in_cycle = (now.as_millis() as f64 / 1000.0 / FRIDGE_CYCLE_SECONDS).fract();
        let fridge = if in_cycle < FRIDGE_SHARE { FRIDGE_WATTS } else { 0.0 };
        BASE_WATTS + fridge + self.on.values().sum::<f64>() + self.random.random_range(-4.0..4.0)
    }
}

impl Sensor for Meter {
    fn prefix(&self) -> &'static str {
        "home/meter"
    }

    fn filters(&self) -> Vec<String> {
        vec![TOPIC_FILTER.to_owned()]
    }

    fn measure(&mut self, now: Time) -> Vec<Report> {
        let watts = self.watts(now);
        let hours = now.saturating_since(self.last).as_secs_f64() / 3600.0;
        self.kilowatt_hours += watts / 1000.0 * hours;
        self.last = now;
        vec![
            Report::reading("home/meter/power".to_owned(), format!("{watts:.0}")),
            Report::reading("home/meter/energy".to_owned(), format!("{:.3}", self.kilowatt_hours)),
        ]
    }

    fn pause(&mut self) -> Duration {
        PERIOD
    }

    fn hears(&mut self, topic: &str, payload: &[u8]) -> bool {
        let was_on = if payload == b"on" {
            let watts = self.lamps.get(topic).copied().unwrap_or(STRANGE_LAMP_WATTS);
            self.on.insert(topic.to_owned(), watts).is_some()
        } else {
            self.on.remove(topic).is_some()
        };
        // A change of load is told at once.
        was_on != self.on.contains_key(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::Device;
    use super::super::sensor::Paced;
    use super::super::testing::{drain, run_for};
    use super::*;

    fn meter() -> Paced<Meter> {
        let mut meter = Paced::new(Meter::new(&[("home/kitchen/lamp".to_owned(), 42.0)], 1234.567, 1));
        meter.handle_online(Time::ZERO);
        meter
    }

    fn power(reports: &[Report]) -> f64 {
        let of_power = |report: &&Report| report.topic == "home/meter/power";
        reports.iter().rfind(of_power).unwrap().payload.parse().unwrap()
    }

    #[test]
    fn its_power_follows_the_lamps_at_once() {
        let mut meter = meter();
        let dark = power(&drain(&mut meter));
        meter.handle_message(Time::ZERO, "home/kitchen/lamp", b"on");
        let one = power(&drain(&mut meter));
        assert!((one - dark - 42.0).abs() < 10.0, "{dark} {one}");
        meter.handle_message(Time::ZERO, "home/kitchen/lamp", b"on");
        assert_eq!(drain(&mut meter), [], "nothing changed");
        meter.handle_message(Time::ZERO, "home/attic/lamp", b"on");
        let two = power(&drain(&mut meter));
        assert!((two - one - STRANGE_LAMP_WATTS).abs() < 10.0, "a lamp that somebody added counts too");
        meter.handle_message(Time::ZERO, "home/kitchen/lamp", b"off");
        meter.handle_message(Time::ZERO, "home/attic/lamp", b"");
        assert!((power(&drain(&mut meter)) - dark).abs() < 10.0);
    }

    #[test]
    fn its_energy_only_grows_and_fits_its_power() {
        let mut meter = meter();
        let reports = run_for(&mut meter, Duration::from_secs(3600));
        let of_energy = |report: &&Report| report.topic == "home/meter/energy";
        let energy: Vec<f64> =
            reports.iter().filter(of_energy).map(|report| report.payload.parse().unwrap()).collect();
        assert_eq!(energy[0], 1234.567);
        assert!(energy.is_sorted());
        let used = energy[energy.len() - 1] - energy[0];
        let expected = (BASE_WATTS + FRIDGE_WATTS * FRIDGE_SHARE) / 1000.0;
        assert!((used - expected).abs() < 0.01, "{used} kWh in an hour at a mean of {expected} kW");
    }
}
