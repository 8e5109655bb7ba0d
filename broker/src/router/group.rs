//! Shared subscriptions: groups whose members take turns at the messages of one filter (MQTT 5.0, 4.8.2).

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hearth_protocol::{QoS, TopicFilter, TopicName};
use slab::Slab;

use super::trie::{Trie, Walk};
use super::{Route, SubscriptionOptions};
use crate::ids::{SessionId, ShardId};

/// The groups of a broker, wherever their members live.
///
/// The shard that a message comes to chooses the member, so that one message goes to one member of the whole
/// broker. The table is read when a route is worked out; a route that is remembered holds its groups.
pub(crate) struct Groups {
    /// Nothing is locked for a route while there is none.
    count: AtomicUsize,
    table: RwLock<Table>,
}

struct Table {
    /// By pattern; in place of a session stands the number of the group.
    trie: Trie,
    groups: Slab<Arc<Group>>,
    numbers: HashMap<TopicFilter, u32, FixedState>,
    /// Groups without a member, of messages that were read from the store; no more than that named.
    recalled: HashMap<TopicFilter, Weak<Group>, FixedState>,
}

/// The members that share one filter under one name.
pub(crate) struct Group {
    /// With the share name.
    filter: TopicFilter,
    members: RwLock<Vec<Member>>,
    /// Where the search for the next member begins.
    turn: AtomicUsize,
}

struct Member {
    choice: Choice,
    availability: Arc<Availability>,
}

/// A member of a group that is to get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) shard: ShardId,
    pub(crate) session: SessionId,
    pub(crate) options: SubscriptionOptions,
}

/// What a session can take, told by its shard to all others.
#[derive(Debug)]
pub(crate) struct Availability(AtomicU8);

/// How welcome a message is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Room {
    /// It goes out at once.
    Ready,
    /// Others wait before it.
    Busy,
    /// There is no connection; QoS 1 and 2 wait for one.
    Away,
    /// Nothing more is taken.
    Full,
}

impl Availability {
    pub(crate) const fn new(room: Room) -> Self {
        Self(AtomicU8::new(room as u8))
    }

    /// A hint that may be old when it is read: whoever gets a message that he has no room for passes it on.
    pub(crate) fn set(&self, room: Room) {
        self.0.store(room as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Room {
        match self.0.load(Ordering::Relaxed) {
            0 => Room::Ready,
            1 => Room::Busy,
            2 => Room::Away,
            _ => Room::Full,
        }
    }
}

impl Groups {
    pub(crate) fn new(seed: u64) -> Self {
        let table = Table {
            trie: Trie::new(seed),
            groups: Slab::new(),
            numbers: HashMap::with_hasher(FixedState::with_seed(seed)),
            recalled: HashMap::with_hasher(FixedState::with_seed(seed)),
        };
        Self { count: AtomicUsize::new(0), table: RwLock::new(table) }
    }

    /// Enters a member, or changes what it asked for. Whether the group is new: routes do not know of it then.
    pub(crate) fn join(
        &self,
        filter: &TopicFilter,
        choice: Choice,
        availability: &Arc<Availability>,
    ) -> (Arc<Group>, bool) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let known = table.numbers.get(filter).map(|number| Arc::clone(&table.groups[*number as usize]));
        let is_new = known.is_none();
        let group = known.unwrap_or_else(|| table.add(filter));
        let member = Member { choice, availability: Arc::clone(availability) };
        let mut members = group.members.write().unwrap_or_else(PoisonError::into_inner);
        match members.iter_mut().find(|other| other.choice.is_of(choice.shard, choice.session)) {
            Some(other) => *other = member,
            None => members.push(member),
        }
        drop(members);
        self.count.store(table.groups.len(), Ordering::SeqCst);
        (group, is_new)
    }

    /// The group of a message that was read from the store. It may be without a member, as they are read in any order: then the
    /// first one joins it, and until that it takes nothing.
    pub(crate) fn recall(&self, filter: &TopicFilter) -> Arc<Group> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = table.numbers.get(filter) {
            return Arc::clone(&table.groups[*number as usize]);
        }
        if let Some(group) = table.recalled.get(filter).and_then(Weak::upgrade) {
            return group;
        }
        let group = Group::new(filter);
        table.recalled.insert(group.filter.clone(), Arc::downgrade(&group));
        group
    }

    /// Removes a member. Whether the group is gone with it.
    pub(crate) fn leave(&self, group: &Group, shard: ShardId, session: SessionId) -> bool {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut members = group.members.write().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| !member.choice.is_of(shard, session));
        let is_gone = members.is_empty();
        drop(members);
        if is_gone {
            table.remove(&group.filter);
            self.count.store(table.groups.len(), Ordering::SeqCst);
        }
        is_gone
    }

    /// The groups whose filter matches.
    pub(super) fn matches(&self, topic: &TopicName, walk: &mut Walk) -> Vec<Arc<Group>> {
        if self.count.load(Ordering::SeqCst) == 0 {
            return Vec::new();
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut route = Route::default();
        table.trie.matches(topic, walk, &mut route);
        let group = |number: u32| Arc::clone(&table.groups[number as usize]);
        route.targets.iter().map(|target| group(target.session)).collect()
    }

    #[cfg(any(test, feature = "generate"))]
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Table {
    fn add(&mut self, filter: &TopicFilter) -> Arc<Group> {
        let recalled = self.recalled.remove(filter).and_then(|group| group.upgrade());
        let group = recalled.unwrap_or_else(|| Group::new(filter));
        let filter = group.filter.clone();
        // A group has a member, which is a session; their numbers are 32 bits.
        let number = self.groups.insert(Arc::clone(&group)) as u32;
        let unused =
            SubscriptionOptions { qos: QoS::AtMostOnce, no_local: false, retain_as_published: false, id: 0 };
        self.trie.insert(&filter, number, unused);
        self.numbers.insert(filter, number);
        group
    }

    fn remove(&mut self, filter: &TopicFilter) {
        let Some(number) = self.numbers.remove(filter) else { return };
        if let Some(place) = self.trie.find(filter, number) {
            self.trie.remove(place, number);
        }
        self.groups.remove(number as usize);
    }
}

impl Group {
    /// One without members.
    fn new(filter: &TopicFilter) -> Arc<Self> {
        let (members, turn) = (RwLock::new(Vec::new()), AtomicUsize::new(0));
        Arc::new(Self { filter: filter.detached(), members, turn })
    }

    /// The filter with the share name.
    pub(crate) const fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// The member whose turn it is, among those that have the most room; `None` when nobody takes the message.
    pub(crate) fn choose(&self, qos: QoS) -> Option<Choice> {
        self.find(|member| {
            let room = member.availability.get();
            let is_taken = match room {
                Room::Ready | Room::Busy => true,
                Room::Away => qos.min(member.choice.options.qos) > QoS::AtMostOnce,
                Room::Full => false,
            };
            is_taken.then_some(room)
        })
    }

    /// Whether one of the members would have to acknowledge a message of this QoS.
    pub(crate) fn keeps(&self, qos: QoS) -> bool {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.iter().any(|member| qos.min(member.choice.options.qos) > QoS::AtMostOnce)
    }

    /// Whether a member with a connection takes messages.
    pub(crate) fn has_connected(&self) -> bool {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.iter().any(|member| member.availability.get() <= Room::Busy)
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.members.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn find(&self, room: impl Fn(&Member) -> Option<Room>) -> Option<Choice> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let first = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(members.len())?;
        let mut best: Option<(Room, Choice)> = None;
        for member in members[first..].iter().chain(&members[..first]) {
            let Some(room) = room(member) else { continue };
            if best.is_none_or(|(other, _)| room < other) {
                best = Some((room, member.choice));
            }
            if room == Room::Ready {
                break;
            }
        }
        best.map(|(_, choice)| choice)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl Choice {
    fn is_of(&self, shard: ShardId, session: SessionId) -> bool {
        self.shard == shard && self.session == session
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).unwrap()
    }

    fn choice(index: u32, qos: QoS) -> Choice {
        Choice {
            shard: ShardId::new(0),
            session: SessionId { index, generation: 1 },
            options: SubscriptionOptions { qos, no_local: false, retain_as_published: false, id: 0 },
        }
    }

    fn group_of(rooms: &[Room]) -> (Groups, Arc<Group>) {
        let groups = Groups::new(1);
        let mut group = None;
        for (index, room) in (0..).zip(rooms) {
            let availability = Arc::new(Availability::new(*room));
            group =
                Some(groups.join(&filter("$share/g/a"), choice(index, QoS::AtLeastOnce), &availability).0);
        }
        (groups, group.unwrap())
    }

    fn chosen(group: &Group, qos: QoS, times: usize) -> Vec<usize> {
        let mut counts = vec![0; group.len()];
        for _ in 0..times {
            if let Some(choice) = group.choose(qos) {
                counts[choice.session.index as usize] += 1;
            }
        }
        counts
    }

    #[test]
    fn members_with_equal_room_take_equal_turns() {
        let (_, group) = group_of(&[Room::Ready; 3]);
        assert_eq!(chosen(&group, QoS::AtMostOnce, 30), [10, 10, 10]);
    }

    #[test]
    fn those_with_more_room_go_before_those_with_less() {
        let (_, group) = group_of(&[Room::Full, Room::Away, Room::Busy, Room::Ready]);
        assert_eq!(chosen(&group, QoS::AtLeastOnce, 8), [0, 0, 0, 8]);
        let (_, group) = group_of(&[Room::Full, Room::Away, Room::Busy]);
        assert_eq!(chosen(&group, QoS::AtLeastOnce, 6), [0, 0, 6]);
        let (_, group) = group_of(&[Room::Full, Room::Away]);
        assert_eq!(chosen(&group, QoS::AtLeastOnce, 4), [0, 4]);
        assert_eq!(chosen(&group, QoS::AtMostOnce, 4), [0, 0], "nobody keeps QoS 0 for who is away");
    }

    #[test]
    fn a_group_lasts_as_long_as_it_has_members() {
        let (groups, group) = group_of(&[Room::Ready; 2]);
        let topic = TopicName::try_from("a").unwrap();
        let session = |index| SessionId { index, generation: 1 };
        assert!(!groups.leave(&group, ShardId::new(0), session(0)));
        assert_eq!(groups.matches(&topic, &mut Walk::default()).len(), 1);
        assert!(groups.leave(&group, ShardId::new(0), session(1)));
        assert!(groups.matches(&topic, &mut Walk::default()).is_empty());
        assert_eq!((groups.len(), group.choose(QoS::AtMostOnce)), (0, None));
    }

    #[test]
    fn a_group_that_is_recalled_is_the_one_that_members_join_and_nobody_is_routed_to_before() {
        let groups = Groups::new(1);
        let (topic, availability) =
            (TopicName::try_from("a").unwrap(), Arc::new(Availability::new(Room::Ready)));
        let recalled = groups.recall(&filter("$share/g/a"));
        assert!(Arc::ptr_eq(&recalled, &groups.recall(&filter("$share/g/a"))));
        assert!(groups.matches(&topic, &mut Walk::default()).is_empty());
        assert_eq!((groups.len(), recalled.choose(QoS::AtMostOnce)), (0, None));
        let (joined, is_new) = groups.join(&filter("$share/g/a"), choice(1, QoS::AtLeastOnce), &availability);
        assert!(is_new && Arc::ptr_eq(&recalled, &joined));
        assert!(Arc::ptr_eq(&joined, &groups.recall(&filter("$share/g/a"))));
        assert_eq!(recalled.choose(QoS::AtMostOnce), Some(choice(1, QoS::AtLeastOnce)));
        assert_eq!(groups.matches(&topic, &mut Walk::default()).len(), 1);
    }

    #[test]
    fn groups_of_one_pattern_are_apart_and_a_second_subscribe_changes_the_first() {
        let groups = Groups::new(1);
        let availability = Arc::new(Availability::new(Room::Ready));
        let (one, is_new) = groups.join(&filter("$share/x/a/+"), choice(1, QoS::AtMostOnce), &availability);
        assert!(is_new);
        let (_, is_new) = groups.join(&filter("$share/x/a/+"), choice(1, QoS::ExactlyOnce), &availability);
        assert!(!is_new);
        assert_eq!(one.choose(QoS::ExactlyOnce), Some(choice(1, QoS::ExactlyOnce)));
        assert_eq!(one.len(), 1);
        groups.join(&filter("$share/y/a/+"), choice(1, QoS::AtMostOnce), &availability);
        let topic = TopicName::try_from("a/b").unwrap();
        assert_eq!(groups.matches(&topic, &mut Walk::default()).len(), 2);
    }
}
