//! A car that drives around the block.

use std::f64::consts::PI;
use std::time::Duration;

use hearth_protocol::Time;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::device::Report;
use super::sensor::Sensor;

/// Between two reports.
const PERIOD: Duration = Duration::from_secs(1);

/// Metres of one degree of latitude.
const METRES_A_DEGREE: f64 = 111_320.0;

/// Metres a second, gained or lost in a second: how people drive.
const ACCELERATION: f64 = 2.0;

/// Speed at a corner, in metres a second.
const CORNER_SPEED: f64 = 4.0;

/// The corners of the way: degrees north, degrees east, and the speed in km/h on the way to the next one.
const CORNERS: [(f64, f64, f64); 8] = [
    (48.137_10, 11.575_40, 30.0),
    (48.139_00, 11.580_20, 50.0),
    (48.143_60, 11.586_90, 50.0),
    (48.149_80, 11.586_20, 60.0),
    (48.154_30, 11.577_90, 50.0),
    (48.150_20, 11.566_40, 60.0),
    (48.143_00, 11.562_70, 50.0),
    (48.138_60, 11.567_80, 30.0),
];

/// The car.
#[derive(Debug)]
pub(super) struct Car {
    /// The corner that it comes from.
    corner: usize,
    /// Metres since that corner.
    metres: f64,
    /// Metres a second.
    speed: f64,
    /// A red light: it waits here until then.
    waits_until: Option<Time>,
    last: Time,
    random: SmallRng,
}

impl Car {
    /// A car that stands at the first corner.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            corner: 0,
            metres: 0.0,
            speed: 0.0,
            waits_until: None,
            last: Time::ZERO,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    /// Length in metres of the way from a corner to the next. Fine for some kilometres, where the earth is flat.
    fn length(corner: usize) -> f64 {
        let (north, east) = Self::vector(corner);
        north.hypot(east)
    }

    fn vector(corner: usize) -> (f64, f64) {
        let (from, to) = (CORNERS[corner], CORNERS[(corner + 1) % CORNERS.len()]);
        let east = METRES_A_DEGREE * (from.0 * PI / 180.0).cos();
        ((to.0 - from.0) * METRES_A_DEGREE, (to.1 - from.1) * east)
    }

    /// Degrees north and east.
    fn position(&self) -> (f64, f64) {
        let (from, to) = (CORNERS[self.corner], CORNERS[(self.corner + 1) % CORNERS.len()]);
        let part = self.metres / Self::length(self.corner);
        (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
    }

    fn drive(&mut self, now: Time) {
        // A laptop that slept must not send the car around the world in one step.
        let seconds = now.saturating_since(self.last).as_secs_f64().min(5.0);
        self.last = now;
        match self.waits_until {
            Some(until) if now < until => return,
            Some(_) | None => self.waits_until = None,
        }
        let rest = (Self::length(self.corner) - self.metres).max(0.0);
        // What can still be braked away before the corner.
        let brakeable = (CORNER_SPEED.powi(2) + 2.0 * ACCELERATION * rest).sqrt();
        let wanted = (CORNERS[self.corner].2 / 3.6 + self.random.random_range(-0.8..0.8)).min(brakeable);
        let step = ACCELERATION * seconds;
        self.speed = wanted.clamp(self.speed - step, self.speed + step).max(0.0);
        self.metres += self.speed * seconds;
        let length = Self::length(self.corner);
        if self.metres >= length {
            self.metres -= length;
            self.corner = (self.corner + 1) % CORNERS.len();
            // Every third light is red.
            if self.random.random_range(0..3) == 0 {
                self.speed = 0.0;
                let wait = Duration::from_secs(self.random.random_range(3..9));
                self.waits_until = Some(now.saturating_add(wait));
            }
        }
    }
}

impl Sensor for Car {
    fn prefix(&self) -> &'static str {
        "car"
    }

    fn measure(&mut self, now: Time) -> Vec<Report> {
        self.drive(now);
        let (lat, lon) = self.position();
        vec![
            Report::moment("car/speed".to_owned(), format!("{:.1}", self.speed * 3.6)),
            Report::reading("car/position".to_owned(), format!("{{\"lat\":{lat:.6},\"lon\":{lon:.6}}}")),
        ]
    }

    fn pause(&mut self) -> Duration {
        PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::super::sensor::Paced;
    use super::super::testing::run_for;
    use super::*;

    fn hour(seed: u64) -> Vec<Report> {
        run_for(&mut Paced::new(Car::new(seed)), Duration::from_secs(3600))
    }

    #[test]
    fn it_drives_at_speeds_of_a_town_and_stops_now_and_then() {
        let reports = hour(1);
        let speeds: Vec<f64> = reports
            .iter()
            .filter(|report| report.topic == "car/speed")
            .map(|report| report.payload.parse().unwrap())
            .collect();
        assert_eq!(speeds.len(), 3601);
        assert!(speeds.iter().all(|speed| (0.0..70.0).contains(speed)));
        assert!(speeds.iter().any(|speed| *speed > 50.0) && speeds[10..].contains(&0.0));
        // Braking is gentle but for the last metres at a red light.
        let jumps = speeds.windows(2).filter(|pair| pair[1] - pair[0] > ACCELERATION * 3.6 + 0.1).count();
        assert_eq!(jumps, 0);
    }

    #[test]
    fn its_position_is_json_and_moves_as_its_speed_says() {
        let reports = hour(2);
        let positions: Vec<(f64, f64)> = reports
            .iter()
            .filter(|report| report.topic == "car/position")
            .map(|report| serde_json::from_str::<serde_json::Value>(&report.payload).unwrap())
            .map(|value| (value["lat"].as_f64().unwrap(), value["lon"].as_f64().unwrap()))
            .collect();
        assert!(positions.iter().all(|(lat, lon)| (48.1..48.2).contains(lat) && (11.5..11.6).contains(lon)));
        let metres = |one: &(f64, f64), other: &(f64, f64)| {
            ((one.0 - other.0) * METRES_A_DEGREE).hypot((one.1 - other.1) * METRES_A_DEGREE * 0.667)
        };
        assert!(positions.windows(2).all(|pair| metres(&pair[0], &pair[1]) < 20.0), "it does not jump");
        let round = positions.iter().skip(60).any(|position| metres(position, &positions[0]) < 20.0);
        assert!(round, "it comes back to where it began");
    }
}
