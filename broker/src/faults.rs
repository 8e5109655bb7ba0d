//! Rules that a test can break, to see that the simulation notices. In the product none of them ever is.

/// A rule that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A session that loses its connection loses what waits for it.
    QueueForgotten,
    /// Other shards do not hear of messages.
    NeighboursNotTold,
    /// A QoS 2 message that comes again is routed again.
    DuplicateRouted,
    /// A PUBREL does not free the packet identifier of the client.
    InboundIdKept,
    /// A PUBCOMP does not free the packet identifier of the broker.
    OutboundIdKept,
    /// A message that finds room overtakes those that wait.
    QueueOvertaken,
    /// The first message that is retained of a topic stays.
    FirstRetained,
    /// A message without payload removes nothing.
    RemovalIgnored,
    /// DISCONNECT does not take the will back.
    WillAfterGoodbye,
    /// A will does not wait for its delay.
    WillDelayIgnored,
    /// A will that waits is forgotten with its session.
    WillForgotten,
    /// The interest of a subscription outlives it.
    InterestKept,
    /// What a member of a group left unacknowledged goes to nobody else.
    ShareAbandoned,
    /// A member of a group gets a message, and one more does.
    SharedTwice,
    /// Messages that have expired are delivered.
    ExpiredSent,
    /// A session without a connection does not end.
    SessionKept,
    /// A clean start finds the session of before.
    CleanStartIgnored,
    /// A client gets its own messages where it asked not to.
    NoLocalIgnored,
    /// A client may be silent for longer than its keep-alive.
    SilenceAllowed,
    /// Answers do not wait for the disk.
    AnswerBeforeCommit,
    /// PUBREL goes out before it is on disk that PUBREC came.
    PubRelBeforeCommit,
    /// PUBCOMP goes out before it is on disk that PUBREL came.
    PubCompBeforeCommit,
    /// Nobody waits for the disk of another shard.
    ReceiptNotAwaited,
    /// A QoS 2 message goes out before its identifier is on disk.
    PublishBeforeCommit,
    /// What a client publishes behind a QoS 2 message goes to other shards before that.
    CarriedOvertaken,
    /// Nobody waits for retained messages to be on disk.
    RetainedNotAwaited,
    /// A QoS 2 message of a session that is kept is refused when it is on its way to sessions.
    RefusedRouted,
    /// A will has no row on its way to another shard.
    WillNotCarried,
    /// What moves from one member of a group to one of another shard has no row on its way.
    MoveNotCarried,
    /// The row of a message goes with the first session that needs it no more.
    RowGoesEarly,
}

#[cfg(test)]
thread_local! {
    static FAULT: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Breaks a rule in the shards of this thread.
#[cfg(test)]
pub(crate) fn set_fault(fault: Option<Fault>) {
    FAULT.set(fault);
}

/// Whether this rule is broken.
#[cfg(test)]
pub(crate) fn has(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}

/// Whether this rule is broken: never.
#[cfg(not(test))]
pub(crate) const fn has(_: Fault) -> bool {
    false
}
