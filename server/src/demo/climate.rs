//! A sensor of temperature and humidity in a room.

use std::f64::consts::TAU;
use std::time::Duration;

use hearth_protocol::Time;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::device::Report;
use super::sensor::Sensor;

const SECONDS_OF_DAY: f64 = 86_400.0;

/// Between two reports: often enough for a chart that lives, as rare as a sensor on batteries can be.
const PERIOD: Duration = Duration::from_secs(4);

/// The hour at which a room is warmest.
const WARMEST_HOUR: f64 = 16.0;

/// How the air of a room behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Air {
    /// Mean temperature in °C.
    pub(super) temperature: f64,
    /// Mean relative humidity in percent.
    pub(super) humidity: f64,
    /// How far the temperature goes up and down within a day, in °C.
    pub(super) swing: f64,
}

/// The sensor of one room.
#[derive(Debug)]
pub(super) struct Climate {
    prefix: String,
    air: Air,
    /// Second of the day when the clock showed zero.
    day_second: f64,
    /// How far the room is from its daily curve: a random walk that is drawn back.
    drift: f64,
    humidity_drift: f64,
    random: SmallRng,
}

impl Climate {
    /// A sensor below `prefix`; `day_second` is the second of the day when the clock shows zero.
    pub(super) fn new(prefix: &str, air: Air, day_second: f64, seed: u64) -> Self {
        Self {
            prefix: prefix.to_owned(),
            air,
            day_second,
            drift: 0.0,
            humidity_drift: 0.0,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    /// The height of the daily curve, from -1 to 1.
    fn curve(&self, now: Time) -> f64 {
        let second = self.day_second + now.as_millis() as f64 / 1000.0;
        ((second / SECONDS_OF_DAY - WARMEST_HOUR / 24.0) * TAU).cos()
    }

    fn walk(&mut self) {
        // A step of 0.15 at most, drawn back by a fortieth: the walk stays within about one degree.
        self.drift += self.random.random_range(-0.15..=0.15) - self.drift / 40.0;
        self.humidity_drift += self.random.random_range(-0.6..=0.6) - self.humidity_drift / 40.0;
    }
}

impl Sensor for Climate {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn measure(&mut self, now: Time) -> Vec<Report> {
        self.walk();
        let temperature = self.air.temperature + self.air.swing * self.curve(now) + self.drift;
        // Warm air takes more water: the same water is less of what it could hold.
        let humidity = self.air.humidity - 3.0 * self.curve(now) - 2.0 * self.drift + self.humidity_drift;
        let topic = |name| format!("{}/{name}", self.prefix);
        vec![
            Report::reading(topic("temperature"), format!("{temperature:.1}")),
            Report::reading(topic("humidity"), format!("{:.0}", humidity.clamp(0.0, 100.0))),
        ]
    }

    fn pause(&mut self) -> Duration {
        // Sensors that start together do not stay in step.
        PERIOD.mul_f64(self.random.random_range(0.8..1.2))
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::Device;
    use super::super::sensor::Paced;
    use super::super::testing::{drain, run_for};
    use super::*;

    const AIR: Air = Air { temperature: 21.0, humidity: 48.0, swing: 1.0 };

    fn climate(air: Air, day_second: f64, seed: u64) -> Paced<Climate> {
        Paced::new(Climate::new("home/kitchen", air, day_second, seed))
    }

    fn values(reports: &[Report], name: &str) -> Vec<f64> {
        let of = |report: &&Report| report.topic == format!("home/kitchen/{name}");
        reports.iter().filter(of).map(|report| report.payload.parse().unwrap()).collect()
    }

    #[test]
    fn the_first_report_comes_at_once_with_one_decimal_of_temperature() {
        let mut climate = climate(AIR, 0.0, 1);
        climate.handle_online(Time::ZERO);
        let reports = drain(&mut climate);
        assert_eq!(reports.len(), 2);
        assert!(reports.iter().all(|report| report.retain));
        assert_eq!(reports[0].payload.split_once('.').map(|(_, decimals)| decimals.len()), Some(1));
        assert!(!reports[1].payload.contains('.'), "{reports:?}");
    }

    #[test]
    fn a_day_drifts_without_ever_leaving_what_a_room_can_be() {
        let mut climate = climate(AIR, 0.0, 7);
        let reports = run_for(&mut climate, Duration::from_secs(86_400));
        let temperatures = values(&reports, "temperature");
        assert!((18_000..27_000).contains(&temperatures.len()), "{}", temperatures.len());
        assert!(temperatures.iter().all(|value| (16.0..26.0).contains(value)));
        assert!(values(&reports, "humidity").iter().all(|value| (25.0..75.0).contains(value)));
        let steps = temperatures.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.fold(0.0, f64::max) < 0.5, "nothing jumps");
        assert!(temperatures.windows(100).all(|part| part.iter().any(|value| *value != part[0])), "it lives");
    }

    #[test]
    fn the_afternoon_is_warmer_than_the_night() {
        let mean = |day_second| {
            let air = Air { swing: 3.0, ..AIR };
            let mut climate = climate(air, day_second, 3);
            let reports = run_for(&mut climate, Duration::from_secs(3600));
            let values = values(&reports, "temperature");
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean(15.5 * 3600.0) > mean(3.5 * 3600.0) + 3.0);
    }

    #[test]
    fn the_same_seed_gives_the_same_day() {
        let day = |seed| run_for(&mut climate(AIR, 0.0, seed), Duration::from_secs(600));
        assert_eq!(day(5), day(5));
        assert_ne!(day(5), day(6));
    }
}
