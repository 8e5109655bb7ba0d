//! What a page that is loaded later adds to the hub: state that outlives the page, and ears of its own.

use std::any::Any;

use hearth_protocol::ReasonCode;
use hearth_protocol::connection::client::Token;
use hearth_protocol::packet::Publish;

use super::hub::Hub;
use crate::state::link::Link;
use crate::state::outcome::Answer;

/// A part of a hub. It is called on every connection of its hub's, and keeps a `WeakHub` where it acts by itself: a part that
/// held its hub would keep the connection open for ever.
pub trait Part: Any {
    /// A message came, whichever subscription brought it; `at_ms` in milliseconds since 1970. Where the broker sends one for
    /// each subscription, `is_trees` marks the one that the subscription to everything brought.
    fn on_message(&self, hub: &Hub, message: &Publish, at_ms: f64, is_trees: bool);

    /// The broker answered a publication of QoS 1 or 2, of this part or of another.
    fn on_published(&self, hub: &Hub, token: Token, answer: &Answer);

    /// The broker answered a SUBSCRIBE or UNSUBSCRIBE, of this part or of another: one reason a filter.
    fn on_answered(&self, hub: &Hub, token: Token, reasons: &[ReasonCode]);

    /// The state of the connection changed.
    fn on_link(&self, hub: &Hub, link: &Link);
}
