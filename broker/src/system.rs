//! The topics that are the broker's own.

use hearth_protocol::TopicName;

/// Whether only the broker publishes to a topic: `$SYS` and what is below it (MQTT 5.0, 4.7.2).
pub(crate) fn is_reserved(topic: &TopicName) -> bool {
    // No search for the end of the level: every message passes here.
    topic.as_str().strip_prefix("$SYS").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
