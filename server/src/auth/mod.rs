//! Who may come in: users with their passwords, the rule for clients without a name, and the exchange with both.

mod anonymous;
mod authenticator;
mod passwords;
mod policy;
mod reload;
mod users;
mod users_file;

pub use anonymous::Anonymous;
pub(crate) use authenticator::Authenticator;
pub(crate) use passwords::Passwords;
pub(crate) use policy::{Credentials, Policies, Policy};
pub(crate) use reload::watch;
pub(crate) use users::{ITERATIONS, SALT_BYTES, Users, check_name};
pub use users_file::{UsersError, UsersFile};
