//! Names and passwords in the one form in which they are compared.

use std::borrow::Cow;

/// The text by SASLprep (RFC 4013), so that one password is the same bytes on every keyboard. What SASLprep has no form
/// for, such as a character younger than its tables, stays as it is: other implementations do the same, and a password
/// that nobody else can type is still a password.
pub fn prepared(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    if is_plain {
        return Cow::Borrowed(text);
    }
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_one_form_whatever_keys_it_was_typed_with() {
        // The examples of RFC 4013, section 3, and what it has no form for.
        for (text, expected) in [
            ("I\u{AD}X", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u{AA}", "a"),
            ("\u{2168}", "IX"),
            ("o\u{308}l", "\u{F6}l"),
            ("a\u{A0}b", "a b"),
            ("\u{7}", "\u{7}"),
            ("\u{627}\u{31}", "\u{627}\u{31}"),
            ("sésame 🔑", "sésame 🔑"),
            ("", ""),
        ] {
            assert_eq!(prepared(text), expected, "{text:?}");
        }
    }
}
