//! The devices of the simulated home.

use super::car::Car;
use super::climate::{Air, Climate};
use super::device::Device;
use super::door::Door;
use super::lamp::Lamp;
use super::meter::Meter;
use super::sensor::Paced;

/// A room: its name, its air, its lamp's power in watts and whether that is on at first.
struct Room {
    name: &'static str,
    air: Air,
    lamp_watts: f64,
    is_lit: bool,
}

const ROOMS: [Room; 4] = [
    Room {
        name: "kitchen",
        air: Air { temperature: 21.4, humidity: 48.0, swing: 0.9 },
        lamp_watts: 42.0,
        is_lit: true,
    },
    Room {
        name: "living",
        air: Air { temperature: 21.0, humidity: 45.0, swing: 1.2 },
        lamp_watts: 60.0,
        is_lit: true,
    },
    Room {
        name: "bedroom",
        air: Air { temperature: 18.6, humidity: 52.0, swing: 0.7 },
        lamp_watts: 24.0,
        is_lit: false,
    },
    Room {
        name: "bath",
        air: Air { temperature: 22.8, humidity: 61.0, swing: 0.6 },
        lamp_watts: 18.0,
        is_lit: false,
    },
];

/// What the meter shows at first, in kWh.
const METER_KILOWATT_HOURS: f64 = 1234.567;

/// Every device; the same `seed` gives the same home. `day_second` is the second of the day at the start.
pub(super) fn devices(day_second: f64, seed: u64) -> Vec<Box<dyn Device>> {
    let mut devices: Vec<Box<dyn Device>> = Vec::new();
    let mut lamps = Vec::new();
    for (room, seed) in ROOMS.iter().zip(seed..) {
        let prefix = format!("home/{}", room.name);
        let lamp = format!("{prefix}/lamp");
        devices.push(Box::new(Paced::new(Climate::new(&prefix, room.air, day_second, seed))));
        devices.push(Box::new(Lamp::new(&lamp, room.is_lit, seed)));
        lamps.push((lamp, room.lamp_watts));
    }
    devices.push(Box::new(Door::new(seed)));
    devices.push(Box::new(Paced::new(Meter::new(&lamps, METER_KILOWATT_HOURS, seed))));
    devices.push(Box::new(Paced::new(Car::new(seed))));
    devices
}

#[cfg(test)]
mod tests {
    use hearth_protocol::Time;

    use super::*;

    #[test]
    fn the_home_has_its_rooms_and_each_device_a_place_of_its_own() {
        let mut devices = devices(0.0, 1);
        let mut prefixes: Vec<String> = devices.iter().map(|device| device.prefix().to_owned()).collect();
        prefixes.sort();
        assert!(prefixes.windows(2).all(|pair| pair[0] != pair[1]), "{prefixes:?}");
        let mut topics = Vec::new();
        for device in &mut devices {
            device.handle_online(Time::ZERO);
            while let Some(report) = device.poll_report() {
                assert!(report.topic.starts_with(device.prefix()), "{report:?}");
                topics.push(report.topic);
            }
        }
        topics.sort();
        for room in ["kitchen", "living", "bedroom", "bath"] {
            for name in ["temperature", "humidity", "lamp"] {
                assert!(topics.contains(&format!("home/{room}/{name}")), "{topics:?}");
            }
        }
        for topic in ["home/door/front", "home/meter/power", "home/meter/energy", "car/speed", "car/position"]
        {
            assert!(topics.contains(&topic.to_owned()), "{topics:?}");
        }
    }
}
