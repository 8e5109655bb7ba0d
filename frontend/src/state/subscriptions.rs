//! Which parts of the page want which filter of a connection. A broker keeps one subscription for a filter, whoever asks for it
//! [MQTT-3.8.4-3], so that those who want the same one share it.

use std::collections::{BTreeMap, BTreeSet};

use hearth_protocol::TopicFilter;
use hearth_protocol::packet::{RetainHandling, Subscription};

use super::seen::Copies;

/// The identifier of the subscriptions that fill the list and the tree of topics, once they have one.
pub const TREE_ID: u32 = 1;

/// Who wants a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The list and the tree of topics.
    Tree,
    /// Somebody who waits for an answer on a topic, which the tree shows too.
    Answer,
    /// The subscribe page, for its filter with this identifier.
    Stream(u32),
}

impl Owner {
    const fn fills_tree(self) -> bool {
        match self {
            Self::Tree | Self::Answer => true,
            Self::Stream(_) => false,
        }
    }
}

/// What to ask the broker for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The filter, with options that give each owner what it wants.
    pub subscription: Subscription,
    /// The subscribe page's identifier, when it is one of the owners.
    pub id: Option<u32>,
}

/// What to say when one of the owners has let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The subscription as the others want it.
    Ask(Ask),
    /// Nobody wants it any more.
    End,
}

/// The filters and their owners.
#[derive(Debug, Default)]
pub struct Subscriptions {
    owners: BTreeMap<TopicFilter, Vec<(Owner, Subscription)>>,
    /// Identifiers of the subscribe page's under which messages come that are the tree's too.
    shared: BTreeMap<TopicFilter, BTreeSet<u32>>,
    /// Let go of while there was no connection: the session may still have them.
    unsaid: BTreeSet<TopicFilter>,
    /// By identifier of the subscribe page's: how often what the broker keeps was asked for under it, beyond the first time.
    repeats: BTreeMap<u32, u32>,
    is_resumed: bool,
}

impl Subscriptions {
    /// One wants this, anew or with other options than before. What the broker answers with is what this one asked for: retained
    /// messages come again when it wants them, also to the others.
    pub fn want(&mut self, owner: Owner, subscription: Subscription) -> Ask {
        let filter = subscription.filter.clone();
        let mut handling = subscription.retain_handling;
        let owners = self.owners.entry(filter.clone()).or_default();
        owners.retain(|(other, _)| *other != owner);
        if !owners.is_empty() && handling == RetainHandling::SendIfNew {
            // It is new to this one only.
            handling = RetainHandling::Send;
        }
        owners.push((owner, subscription));
        self.unsaid.remove(&filter);
        let ask = ask(&filter, owners, handling);
        if owners.iter().any(|(owner, _)| owner.fills_tree())
            && let Some(id) = ask.id
        {
            self.shared.entry(filter).or_default().insert(id);
        }
        self.count_repeat(owner, &ask);
        ask
    }

    fn count_repeat(&mut self, owner: Owner, ask: &Ask) {
        let Some(id) = ask.id else { return };
        if owner == Owner::Stream(id) && !self.repeats.contains_key(&id) {
            self.repeats.insert(id, 0);
            return;
        }
        let brings_kept = match ask.subscription.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => !self.is_resumed,
            RetainHandling::DoNotSend => false,
        };
        *self.repeats.entry(id).or_default() += u32::from(brings_kept);
    }

    /// How to know messages that the broker only repeats for the subscribe page's filters with these identifiers. `is_exact`: each
    /// message tells which subscriptions brought it.
    pub fn copies(&self, ids: &[u32], is_exact: bool) -> Copies {
        let is_marked = |id| {
            let is_its = |owners: &&Vec<(Owner, Subscription)>| {
                owners.iter().any(|(owner, _)| *owner == Owner::Stream(id))
            };
            self.owners
                .values()
                .find(is_its)
                .is_some_and(|owners| owners.iter().any(|(_, own)| own.retain_as_published))
        };
        if is_exact && !ids.iter().any(|id| is_marked(*id)) {
            return Copies::Marked;
        }
        Copies::Due(ids.iter().filter_map(|id| self.repeats.get(id)).sum())
    }

    /// One does not want a filter any more; nothing is to be said where it never did.
    pub fn leave(&mut self, owner: Owner, filter: &TopicFilter) -> Change {
        if let Owner::Stream(id) = owner {
            self.repeats.remove(&id);
        }
        let Some(owners) = self.owners.get_mut(filter) else { return Change::None };
        let before = ask(filter, owners, RetainHandling::DoNotSend);
        let count = owners.len();
        owners.retain(|(other, _)| *other != owner);
        if owners.len() == count {
            return Change::None;
        }
        if !owners.iter().any(|(owner, _)| owner.fills_tree()) {
            self.shared.remove(filter);
        }
        if owners.is_empty() {
            self.owners.remove(filter);
            return Change::End;
        }
        let after = ask(filter, owners, RetainHandling::DoNotSend);
        if after == before { Change::None } else { Change::Ask(after) }
    }

    /// What was to be said of a filter was not, for want of a connection.
    pub fn handle_unsaid(&mut self, filter: TopicFilter) {
        self.unsaid.insert(filter);
    }

    /// A connection stands, and its owners ask for their filters anew. What to end of a session that goes on is told.
    pub fn handle_connected(&mut self, is_resumed: bool) -> Vec<TopicFilter> {
        self.is_resumed = is_resumed;
        let unsaid = std::mem::take(&mut self.unsaid);
        let unwanted =
            unsaid.into_iter().filter(|filter| is_resumed && !self.owners.contains_key(filter)).collect();
        for owners in self.owners.values_mut() {
            // What the session still has may bring messages to the tree before that is asked for again.
            owners.retain(|(owner, _)| is_resumed && owner.fills_tree());
        }
        self.owners.retain(|_, owners| !owners.is_empty());
        let owners = &self.owners;
        self.shared.retain(|filter, _| owners.contains_key(filter));
        unwanted
    }

    /// The filters that the tree has to itself, to be asked for again without retained messages.
    pub fn of_tree(&self) -> Vec<Subscription> {
        let asks = self.owners.iter().map(|(filter, owners)| ask(filter, owners, RetainHandling::DoNotSend));
        asks.filter(|ask| ask.id.is_none()).map(|ask| ask.subscription).collect()
    }

    /// The filters that bring messages to the tree.
    pub fn filling(&self) -> impl Iterator<Item = &TopicFilter> {
        let fills = |owners: &[(Owner, Subscription)]| owners.iter().any(|(owner, _)| owner.fills_tree());
        self.owners.iter().filter(move |(_, owners)| fills(owners)).map(|(filter, _)| filter)
    }

    /// Whether a message is the tree's, by the identifiers of the subscriptions that brought it.
    pub fn is_trees(&self, ids: &[u32]) -> bool {
        let is_shared = |id: &u32| self.shared.values().any(|ids| ids.contains(id));
        ids.is_empty() || ids.contains(&TREE_ID) || ids.iter().any(is_shared)
    }

    /// Whether the subscribe page's filter with this identifier brings what this page publishes, although it is not to, since
    /// the tree shows that.
    pub fn is_local(&self, id: u32) -> bool {
        let of_id = |owners: &&Vec<(Owner, Subscription)>| {
            owners.iter().any(|(owner, own)| *owner == Owner::Stream(id) && own.no_local)
        };
        self.owners.values().find(of_id).is_some_and(|owners| owners.iter().any(|(_, own)| !own.no_local))
    }
}

/// One subscription for all of them: of the highest QoS that one wants, marked as one wants it, without what all leave out.
fn ask(filter: &TopicFilter, owners: &[(Owner, Subscription)], retain_handling: RetainHandling) -> Ask {
    let qos = owners.iter().map(|(_, own)| own.qos).max().unwrap_or_default();
    let subscription = Subscription {
        no_local: owners.iter().all(|(_, own)| own.no_local),
        retain_as_published: owners.iter().any(|(_, own)| own.retain_as_published),
        retain_handling,
        ..Subscription::new(filter.clone(), qos)
    };
    let id = owners.iter().find_map(|(owner, _)| match owner {
        Owner::Tree | Owner::Answer => None,
        Owner::Stream(id) => Some(*id),
    });
    Ask { subscription, id }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::QoS;

    use super::*;

    fn subscription(filter: &str) -> Subscription {
        Subscription::new(TopicFilter::try_from(filter).unwrap(), QoS::AtMostOnce)
    }

    fn tree(filter: &str) -> Subscription {
        Subscription { retain_as_published: true, ..subscription(filter) }
    }

    fn filter(filter: &str) -> TopicFilter {
        TopicFilter::try_from(filter).unwrap()
    }

    #[test]
    fn who_shares_a_filter_gets_one_subscription_with_what_each_wants() {
        let mut subscriptions = Subscriptions::default();
        let ask = subscriptions.want(Owner::Tree, tree("home/#"));
        assert_eq!(ask, Ask { subscription: tree("home/#"), id: None });
        let wanted = Subscription {
            qos: QoS::ExactlyOnce,
            no_local: true,
            retain_handling: RetainHandling::SendIfNew,
            ..subscription("home/#")
        };
        let ask = subscriptions.want(Owner::Stream(2), wanted);
        let both = Subscription { qos: QoS::ExactlyOnce, ..tree("home/#") };
        assert_eq!(ask, Ask { subscription: both, id: Some(2) });
        assert!(subscriptions.is_local(2));
        assert!(subscriptions.is_trees(&[2]) && subscriptions.is_trees(&[1]) && subscriptions.is_trees(&[]));
        assert!(
            subscriptions.of_tree().is_empty(),
            "it must not be asked for under the tree's identifier alone"
        );
    }

    #[test]
    fn the_others_keep_what_one_lets_go_and_the_last_one_ends_it() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.want(Owner::Tree, tree("a"));
        subscriptions.want(Owner::Stream(2), subscription("a"));
        let again = Subscription { retain_handling: RetainHandling::DoNotSend, ..tree("a") };
        let change = subscriptions.leave(Owner::Stream(2), &filter("a"));
        assert_eq!(change, Change::Ask(Ask { subscription: again.clone(), id: None }));
        assert!(subscriptions.is_trees(&[2]), "messages may still be under way");
        assert_eq!(subscriptions.of_tree(), [again]);
        assert_eq!(subscriptions.leave(Owner::Stream(2), &filter("a")), Change::None);
        assert_eq!(subscriptions.leave(Owner::Tree, &filter("a")), Change::End);
        assert!(!subscriptions.is_trees(&[2]));
        assert_eq!(subscriptions.leave(Owner::Tree, &filter("a")), Change::None);
    }

    #[test]
    fn the_stream_keeps_its_options_when_the_tree_lets_go() {
        let mut subscriptions = Subscriptions::default();
        let wanted = Subscription { no_local: true, ..subscription("a") };
        let ask = subscriptions.want(Owner::Stream(5), wanted.clone());
        assert_eq!(
            (ask.id, subscriptions.is_trees(&[5]), subscriptions.is_local(5)),
            (Some(5), false, false)
        );
        assert_eq!(subscriptions.want(Owner::Tree, tree("a")).id, Some(5));
        assert!(subscriptions.is_trees(&[5]));
        let alone = Subscription { retain_handling: RetainHandling::DoNotSend, ..wanted };
        let change = subscriptions.leave(Owner::Tree, &filter("a"));
        assert_eq!(change, Change::Ask(Ask { subscription: alone, id: Some(5) }));
        assert!(!subscriptions.is_trees(&[5]));
        // One without options of its own has nothing to say anew.
        subscriptions.want(Owner::Stream(6), tree("b"));
        subscriptions.want(Owner::Tree, tree("b"));
        assert_eq!(subscriptions.leave(Owner::Tree, &filter("b")), Change::None);
    }

    #[test]
    fn a_topic_that_an_answer_is_awaited_on_fills_the_tree() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.want(Owner::Answer, subscription("answers/me"));
        subscriptions.want(Owner::Stream(2), subscription("answers/me"));
        subscriptions.want(Owner::Stream(3), subscription("other"));
        assert_eq!(subscriptions.filling().collect::<Vec<_>>(), [&filter("answers/me")]);
        assert!(subscriptions.is_trees(&[2]) && !subscriptions.is_trees(&[3]));
        assert!(matches!(subscriptions.leave(Owner::Stream(2), &filter("answers/me")), Change::Ask(_)));
    }

    #[test]
    fn what_was_let_go_without_a_connection_is_ended_in_a_session_that_goes_on() {
        let left = |is_resumed| {
            let mut subscriptions = Subscriptions::default();
            for (id, name) in [(2, "a"), (3, "b"), (4, "c")] {
                subscriptions.want(Owner::Stream(id), subscription(name));
            }
            for (id, name) in [(2, "a"), (3, "b")] {
                assert_eq!(subscriptions.leave(Owner::Stream(id), &filter(name)), Change::End);
                subscriptions.handle_unsaid(filter(name));
            }
            subscriptions.want(Owner::Stream(5), subscription("b"));
            subscriptions.handle_connected(is_resumed)
        };
        assert_eq!(left(true), [filter("a")]);
        assert_eq!(left(false), []);
    }

    #[test]
    fn what_is_asked_for_again_is_counted_for_the_filter_that_it_comes_by() {
        for (handling, resumed, again) in [
            (RetainHandling::Send, true, 1),
            (RetainHandling::Send, false, 1),
            (RetainHandling::SendIfNew, true, 0),
            (RetainHandling::SendIfNew, false, 1),
            (RetainHandling::DoNotSend, false, 0),
        ] {
            let wanted = Subscription { retain_handling: handling, ..tree("a") };
            let mut subscriptions = Subscriptions::default();
            subscriptions.want(Owner::Stream(2), wanted.clone());
            subscriptions.want(Owner::Stream(3), subscription("b"));
            assert_eq!(subscriptions.copies(&[2, 3], true), Copies::Due(0));
            subscriptions.handle_connected(resumed);
            subscriptions.want(Owner::Stream(2), wanted);
            subscriptions.want(Owner::Stream(3), subscription("b"));
            assert_eq!(subscriptions.copies(&[2], true), Copies::Due(again), "{handling:?} {resumed}");
        }
        let mut subscriptions = Subscriptions::default();
        subscriptions.want(Owner::Stream(2), subscription("a"));
        assert_eq!(subscriptions.copies(&[2], true), Copies::Marked);
        assert_eq!(subscriptions.copies(&[2], false), Copies::Due(0), "another one may have brought it");
        // The tree wants the same, as it was kept.
        subscriptions.want(Owner::Tree, tree("a"));
        assert_eq!(subscriptions.copies(&[2], true), Copies::Due(1));
        subscriptions.leave(Owner::Stream(2), &filter("a"));
        assert_eq!(subscriptions.copies(&[2], true), Copies::Marked);
    }

    #[test]
    fn a_session_that_goes_on_may_bring_what_was_shared_before() {
        for is_resumed in [true, false] {
            let mut subscriptions = Subscriptions::default();
            subscriptions.want(Owner::Tree, tree("a"));
            subscriptions.want(Owner::Stream(2), subscription("a"));
            subscriptions.handle_connected(is_resumed);
            assert_eq!(subscriptions.is_trees(&[2]), is_resumed);
            assert_eq!(subscriptions.filling().count(), usize::from(is_resumed));
        }
    }
}
