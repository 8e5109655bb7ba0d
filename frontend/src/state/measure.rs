//! What a number means, told by the last level of its topic.

/// A quantity that homes measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Degrees Celsius.
    Temperature,
    /// Relative humidity in percent.
    Humidity,
    /// Watts.
    Power,
    /// Kilowatt hours.
    Energy,
    /// Kilometres an hour.
    Speed,
    /// Hectopascals.
    Pressure,
    /// Parts per million of carbon dioxide.
    CarbonDioxide,
    /// Lux.
    Illuminance,
    /// Percent of charge.
    Battery,
    /// Volts.
    Voltage,
    /// Amperes.
    Current,
}

/// The words that name a measure, in English and German.
const WORDS: [(&str, Measure); 27] = [
    ("temperature", Measure::Temperature),
    ("temperatur", Measure::Temperature),
    ("temp", Measure::Temperature),
    ("humidity", Measure::Humidity),
    ("luftfeuchtigkeit", Measure::Humidity),
    ("luftfeuchte", Measure::Humidity),
    ("feuchte", Measure::Humidity),
    ("power", Measure::Power),
    ("leistung", Measure::Power),
    ("watt", Measure::Power),
    ("energy", Measure::Energy),
    ("energie", Measure::Energy),
    ("speed", Measure::Speed),
    ("geschwindigkeit", Measure::Speed),
    ("pressure", Measure::Pressure),
    ("luftdruck", Measure::Pressure),
    ("co2", Measure::CarbonDioxide),
    ("illuminance", Measure::Illuminance),
    ("lux", Measure::Illuminance),
    ("helligkeit", Measure::Illuminance),
    ("battery", Measure::Battery),
    ("batterie", Measure::Battery),
    ("soc", Measure::Battery),
    ("voltage", Measure::Voltage),
    ("spannung", Measure::Voltage),
    ("current", Measure::Current),
    ("strom", Measure::Current),
];

impl Measure {
    /// The measure that a level names by itself (`temperature`) or as its last word (`outdoor_temperature`).
    pub fn of_level(level: &str) -> Option<Self> {
        let word = level.rsplit(['_', '-', ' ', '.']).next().unwrap_or(level);
        WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, measure)| measure)
    }

    /// The unit's symbol.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Temperature => "°C",
            Self::Humidity | Self::Battery => "%",
            Self::Power => "W",
            Self::Energy => "kWh",
            Self::Speed => "km/h",
            Self::Pressure => "hPa",
            Self::CarbonDioxide => "ppm",
            Self::Illuminance => "lx",
            Self::Voltage => "V",
            Self::Current => "A",
        }
    }

    /// A course that moves less than this stays a calm line, in its unit: what a home does of itself is no event.
    pub const fn least_span(self) -> f64 {
        match self {
            Self::Temperature => 2.0,
            Self::Humidity | Self::Battery => 10.0,
            Self::CarbonDioxide => 200.0,
            Self::Power => 100.0,
            Self::Pressure => 10.0,
            Self::Illuminance => 50.0,
            Self::Voltage => 5.0,
            Self::Speed | Self::Energy | Self::Current => 1.0,
        }
    }

    /// Where it stands among the values of a room.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Temperature => 0,
            Self::Humidity => 1,
            Self::CarbonDioxide => 2,
            Self::Speed => 3,
            Self::Power => 4,
            Self::Energy => 5,
            Self::Pressure => 6,
            Self::Illuminance => 7,
            Self::Voltage => 8,
            Self::Current => 9,
            Self::Battery => 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_the_level_names_the_measure() {
        for (level, measure) in [
            ("temperature", Some(Measure::Temperature)),
            ("Outdoor_Temperature", Some(Measure::Temperature)),
            ("luftfeuchte", Some(Measure::Humidity)),
            ("co2", Some(Measure::CarbonDioxide)),
            ("temperature_offset", None),
            ("count", None),
        ] {
            assert_eq!(Measure::of_level(level), measure, "{level}");
        }
    }
}
