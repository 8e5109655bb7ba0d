//! What a connection is to be subscribed to: everything, or what is shown and pinned. It tells what to ask the broker for when that
//! changes and when a connection begins.

use std::collections::{BTreeMap, BTreeSet};

use hearth_protocol::ReasonCode;

/// What to say to the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Filters to subscribe to.
    pub subscribe: Vec<String>,
    /// Filters to unsubscribe from, afterwards: what is in both an old and a new one is never missed.
    pub unsubscribe: Vec<String>,
}

/// The interest.
#[derive(Debug)]
pub struct Interest {
    everything: Vec<String>,
    is_whole: bool,
    // How many want each filter.
    claims: BTreeMap<String, u32>,
    sent: BTreeSet<String>,
    // Unsubscribed from without an answer yet: a session that is resumed may still have them.
    leaving: BTreeSet<String>,
    unanswered: u32,
    refused: BTreeMap<String, ReasonCode>,
}

impl Interest {
    /// In nothing yet; these filters are everything.
    pub fn new(everything: Vec<String>) -> Self {
        Self {
            everything,
            is_whole: false,
            claims: BTreeMap::new(),
            sent: BTreeSet::new(),
            leaving: BTreeSet::new(),
            unanswered: 0,
            refused: BTreeMap::new(),
        }
    }

    /// Whether everything is wanted.
    pub fn set_whole(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
    }

    /// One more wants this filter.
    pub fn claim(&mut self, filter: &str) {
        *self.claims.entry(filter.to_owned()).or_default() += 1;
    }

    /// One of those who claimed it does not want it any more.
    pub fn release(&mut self, filter: &str) {
        if let Some(count) = self.claims.get_mut(filter) {
            *count -= 1;
            if *count == 0 {
                self.claims.remove(filter);
                self.refused.remove(filter);
            }
        }
    }

    /// Whether somebody claims exactly this filter.
    pub fn is_claimed(&self, filter: &str) -> bool {
        self.claims.contains_key(filter)
    }

    /// Whether it is one of those that are everything.
    pub fn is_everything(&self, filter: &str) -> bool {
        self.everything.iter().any(|other| other == filter)
    }

    /// A connection stands. All is asked for anew, also of a session that has it: only that brings retained messages again, which
    /// tell what is still true after a gap.
    pub fn handle_connected(&mut self, is_resumed: bool) {
        if is_resumed {
            self.leaving.append(&mut self.sent);
        } else {
            self.leaving.clear();
            self.sent.clear();
        }
        self.unanswered = 0;
        self.refused.clear();
    }

    /// The broker answered the subscription to a filter.
    pub fn handle_answer(&mut self, filter: &str, reason: ReasonCode) {
        if reason.is_failure() {
            self.refused.insert(filter.to_owned(), reason);
        } else {
            self.refused.remove(filter);
        }
    }

    /// The broker answered an UNSUBSCRIBE.
    pub fn handle_unsubscribed(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered == 0 {
            self.leaving.clear();
        }
    }

    /// Why the broker refused a filter, if it did.
    pub fn refusal(&self, filter: &str) -> Option<ReasonCode> {
        self.refused.get(filter).copied()
    }

    /// What to say now; it counts as said.
    pub fn poll_changes(&mut self) -> Changes {
        let wanted = self.wanted();
        let subscribe: Vec<String> = wanted.difference(&self.sent).cloned().collect();
        let had = if self.unanswered == 0 { &self.sent | &self.leaving } else { self.sent.clone() };
        let unsubscribe: Vec<String> = had.difference(&wanted).cloned().collect();
        if !unsubscribe.is_empty() {
            self.unanswered += 1;
        }
        self.leaving.extend(unsubscribe.iter().cloned());
        self.sent = wanted;
        // Asked for again meanwhile.
        self.leaving.retain(|filter| !self.sent.contains(filter));
        Changes { subscribe, unsubscribe }
    }

    fn wanted(&self) -> BTreeSet<String> {
        let everything = self.everything.iter().filter(|_| self.is_whole);
        // With a filter beside one that has it, a broker may send a message twice [MQTT-3.3.4-2], and sends what it keeps again.
        let given = everything.clone().filter(|filter| !self.refused.contains_key(*filter));
        let claimed = self.claims.keys().filter(|claimed| {
            self.is_everything(claimed) || !given.clone().any(|filter| covers(filter, claimed))
        });
        claimed.chain(everything).cloned().collect()
    }
}

/// Whether a filter matches every topic that another one matches.
fn covers(filter: &str, other: &str) -> bool {
    // Wildcards at the beginning of a filter match no topic with `$` [MQTT-4.7.2-1].
    if filter.starts_with(['#', '+']) && other.starts_with('$') {
        return false;
    }
    let mut others = other.split('/');
    for level in filter.split('/') {
        let is_covered = match (level, others.next()) {
            // It stands for the level before it too (4.7.1.2).
            ("#", _) => return true,
            ("+", Some(other)) => other != "#",
            (level, Some(other)) => level == other,
            (_, None) => false,
        };
        if !is_covered {
            return false;
        }
    }
    others.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(subscribe: &[&str], unsubscribe: &[&str]) -> Changes {
        let own = |list: &[&str]| list.iter().map(|&filter| filter.to_owned()).collect();
        Changes { subscribe: own(subscribe), unsubscribe: own(unsubscribe) }
    }

    fn interest() -> Interest {
        Interest::new(vec!["#".to_owned()])
    }

    #[test]
    fn a_filter_is_left_when_the_last_one_releases_it() {
        let mut interest = interest();
        interest.claim("a");
        interest.claim("a");
        assert_eq!(interest.poll_changes(), changes(&["a"], &[]));
        interest.release("a");
        assert_eq!(interest.poll_changes(), changes(&[], &[]));
        interest.release("a");
        assert!(!interest.is_claimed("a"));
        assert_eq!(interest.poll_changes(), changes(&[], &["a"]));
        assert_eq!(interest.poll_changes(), changes(&[], &[]));
    }

    #[test]
    fn everything_takes_the_place_of_topics_and_gives_it_back() {
        let mut interest = interest();
        interest.claim("home/lamp");
        interest.claim("$hearth/tree");
        interest.poll_changes();
        interest.set_whole(true);
        assert_eq!(interest.poll_changes(), changes(&["#"], &["home/lamp"]));
        interest.set_whole(false);
        assert_eq!(interest.poll_changes(), changes(&["home/lamp"], &["#"]));
    }

    #[test]
    fn what_one_of_several_filters_brings_already_is_not_asked_for_beside_it() {
        let mut interest = Interest::new(vec!["plant/#".to_owned(), "+/lamp".to_owned()]);
        interest.set_whole(true);
        for filter in ["plant", "plant/press/+", "home/lamp", "home/lamp/state", "$hearth/tree", "plant/#"] {
            interest.claim(filter);
        }
        assert_eq!(
            interest.poll_changes(),
            changes(&["$hearth/tree", "+/lamp", "home/lamp/state", "plant/#"], &[])
        );
        interest.handle_answer("plant/#", ReasonCode::NotAuthorized);
        assert_eq!(interest.poll_changes(), changes(&["plant", "plant/press/+"], &[]));
    }

    #[test]
    fn a_filter_covers_another_where_it_matches_all_of_its_topics() {
        for (filter, other, expected) in [
            ("#", "a/b", true),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("a/#", "a", true),
            ("a/#", "a/+/c/#", true),
            ("a/#", "ab/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("a/+/#", "a", false),
            ("a/b", "a/b", true),
            ("a/b", "a/+", false),
        ] {
            assert_eq!(covers(filter, other), expected, "{filter} and {other}");
        }
    }

    #[test]
    fn a_new_connection_is_asked_for_all_and_a_resumed_session_is_rid_of_what_was_left() {
        for (is_resumed, unsubscribe) in [(false, &[][..]), (true, &["b"][..])] {
            let mut interest = interest();
            interest.claim("a");
            interest.claim("b");
            interest.poll_changes();
            interest.release("b");
            interest.handle_connected(is_resumed);
            assert_eq!(interest.poll_changes(), changes(&["a"], unsubscribe));
            interest.handle_unsubscribed();
            assert_eq!(interest.poll_changes(), changes(&[], &[]));
        }
        // The connection was lost before the broker read it.
        let mut interest = interest();
        interest.set_whole(true);
        interest.poll_changes();
        interest.set_whole(false);
        assert_eq!(interest.poll_changes(), changes(&[], &["#"]));
        interest.handle_connected(true);
        assert_eq!(interest.poll_changes(), changes(&[], &["#"]));
    }

    #[test]
    fn a_refusal_is_kept_until_the_filter_is_granted_or_released() {
        let mut interest = interest();
        interest.claim("a");
        interest.handle_answer("a", ReasonCode::NotAuthorized);
        assert_eq!(interest.refusal("a"), Some(ReasonCode::NotAuthorized));
        interest.handle_answer("a", ReasonCode::Success);
        assert_eq!(interest.refusal("a"), None);
        interest.handle_answer("a", ReasonCode::NotAuthorized);
        interest.release("a");
        assert_eq!(interest.refusal("a"), None);
    }
}
