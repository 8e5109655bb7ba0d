//! Renders a component anew when something it reads from the hub has changed, at most once a frame.

use yew::prelude::*;

use super::use_hub;
use crate::services::hub::Hub;

/// What `read` makes of the hub that the pages show, kept up to date. It runs at every frame with news, so it must be
/// cheap; a component that shows much reads a mark here and the rest while it renders.
#[hook]
pub fn use_watch<D, K>(deps: D, read: fn(&Hub, &D) -> K) -> K
where
    D: PartialEq + Clone + 'static,
    K: PartialEq + Clone + 'static,
{
    let hub = use_hub();
    use_watch_of(hub, deps, read)
}

/// As [`use_watch`], of any hub.
#[hook]
pub fn use_watch_of<D, K>(hub: Hub, deps: D, read: fn(&Hub, &D) -> K) -> K
where
    D: PartialEq + Clone + 'static,
    K: PartialEq + Clone + 'static,
{
    let update = use_force_update();
    let current = read(&hub, &deps);
    let seen = use_mut_ref(|| current.clone());
    *seen.borrow_mut() = current.clone();
    use_effect_with((hub, deps), move |(hub, deps)| {
        let (watched, deps) = (hub.clone(), deps.clone());
        let subscription = hub.frames().subscribe(move || {
            let now = read(&watched, &deps);
            if *seen.borrow() != now {
                *seen.borrow_mut() = now;
                update.force_update();
            }
        });
        move || drop(subscription)
    });
    current
}
