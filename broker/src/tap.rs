//! Somebody who looks at every message that is taken, beside its subscribers.

/// What [`Shard::set_tap`](crate::Shard::set_tap) takes. It is called between two packets, so that it must be quick and
/// may not wait: whoever wants to do something with messages notes them down and does it elsewhere.
pub trait Tap: Send {
    /// A message of a client, a will, or one of the broker's own has been taken by this shard. Each message of the broker
    /// comes to the tap of one shard, once.
    fn on_message(&mut self, topic: &str, payload: &[u8]);

    /// The driver has come to the end of its turn.
    fn on_turn_end(&mut self);
}
