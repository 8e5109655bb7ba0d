//! The state of the connection, with the wait counted down, and what there is to explain of it.

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

/// What there is to explain of the connection with this id: the link itself, or, while an attempt is under way, how the one before
/// ended. A broker that goes on refusing is asked again and again, and the page would jump each time.
#[hook]
pub fn use_trouble(id: u32, link: &Link) -> Link {
    let kept = use_mut_ref(|| None::<(u32, Link)>);
    let mut before = kept.borrow_mut();
    match (&*before, link) {
        (Some((of, trouble)), Link::Connecting) if *of == id => return trouble.clone(),
        (_, Link::Waiting { .. } | Link::Refused { .. }) => *before = Some((id, link.clone())),
        (_, Link::Connecting | Link::Checking | Link::Online { .. } | Link::Closed) => *before = None,
    }
    link.clone()
}
