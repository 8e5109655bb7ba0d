//! Colours as style sheets write them, for the canvas.

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

/// Reads `#rrggbb`, which is how the tokens are written.
pub fn parse_hex(text: &str) -> Option<Rgb> {
    let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((part(0)?, part(2)?, part(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_are_a_colour_and_nothing_else_is() {
        assert_eq!(parse_hex(" #ff8a00"), Some((255, 138, 0)));
        for text in ["ff8a00", "#fff", "#ff8a0g", "", "#ffé00"] {
            assert_eq!(parse_hex(text), None, "{text}");
        }
    }
}
