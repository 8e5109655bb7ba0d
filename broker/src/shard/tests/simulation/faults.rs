//! The simulation finds what it is there to find: each rule is broken once, for each promise at least one.

use super::*;

/// Seeds within which a broken rule must show.
const SEEDS_MAX: u64 = 100;

/// Rules, and the promise that does not hold without them.
const BROKEN: [(Fault, Invariant); 30] = [
    (Fault::QueueForgotten, Invariant::AcknowledgedIsDelivered),
    (Fault::NeighboursNotTold, Invariant::AcknowledgedIsDelivered),
    (Fault::DuplicateRouted, Invariant::ExactlyOnce),
    (Fault::InboundIdKept, Invariant::NothingLeaks),
    (Fault::OutboundIdKept, Invariant::NothingLeaks),
    (Fault::QueueOvertaken, Invariant::OrderIsKept),
    (Fault::FirstRetained, Invariant::RetainedIsTheLast),
    (Fault::RemovalIgnored, Invariant::RetainedIsTheLast),
    (Fault::WillAfterGoodbye, Invariant::WillsGoOutWhenTheyMust),
    (Fault::WillDelayIgnored, Invariant::WillsGoOutWhenTheyMust),
    (Fault::WillForgotten, Invariant::WillsGoOutWhenTheyMust),
    (Fault::InterestKept, Invariant::NothingLeaks),
    (Fault::ShareAbandoned, Invariant::SharedGoesToOne),
    (Fault::SharedTwice, Invariant::SharedGoesToOne),
    (Fault::ExpiredSent, Invariant::ExpiredIsNotDelivered),
    (Fault::SessionKept, Invariant::SessionsEndInTime),
    (Fault::CleanStartIgnored, Invariant::SessionsEndInTime),
    (Fault::NoLocalIgnored, Invariant::DeliveredAsSubscribed),
    (Fault::SilenceAllowed, Invariant::ConnectionsEndForAReason),
    (Fault::AnswerBeforeCommit, Invariant::AcknowledgedIsDelivered),
    (Fault::PubRelBeforeCommit, Invariant::ExactlyOnce),
    (Fault::PubCompBeforeCommit, Invariant::NothingLeaks),
    (Fault::ReceiptNotAwaited, Invariant::AcknowledgedIsDelivered),
    (Fault::PublishBeforeCommit, Invariant::ExactlyOnce),
    (Fault::CarriedOvertaken, Invariant::OrderIsKept),
    (Fault::RetainedNotAwaited, Invariant::RetainedIsTheLast),
    (Fault::RefusedRouted, Invariant::DeliveredAsSubscribed),
    (Fault::WillNotCarried, Invariant::WillsGoOutWhenTheyMust),
    (Fault::MoveNotCarried, Invariant::SharedGoesToOne),
    (Fault::RowGoesEarly, Invariant::AcknowledgedIsDelivered),
];

#[test]
fn each_rule_that_is_broken_shows_within_a_hundred_seeds() {
    let mut missed = Vec::new();
    for (fault, invariant) in BROKEN {
        let is_wanted = |failure: &Failure| failure.invariant == invariant;
        match &search(0..SEEDS_MAX, 1, Some(fault), is_wanted)[..] {
            [finding, ..] => println!("{fault:?}: seed {}: {}", finding.seed, finding.failure),
            [] => missed.push((fault, invariant)),
        }
    }
    assert_eq!(missed, []);
}

#[test]
fn each_promise_can_be_seen_broken() {
    for promise in Invariant::ALL {
        assert!(BROKEN.iter().any(|(_, invariant)| *invariant == promise), "{promise:?}");
    }
}
