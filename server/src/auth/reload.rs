//! Lets a changed file of users hold without a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Policies, Policy, UsersFile};

/// How often the file is looked at. One call of the system each time; a person who has just typed a password waits that
/// long at most.
const INTERVAL: Duration = Duration::from_secs(2);

/// Takes up changes of the file until `stop`; `asked` has them taken up at once. `changed` is called when users may
/// have gone.
pub(crate) async fn watch(
    file: UsersFile,
    policies: Policies,
    asked: Arc<Notify>,
    stop: CancellationToken,
    changed: impl Fn(),
) {
    let mut seen = file.stamp();
    loop {
        let is_asked = tokio::select! {
            () = stop.cancelled() => return,
            () = asked.notified() => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        let stamp = file.stamp();
        if is_asked || stamp != seen {
            seen = stamp;
            if reload(&file, &policies) {
                changed();
            }
        }
    }
}

/// Reads the users anew; whether they hold now. What cannot be read changes nothing: the old policy is known to be
/// meant, and none at all would let everybody in.
fn reload(file: &UsersFile, policies: &Policies) -> bool {
    let path = file.path.display();
    let old = policies.current();
    let users = match file.read() {
        Ok(users) => users,
        Err(error) => {
            tracing::error!(%error, "the users are not read anew; the ones from before stay");
            return false;
        }
    };
    match (&users, &old.users) {
        (None, Some(_)) => {
            tracing::error!(%path, "the users are gone; the ones from before stay until a restart");
            return false;
        }
        (None, None) => return false,
        (Some(users), _) => tracing::info!(%path, users = users.len(), "the users were read"),
    }
    policies.replace(Policy { users, anonymous: old.anonymous });
    true
}
