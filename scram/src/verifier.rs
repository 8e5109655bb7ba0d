//! What a server keeps of a password: enough to check it, not enough to use it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::message::{digest, from_base64, to_base64};
use crate::{Digest, ITERATIONS_MAX, METHOD, prepared};

/// Bytes of the salts that are made up for users that are not there: as many as [`Verifier::derive`] is given.
const DECOY_SALT_BYTES: usize = 16;

/// Salt, iterations, StoredKey and ServerKey of a user (RFC 5802, section 3).
///
/// As text it is `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` in Base64, the form that PostgreSQL keeps too.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    salt: Box<[u8]>,
    iterations: u32,
    stored_key: Digest,
    server_key: Digest,
}

/// The text is no [`Verifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no SCRAM-SHA-256 verifier")]
pub struct VerifierError;

impl Verifier {
    /// Of a password. This takes `iterations` times two SHA-256 blocks, which is the point of it.
    pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self {
            salt: salt.into(),
            iterations,
            stored_key: Sha256::digest(client_key(&salted)).into(),
            server_key: server_key(&salted),
        }
    }

    /// For a user that is not there: looks like any other, is the same each time for the same `key`, and no password
    /// fits. So nobody finds out by asking which users there are.
    pub fn decoy(key: &[u8], user_name: &str, iterations: u32) -> Self {
        let part = |which: &[u8]| sign(key, &[which, user_name.as_bytes()].concat());
        Self {
            salt: part(b"salt:")[..DECOY_SALT_BYTES].into(),
            iterations,
            stored_key: part(b"stored key:"),
            server_key: part(b"server key:"),
        }
    }

    /// Whether this is the password. It takes as long as [`Verifier::derive`], whatever comes out.
    pub fn matches(&self, password: &[u8]) -> bool {
        let other = Self::derive(password, &self.salt, self.iterations);
        other.stored_key.ct_eq(&self.stored_key).into()
    }

    /// A hash of this verifier and a password under a secret `key`, quick to make: what a server may remember of a
    /// password that has matched, so that it need not match it again soon.
    pub fn remembrance(&self, key: &[u8], password: &[u8]) -> [u8; 32] {
        sign(key, &[&self.stored_key, password].concat())
    }

    /// How many times the password is hashed.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The salt.
    pub const fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether the proof of a client is that of the password, for what both have said (RFC 5802, section 3).
    pub(crate) fn accepts(&self, proof: &Digest, auth_message: &[u8]) -> bool {
        let client_key = xor(proof, &sign(&self.stored_key, auth_message));
        let stored_key: Digest = Sha256::digest(client_key).into();
        stored_key.ct_eq(&self.stored_key).into()
    }

    /// What shows the client that the server knows the verifier.
    pub(crate) fn server_signature(&self, auth_message: &[u8]) -> Digest {
        sign(&self.server_key, auth_message)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { salt, iterations, stored_key, server_key } = self;
        let [salt, stored_key, server_key] = [salt, &stored_key[..], server_key].map(to_base64);
        write!(formatter, "{METHOD}${iterations}:{salt}${stored_key}:{server_key}")
    }
}

impl FromStr for Verifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let parts = || {
            let (method, rest) = text.split_once('$')?;
            let (cost, keys) = rest.split_once('$')?;
            let (iterations, salt) = cost.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            let iterations: u32 = iterations.parse().ok()?;
            let salt = from_base64(salt).ok()?;
            let is_usable =
                method == METHOD && (1..=ITERATIONS_MAX).contains(&iterations) && !salt.is_empty();
            is_usable.then_some(Self {
                salt: salt.into(),
                iterations,
                stored_key: digest(stored_key).ok()?,
                server_key: digest(server_key).ok()?,
            })
        };
        parts().ok_or(VerifierError)
    }
}

/// Without the keys.
impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// Hi(password, salt, i) of RFC 5802, section 2.2. A password that is no text is taken as it is.
pub(crate) fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Digest {
    let text = std::str::from_utf8(password).map(prepared);
    let password = text.as_ref().map_or(password, |text| text.as_bytes());
    let mut salted = Digest::default();
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted);
    salted
}

pub(crate) fn client_key(salted_password: &Digest) -> Digest {
    sign(salted_password, b"Client Key")
}

pub(crate) fn server_key(salted_password: &Digest) -> Digest {
    sign(salted_password, b"Server Key")
}

/// HMAC-SHA-256.
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn sign(key: &[u8], message: &[u8]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

pub(crate) fn xor(one: &Digest, other: &Digest) -> Digest {
    std::array::from_fn(|index| one[index] ^ other[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier() -> Verifier {
        Verifier::derive(b"pencil", b"a salt", 10)
    }

    #[test]
    fn only_the_password_matches_in_whatever_form_it_was_typed() {
        assert!(verifier().matches(b"pencil"));
        for wrong in [&b"Pencil"[..], b"pencil ", b"", b"\xff"] {
            assert!(!verifier().matches(wrong), "{wrong:?}");
        }
        assert!(Verifier::derive("o\u{308}l".as_bytes(), b"s", 2).matches("öl".as_bytes()));
        assert!(Verifier::derive(b"\xff\x00", b"s", 2).matches(b"\xff\x00"));
    }

    #[test]
    fn a_verifier_is_read_back_from_its_text() {
        let text = verifier().to_string();
        assert!(text.starts_with("SCRAM-SHA-256$10:YSBzYWx0$"), "{text}");
        assert_eq!(text.parse(), Ok(verifier()));
        assert!(!format!("{:?}", verifier()).contains("key"));
        for wrong in [
            "",
            "pencil",
            &text.replace("SHA-256", "SHA-1"),
            &text.replace("$10:", "$0:"),
            &text.replace("$10:", "$4000000000:"),
            &text.replace("YSBzYWx0", ""),
            &text.replace("YSBzYWx0", "?"),
            &text[..text.len() - 4],
        ] {
            assert_eq!(wrong.parse::<Verifier>(), Err(VerifierError), "{wrong}");
        }
    }

    #[test]
    fn what_is_remembered_of_a_password_is_of_it_of_the_verifier_and_of_the_key() {
        let other = Verifier::derive(b"pencil", b"another salt", 10);
        let all = [
            verifier().remembrance(b"key", b"pencil"),
            verifier().remembrance(b"key", b"pencil "),
            verifier().remembrance(b"another key", b"pencil"),
            other.remembrance(b"key", b"pencil"),
        ];
        assert!((1..all.len()).all(|index| !all[..index].contains(&all[index])));
        assert_eq!(all[0], verifier().remembrance(b"key", b"pencil"));
    }

    #[test]
    fn a_decoy_stays_the_same_for_a_name_and_differs_between_names_and_keys() {
        let decoy = |key: &[u8], name| Verifier::decoy(key, name, 10);
        assert_eq!(decoy(b"k", "ann"), decoy(b"k", "ann"));
        assert_ne!(decoy(b"k", "ann").salt(), decoy(b"k", "bob").salt());
        assert_ne!(decoy(b"k", "ann").salt(), decoy(b"l", "ann").salt());
        assert_eq!(decoy(b"k", "ann").salt().len(), 16);
    }
}
