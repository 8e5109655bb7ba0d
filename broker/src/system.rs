//! The topics that are the broker's own.

use hearth_protocol::TopicName;

use crate::view::is_below_root;

/// Whether only the broker publishes to a topic: `$SYS`, `$hearth` and what is below them (MQTT 5.0, 4.7.2).
pub(crate) fn is_reserved(topic: &TopicName) -> bool {
    // No search for the end of the level: every message passes here.
    let name = topic.as_str();
    let is_system = || name.strip_prefix("$SYS").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    name.starts_with('$') && (is_system() || is_below_root(name))
}
