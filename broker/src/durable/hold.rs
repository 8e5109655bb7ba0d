//! What is done once changes are on disk: answers to clients, and messages that must not go out twice.

use std::collections::{HashSet, VecDeque};

use hearth_protocol::packet::{Packet, PacketId};

use crate::effect::Forward;
use crate::ids::{ConnectionId, SessionId, ShardId};
use crate::limits::Limit;

/// What things wait in, each behind those of its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// Answers to clients.
    Answers,
    /// QoS 2 messages to clients.
    Publishes,
    /// Messages to other shards.
    Forwards,
    /// Word to a shard.
    Receipts(ShardId),
}

/// Something that is done then.
#[derive(Clone, Debug)]
pub(crate) enum Release {
    /// An answer to a client.
    Answer(ConnectionId, Box<Packet>),
    /// A QoS 2 message to a client, under an identifier that has to be known after a crash.
    Publish(ConnectionId, SessionId, PacketId),
    /// A message to another shard, whose row has to be known after a crash, or which follows one of those; and the answer
    /// that awaits word of it.
    Forward(ShardId, Box<Forward>, Option<Hold>),
    /// Nothing: what asked for it is over.
    Nothing,
    /// Word to another shard that all it has sent up to this number is taken care of.
    Receipt(ShardId, u64),
}

/// Names something that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    lane: u16,
    number: u64,
}

/// Things in lanes; in each they are released in the order in which they came.
///
/// One lane for all answers, so that each client gets its own in order [MQTT-4.6.0-2], [MQTT-4.6.0-3]. A lane waits for the
/// disk and for receipts, and the receipts' lanes for the disk alone: no two of them wait for each other.
#[derive(Debug)]
pub(crate) struct Holds {
    lanes: Vec<Waiting>,
    /// For each shard, the numbers of what it was sent, and who waits for word of it.
    awaited: Vec<VecDeque<(u64, Hold)>>,
    sent: Vec<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Number of the first of `queue`.
    first: u64,
    queue: VecDeque<Held>,
}

#[derive(Debug, Default)]
struct Held {
    release: Option<Release>,
    /// The batch that must be on disk, as long as `changes` is not 0.
    batch: u64,
    /// Changes of that batch that stand.
    changes: u32,
    /// Receipts that have not come.
    receipts: u32,
    /// Those among them for what was not sent yet.
    unsent: u32,
    /// Other shards that may have a session which takes the message, where none has taken it here.
    takers: u32,
    /// The bound that the first session met which had no room for it.
    met: Option<Limit>,
}

impl Holds {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            lanes: (0..Lane::BEFORE_RECEIPTS + shards).map(|_| Waiting::default()).collect(),
            awaited: (0..shards).map(|_| VecDeque::new()).collect(),
            sent: vec![0; shards],
        }
    }

    /// Begins to collect what something has to wait for.
    pub(crate) fn begin(&mut self, lane: Lane) -> Hold {
        let at = &mut self.lanes[lane.as_index()];
        let number = at.first + at.queue.len() as u64;
        at.queue.push_back(Held::default());
        // There are fewer shards than 16 bits count.
        Hold { lane: lane.as_index() as u16, number }
    }

    /// One change more, in this batch.
    pub(crate) fn add_change(&mut self, hold: Hold, batch: u64) {
        if let Some(held) = self.held_mut(hold) {
            held.changes += 1;
            held.batch = held.batch.max(batch);
        }
    }

    /// One change was taken back before it was written.
    pub(crate) fn remove_change(&mut self, hold: Hold) {
        if let Some(held) = self.held_mut(hold) {
            held.changes = held.changes.saturating_sub(1);
        }
    }

    /// Another shard was sent something; the number of it.
    pub(crate) fn add_receipt(&mut self, hold: Hold, shard: ShardId) -> u64 {
        let sent = &mut self.sent[shard.as_index()];
        *sent += 1;
        let number = *sent;
        self.awaited[shard.as_index()].push_back((number, hold));
        if let Some(held) = self.held_mut(hold) {
            held.receipts += 1;
        }
        number
    }

    /// Another shard will be sent something by [`Holds::send_expected`].
    pub(crate) fn expect_receipt(&mut self, hold: Hold) {
        if let Some(held) = self.held_mut(hold) {
            held.receipts += 1;
            held.unsent += 1;
        }
    }

    /// What was expected is sent; the number of it.
    pub(crate) fn send_expected(&mut self, hold: Hold, shard: ShardId) -> u64 {
        if let Some(held) = self.held_mut(hold) {
            held.unsent = held.unsent.saturating_sub(1);
            held.receipts = held.receipts.saturating_sub(1);
        }
        self.add_receipt(hold, shard)
    }

    /// What waits for word of this one thing.
    pub(crate) fn awaiting(&self, shard: ShardId, number: u64) -> Option<Hold> {
        let awaited = &self.awaited[shard.as_index()];
        let place = awaited.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        awaited.get(place).map(|(_, hold)| *hold)
    }

    /// Nobody has taken the message here, where the first session met this bound: it is for those shards to say that are awaited.
    /// They are so many, or somebody is told of it who is not awaited.
    pub(crate) fn ask_takers(&mut self, hold: Hold, shards: u32, met: Option<Limit>) {
        if let Some(held) = self.held_mut(hold).filter(|held| held.receipts == shards) {
            (held.takers, held.met) = (shards, met);
        }
    }

    /// One of those shards has nobody either; once none is left, the bound that was met, if any.
    #[expect(clippy::option_option, reason = "nobody is left, with a bound or without; or somebody may be")]
    pub(crate) fn handle_untaken(&mut self, hold: Hold, met: Option<Limit>) -> Option<Option<Limit>> {
        let held = self.held_mut(hold).filter(|held| held.takers > 0)?;
        held.takers -= 1;
        held.met = held.met.or(met);
        (held.takers == 0).then_some(held.met)
    }

    /// Another answer in the place of the one that waits for a hold.
    pub(crate) fn amend_answer(&mut self, hold: Hold, packet: Packet) {
        if let Some(Release::Answer(_, held)) = self.held_mut(hold).and_then(|held| held.release.as_mut()) {
            **held = packet;
        }
    }

    /// Whether there is something to wait for.
    pub(crate) fn is_waiting(&mut self, hold: Hold) -> bool {
        self.held_mut(hold).is_some_and(|held| held.changes > 0 || held.receipts > 0)
    }

    /// Whether it waits for the disk here: for what this shard has changed itself, or to send something behind that.
    pub(crate) fn waits_here(&mut self, hold: Hold) -> bool {
        self.held_mut(hold).is_some_and(|held| held.changes > 0 || held.unsent > 0)
    }

    /// Whether anything is held in a lane.
    pub(crate) fn has_held(&self, lane: Lane) -> bool {
        !self.lanes[lane.as_index()].queue.is_empty()
    }

    /// What is held in the lane of a hold, in order.
    pub(crate) fn held(&self, lane: Lane) -> Vec<(Hold, Release)> {
        let index = lane.as_index();
        let waiting = &self.lanes[index];
        let holds = (waiting.first..).map(|number| Hold { lane: index as u16, number });
        holds.zip(&waiting.queue).filter_map(|(hold, held)| Some((hold, held.release.clone()?))).collect()
    }

    /// The answer that waits for a hold.
    pub(crate) fn answer(&mut self, hold: Hold) -> Option<(ConnectionId, Packet)> {
        match &self.held_mut(hold)?.release {
            Some(Release::Answer(id, packet)) => Some((*id, (**packet).clone())),
            Some(Release::Publish(..) | Release::Forward(..) | Release::Nothing | Release::Receipt(..))
            | None => None,
        }
    }

    /// Everything up to this number is taken care of there.
    pub(crate) fn handle_receipt(&mut self, shard: ShardId, up_to: u64) {
        let is_done = |(number, _): &mut (u64, Hold)| *number <= up_to;
        while let Some((_, hold)) = self.awaited[shard.as_index()].pop_front_if(is_done) {
            if let Some(held) = self.held_mut(hold) {
                held.receipts = held.receipts.saturating_sub(1);
            }
        }
    }

    /// This one thing is taken care of there, though others before it are not.
    pub(crate) fn handle_one_receipt(&mut self, shard: ShardId, number: u64) {
        let awaited = &mut self.awaited[shard.as_index()];
        let Ok(place) = awaited.binary_search_by_key(&number, |(number, _)| *number) else { return };
        let Some((_, hold)) = awaited.remove(place) else { return };
        if let Some(held) = self.held_mut(hold) {
            held.receipts = held.receipts.saturating_sub(1);
        }
    }

    /// The next answer that need not wait any more although others before it do, if those are all for other connections.
    /// It looks at every answer that is held.
    pub(crate) fn poll_answer_past_others(&mut self, committed: u64) -> Option<Release> {
        let mut passed = HashSet::new();
        let queue = &mut self.lanes[Lane::Answers.as_index()].queue;
        for held in queue {
            let Some(Release::Answer(id, _)) = &held.release else { continue };
            let id = *id;
            if held.is_done(committed) && !passed.contains(&id) {
                return held.release.replace(Release::Nothing);
            }
            passed.insert(id);
        }
        None
    }

    /// This is all that has to be waited for; what is done then. With nothing to wait for and nothing before it, it is
    /// handed back at once.
    pub(crate) fn end(&mut self, hold: Hold, release: Release) -> Option<Release> {
        let lane = &mut self.lanes[usize::from(hold.lane)];
        let is_alone = lane.queue.len() == 1;
        if is_alone && lane.queue.front().is_some_and(|held| held.changes == 0 && held.receipts == 0) {
            lane.pop();
            return Some(release);
        }
        if let Some(held) = self.held_mut(hold) {
            held.release = Some(release);
        }
        None
    }

    /// Nothing is to be done in the end.
    pub(crate) fn cancel(&mut self, hold: Hold) {
        let is_waiting = self.is_waiting(hold);
        let lane = &mut self.lanes[usize::from(hold.lane)];
        // Its number is free again only if neither a change nor a receipt names it.
        if !is_waiting && lane.first + lane.queue.len() as u64 == hold.number + 1 {
            lane.queue.pop_back();
        } else if let Some(held) = self.held_mut(hold) {
            (held.release, held.changes, held.receipts, held.unsent) = (Some(Release::Nothing), 0, 0, 0);
        }
    }

    /// The next that need not wait any more. Of a lane of receipts only the last counts.
    pub(crate) fn poll(&mut self, committed: u64) -> Option<Release> {
        for lane in &mut self.lanes {
            let mut last = None;
            while lane.queue.front().is_some_and(|held| held.is_done(committed)) {
                match lane.pop() {
                    Some(receipt @ Release::Receipt(..)) => last = Some(receipt),
                    Some(Release::Nothing) => {}
                    other => return other,
                }
            }
            if last.is_some() {
                return last;
            }
        }
        None
    }

    fn held_mut(&mut self, hold: Hold) -> Option<&mut Held> {
        let lane = &mut self.lanes[usize::from(hold.lane)];
        let place = hold.number.checked_sub(lane.first)?;
        lane.queue.get_mut(usize::try_from(place).ok()?)
    }
}

impl Lane {
    const BEFORE_RECEIPTS: usize = 3;

    const fn as_index(self) -> usize {
        match self {
            Self::Answers => 0,
            Self::Publishes => 1,
            Self::Forwards => 2,
            Self::Receipts(shard) => Self::BEFORE_RECEIPTS + shard.as_index(),
        }
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<Release> {
        let held = self.queue.pop_front()?;
        self.first += 1;
        held.release
    }
}

impl Held {
    fn is_done(&self, committed: u64) -> bool {
        let is_written = self.changes == 0 || self.batch <= committed;
        self.release.is_some() && is_written && self.receipts == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl PartialEq for Release {
        fn eq(&self, other: &Self) -> bool {
            format!("{self:?}") == format!("{other:?}")
        }
    }

    const fn answer(index: u32) -> ConnectionId {
        ConnectionId { index, generation: 0 }
    }

    fn ping(index: u32) -> Release {
        Release::Answer(answer(index), Box::new(Packet::PingResp))
    }

    #[test]
    fn what_waits_for_nothing_goes_at_once_unless_others_wait_before_it() {
        let mut holds = Holds::new(2);
        let hold = holds.begin(Lane::Answers);
        assert_eq!(holds.end(hold, ping(1)), Some(ping(1)));
        let waiting = holds.begin(Lane::Answers);
        holds.add_change(waiting, 1);
        assert_eq!(holds.end(waiting, ping(2)), None);
        let behind = holds.begin(Lane::Answers);
        assert_eq!(holds.end(behind, ping(3)), None);
        assert_eq!(holds.poll(0), None);
        assert_eq!((holds.poll(1), holds.poll(1), holds.poll(1)), (Some(ping(2)), Some(ping(3)), None));
    }

    #[test]
    fn a_change_that_is_taken_back_is_not_waited_for() {
        let mut holds = Holds::new(1);
        let hold = holds.begin(Lane::Answers);
        holds.add_change(hold, 1);
        holds.add_change(hold, 1);
        assert_eq!(holds.end(hold, ping(1)), None);
        holds.remove_change(hold);
        assert_eq!(holds.poll(0), None);
        holds.remove_change(hold);
        assert_eq!(holds.poll(0), Some(ping(1)));
    }

    #[test]
    fn receipts_are_awaited_from_each_shard_that_was_told() {
        let mut holds = Holds::new(3);
        let hold = holds.begin(Lane::Answers);
        let to = [ShardId::new(1), ShardId::new(2)];
        assert_eq!(to.map(|shard| holds.add_receipt(hold, shard)), [1, 1]);
        assert_eq!(holds.end(hold, ping(1)), None);
        holds.handle_receipt(to[0], 1);
        assert_eq!(holds.poll(9), None);
        holds.handle_receipt(to[1], 5);
        assert_eq!(holds.poll(9), Some(ping(1)));
    }

    #[test]
    fn an_answer_passes_those_for_others_on_request() {
        let mut holds = Holds::new(2);
        let shard = ShardId::new(1);
        let waiting = holds.begin(Lane::Answers);
        holds.add_change(waiting, 9);
        assert_eq!(holds.end(waiting, ping(1)), None);
        for connection in [2, 1] {
            let hold = holds.begin(Lane::Answers);
            holds.add_receipt(hold, shard);
            assert_eq!(holds.end(hold, ping(connection)), None);
        }
        holds.handle_one_receipt(shard, 2);
        assert_eq!(holds.poll_answer_past_others(0), None, "it has to follow the first one");
        holds.handle_one_receipt(shard, 1);
        assert_eq!(holds.poll_answer_past_others(0), Some(ping(2)));
        assert_eq!(holds.poll_answer_past_others(0), None);
        assert_eq!((holds.poll(9), holds.poll(9), holds.poll(9)), (Some(ping(1)), Some(ping(1)), None));
    }

    #[test]
    fn what_is_cancelled_while_it_waits_takes_nothing_from_what_comes_behind_it() {
        let mut holds = Holds::new(2);
        let shard = ShardId::new(1);
        let first = holds.begin(Lane::Answers);
        holds.add_receipt(first, shard);
        holds.add_change(first, 1);
        holds.cancel(first);
        let second = holds.begin(Lane::Answers);
        holds.add_receipt(second, shard);
        holds.add_change(second, 2);
        assert_eq!(holds.end(second, ping(2)), None);
        holds.remove_change(first);
        holds.handle_receipt(shard, 1);
        assert_eq!((holds.poll(2), holds.is_waiting(second)), (None, true));
        holds.handle_receipt(shard, 2);
        assert_eq!((holds.poll(1), holds.poll(2)), (None, Some(ping(2))));
    }

    #[test]
    fn word_is_awaited_of_what_is_sent_later() {
        let mut holds = Holds::new(2);
        let shard = ShardId::new(1);
        let waiting = holds.begin(Lane::Answers);
        holds.expect_receipt(waiting);
        assert_eq!(holds.end(waiting, ping(1)), None);
        assert!(holds.waits_here(waiting));
        let other = holds.begin(Lane::Answers);
        assert_eq!(holds.add_receipt(other, shard), 1);
        assert_eq!(holds.end(other, ping(2)), None);
        holds.handle_receipt(shard, 1);
        assert_eq!(holds.poll(0), None, "it was not even sent");
        assert_eq!(holds.send_expected(waiting, shard), 2);
        assert!(!holds.waits_here(waiting));
        holds.handle_receipt(shard, 2);
        assert_eq!((holds.poll(0), holds.poll(0)), (Some(ping(1)), Some(ping(2))));
    }

    #[test]
    fn of_several_receipts_that_are_due_the_last_says_all() {
        let mut holds = Holds::new(2);
        let from = ShardId::new(1);
        for number in 1..=3 {
            let hold = holds.begin(Lane::Receipts(from));
            holds.add_change(hold, number);
            assert_eq!(holds.end(hold, Release::Receipt(from, number)), None);
        }
        assert_eq!(holds.poll(2), Some(Release::Receipt(from, 2)));
        assert_eq!((holds.poll(2), holds.poll(3)), (None, Some(Release::Receipt(from, 3))));
    }
}
