//! The client's side.

use subtle::ConstantTimeEq;

use crate::message::{attribute, digest, escape, from_base64, text, to_base64};
use crate::verifier::{client_key, salted_password, server_key, sign, xor};
use crate::{Digest, ITERATIONS_MAX, ITERATIONS_MIN, ScramError, prepared};

use sha2::{Digest as _, Sha256};

/// No channel binding, and no other user to act for.
const GS2_HEADER: &str = "n,,";

/// An exchange whose challenge has not come.
#[derive(Clone)]
pub struct ClientExchange {
    password: String,
    /// The first message without its header.
    bare: String,
    nonce: String,
}

/// An exchange whose answer is sent: what the server has to say now.
#[derive(Clone, Debug)]
pub struct ClientFinish {
    server_signature: Digest,
}

impl ClientExchange {
    /// Begins an exchange. `nonce` is fresh, random, printable and without a comma.
    pub fn new(user_name: &str, password: &str, nonce: &str) -> Self {
        let bare = format!("n={},r={nonce}", escape(&prepared(user_name)));
        Self { password: password.to_owned(), bare, nonce: nonce.to_owned() }
    }

    /// The first message, for CONNECT or for the AUTH that asks to authenticate again.
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.bare).into_bytes()
    }

    /// The answer to a challenge. It takes as many hashes as the server asks for.
    ///
    /// # Errors
    /// The challenge is malformed, of another exchange, or asks for too few iterations or too many; the password stays
    /// a secret then.
    pub fn answer(self, challenge: &[u8]) -> Result<(Vec<u8>, ClientFinish), ScramError> {
        let challenge = text(challenge)?;
        refusal(challenge)?;
        let mut rest = challenge;
        let nonce = attribute(&mut rest, "r=")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        let salt = from_base64(attribute(&mut rest, "s=")?)?;
        let iterations = attribute(&mut rest, "i=")?.parse();
        let iterations = iterations.map_err(|_| ScramError::Malformed("the iterations are no number"))?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Iterations(iterations));
        }
        let without_proof = format!("c={},r={nonce}", to_base64(GS2_HEADER.as_bytes()));
        let auth_message = format!("{},{challenge},{without_proof}", self.bare);
        let salted = salted_password(self.password.as_bytes(), &salt, iterations);
        let client_key = client_key(&salted);
        let stored_key: Digest = Sha256::digest(client_key).into();
        let proof = xor(&client_key, &sign(&stored_key, auth_message.as_bytes()));
        let answer = format!("{without_proof},p={}", to_base64(&proof)).into_bytes();
        let server_signature = sign(&server_key(&salted), auth_message.as_bytes());
        Ok((answer, ClientFinish { server_signature }))
    }
}

impl ClientFinish {
    /// Checks the last message of the server, which only one that knows the user can have made.
    ///
    /// # Errors
    /// It is malformed, a refusal, or made by somebody who does not know the user.
    pub fn finish(self, message: &[u8]) -> Result<(), ScramError> {
        let mut rest = text(message)?;
        refusal(rest)?;
        let signature = digest(attribute(&mut rest, "v=")?)?;
        let is_right: bool = signature.ct_eq(&self.server_signature).into();
        if is_right { Ok(()) } else { Err(ScramError::ServerSignature) }
    }
}

/// The server may end the exchange with a word.
fn refusal(message: &str) -> Result<(), ScramError> {
    match message.strip_prefix("e=") {
        Some(word) => Err(ScramError::Refused(word.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientFirst, Verifier};

    /// The example of RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const ANSWER: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn begun() -> ClientExchange {
        ClientExchange::new("user", "pencil", NONCE)
    }

    #[test]
    fn the_exchange_of_rfc_7677_comes_out_byte_by_byte() {
        assert_eq!(begun().first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (answer, finish) = begun().answer(CHALLENGE.as_bytes()).unwrap();
        assert_eq!(answer, ANSWER.as_bytes());
        assert_eq!(finish.finish(SERVER_FINAL.as_bytes()), Ok(()));
    }

    #[test]
    fn a_challenge_that_is_not_for_this_client_or_not_safe_gets_no_answer() {
        let cases = [
            (CHALLENGE.replace("rOpr", "rOps"), ScramError::Nonce),
            (format!("r={NONCE},s=AAAA,i=4096"), ScramError::Nonce),
            (CHALLENGE.replace("4096", "4095"), ScramError::Iterations(4095)),
            (CHALLENGE.replace("4096", "2000001"), ScramError::Iterations(2_000_001)),
            (CHALLENGE.replace("4096", "many"), ScramError::Malformed("the iterations are no number")),
            (CHALLENGE.replace("s=W2", "s=?2"), ScramError::Malformed("it is not Base64")),
            (CHALLENGE.replace(",s=", ",t="), ScramError::Malformed("an attribute is missing")),
            ("e=other-error".to_owned(), ScramError::Refused("other-error".to_owned())),
        ];
        for (challenge, expected) in cases {
            assert_eq!(begun().answer(challenge.as_bytes()).unwrap_err(), expected, "{challenge}");
        }
    }

    #[test]
    fn a_server_that_does_not_know_the_user_is_found_out() {
        let finish = || begun().answer(CHALLENGE.as_bytes()).unwrap().1;
        let forged = SERVER_FINAL.replace("v=6", "v=7");
        assert_eq!(finish().finish(forged.as_bytes()), Err(ScramError::ServerSignature));
        let refused = finish().finish(b"e=invalid-proof");
        assert_eq!(refused, Err(ScramError::Refused("invalid-proof".to_owned())));
        assert!(finish().finish(b"v=AAAA").is_err() && finish().finish(b"").is_err());
    }

    #[test]
    fn both_sides_come_to_the_same_end_with_the_password_and_to_none_without() {
        let run = |verifier: Verifier, user_name, password| {
            let client = ClientExchange::new(user_name, password, "abc");
            let first = ClientFirst::parse(&client.first())?;
            assert_eq!(first.user_name(), prepared(user_name));
            let (challenge, server) = first.challenge(verifier, "def");
            let (answer, finish) = client.answer(&challenge)?;
            finish.finish(&server.finish(&answer)?)
        };
        for (user_name, password) in
            [("ann", "pencil"), ("a,n=n", "sésame 🔑"), ("öl", "o\u{308}l"), ("x", "")]
        {
            let verifier = Verifier::derive(password.as_bytes(), b"salt", 4096);
            assert_eq!(run(verifier.clone(), user_name, password), Ok(()), "{user_name}");
            assert_eq!(run(verifier, user_name, "another"), Err(ScramError::Proof));
        }
        assert_eq!(run(Verifier::decoy(b"key", "ann", 4096), "ann", "pencil"), Err(ScramError::Proof));
    }
}
