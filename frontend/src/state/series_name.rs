//! What a number is called for people: where it is, and what it measures.

use super::measure::Measure;
use super::panel::readable;

/// The last two levels of the topic and of the JSON pointer in it, the last one as the measure that it names, in the words of
/// `measure_name`.
pub fn series_name(topic: &str, field: &str, measure_name: impl Fn(Measure, &str) -> String) -> String {
    let mut levels = field.rsplit('/').chain(topic.rsplit('/')).filter(|level| !level.is_empty());
    let level = levels.next().unwrap_or(topic);
    let what =
        Measure::of_level(level).map_or_else(|| readable(level), |measure| measure_name(measure, level));
    match levels.next() {
        Some(place) => format!("{} · {what}", readable(place)),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_called_by_its_room_and_its_measure() {
        let measured = |measure, level: &str| format!("{measure:?} of {level}");
        for (topic, field, name) in [
            ("home/living/temperature", "", "Living · Temperature of temperature"),
            ("zigbee2mqtt/kitchen_sensor", "/humidity", "Kitchen sensor · Humidity of humidity"),
            ("car/position", "/gps/lat", "Gps · Lat"),
            ("plant/line-2/", "", "Plant · Line 2"),
            ("counter", "", "Counter"),
            ("/", "", "/"),
        ] {
            assert_eq!(series_name(topic, field, measured), name, "{topic} {field}");
        }
    }
}
