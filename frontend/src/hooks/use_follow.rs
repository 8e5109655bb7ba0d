//! Keeps the page subscribed to a topic while it is shown, whatever else of the broker is taken in.

use yew::prelude::*;

use super::use_hub;
use crate::services::hub::Watch;

/// Follows a topic; `None` for none.
#[hook]
pub fn use_follow(topic: Option<AttrValue>) {
    let hub = use_hub();
    use_effect_with((hub, topic), |(hub, topic)| {
        let topic = topic.as_deref().filter(|topic| !topic.is_empty());
        let watches: Vec<Watch> = topic.map(|topic| hub.follow(topic)).unwrap_or_default();
        move || drop(watches)
    });
}
