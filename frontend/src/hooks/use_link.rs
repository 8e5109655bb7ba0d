//! The state of the connection, with the wait counted down.

use yew::prelude::*;

use super::use_watch;
use crate::state::link::Link;

/// The connection's state, and the seconds until the next attempt.
#[hook]
pub fn use_link() -> (Link, Option<u64>) {
    use_watch((), |hub, ()| {
        let link = hub.link().clone();
        let retry_in_s = link.retry_in_s(hub.connection().now());
        (link, retry_in_s)
    })
}
