//! The parts of a JSON text by what they are, for colours.

use std::ops::Range;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name of a member.
    Name,
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
    /// What stands between: brackets, commas, colons and blanks.
    Between,
}

impl Part {
    /// The word for style sheets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Text => "text",
            Self::Number => "number",
            Self::Word => "word",
            Self::Between => "between",
        }
    }
}

/// The parts of a valid JSON text, one behind the other without a gap. Of a text that is no JSON they are some division of it.
pub fn parts(text: &str) -> Vec<(Part, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(&first) = bytes.get(at) {
        let rest = &bytes[at..];
        let (part, length) = match first {
            b'"' => {
                let length = quoted(rest);
                let next = rest[length..].iter().find(|byte| !byte.is_ascii_whitespace());
                (if next == Some(&b':') { Part::Name } else { Part::Text }, length)
            }
            b'-' | b'0'..=b'9' => (
                Part::Number,
                span(rest, |byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')),
            ),
            b'a'..=b'z' => (Part::Word, span(rest, |byte| byte.is_ascii_lowercase())),
            _ => (Part::Between, span(rest, |byte| !matches!(byte, b'"' | b'-' | b'0'..=b'9' | b'a'..=b'z'))),
        };
        parts.push((part, at..at + length));
        at += length;
    }
    parts
}

/// How many of the first bytes are such.
fn span(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !is_such(byte)).unwrap_or(bytes.len())
}

/// The length of a text in quotation marks with both of them; all that there is where it does not end.
fn quoted(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = bytes.iter().skip(1).position(|&byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(bytes.len(), |place| place + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(Part, &str)> {
        parts(text).into_iter().map(|(part, range)| (part, &text[range])).collect()
    }

    #[test]
    fn each_part_is_told_by_what_it_is() {
        assert_eq!(
            told(r#"{"a" : -1.5e+3, "b":["x:", true,null]}"#),
            [
                (Part::Between, "{"),
                (Part::Name, r#""a""#),
                (Part::Between, " : "),
                (Part::Number, "-1.5e+3"),
                (Part::Between, ", "),
                (Part::Name, r#""b""#),
                (Part::Between, ":["),
                (Part::Text, r#""x:""#),
                (Part::Between, ", "),
                (Part::Word, "true"),
                (Part::Between, ","),
                (Part::Word, "null"),
                (Part::Between, "]}"),
            ]
        );
    }

    #[test]
    fn a_quotation_mark_inside_of_a_text_does_not_end_it() {
        assert_eq!(told(r#""a\"b\\""#), [(Part::Text, r#""a\"b\\""#)]);
        assert_eq!(told("\"grün\""), [(Part::Text, "\"grün\"")]);
    }

    #[test]
    fn whatever_it_is_no_byte_is_left_out() {
        for text in ["", "\"", "\"\\", "nul", "ß{", "1-2", "\"ü", "{\"a\":", "\u{1F525}"] {
            assert_eq!(told(text).iter().map(|(_, part)| *part).collect::<String>(), text);
        }
    }
}
