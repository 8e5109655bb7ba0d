//! The rules that hold now: asked by the shards, replaced as a whole when the users change.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use hearth_broker::{Access, Admission, Decision, Identity, Peer, Subject};
use hearth_protocol::packet::Connect;
use hearth_protocol::{ReasonCode, Text, TopicFilter, TopicName};
use hearth_scram::{METHOD, Verifier};
use rand::distr::{Alphanumeric, SampleString};

use super::{Anonymous, Users};

/// Characters of a password that Hearth makes for itself: 190 bits of chance.
const OWN_PASSWORD_CHARS: usize = 32;

/// Who may come in.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// `None`: there are none, and nobody is asked for a password.
    pub(crate) users: Option<Users>,
    /// The rule for the others.
    pub(crate) anonymous: Anonymous,
}

/// The policy of a running broker; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Policies(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: RwLock<Arc<Policy>>,
    /// What runs inside of this process, such as the demo's devices, with names that no user can have.
    own: RwLock<Users>,
}

/// How somebody inside of this process logs in.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) user_name: Text,
    pub(crate) password: Bytes,
}

impl Policies {
    pub(crate) fn new(policy: Policy) -> Self {
        let own = RwLock::new(Users::new(rand::random()));
        Self(Arc::new(Shared { current: RwLock::new(Arc::new(policy)), own }))
    }

    /// The policy that holds now.
    pub(crate) fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets another policy hold from now on.
    pub(crate) fn replace(&self, policy: Policy) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// Makes a password for something that runs inside of this process; `name` begins with `$`.
    pub(crate) fn admit_own(&self, name: &str) -> Credentials {
        let password = Alphanumeric.sample_string(&mut rand::rng(), OWN_PASSWORD_CHARS);
        // Nobody can guess what is all chance: hashing it more often would not make it harder.
        let verifier = Verifier::derive(password.as_bytes(), b"own", 1);
        self.0.own.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), verifier);
        // A name in the source is short and has no U+0000.
        let user_name = Text::try_from(name).unwrap_or_default();
        Credentials { user_name, password: Bytes::from(password) }
    }

    /// A user and what its password is checked against: a decoy for one who is not there. The name is prepared.
    pub(crate) fn find(&self, name: &str) -> (Option<Arc<str>>, Verifier) {
        let own = self.0.own.read().unwrap_or_else(PoisonError::into_inner);
        let policy = self.current();
        let found = own.find(name).or_else(|| policy.users.as_ref()?.find(name));
        match found {
            Some((name, verifier)) => (Some(Arc::clone(name)), verifier.clone()),
            None => (None, policy.users.as_ref().unwrap_or(&own).decoy(name)),
        }
    }

    /// Whether somebody who does not say who he is may see what clients send.
    pub(crate) fn admit_unnamed(&self, is_local: bool) -> bool {
        let policy = self.current();
        policy.anonymous.allows(is_local, policy.users.is_some())
    }

    fn is_own(&self, name: &str) -> bool {
        self.0.own.read().unwrap_or_else(PoisonError::into_inner).find(name).is_some()
    }
}

impl Policy {
    fn admit_anonymous(&self, peer: &Peer) -> Admission {
        if self.anonymous.allows(peer.is_local, self.users.is_some()) {
            return Admission::Allow(Identity::default());
        }
        let detail = match (&self.users, self.anonymous) {
            (None, Anonymous::Auto | Anonymous::Local) => {
                "clients without a name are served on the broker's own machine only; `hearth user add` makes users, \
                 and `auth.anonymous` lets everybody in"
            }
            (Some(_), Anonymous::Local) => {
                "clients of other machines need a user name and a password (auth.anonymous)"
            }
            (_, Anonymous::Auto | Anonymous::No | Anonymous::Yes) => {
                "a user name and a password are needed (auth.anonymous)"
            }
        };
        Admission::Deny { reason: ReasonCode::NotAuthorized, detail: detail.to_owned() }
    }
}

impl Access for Policies {
    fn connect(&self, peer: &Peer, connect: &Connect) -> Admission {
        let policy = self.current();
        let has_users = policy.users.is_some();
        match &connect.properties.authentication_method {
            Some(method) if method.as_str() == METHOD && has_users => return Admission::Ask,
            Some(method) => return Admission::unknown_method(method),
            None => {}
        }
        let has_credentials = connect.user_name.is_some() || connect.password.is_some();
        let is_own = connect.user_name.as_ref().is_some_and(|name| self.is_own(name));
        if is_own || (has_credentials && has_users) {
            return Admission::Ask;
        }
        // Without users a name says nothing, and whoever brings one is as anonymous as the others.
        policy.admit_anonymous(peer)
    }

    fn remains(&self, subject: Subject<'_>, is_local: bool) -> Decision {
        let policy = self.current();
        let may_stay = match subject.identity.user_name.as_deref() {
            Some(name) => self.is_own(name) || policy.users.as_ref().is_some_and(|users| users.has(name)),
            None => policy.anonymous.allows(is_local, policy.users.is_some()),
        };
        if may_stay { Decision::Allow } else { Decision::Deny }
    }

    fn publish(&self, _: Subject<'_>, _: &TopicName) -> Decision {
        Decision::Allow
    }

    fn subscribe(&self, _: Subject<'_>, _: &TopicFilter) -> Decision {
        Decision::Allow
    }
}
