//! One topic, followed.

use std::rc::Rc;

use yew::prelude::*;

use super::use_watch;
use crate::state::topics::TopicId;

/// What tells one state of a topic from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicMark {
    /// Its place in the arena.
    pub id: TopicId,
    /// Messages so far.
    pub count: u64,
    /// Whether its value came on the connection that is up now.
    pub live: bool,
}

/// The mark of a topic; `None` until it has been heard.
#[hook]
pub fn use_topic(name: Rc<str>) -> Option<TopicMark> {
    use_watch(name, |hub, name| {
        let topics = hub.topics();
        let id = topics.find(name)?;
        Some(TopicMark { id, count: topics.topic(id).count(), live: topics.is_live(id) })
    })
}
