//! Files for other programs: what a chart shows and what a topic carried, as CSV (RFC 4180) and JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::history::{Kept, PastMessage};
use super::payload;
use super::series::Point;

/// A series of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportSeries {
    /// The topic.
    pub topic: String,
    /// The JSON pointer; empty: the whole payload.
    pub field: String,
    /// The unit's symbol; empty where none is known.
    pub unit: String,
    /// In the order of time.
    pub points: Vec<Point>,
}

/// Milliseconds since 1970 in RFC 3339, in UTC.
pub fn timestamp(at_ms: f64) -> String {
    let at_ms = at_ms.round() as i64;
    let (days, rest) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

/// The date of a day counted from 1970, by the algorithm `civil_from_days` of Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A field of CSV, in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A line for each point.
pub fn series_csv(series: &[ExportSeries]) -> String {
    let mut csv = "time,topic,field,unit,value\r\n".to_owned();
    for one in series {
        let name = format!("{},{},{}", quoted(&one.topic), quoted(&one.field), quoted(&one.unit));
        for point in &one.points {
            // Writing to a String cannot fail.
            let _ = write!(csv, "{},{name},{}\r\n", timestamp(point.at_ms), point.value);
        }
    }
    csv
}

/// The same as JSON: the part of time, and the points of each series as time in milliseconds since 1970 and value.
pub fn series_json(series: &[ExportSeries], from_ms: f64, to_ms: f64) -> String {
    let series: Vec<Value> = series
        .iter()
        .map(|one| {
            let points: Vec<Value> =
                one.points.iter().map(|point| json!([point.at_ms.round() as i64, point.value])).collect();
            json!({"topic": one.topic, "field": one.field, "unit": one.unit, "points": points})
        })
        .collect();
    json!({"from": timestamp(from_ms), "to": timestamp(to_ms), "series": series}).to_string()
}

/// What was kept of a payload, and how it is written here: `text`, `hex`, or `absent` for one too large to keep.
fn spelled(payload: &Kept) -> (&'static str, String) {
    match payload {
        Kept::Whole(bytes) => match payload::readable(bytes) {
            Some(text) => ("text", text.to_owned()),
            None => {
                let mut digits = String::new();
                payload::hex_pairs(bytes, &mut digits);
                ("hex", digits)
            }
        },
        Kept::TooLarge(bytes) => ("absent", bytes.to_string()),
    }
}

/// A line for each message of a topic.
pub fn messages_csv<'a>(messages: impl Iterator<Item = &'a PastMessage>) -> String {
    let mut csv = "time,qos,retain,encoding,payload\r\n".to_owned();
    for message in messages {
        let (encoding, payload) = spelled(&message.payload);
        let (at, qos) = (timestamp(message.at_ms), message.qos.bits());
        let _ = write!(csv, "{at},{qos},{},{encoding},{}\r\n", message.retain, quoted(&payload));
    }
    csv
}

/// The same as JSON.
pub fn messages_json<'a>(topic: &str, messages: impl Iterator<Item = &'a PastMessage>) -> String {
    let messages: Vec<Value> = messages
        .map(|message| {
            let (encoding, payload) = spelled(&message.payload);
            let at = timestamp(message.at_ms);
            json!({"time": at, "qos": message.qos.bits(), "retain": message.retain, "encoding": encoding, "payload": payload})
        })
        .collect();
    json!({"topic": topic, "messages": messages}).to_string()
}

/// A name for a file from that of a topic: letters that every file system takes.
pub fn file_name(topic: &str, ending: &str) -> String {
    let plain: String = topic
        .chars()
        .take(80)
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    let plain = plain.trim_matches(['-', '.']);
    format!("{}.{ending}", if plain.is_empty() { "topic" } else { plain })
}

#[cfg(test)]
mod tests {
    use hearth_protocol::QoS;

    use super::*;

    fn one() -> ExportSeries {
        let point = |at_ms, value| Point { at_ms, value };
        ExportSeries {
            topic: "home/a,b".to_owned(),
            field: "/t".to_owned(),
            unit: "°C".to_owned(),
            points: vec![point(0.0, 21.5), point(1_769_860_800_123.0, -3.0)],
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (at_ms, wanted) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (-1.0, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (1_769_860_800_123.0, "2026-01-31T12:00:00.123Z"),
            (4_107_542_399_000.0, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000.0, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(at_ms), wanted);
        }
    }

    #[test]
    fn a_series_has_a_line_for_each_point() {
        let wanted = "time,topic,field,unit,value\r\n\
            1970-01-01T00:00:00.000Z,\"home/a,b\",/t,°C,21.5\r\n\
            2026-01-31T12:00:00.123Z,\"home/a,b\",/t,°C,-3\r\n";
        assert_eq!(series_csv(&[one()]), wanted);
        let json: Value = serde_json::from_str(&series_json(&[one()], 0.0, 1.0)).unwrap();
        assert_eq!(json["series"][0]["points"], json!([[0, 21.5], [1_769_860_800_123_i64, -3.0]]));
        assert_eq!(json["to"], "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn messages_say_how_their_payload_is_written() {
        let message = |payload| PastMessage { at_ms: 0.0, retain: true, qos: QoS::AtLeastOnce, payload };
        let messages = [
            message(Kept::Whole(b"say \"hi\"\n".as_slice().into())),
            message(Kept::Whole([0, 255].into())),
            message(Kept::TooLarge(99_999)),
        ];
        let wanted = "time,qos,retain,encoding,payload\r\n\
            1970-01-01T00:00:00.000Z,1,true,text,\"say \"\"hi\"\"\n\"\r\n\
            1970-01-01T00:00:00.000Z,1,true,hex,00 ff\r\n\
            1970-01-01T00:00:00.000Z,1,true,absent,99999\r\n";
        assert_eq!(messages_csv(messages.iter()), wanted);
        let json: Value = serde_json::from_str(&messages_json("a", messages.iter())).unwrap();
        assert_eq!(json["messages"][1]["payload"], "00 ff");
        assert_eq!((&json["topic"], &json["messages"][0]["qos"]), (&json!("a"), &json!(1)));
    }

    #[test]
    fn a_file_name_has_no_slashes() {
        assert_eq!(file_name("home/küche/t", "csv"), "home-küche-t.csv");
        assert_eq!(file_name("../..", "png"), "topic.png");
    }
}
