//! What a page has subscribed to: kept over connections, and asked which subscription a message is for.

use hashbrown::HashMap;
use hearth_protocol::packet::Subscription;
use hearth_protocol::property::UserProperties;
use hearth_protocol::{TopicFilter, TopicName};

/// What one call of `subscribe` asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The filters with their options.
    pub subscriptions: Vec<Subscription>,
    /// User properties of the SUBSCRIBE.
    pub user_properties: UserProperties,
    /// Ask again after each reconnection even where the server kept the session: that brings the retained messages, which
    /// tell what has changed meanwhile.
    pub is_refreshed: bool,
}

#[derive(Debug)]
struct Entry {
    number: u32,
    wish: Wish,
    is_granted: bool,
}

/// Filters that the server is to be told that nobody wants any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The number of the subscription that ended.
    pub number: u32,
    /// The filters that no other subscription has; none where there is nothing to say.
    pub filters: Vec<TopicFilter>,
}

/// Every subscription under its number, which is its subscription identifier too where the server takes one.
#[derive(Debug, Default)]
pub struct Subscriptions {
    entries: Vec<Entry>,
    farewells: Vec<Farewell>,
    // Several subscriptions may have one filter; the server then knows the last one's identifier.
    number_by_filter: HashMap<TopicFilter, u32>,
}

impl Subscriptions {
    /// Adds what is to be asked for.
    pub fn add(&mut self, number: u32, wish: Wish) {
        for subscription in &wish.subscriptions {
            self.number_by_filter.insert(subscription.filter.clone(), number);
        }
        self.entries.push(Entry { number, wish, is_granted: false });
    }

    /// What the subscription asked for.
    pub fn wish(&self, number: u32) -> Option<&Wish> {
        self.entries.iter().find(|entry| entry.number == number).map(|entry| &entry.wish)
    }

    /// The server has it.
    pub fn grant(&mut self, number: u32) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            entry.is_granted = true;
        }
    }

    /// Takes a subscription away. The farewell stays until [`Subscriptions::finish_farewell`].
    pub fn remove(&mut self, number: u32) -> Option<Farewell> {
        let place = self.entries.iter().position(|entry| entry.number == number)?;
        let wish = self.entries.remove(place).wish;
        let mut farewell = Farewell { number, filters: Vec::new() };
        for Subscription { filter, .. } in wish.subscriptions {
            let heir = self.entries.iter().rev().find(|entry| has(entry, &filter)).map(|entry| entry.number);
            match heir {
                // What the server knows is still the identifier of the one that came last.
                Some(_) => {}
                None => {
                    self.number_by_filter.remove(&filter);
                    farewell.filters.push(filter);
                }
            }
        }
        self.farewells.push(farewell.clone());
        Some(farewell)
    }

    /// The server has heard it, or has forgotten all by itself.
    pub fn finish_farewell(&mut self, number: u32) {
        self.farewells.retain(|farewell| farewell.number != number);
    }

    /// What the server has not heard yet, without the filters that somebody wants again.
    pub fn farewells(&self) -> Vec<Farewell> {
        let is_unwanted = |filter: &&TopicFilter| !self.entries.iter().any(|entry| has(entry, filter));
        let filters = |farewell: &Farewell| farewell.filters.iter().filter(is_unwanted).cloned().collect();
        let still = |farewell: &Farewell| Farewell { number: farewell.number, filters: filters(farewell) };
        self.farewells.iter().map(still).collect()
    }

    /// A connection stands: the numbers of those that are to be asked for on it, in their order.
    pub fn due(&self, session_present: bool) -> Vec<u32> {
        let is_due = |entry: &&Entry| !session_present || !entry.is_granted || entry.wish.is_refreshed;
        self.entries.iter().filter(is_due).map(|entry| entry.number).collect()
    }

    /// Whom a message is for. `ids` are the identifiers that it came with: of several subscriptions whose filters match,
    /// a server that sends a copy for each says by them which one it means.
    pub fn matching(&self, topic: &TopicName, ids: &[u32]) -> Vec<u32> {
        let of = |is_meant: &dyn Fn(&TopicFilter) -> bool| -> Vec<u32> {
            let takes = |entry: &&Entry| {
                let filters = entry.wish.subscriptions.iter().map(|subscription| &subscription.filter);
                filters.into_iter().any(|filter| filter.matches(topic) && is_meant(filter))
            };
            self.entries.iter().filter(takes).map(|entry| entry.number).collect()
        };
        let meant = of(&|filter| self.number_by_filter.get(filter).is_some_and(|id| ids.contains(id)));
        // Identifiers that are not known here are left from an earlier load of the page.
        if meant.is_empty() { of(&|_| true) } else { meant }
    }
}

fn has(entry: &Entry, filter: &TopicFilter) -> bool {
    entry.wish.subscriptions.iter().any(|subscription| subscription.filter == *filter)
}

#[cfg(test)]
mod tests {
    use hearth_protocol::QoS;

    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).unwrap()
    }

    fn wish(filters: &[&str]) -> Wish {
        let one = |text: &&str| Subscription::new(filter(text), QoS::AtLeastOnce);
        Wish {
            subscriptions: filters.iter().map(one).collect(),
            user_properties: UserProperties::EMPTY,
            is_refreshed: false,
        }
    }

    fn whom(subscriptions: &Subscriptions, topic: &str, ids: &[u32]) -> Vec<u32> {
        subscriptions.matching(&TopicName::try_from(topic).unwrap(), ids)
    }

    #[test]
    fn a_message_is_for_all_whose_filter_matches_unless_the_server_says_which() {
        let mut subscriptions = Subscriptions::default();
        for (number, filters) in
            [(1, &["home/#"][..]), (2, &["home/+/lamp", "x"]), (3, &["$share/g/home/a/b"])]
        {
            subscriptions.add(number, wish(filters));
        }
        for (topic, ids, numbers) in [
            ("home/hall/lamp", &[][..], &[1, 2][..]),
            ("home/hall/lamp", &[2], &[2]),
            ("home/hall/lamp", &[2, 1], &[1, 2]),
            ("home/hall/lamp", &[77], &[1, 2]),
            // The identifier was another subscription's in an earlier load of the page.
            ("home/hall/lamp", &[3], &[1, 2]),
            ("home/a/b", &[3], &[3]),
            ("elsewhere", &[], &[]),
        ] {
            assert_eq!(whom(&subscriptions, topic, ids), numbers, "{topic} {ids:?}");
        }
    }

    #[test]
    fn subscriptions_with_one_filter_hear_what_comes_for_the_last_of_them() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(1, wish(&["a"]));
        subscriptions.add(2, wish(&["a"]));
        assert_eq!(whom(&subscriptions, "a", &[2]), [1, 2]);
        assert_eq!(subscriptions.remove(2), Some(Farewell { number: 2, filters: vec![] }));
        assert_eq!(whom(&subscriptions, "a", &[2]), [1]);
        assert_eq!(subscriptions.remove(1), Some(Farewell { number: 1, filters: vec![filter("a")] }));
        assert_eq!(subscriptions.remove(1), None);
    }

    #[test]
    fn a_session_that_the_server_kept_is_asked_for_what_it_lacks_alone() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(1, wish(&["a"]));
        subscriptions.add(2, wish(&["b"]));
        subscriptions.add(3, Wish { is_refreshed: true, ..wish(&["c"]) });
        subscriptions.grant(1);
        subscriptions.grant(3);
        assert_eq!(subscriptions.due(true), [2, 3]);
        assert_eq!(subscriptions.due(false), [1, 2, 3]);
    }

    #[test]
    fn a_farewell_that_the_server_did_not_hear_leaves_out_what_is_wanted_again() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(1, wish(&["a", "b"]));
        subscriptions.remove(1);
        subscriptions.add(2, wish(&["a"]));
        assert_eq!(subscriptions.farewells(), [Farewell { number: 1, filters: vec![filter("b")] }]);
        subscriptions.finish_farewell(1);
        assert_eq!(subscriptions.farewells(), []);
    }
}
