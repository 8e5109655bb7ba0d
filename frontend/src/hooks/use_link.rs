//! The state of the connection, with the wait counted down.

use yew::prelude::*;

use super::{use_hub, use_watch_of};
use crate::services::hub::Hub;
use crate::state::link::Link;

/// The state of the connection that the pages show, and the seconds until the next attempt.
#[hook]
pub fn use_link() -> (Link, Option<u64>) {
    let hub = use_hub();
    use_link_of(hub)
}

/// As [`use_link`], of any hub.
#[hook]
pub fn use_link_of(hub: Hub) -> (Link, Option<u64>) {
    use_watch_of(hub, (), |hub, ()| {
        let link = hub.link().clone();
        let retry_in_s = link.retry_in_s(hub.connection().now());
        (link, retry_in_s)
    })
}
