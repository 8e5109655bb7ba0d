//! What must hold whatever clients and network do, each with its name.

use std::fmt;

/// One promise of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Invariant {
    /// A message that was taken reaches every live session that asked for it with QoS 1 or 2.
    AcknowledgedIsDelivered,
    /// A QoS 2 message is taken once and delivered once, and nothing is sent again without reason.
    ExactlyOnce,
    /// Messages of one publisher, topic and QoS arrive in the order in which they were taken.
    OrderIsKept,
    /// The retained message of a topic is the last one that was taken.
    RetainedIsTheLast,
    /// A will goes out when it must, and never otherwise.
    WillsGoOutWhenTheyMust,
    /// When everything is acknowledged nothing is held, and nothing is left of what has ended.
    NothingLeaks,
    /// A message of a shared subscription goes to one member, and on to another when that one ends.
    SharedGoesToOne,
    /// What has expired is not delivered, and the time that is left is told.
    ExpiredIsNotDelivered,
    /// A session lasts as long as it was granted, not longer and not shorter.
    SessionsEndInTime,
    /// A delivery has the QoS, flags, identifiers and size that its subscriber asked for.
    DeliveredAsSubscribed,
    /// A connection ends when its client, the network or a broken rule is the reason.
    ConnectionsEndForAReason,
}

impl Invariant {
    /// Every one.
    pub(super) const ALL: [Self; 11] = [
        Self::AcknowledgedIsDelivered,
        Self::ExactlyOnce,
        Self::OrderIsKept,
        Self::RetainedIsTheLast,
        Self::WillsGoOutWhenTheyMust,
        Self::NothingLeaks,
        Self::SharedGoesToOne,
        Self::ExpiredIsNotDelivered,
        Self::SessionsEndInTime,
        Self::DeliveredAsSubscribed,
        Self::ConnectionsEndForAReason,
    ];
}

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) invariant: Invariant,
    pub(super) detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.detail)
    }
}
