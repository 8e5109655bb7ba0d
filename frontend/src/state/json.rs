//! JSON payloads: indented for reading, and the numbers inside them by path.

use serde::de::IgnoredAny;

/// A payload larger than this is shown as it came: indenting it would hold up the page.
const PRETTY_BYTES_MAX: usize = 256 * 1024;

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

/// Whether the payload looks like a JSON object or array.
pub fn may_be(payload: &[u8]) -> bool {
    matches!(payload.trim_ascii_start().first(), Some(b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_payload_that_is_no_json_is_not_indented() {
        assert_eq!(pretty(b"{broken"), None);
        assert!(may_be(b" {broken") && !may_be(b"21.5") && !may_be(b""));
    }
}
