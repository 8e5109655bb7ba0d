//! The attributes of SCRAM messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Digest, ScramError};

/// Splits `x=value` off the front of a message, and the comma behind it.
pub(crate) fn attribute<'a>(message: &mut &'a str, name: &'static str) -> Result<&'a str, ScramError> {
    let (attribute, rest) = message.split_once(',').unwrap_or((message, ""));
    let value = attribute.strip_prefix(name).ok_or(ScramError::Malformed("an attribute is missing"))?;
    *message = rest;
    Ok(value)
}

/// A message as text.
pub(crate) fn text(message: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("it is not UTF-8"))
}

/// A nonce that may stand in a message: printable and without a comma.
pub(crate) fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| (0x21..0x7F).contains(&byte) && byte != b',')
}

/// A user name as it stands in a message.
pub(crate) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The user name that stands in a message.
pub(crate) fn unescape(name: &str) -> Result<String, ScramError> {
    let mut plain = String::with_capacity(name.len());
    let mut pieces = name.split('=');
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (character, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return Err(ScramError::Malformed("`=` in a user name is neither =2C nor =3D")),
        };
        plain.push(character);
        plain.push_str(rest);
    }
    Ok(plain)
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| ScramError::Malformed("it is not Base64"))
}

/// A digest in Base64.
pub(crate) fn digest(text: &str) -> Result<Digest, ScramError> {
    from_base64(text)?.try_into().map_err(|_| ScramError::Malformed("a digest does not have 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_with_commas_and_equal_signs_pass_both_ways() {
        for name in ["a", "", "a,b", "a=b", "=2C", ",,==", "ö=,"] {
            let escaped = escape(name);
            assert!(!escaped.contains(','), "{escaped}");
            assert_eq!(unescape(&escaped).as_deref(), Ok(name));
        }
        assert_eq!(escape("a,b=c"), "a=2Cb=3Dc");
        for wrong in ["=", "a=", "=2", "=2c", "==3D", "=41"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }
}
