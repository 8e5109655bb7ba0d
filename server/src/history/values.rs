//! The values in a payload: a number, a word for on or off, or such fields of JSON.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};

/// Numbers longer than this are identifiers rather than measurements.
const NUMBER_BYTES_MAX: usize = 32;

/// The longest of the words for on and off, with a line break behind it.
const WORD_BYTES_MAX: usize = 7;

/// Levels of a JSON payload that are looked into; what lies deeper has no field.
const DEPTH_MAX: u8 = 8;

/// The longest field, in bytes of its pointer; longer ones are data and not names.
const FIELD_BYTES_MAX: usize = 256;

/// Whether a payload may have values: a look at its length and its first byte.
pub(super) const fn may_have_values(payload: &[u8], json_bytes_max: usize) -> bool {
    match payload {
        [b'{' | b'[', ..] => payload.len() <= json_bytes_max,
        [b'0'..=b'9' | b'-' | b'+' | b'.' | b' ', ..] => payload.len() <= NUMBER_BYTES_MAX,
        [b'o' | b'O' | b't' | b'T' | b'f' | b'F', ..] => payload.len() <= WORD_BYTES_MAX,
        _ => false,
    }
}

/// Finds the values of payloads; its memory serves one after the other.
#[derive(Debug)]
pub(super) struct Values {
    fields_max: usize,
    /// Where the walk is, as a JSON pointer (RFC 6901).
    path: String,
    /// The pointers of the values, one behind the other.
    fields: String,
    found: Vec<(Range<usize>, f64)>,
}

impl Values {
    pub(super) fn new(fields_max: usize) -> Self {
        Self { fields_max, path: String::new(), fields: String::new(), found: Vec::new() }
    }

    /// The values of a payload, each with its field: a JSON pointer, empty for the payload itself. JSON that breaks off or
    /// goes on behind its end has none.
    pub(super) fn of(&mut self, payload: &[u8]) -> impl Iterator<Item = (&str, f64)> {
        self.path.clear();
        self.fields.clear();
        self.found.clear();
        if matches!(payload, [b'{' | b'[', ..]) {
            if self.walk(payload).is_err() {
                self.found.clear();
            }
        } else if let Some(value) = std::str::from_utf8(payload).ok().and_then(plain) {
            self.add(value);
        }
        let fields = &self.fields;
        self.found.iter().map(|(field, value)| (&fields[field.clone()], *value))
    }

    fn walk(&mut self, payload: &[u8]) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_slice(payload);
        Walk { values: self, depth: 0 }.deserialize(&mut json)?;
        json.end()
    }

    fn add(&mut self, value: f64) {
        if self.found.len() < self.fields_max && self.path.len() <= FIELD_BYTES_MAX && value.is_finite() {
            let start = self.fields.len();
            self.fields.push_str(&self.path);
            // Zero has no sign here: it would only be stored less well.
            self.found.push((start..self.fields.len(), if value == 0.0 { 0.0 } else { value }));
        }
    }
}

/// The value of a text that is nothing else. Infinities and NaN are no measurements.
fn plain(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        text.parse().ok().filter(|value: &f64| value.is_finite())
    } else {
        switch(text)
    }
}

/// 1 or 0 for the words that devices use for on and off.
fn switch(text: &str) -> Option<f64> {
    let is = |word| text.eq_ignore_ascii_case(word);
    if is("on") || is("true") {
        Some(1.0)
    } else if is("off") || is("false") {
        Some(0.0)
    } else {
        None
    }
}

/// One JSON value at the end of the path.
struct Walk<'a> {
    values: &'a mut Values,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.values.add(f64::from(u8::from(value)));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.values.add(value as f64);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.values.add(value as f64);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.values.add(value);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if let Some(value) = switch(text) {
            self.values.add(value);
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { values, depth } = self;
        let end = values.path.len();
        for index in 0_usize.. {
            let item = if depth == DEPTH_MAX {
                items.next_element::<IgnoredAny>()?.map(drop)
            } else {
                values.path.push('/');
                values.path.push_str(&index.to_string());
                items.next_element_seed(Walk { values: &mut *values, depth: depth + 1 })?
            };
            values.path.truncate(end);
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { values, depth } = self;
        let end = values.path.len();
        while members.next_key_seed(Name(&mut values.path))?.is_some() {
            if depth == DEPTH_MAX {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(Walk { values: &mut *values, depth: depth + 1 })?;
            }
            values.path.truncate(end);
        }
        Ok(())
    }
}

/// Puts the name of a member behind a pointer.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl de::Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.push('/');
        for letter in name.chars() {
            match letter {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                letter => self.0.push(letter),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(payload: &str) -> Vec<(String, f64)> {
        let mut values = Values::new(5);
        if !may_have_values(payload.as_bytes(), 200) {
            return Vec::new();
        }
        values.of(payload.as_bytes()).map(|(field, value)| (field.to_owned(), value)).collect()
    }

    #[test]
    fn plain_numbers_and_switches_are_values_and_nothing_else_is() {
        for (payload, expected) in [
            ("21.5", 21.5),
            ("-3", -3.0),
            ("+4e2", 400.0),
            (" .5\n", 0.5),
            ("-0", 0.0),
            ("on", 1.0),
            ("OFF", 0.0),
            ("True", 1.0),
            ("false\n", 0.0),
        ] {
            assert_eq!(values(payload), [(String::new(), expected)], "{payload:?}");
        }
        for payload in
            ["", "21.5 °C", "1,5", "nan", "inf", "-inf", "1e999", "open", "0x10", "1 2", "\"5\"", "null"]
        {
            assert_eq!(values(payload), [], "{payload:?}");
        }
        assert_eq!(values("123456789012345678901234567890123"), [], "an identifier");
    }

    #[test]
    fn fields_of_json_are_named_by_their_pointers() {
        let payload = r#"{"t":21.5,"name":"x","on":true,"gps":{"lat":1},"list":[3,{"a/b~":"OFF"}]}"#;
        let expected =
            [("/t", 21.5), ("/on", 1.0), ("/gps/lat", 1.0), ("/list/0", 3.0), ("/list/1/a~1b~0", 0.0)];
        assert_eq!(values(payload), expected.map(|(field, value)| (field.to_owned(), value)));
        assert_eq!(values("[1,null,2]").len(), 2);
    }

    #[test]
    fn what_is_too_many_too_deep_or_broken_is_left_out() {
        assert_eq!(values("[1,2,3,4,5,6,7]").len(), 5);
        assert_eq!(values("[[[[[[[[1]]]]]]]]").len(), 1);
        assert_eq!(values("[[[[[[[[[1]]]]]]]]]").len(), 0);
        let long = format!("{{\"{}\":1}}", "n".repeat(180));
        assert_eq!(values(&long).len(), 1);
        for payload in [r#"{"a":1"#, r#"{"a":1}x"#, "{1}", "[1,", &format!("[{}]", "1,".repeat(200))] {
            assert_eq!(values(payload), [], "{payload}");
        }
        let nested = "[".repeat(190);
        assert_eq!(values(&nested), []);
    }

    #[test]
    fn one_payload_leaves_nothing_for_the_next() {
        let mut found = Values::new(8);
        assert_eq!(found.of(br#"{"a":{"b":1,"c":"#).count(), 0);
        assert_eq!(found.of(b"7").collect::<Vec<_>>(), [("", 7.0)]);
    }
}
