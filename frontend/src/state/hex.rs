//! Bytes as a person types them: pairs of hex digits.

/// What stands before bytes that are typed as hex where text may be typed too.
pub const PREFIX: &str = "hex:";

/// What is wrong with typed hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HexError {
    /// This character is no hex digit; its place counts characters from 1.
    Digit {
        /// The character.
        character: char,
        /// Its place.
        place: usize,
    },
    /// The last byte has one digit only.
    Odd,
}

/// The bytes. Blanks, line breaks, commas, colons and dashes between digits, and `0x` before them, are passed over.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None::<u8>;
    let mut before = None;
    for (index, character) in text.chars().enumerate() {
        let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (digit, high) {
            (Some(digit), Some(first)) => {
                bytes.push(first << 4 | digit);
                high = None;
            }
            (Some(digit), None) => high = Some(digit),
            (None, Some(0)) if matches!(character, 'x' | 'X') && before == Some('0') => high = None,
            (None, None) if character.is_whitespace() || matches!(character, ',' | ':' | '-') => {}
            (None, Some(_)) if character.is_whitespace() || matches!(character, ',' | ':' | '-') => {
                return Err(HexError::Odd);
            }
            (None, _) => return Err(HexError::Digit { character, place: index + 1 }),
        }
        before = Some(character);
    }
    if high.is_some() { Err(HexError::Odd) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_write_it() {
        for text in [
            "deadbeef",
            "DE AD BE EF",
            "de:ad:be:ef",
            "0xDE, 0xAD, 0xBE, 0xEF",
            "dead\n beef\t",
            "0xdeadbeef",
        ] {
            assert_eq!(parse(text).as_deref(), Ok(&[0xDE, 0xAD, 0xBE, 0xEF][..]), "{text}");
        }
        assert_eq!(parse("").as_deref(), Ok(&[][..]));
        assert_eq!(parse("00 0x00").as_deref(), Ok(&[0, 0][..]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(parse("de ag"), Err(HexError::Digit { character: 'g', place: 5 }));
        assert_eq!(parse("größe"), Err(HexError::Digit { character: 'g', place: 1 }));
        for text in ["d", "de a", "de a be", "dea"] {
            assert_eq!(parse(text), Err(HexError::Odd), "{text}");
        }
        assert_eq!(parse("x41"), Err(HexError::Digit { character: 'x', place: 1 }));
    }
}
