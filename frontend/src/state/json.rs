//! JSON payloads: indented for reading, and the numbers inside them by path.

use serde::de::IgnoredAny;
use serde_json::Value;

/// A payload larger than this is shown as it came: indenting it would hold up the page.
const PRETTY_BYTES_MAX: usize = 256 * 1024;

/// More numeric fields than these are not offered.
const FIELDS_MAX: usize = 64;

/// The payload with line breaks and indentation, or `None` when it is not JSON or is too large. Only the space
/// between the tokens changes: numbers keep their digits and names their order.
pub fn pretty(payload: &[u8]) -> Option<String> {
    if payload.len() > PRETTY_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(payload).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(indent(text))
}

/// Whether the payload is JSON through and through.
pub fn is_valid(payload: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(payload).is_ok()
}

/// Indents text that is known to be JSON.
fn indent(json: &str) -> String {
    let mut pretty = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut rest = json.chars().peekable();
    let new_line = |pretty: &mut String, depth: usize| {
        pretty.push('\n');
        pretty.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = rest.next() {
        if in_string {
            pretty.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => {
                pretty.push(c);
                while rest.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    pretty.push(end);
                } else {
                    depth += 1;
                    new_line(&mut pretty, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut pretty, depth);
                pretty.push(c);
            }
            ',' => {
                pretty.push(c);
                new_line(&mut pretty, depth);
            }
            ':' => pretty.push_str(": "),
            c => {
                in_string = c == '"';
                pretty.push(c);
            }
        }
    }
    pretty
}

/// The number at a JSON pointer (RFC 6901); the empty pointer is the whole payload.
pub fn number_at(payload: &[u8], pointer: &str) -> Option<f64> {
    if pointer.is_empty() {
        return super::payload::number(payload);
    }
    if payload.len() > PRETTY_BYTES_MAX {
        return None;
    }
    let value: Value = serde_json::from_slice(payload).ok()?;
    value.pointer(pointer)?.as_f64().filter(|number| number.is_finite())
}

/// The pointers of all numbers in a JSON payload, in the order in which they stand.
pub fn numeric_fields(payload: &[u8]) -> Vec<String> {
    let mut fields = Vec::new();
    if payload.len() > PRETTY_BYTES_MAX || !matches!(payload.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return fields;
    }
    // serde_json bounds the depth, so that walking the value is bounded too.
    if let Ok(value) = serde_json::from_slice::<Value>(payload) {
        collect(&value, &mut String::new(), &mut fields);
    }
    fields
}

fn collect(value: &Value, path: &mut String, fields: &mut Vec<String>) {
    if fields.len() == FIELDS_MAX {
        return;
    }
    match value {
        Value::Number(_) => fields.push(path.clone()),
        Value::Object(map) => {
            for (name, inner) in map {
                let end = path.len();
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                collect(inner, path, fields);
                path.truncate(end);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                let end = path.len();
                path.push('/');
                path.push_str(&index.to_string());
                collect(inner, path, fields);
                path.truncate(end);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_at_every_depth() {
        let payload = br#"{"t":21.5,"name":"x","gps":{"lat":1,"lon":2},"list":[3,{"a/b":4}]}"#;
        assert_eq!(numeric_fields(payload), ["/gps/lat", "/gps/lon", "/list/0", "/list/1/a~1b", "/t"]);
        assert_eq!(number_at(payload, "/gps/lon"), Some(2.0));
        assert_eq!(number_at(payload, "/list/1/a~1b"), Some(4.0));
        assert_eq!(number_at(payload, "/name"), None);
    }

    #[test]
    fn only_the_space_between_tokens_changes() {
        let pretty = pretty(br#" {"z":52.5230,"a":[1,{}, [ ] ],"s":"a, {b}: \"c\"\\"}"#).unwrap();
        let expected = r#"{
  "z": 52.5230,
  "a": [
    1,
    {},
    []
  ],
  "s": "a, {b}: \"c\"\\"
}"#;
        assert_eq!(pretty, expected);
    }

    #[test]
    fn a_payload_that_is_no_json_has_no_fields() {
        assert!(numeric_fields(b"{broken").is_empty());
        assert!(numeric_fields(b"21.5").is_empty());
        assert_eq!(pretty(b"{broken"), None);
    }

    #[test]
    fn the_empty_pointer_is_the_plain_number() {
        assert_eq!(number_at(b"21.5", ""), Some(21.5));
    }
}
