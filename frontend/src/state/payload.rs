//! What the bytes of a message are: a number, a switch, text, JSON, or none of these.

/// How a payload is best shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No bytes: with the retain flag it clears the retained message.
    Empty,
    /// UTF-8 that is a JSON object or array.
    Json,
    /// Other UTF-8 without control characters, save line breaks and tabs.
    Text,
    /// Anything else, shown as hex.
    Hex,
}

impl Form {
    /// The form of a payload. JSON is told by its first character; [`super::json::pretty`] has the last word.
    pub fn of(payload: &[u8]) -> Self {
        if payload.is_empty() {
            return Self::Empty;
        }
        match std::str::from_utf8(payload) {
            Ok(text) if is_readable(text) => match text.trim_start().bytes().next() {
                Some(b'{' | b'[') => Self::Json,
                Some(_) | None => Self::Text,
            },
            Ok(_) | Err(_) => Self::Hex,
        }
    }
}

/// The payload as text, when a person can read it.
pub fn readable(payload: &[u8]) -> Option<&str> {
    std::str::from_utf8(payload).ok().filter(|text| is_readable(text))
}

fn is_readable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Numbers longer than this are identifiers rather than measurements.
const NUMBER_BYTES_MAX: usize = 32;

/// The number that a payload is, when it is nothing else; infinities and NaN are no measurements.
pub fn number(payload: &[u8]) -> Option<f64> {
    let first = *payload.first()?;
    // Most payloads that are no number end here, before any parsing.
    if payload.len() > NUMBER_BYTES_MAX || !matches!(first, b'0'..=b'9' | b'-' | b'+' | b'.' | b' ') {
        return None;
    }
    let text = std::str::from_utf8(payload).ok()?.trim();
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// How many digits a number was sent with after the decimal point, so that it is shown with as many.
pub fn decimals(payload: &[u8]) -> usize {
    let text = payload.trim_ascii();
    match text.iter().position(|&byte| byte == b'.') {
        Some(point) => text[point + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    }
}

/// How many decimals of a number a small tile shows: as many as were sent, but not more digits in all than a
/// glance takes in.
pub fn glance_decimals(payload: &[u8], value: f64) -> usize {
    const DIGITS_MAX: usize = 5;
    const DECIMALS_MAX: usize = 3;
    let whole = value.abs().max(1.0).log10() as usize + 1;
    decimals(payload).min(DECIMALS_MAX).min(DIGITS_MAX.saturating_sub(whole))
}

/// The spelling in which a device names on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `on`, `off`
    Lower,
    /// `ON`, `OFF`
    Upper,
    /// `true`, `false`
    Bool,
    /// `1`, `0`
    Digit,
}

impl Spelling {
    /// The word for a state in this spelling.
    pub const fn word(self, on: bool) -> &'static str {
        match (self, on) {
            (Self::Lower, true) => "on",
            (Self::Lower, false) => "off",
            (Self::Upper, true) => "ON",
            (Self::Upper, false) => "OFF",
            (Self::Bool, true) => "true",
            (Self::Bool, false) => "false",
            (Self::Digit, true) => "1",
            (Self::Digit, false) => "0",
        }
    }
}

/// What a payload says about a switch, and how it spells it.
pub fn switch(payload: &[u8]) -> Option<(bool, Spelling)> {
    Some(match payload {
        b"on" | b"On" => (true, Spelling::Lower),
        b"off" | b"Off" => (false, Spelling::Lower),
        b"ON" => (true, Spelling::Upper),
        b"OFF" => (false, Spelling::Upper),
        b"true" => (true, Spelling::Bool),
        b"false" => (false, Spelling::Bool),
        b"1" => (true, Spelling::Digit),
        b"0" => (false, Spelling::Digit),
        _ => return None,
    })
}

/// Writes at most `chars_max` characters of a payload on one line into `line`; bytes that are no text become
/// hex pairs.
pub fn preview(payload: &[u8], chars_max: usize, line: &mut String) {
    line.clear();
    // Four bytes are the most that a character takes, so this much is enough to look at.
    let head = &payload[..payload.len().min(chars_max * 4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // Cut inside a character by the line above; anything else is no text.
        Err(error) if error.error_len().is_none() && head.len() < payload.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return preview_hex(payload, chars_max, line),
    };
    if !is_readable(valid) {
        return preview_hex(payload, chars_max, line);
    }
    for (index, c) in valid.chars().enumerate() {
        if index == chars_max {
            line.push('…');
            return;
        }
        line.push(if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
    }
    if head.len() < payload.len() {
        line.push('…');
    }
}

fn preview_hex(payload: &[u8], chars_max: usize, line: &mut String) {
    let bytes_max = chars_max / 3;
    hex_pairs(&payload[..payload.len().min(bytes_max)], line);
    if payload.len() > bytes_max {
        line.push('…');
    }
}

/// Appends bytes as pairs of hex digits with blanks between them.
pub fn hex_pairs(bytes: &[u8], line: &mut String) {
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push(hex_digit(byte >> 4));
        line.push(hex_digit(byte & 0xF));
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// Sixteen bytes a line: offset, hex, and the printable characters; at most `bytes_max` bytes of the payload.
pub fn hex_dump(payload: &[u8], bytes_max: usize) -> String {
    let shown = &payload[..payload.len().min(bytes_max)];
    let mut dump = String::with_capacity(shown.len() * 5);
    for (line, chunk) in shown.chunks(16).enumerate() {
        if line > 0 {
            dump.push('\n');
        }
        let offset = line * 16;
        for shift in [28, 24, 20, 16, 12, 8, 4, 0] {
            dump.push(hex_digit(u8::try_from((offset >> shift) & 0xF).unwrap_or_default()));
        }
        dump.push(' ');
        for index in 0..16 {
            dump.push(' ');
            match chunk.get(index) {
                Some(byte) => {
                    dump.push(hex_digit(byte >> 4));
                    dump.push(hex_digit(byte & 0xF));
                }
                None => dump.push_str("  "),
            }
        }
        dump.push_str("  ");
        dump.extend(chunk.iter().map(|&byte| match byte {
            0x20..=0x7E => char::from(byte),
            _ => '·',
        }));
    }
    dump
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview_of(payload: &[u8], chars_max: usize) -> String {
        let mut line = String::new();
        preview(payload, chars_max, &mut line);
        line
    }

    #[test]
    fn a_form_is_told_by_the_bytes() {
        for (payload, form) in [
            (&b""[..], Form::Empty),
            (b"21.5", Form::Text),
            (b" {\"a\":1}", Form::Json),
            (b"[1]", Form::Json),
            ("Küche".as_bytes(), Form::Text),
            (b"\xff\xfe", Form::Hex),
            (b"a\0b", Form::Hex),
            (b"two\nlines", Form::Text),
        ] {
            assert_eq!(Form::of(payload), form, "{payload:?}");
        }
    }

    #[test]
    fn only_plain_finite_numbers_are_numbers() {
        for (payload, value) in [
            (&b"21.5"[..], Some(21.5)),
            (b"-3", Some(-3.0)),
            (b" 7 ", Some(7.0)),
            (b"1e3", Some(1000.0)),
            (b"inf", None),
            (b"nan", None),
            (b"on", None),
            (b"", None),
            (b"21.5 C", None),
            (b"-inf", None),
            (b"1e999", None),
        ] {
            assert_eq!(number(payload), value, "{payload:?}");
        }
    }

    #[test]
    fn decimals_are_those_that_were_sent() {
        assert_eq!(decimals(b"21.50"), 2);
        assert_eq!(decimals(b"431"), 0);
        assert_eq!(decimals(b"1.5e3"), 1);
    }

    #[test]
    fn a_large_number_gives_up_decimals_first() {
        for (payload, decimals) in
            [("21.5", 1), ("1234.567", 1), ("0.123456", 3), ("123456.7", 0), ("431", 0)]
        {
            assert_eq!(glance_decimals(payload.as_bytes(), payload.parse().unwrap()), decimals, "{payload}");
        }
    }

    #[test]
    fn a_switch_is_answered_in_its_own_spelling() {
        assert_eq!(switch(b"ON"), Some((true, Spelling::Upper)));
        assert_eq!(switch(b"off"), Some((false, Spelling::Lower)));
        assert_eq!(Spelling::Upper.word(false), "OFF");
        assert_eq!(switch(b"onward"), None);
    }

    #[test]
    fn a_preview_is_one_line_and_says_when_it_is_cut() {
        assert_eq!(preview_of(b"a\nb", 10), "a b");
        assert_eq!(preview_of(b"abcdef", 3), "abc…");
        assert_eq!(preview_of(b"abc", 3), "abc");
        assert_eq!(preview_of(&[0xff, 0x00, 0x1f], 30), "ff 00 1f");
    }

    #[test]
    fn a_preview_never_cuts_inside_a_character() {
        assert_eq!(preview_of("aäöüßaäöüßaäöüß".as_bytes(), 3), "aäö…");
        let text = "x🔥🔥🔥🔥".repeat(5);
        assert_eq!(preview_of(text.as_bytes(), 2), "x🔥…");
    }

    #[test]
    fn a_hex_dump_shows_offset_bytes_and_characters() {
        let dump = hex_dump(b"0123456789abcdefX\x00", 64);
        let lines: Vec<&str> = dump.lines().collect();
        assert_eq!(lines[0], "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef");
        assert!(lines[1].starts_with("00000010  58 00 "), "{}", lines[1]);
        assert!(lines[1].ends_with("  X·"), "{}", lines[1]);
    }
}
