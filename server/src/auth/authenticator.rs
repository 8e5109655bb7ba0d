//! Answers the question of the shards who a client is.

use std::sync::Arc;

use bytes::Bytes;
use hearth_broker::{AuthRequest, AuthStep, Evidence, Exchange, Identity};
use hearth_protocol::ReasonCode;
use hearth_scram::{ClientFirst, METHOD, ServerExchange, prepared};
use rand::distr::{Alphanumeric, SampleString};

use super::passwords::{Check, Passwords, Reply};
use super::policy::Policies;

/// Characters of the server's part of a nonce: 142 bits of chance.
const NONCE_CHARS: usize = 24;

/// Characters of a name that are logged.
const LOGGED_CHARS_MAX: usize = 64;

/// Knows the users; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Authenticator {
    policies: Policies,
    passwords: Arc<Passwords>,
}

/// A challenge whose answer is awaited.
struct Challenged {
    exchange: ServerExchange,
    /// `None` when there is no such user and the answer cannot be right.
    user_name: Option<Arc<str>>,
}

impl Authenticator {
    pub(crate) const fn new(policies: Policies, passwords: Arc<Passwords>) -> Self {
        Self { policies, passwords }
    }

    /// The answer, when there is one at once; otherwise `reply` is called with it later, unless the broker stops.
    pub(crate) fn answer(&self, request: AuthRequest, reply: Reply) -> Option<AuthStep> {
        match request.evidence {
            Evidence::Password { user_name, password } => {
                // A password alone is nobody's.
                let name = user_name.unwrap_or_default();
                let name = prepared(&name);
                let (user_name, verifier) = self.policies.find(&name);
                let denied = wrong_password(user_name.as_deref(), &name);
                let password = password.unwrap_or_default();
                self.passwords.check(Check { verifier, password, user_name, denied }, reply)
            }
            Evidence::Begin { method, .. } | Evidence::Answer { method, .. } if method.as_str() != METHOD => {
                // The policy lets no other method come this far.
                Some(failed(format!("the method is not {METHOD}")))
            }
            Evidence::Begin { data, .. } => Some(self.begin(&data.unwrap_or_default())),
            Evidence::Answer { data, exchange, .. } => {
                Some(self.finish(exchange.take(), &data.unwrap_or_default()))
            }
        }
    }

    /// Challenges a client, whether there is such a user or not.
    fn begin(&self, data: &[u8]) -> AuthStep {
        let first = match ClientFirst::parse(data) {
            Ok(first) => first,
            Err(error) => return failed(error.to_string()),
        };
        let (user_name, verifier) = self.policies.find(first.user_name());
        let nonce = Alphanumeric.sample_string(&mut rand::rng(), NONCE_CHARS);
        let (challenge, exchange) = first.challenge(verifier, &nonce);
        AuthStep::Continue {
            data: Bytes::from(challenge),
            exchange: Exchange::new(Challenged { exchange, user_name }),
        }
    }

    fn finish(&self, challenged: Option<Challenged>, data: &[u8]) -> AuthStep {
        let Some(Challenged { exchange, user_name }) = challenged else {
            return failed("the answer belongs to no challenge".to_owned());
        };
        let name = logged(exchange.user_name());
        let outcome = exchange.finish(data);
        // The user may have been removed since the challenge.
        let user_name = user_name.filter(|name| self.policies.find(name).0.is_some());
        match (outcome, user_name) {
            (Ok(last), Some(user_name)) => AuthStep::Allow {
                identity: Identity { user_name: Some(user_name) },
                data: Some(Bytes::from(last)),
            },
            (Err(error), Some(_)) => failed(format!("user `{name}`: {error}")),
            (Ok(_) | Err(_), None) => failed(format!("there is no user `{name}`")),
        }
    }
}

fn failed(detail: String) -> AuthStep {
    AuthStep::Deny { reason: ReasonCode::NotAuthorized, detail }
}

/// A name as the log has it: the client chose it, and must neither fill the log nor write lines of its own.
fn logged(name: &str) -> String {
    name.chars().take(LOGGED_CHARS_MAX).flat_map(char::escape_debug).collect()
}

/// The answer to a password that is not right, in the log: the client is told the same in each case.
fn wrong_password(user_name: Option<&str>, name: &str) -> AuthStep {
    let name = logged(name);
    let detail = match user_name {
        Some(_) => format!("user `{name}`: the password is wrong"),
        None => format!("there is no user `{name}`"),
    };
    AuthStep::Deny { reason: ReasonCode::BadUserNameOrPassword, detail }
}

#[cfg(test)]
mod tests;
