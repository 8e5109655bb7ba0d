//! What a shard notes down of its messages for the live tree: one entry a topic, however many messages it has.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hearth_protocol::{Time, TopicName};

use crate::router::Route;
use crate::view::is_shown;

/// Topics of one round above which further ones are left out until somebody takes the round: a flood of new ones for a quarter of a
/// second, in 24 MiB, which are given back.
const SIGHTS_MAX: usize = 131_072;

/// Topics above which somebody is called to take the round before its time.
const URGENT_SIGHTS: usize = SIGHTS_MAX / 16;

/// The topics that a shard has had messages of since the last look, with how many and the beginning of the last one.
#[derive(Default)]
pub struct Tally {
    sights: Vec<Sight>,
    /// Of each topic in turn, so many bytes.
    previews: Vec<u8>,
    preview_bytes: usize,
    /// Tells the entries of this round, to which routes refer, from those of others; 0 is none.
    round: u32,
    left_out: u64,
    called: Called,
}

/// What a round has been called for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Called {
    #[default]
    Nothing,
    First,
    Urgent,
}

/// What came of one topic.
#[derive(Debug)]
struct Sight {
    topic: TopicName,
    messages: u64,
    payload_len: usize,
    at: Time,
    is_retain: bool,
}

/// What came of one topic in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The topic.
    pub topic: &'a TopicName,
    /// How many messages.
    pub messages: u64,
    /// Bytes of the last payload.
    pub payload_len: usize,
    /// How it begins.
    pub preview: &'a [u8],
    /// When it came.
    pub at: Time,
    /// Whether one of them had the retain flag, so that what is retained may have changed.
    pub is_retain: bool,
}

/// Where a shard's tally is between its turns, for one who comes by and takes it.
pub struct TallySlot {
    content: Mutex<Content>,
    /// Rings when a turn has left a round.
    left: Condvar,
    call: Box<dyn Fn(bool) + Send + Sync>,
}

#[derive(Default)]
struct Content {
    /// Nothing while the shard is in a turn that has messages.
    tally: Option<Box<Tally>>,
    /// Of one who waits for the end of the turn: for the next round.
    spare: Option<Box<Tally>>,
    /// For the one who waits.
    round: Option<Box<Tally>>,
}

/// The tally as the shard has it: in its slot, but for the time of a turn that has messages.
pub(crate) struct TallySeat {
    slot: Arc<TallySlot>,
    taken: Option<Box<Tally>>,
}

impl Tally {
    /// An empty one, which keeps so many bytes of a payload.
    pub fn new(preview_bytes: usize) -> Self {
        Self { preview_bytes, round: 1, ..Self::default() }
    }

    /// What came, the topics in the order of their first messages. A topic may be there more than once.
    pub fn sightings(&self) -> impl Iterator<Item = Sighting<'_>> {
        self.sights.iter().enumerate().map(|(place, sight)| {
            let preview =
                &self.previews[place * self.preview_bytes..][..sight.payload_len.min(self.preview_bytes)];
            let Sight { topic, messages, payload_len, at, is_retain } = sight;
            Sighting {
                topic,
                messages: *messages,
                payload_len: *payload_len,
                preview,
                at: *at,
                is_retain: *is_retain,
            }
        })
    }

    /// Messages that are in no entry, because there were too many topics.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn count(&mut self, now: Time, route: &Route, payload: &[u8], is_retain: bool) {
        let (round, place) = route.sight.get();
        let place = if round == self.round { place } else { self.enter(route) };
        let Some(sight) = self.sights.get_mut(place as usize) else { return };
        sight.messages += 1;
        sight.payload_len = payload.len();
        sight.at = now;
        sight.is_retain |= is_retain;
        let len = payload.len().min(self.preview_bytes);
        self.previews[place as usize * self.preview_bytes..][..len].copy_from_slice(&payload[..len]);
    }

    /// A place for a topic; one that is no place where it gets none.
    fn enter(&mut self, route: &Route) -> u32 {
        const NOWHERE: u32 = u32::MAX;
        let Some(topic) = route.topic.as_ref().filter(|topic| is_shown(topic)) else { return NOWHERE };
        if self.sights.len() >= SIGHTS_MAX {
            self.left_out += 1;
            return NOWHERE;
        }
        // Below the bound.
        let place = self.sights.len() as u32;
        self.sights.push(Sight {
            topic: topic.clone(),
            messages: 0,
            payload_len: 0,
            at: Time::ZERO,
            is_retain: false,
        });
        self.previews.resize(self.sights.len() * self.preview_bytes, 0);
        route.sight.set((self.round, place));
        place
    }

    /// Is the next round after another.
    fn follow(&mut self, before: &Self) {
        self.round = before.round.wrapping_add(1).max(1);
    }

    /// Makes it empty, for another round. Room that was taken for many topics is given back.
    fn clear(&mut self) {
        if self.sights.capacity() > 1024 && self.sights.len() < self.sights.capacity() / 16 {
            self.sights = Vec::new();
            self.previews = Vec::new();
        }
        self.sights.clear();
        self.previews.clear();
        (self.left_out, self.called) = (0, Called::Nothing);
    }
}

impl TallySlot {
    /// A slot whose shard calls when a round has its first message, with `false`, and when it has so many topics that it should be
    /// taken at once, with `true`. It is called at the end of a turn, so that it must be quick.
    pub fn new(preview_bytes: usize, call: Box<dyn Fn(bool) + Send + Sync>) -> Self {
        let tally = Some(Box::new(Tally::new(preview_bytes)));
        let content = Mutex::new(Content { tally, ..Content::default() });
        Self { content, left: Condvar::new(), call }
    }

    /// Takes the round and leaves a tally in its place, whose content is dropped. A turn that the shard is in is waited for.
    ///
    /// # Errors
    /// The turn takes longer than `patience`: nothing has changed, and the tally comes back.
    pub fn exchange(&self, mut tally: Box<Tally>, patience: Duration) -> Result<Box<Tally>, Box<Tally>> {
        tally.clear();
        let mut content = self.lock();
        if let Some(round) = content.tally.take() {
            tally.follow(&round);
            content.tally = Some(tally);
            return Ok(round);
        }
        content.spare = Some(tally);
        let waited = self.left.wait_timeout_while(content, patience, |content| content.round.is_none());
        let mut content = waited.unwrap_or_else(PoisonError::into_inner).0;
        match (content.round.take(), content.spare.take()) {
            (Some(round), _) => Ok(round),
            (None, Some(spare)) => Err(spare),
            // A spare goes only when a round comes for it.
            (None, None) => Err(Box::default()),
        }
    }

    /// The shard's turn has its first message.
    fn take(&self) -> Option<Box<Tally>> {
        self.lock().tally.take()
    }

    /// The shard's turn is over.
    fn put(&self, tally: Box<Tally>) {
        let mut content = self.lock();
        match content.spare.take() {
            Some(mut spare) => {
                spare.follow(&tally);
                content.tally = Some(spare);
                content.round = Some(tally);
                self.left.notify_one();
            }
            None => content.tally = Some(tally),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // Whole after every change, so that a poisoned lock guards nothing broken.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for TallySlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TallySlot").finish_non_exhaustive()
    }
}

impl TallySeat {
    pub(crate) const fn new(slot: Arc<TallySlot>) -> Self {
        Self { slot, taken: None }
    }

    /// A message has been taken that goes this way.
    pub(crate) fn count(&mut self, now: Time, route: &Route, payload: &[u8], is_retain: bool) {
        if self.taken.is_none() {
            self.taken = self.slot.take();
        }
        if let Some(tally) = &mut self.taken {
            tally.count(now, route, payload, is_retain);
        }
    }

    /// The turn ends.
    pub(crate) fn end_turn(&mut self) {
        let Some(mut tally) = self.taken.take() else { return };
        let call = match tally.sights.len() {
            0 => Called::Nothing,
            1..URGENT_SIGHTS => Called::First,
            URGENT_SIGHTS.. => Called::Urgent,
        };
        let is_new = call > tally.called;
        tally.called = tally.called.max(call);
        self.slot.put(tally);
        if is_new {
            (self.slot.call)(call == Called::Urgent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bound_of_topics_and_what_is_beyond_is_counted() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let call = {
            let calls = Arc::clone(&calls);
            move |is_urgent| calls.lock().unwrap().push(is_urgent)
        };
        let slot = Arc::new(TallySlot::new(1, Box::new(call)));
        let mut seat = TallySeat::new(Arc::clone(&slot));
        let route = |number: usize| {
            let topic = TopicName::try_from(number.to_string().as_str()).unwrap();
            Route { topic: Some(topic), ..Route::default() }
        };
        let routes: Vec<Route> = (0..SIGHTS_MAX + 100).map(route).collect();
        for (number, route) in routes.iter().enumerate() {
            seat.count(Time::ZERO, route, b"xy", false);
            if [1, 2, URGENT_SIGHTS, URGENT_SIGHTS + 1].contains(&(number + 1)) {
                seat.end_turn();
            }
        }
        seat.count(Time::ZERO, &routes[0], b"xy", false);
        seat.end_turn();
        assert_eq!(*calls.lock().unwrap(), [false, true]);
        let round = slot.exchange(Box::new(Tally::new(1)), Duration::ZERO).ok().unwrap();
        assert_eq!((round.sightings().count(), round.left_out()), (SIGHTS_MAX, 100));
        let first = round.sightings().next().unwrap();
        assert_eq!((first.messages, first.preview, first.payload_len), (2, &b"x"[..], 2));
        // A place of an earlier round means nothing in this one.
        seat.count(Time::ZERO, &routes[7], b"", false);
        seat.end_turn();
        let round = slot.exchange(round, Duration::ZERO).ok().unwrap();
        assert_eq!(
            round.sightings().map(|it| (it.topic.as_str(), it.messages)).collect::<Vec<_>>(),
            [("7", 1)]
        );
    }
}
