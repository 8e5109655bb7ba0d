//! The sessions that subscribe to one filter.

use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::SubscriptionOptions;

/// A list up to this long is searched faster than a map is asked.
const LIST_MAX: usize = 32;

/// Subscribers in no order, each session once. One, as most filters have it, takes no memory of its own; finding
/// one takes the same time among a hundred thousand.
#[derive(Default)]
pub(super) enum Subscribers {
    #[default]
    None,
    One(Subscriber),
    Several(Box<List>),
}

#[derive(Default)]
pub(super) struct List {
    list: Vec<Subscriber>,
    /// Where each session stands in a list that is longer than [`LIST_MAX`].
    places: Option<HashMap<u32, u32, FixedState>>,
}

/// A session with what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) session: u32,
    pub(super) options: SubscriptionOptions,
}

impl Subscribers {
    pub(super) fn as_slice(&self) -> &[Subscriber] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(several) => &several.list,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn contains(&self, session: u32) -> bool {
        match self {
            Self::None => false,
            Self::One(only) => only.session == session,
            Self::Several(several) => several.place(session).is_some(),
        }
    }

    /// Enters a subscriber, or changes what it asked for; whether it is new.
    pub(super) fn insert(&mut self, subscriber: Subscriber, hash: &FixedState) -> bool {
        match self {
            Self::None => *self = Self::One(subscriber),
            Self::One(only) if only.session == subscriber.session => {
                *only = subscriber;
                return false;
            }
            Self::One(only) => {
                *self = Self::Several(Box::new(List { list: vec![*only, subscriber], places: None }));
            }
            Self::Several(several) => return several.insert(subscriber, hash),
        }
        true
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, session: u32) -> bool {
        match self {
            Self::One(only) if only.session == session => *self = Self::None,
            Self::None | Self::One(_) => return false,
            Self::Several(several) => {
                if !several.remove(session) {
                    return false;
                }
                match several.list[..] {
                    [] => *self = Self::None,
                    [only] => *self = Self::One(only),
                    [_, _, ..] => {}
                }
            }
        }
        true
    }
}

impl List {
    fn insert(&mut self, subscriber: Subscriber, hash: &FixedState) -> bool {
        if let Some(place) = self.place(subscriber.session) {
            self.list[place] = subscriber;
            return false;
        }
        self.list.push(subscriber);
        match &mut self.places {
            // Sessions are counted by 32 bits.
            Some(places) => drop(places.insert(subscriber.session, self.list.len() as u32 - 1)),
            None if self.list.len() > LIST_MAX => {
                let mut places = HashMap::with_hasher(hash.clone());
                places.extend(self.list.iter().map(|subscriber| subscriber.session).zip(0..));
                self.places = Some(places);
            }
            None => {}
        }
        true
    }

    fn remove(&mut self, session: u32) -> bool {
        let Some(place) = self.place(session) else { return false };
        self.list.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(&session);
            if let Some(moved) = self.list.get(place) {
                places.insert(moved.session, place as u32);
            }
        }
        if self.list.len() <= LIST_MAX / 2 && self.places.is_some() {
            self.places = None;
            self.list.shrink_to_fit();
        }
        true
    }

    fn place(&self, session: u32) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&session).map(|place| *place as usize),
            None => self.list.iter().position(|subscriber| subscriber.session == session),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hearth_protocol::QoS;

    use super::*;

    #[test]
    fn whoever_comes_and_goes_in_any_number_is_found_again_with_what_it_asked_for_last() {
        let mut subscribers = Subscribers::default();
        let mut expected = BTreeMap::new();
        let mut number: u32 = 1;
        for step in 0..20_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let session = number >> 8 & if step < 10_000 { 127 } else { 3 };
            // Grows for a while, then shrinks.
            if step % 2000 < 1000 {
                let options = SubscriptionOptions {
                    qos: QoS::AtMostOnce,
                    no_local: false,
                    retain_as_published: false,
                    id: step,
                };
                let is_new = subscribers.insert(Subscriber { session, options }, &FixedState::with_seed(1));
                assert_eq!(is_new, expected.insert(session, step).is_none());
            } else {
                assert_eq!(subscribers.remove(session), expected.remove(&session).is_some());
            }
            assert_eq!(subscribers.as_slice().len(), expected.len());
        }
        let found: BTreeMap<u32, u32> = subscribers
            .as_slice()
            .iter()
            .map(|subscriber| (subscriber.session, subscriber.options.id))
            .collect();
        assert_eq!(found, expected);
    }
}
