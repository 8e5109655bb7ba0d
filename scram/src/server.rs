//! The server's side.

use crate::message::{attribute, digest, from_base64, is_nonce, text, to_base64, unescape};
use crate::{ScramError, Verifier, prepared};

/// The first message of a client: who it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// The header with its two commas, which the client repeats.
    gs2_header: String,
    /// Everything behind the header.
    bare: String,
    user_name: String,
    nonce: String,
}

/// A challenge that waits for its answer.
#[derive(Clone, Debug)]
pub struct ServerExchange {
    gs2_header: String,
    user_name: String,
    /// Of both sides.
    nonce: String,
    /// The client's first message and the challenge, each with a comma behind it.
    said: String,
    verifier: Verifier,
}

impl ClientFirst {
    /// Reads the message.
    ///
    /// # Errors
    /// It is malformed, or wants what is not supported: a channel binding, an extension, another user's rights.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let message = text(message)?;
        let mut rest = message;
        let (flag, after_flag) = rest.split_once(',').ok_or(ScramError::Malformed("it has no header"))?;
        match flag {
            // "y": the client could bind and thinks that the server cannot, which is so.
            "n" | "y" => {}
            flag if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
            _ => return Err(ScramError::Malformed("its header begins with none of n, y and p=")),
        }
        rest = after_flag;
        let (acting_for, bare) = rest.split_once(',').ok_or(ScramError::Malformed("it has no header"))?;
        rest = bare;
        if rest.starts_with("m=") {
            return Err(ScramError::Extension);
        }
        let user_name = prepared(&unescape(attribute(&mut rest, "n=")?)?).into_owned();
        if user_name.is_empty() {
            return Err(ScramError::Malformed("the user name is empty"));
        }
        if let Some(name) = acting_for.strip_prefix("a=") {
            if prepared(&unescape(name)?) != user_name {
                return Err(ScramError::ActingForAnother);
            }
        } else if !acting_for.is_empty() {
            return Err(ScramError::Malformed("its header has something else than a="));
        }
        let nonce = attribute(&mut rest, "r=")?;
        if !is_nonce(nonce) {
            return Err(ScramError::Malformed("the nonce is not printable"));
        }
        Ok(Self {
            gs2_header: message[..message.len() - bare.len()].to_owned(),
            bare: bare.to_owned(),
            user_name,
            nonce: nonce.to_owned(),
        })
    }

    /// Who the client says it is, by SASLprep.
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// The challenge for the client, and what its answer is checked against. `nonce` is fresh, random, printable and
    /// without a comma; for a user that is not there the verifier is a [decoy](Verifier::decoy).
    pub fn challenge(self, verifier: Verifier, nonce: &str) -> (Vec<u8>, ServerExchange) {
        let Self { gs2_header, bare, user_name, nonce: of_client } = self;
        let nonce = format!("{of_client}{nonce}");
        let challenge = format!("r={nonce},s={},i={}", to_base64(verifier.salt()), verifier.iterations());
        let said = format!("{bare},{challenge},");
        (challenge.into_bytes(), ServerExchange { gs2_header, user_name, nonce, said, verifier })
    }
}

impl ServerExchange {
    /// Checks the answer of the client; the last message for it, which shows that the server knows it too.
    ///
    /// # Errors
    /// It is malformed or of another exchange, or the client does not know the password.
    pub fn finish(self, answer: &[u8]) -> Result<Vec<u8>, ScramError> {
        let answer = text(answer)?;
        let (without_proof, proof) =
            answer.rsplit_once(",p=").ok_or(ScramError::Malformed("it has no proof"))?;
        let mut rest = without_proof;
        if from_base64(attribute(&mut rest, "c=")?)? != self.gs2_header.as_bytes() {
            return Err(ScramError::ChannelBinding);
        }
        if attribute(&mut rest, "r=")? != self.nonce {
            return Err(ScramError::Nonce);
        }
        let auth_message = [self.said.as_bytes(), without_proof.as_bytes()].concat();
        if !self.verifier.accepts(&digest(proof)?, &auth_message) {
            return Err(ScramError::Proof);
        }
        let signature = to_base64(&self.verifier.server_signature(&auth_message));
        Ok(format!("v={signature}").into_bytes())
    }

    /// Who the client says it is, by SASLprep.
    pub fn user_name(&self) -> &str {
        &self.user_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const ANSWER: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn verifier() -> Verifier {
        Verifier::derive(b"pencil", &from_base64("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096)
    }

    fn challenged(first: &str) -> ServerExchange {
        let first = ClientFirst::parse(first.as_bytes()).unwrap();
        let (challenge, exchange) = first.challenge(verifier(), SERVER_NONCE);
        assert_eq!(challenge, CHALLENGE.as_bytes());
        exchange
    }

    #[test]
    fn the_exchange_of_rfc_7677_comes_out_byte_by_byte() {
        let exchange = challenged(CLIENT_FIRST);
        assert_eq!(exchange.user_name(), "user");
        assert_eq!(exchange.finish(ANSWER.as_bytes()), Ok(SERVER_FINAL.as_bytes().to_vec()));
    }

    #[test]
    fn an_answer_that_is_not_right_to_the_last_bit_is_refused() {
        let cases = [
            (ANSWER.replace("p=dH", "p=dI"), ScramError::Proof),
            (ANSWER.replace("c=biws", "c=eSws"), ScramError::ChannelBinding),
            (ANSWER.replace("k0,p", "k1,p"), ScramError::Nonce),
            (ANSWER.replace("k0,p", "k,p"), ScramError::Nonce),
            (ANSWER.replace("k0,p", "k0,x=1,p"), ScramError::Proof),
            (ANSWER.replace(",p=", ",q="), ScramError::Malformed("it has no proof")),
            (ANSWER.replace("tag9", "tag"), ScramError::Malformed("it is not Base64")),
            ("c=biws,p=AAAA".to_owned(), ScramError::Malformed("an attribute is missing")),
            (ANSWER.replace("c=biws,", ""), ScramError::Malformed("an attribute is missing")),
            (String::new(), ScramError::Malformed("it has no proof")),
        ];
        for (answer, expected) in cases {
            assert_eq!(challenged(CLIENT_FIRST).finish(answer.as_bytes()), Err(expected), "{answer}");
        }
        assert!(challenged(CLIENT_FIRST).finish(b"\xff,p=").is_err());
    }

    #[test]
    fn the_answer_to_one_challenge_is_none_to_the_next() {
        let first = ClientFirst::parse(CLIENT_FIRST.as_bytes()).unwrap();
        let (_, exchange) = first.challenge(verifier(), "another");
        assert_eq!(exchange.finish(ANSWER.as_bytes()), Err(ScramError::Nonce));
    }

    #[test]
    fn a_client_that_could_bind_to_the_channel_is_taken_and_one_that_must_is_not() {
        let first = ClientFirst::parse(b"y,,n=user,r=x").unwrap();
        assert_eq!((first.gs2_header.as_str(), first.bare.as_str()), ("y,,", "n=user,r=x"));
        let bound = ClientFirst::parse(b"p=tls-exporter,,n=user,r=x");
        assert_eq!(bound, Err(ScramError::ChannelBinding));
    }

    #[test]
    fn the_user_name_is_unescaped_and_prepared() {
        for (message, name) in [
            ("n,,n=a=2Cb=3Dc,r=x", "a,b=c"),
            ("n,a=ann,n=ann,r=x,later=1", "ann"),
            ("n,,n=o\u{308}l,r=x", "öl"),
        ] {
            assert_eq!(ClientFirst::parse(message.as_bytes()).unwrap().user_name(), name, "{message}");
        }
    }

    #[test]
    fn a_first_message_that_is_not_one_is_refused() {
        let cases = [
            ("", ScramError::Malformed("it has no header")),
            ("n", ScramError::Malformed("it has no header")),
            ("n,", ScramError::Malformed("it has no header")),
            ("q,,n=user,r=x", ScramError::Malformed("its header begins with none of n, y and p=")),
            ("n,x,n=user,r=x", ScramError::Malformed("its header has something else than a=")),
            ("n,a=root,n=user,r=x", ScramError::ActingForAnother),
            ("n,,m=1,n=user,r=x", ScramError::Extension),
            ("n,,r=x", ScramError::Malformed("an attribute is missing")),
            ("n,,n=user", ScramError::Malformed("an attribute is missing")),
            ("n,,n=user,r=", ScramError::Malformed("the nonce is not printable")),
            ("n,,n=user,r=a b", ScramError::Malformed("the nonce is not printable")),
            ("n,,n=,r=x", ScramError::Malformed("the user name is empty")),
        ];
        for (message, expected) in cases {
            assert_eq!(ClientFirst::parse(message.as_bytes()), Err(expected), "{message}");
        }
        assert!(ClientFirst::parse(b"n,,n=\xff,r=x").is_err());
    }
}
