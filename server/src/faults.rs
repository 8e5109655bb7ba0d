//! Rules that the program `hearth-broken` breaks, so that the crash harness can show that it notices. Without the feature
//! `faults`, which no product has, none ever is.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use hearth_broker::Change;

/// A rule of the store that is not kept.
#[cfg_attr(not(feature = "faults"), expect(unreachable_pub, reason = "it is for `hearth-broken`"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The shards are told that a commit is done before it begins.
    AcknowledgedEarly,
    /// Packet identifiers of QoS 2 that came in are not written.
    ReceivedForgotten,
    /// Retained messages are not written.
    RetainedForgotten,
    /// The rows of what a session waits for stay.
    WaitingKept,
    /// Rows of messages on their way from shard to shard are not written.
    CarriedForgotten,
    /// Of what becomes of a session a process writes the first row only: not that its will was published or taken back.
    WillKept,
}

#[cfg(feature = "faults")]
static FAULT: std::sync::OnceLock<Fault> = std::sync::OnceLock::new();

#[cfg(feature = "faults")]
impl Fault {
    /// All of them, with the names by which they are asked for.
    pub const ALL: [(&'static str, Self); 6] = [
        ("acknowledged-early", Self::AcknowledgedEarly),
        ("received-forgotten", Self::ReceivedForgotten),
        ("retained-forgotten", Self::RetainedForgotten),
        ("waiting-kept", Self::WaitingKept),
        ("carried-forgotten", Self::CarriedForgotten),
        ("will-kept", Self::WillKept),
    ];

    /// Breaks this rule for as long as the process lives.
    pub fn set(self) {
        FAULT.get_or_init(|| self);
    }
}

/// Whether this rule is broken.
#[cfg(feature = "faults")]
pub(crate) fn has(fault: Fault) -> bool {
    FAULT.get() == Some(&fault)
}

/// Whether this rule is broken: never.
#[cfg(not(feature = "faults"))]
pub(crate) const fn has(_: Fault) -> bool {
    false
}

/// Stays between two steps of a commit, while a rule is broken. Most of what a broken rule loses is lost by a kill between two of
/// them alone, which on a quiet machine are so close that hardly any kill meets that moment.
#[cfg(feature = "faults")]
pub(crate) fn linger() {
    /// Half of what a commit takes then: long beside every other step, short beside the life of a broker that is killed.
    const STEP: std::time::Duration = std::time::Duration::from_millis(5);
    if FAULT.get().is_some() {
        std::thread::sleep(STEP);
    }
}

/// Stays nowhere.
#[cfg(not(feature = "faults"))]
pub(crate) const fn linger() {}

/// Takes out the changes that a broken rule does not write.
pub(crate) fn forget(changes: &mut Vec<Change>) {
    use hearth_broker::Table;
    let is_of = |change: &Change, of: Table| match change {
        Change::Put(table, ..) | Change::Delete(table, _) | Change::DeleteAll(table, _) => *table == of,
    };
    if has(Fault::ReceivedForgotten) {
        changes.retain(|change| !is_of(change, Table::Received));
    }
    if has(Fault::CarriedForgotten) {
        changes.retain(|change| !is_of(change, Table::Carried));
    }
    if has(Fault::RetainedForgotten) {
        changes.retain(|change| !is_of(change, Table::Retained));
    }
    if has(Fault::WaitingKept) {
        let is_end =
            |change: &Change| matches!(change, Change::Delete(Table::References | Table::Messages, _));
        changes.retain(|change| !is_end(change));
    }
    if has(Fault::WillKept) {
        static WRITTEN: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        changes.retain(|change| match change {
            Change::Put(Table::Sessions, key, _) => written.insert(key.to_vec()),
            Change::Put(..) | Change::Delete(..) | Change::DeleteAll(..) => true,
        });
    }
}
