//! Shared subscriptions as the model sees them: who may have a message, and whether somebody must.

use std::collections::BTreeSet;

use hearth_protocol::packet::{Publish, Subscription};
use hearth_protocol::{QoS, TopicFilter};

use super::Model;
use super::session::{Origin, Session};

/// The sessions that share a filter. All ask for the same QoS.
#[derive(Debug)]
pub(super) struct Group {
    filter: TopicFilter,
    qos: QoS,
    /// Clients.
    pub(super) members: BTreeSet<usize>,
    /// Sessions that are members or were.
    pub(super) ever: BTreeSet<u64>,
}

/// One message for one group.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) message: usize,
    pub(super) group: String,
    pub(super) qos: QoS,
    pub(super) state: State,
    /// Whether somebody must get it: not when all members left before that.
    pub(super) is_owed: bool,
    /// A session had it that nothing is kept of: it was not on disk then.
    pub(super) was_unkept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody was sent it, or he who was can never acknowledge it.
    Waiting,
    /// This session was sent it.
    Sent(u64),
    /// This session was sent it, did not acknowledge it and has no connection: it may go to another.
    Loose(u64),
    /// It was acknowledged, or must not go to anybody else.
    Done,
}

/// What a PUBLISH is for a group.
pub(super) enum Found {
    /// Nothing.
    None,
    /// This share, which nobody else has.
    Free(usize),
    /// A share that another member has.
    Taken,
}

impl Model {
    pub(super) fn join(&mut self, client: usize, asked: &Subscription) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        session.groups.insert(asked.filter.as_str().to_owned());
        let group = self.groups.entry(asked.filter.as_str().to_owned()).or_insert_with(|| Group {
            filter: asked.filter.clone(),
            qos: asked.qos,
            members: BTreeSet::new(),
            ever: BTreeSet::new(),
        });
        group.members.insert(client);
        group.ever.insert(session.number);
    }

    pub(super) fn leave(&mut self, client: usize, filter: &str) {
        if let Some(session) = self.sessions.get_mut(&client) {
            session.groups.remove(filter);
        }
        let Some(group) = self.groups.get_mut(filter) else { return };
        if group.members.remove(&client) && group.members.is_empty() {
            for share in self.shares.iter_mut().filter(|share| share.group == filter) {
                share.is_owed = false;
            }
        }
    }

    /// A session ends: what it was sent with QoS 1 and did not acknowledge is for another member, QoS 2 for nobody
    /// [MQTT-4.8.2-4], [MQTT-4.8.2-5].
    pub(super) fn leave_groups(&mut self, client: usize) {
        let Some(session) = self.sessions.get(&client) else { return };
        for flight in session.flights.values() {
            if let Origin::Share(share) = flight.origin {
                let share = &mut self.shares[share];
                let is_free = flight.qos == QoS::AtLeastOnce && share.is_with(session.number);
                share.state = if is_free { State::Waiting } else { State::Done };
            }
        }
        let (groups, before) = (&self.groups, self.store.messages_before);
        for share in self.shares.iter_mut().filter(|share| share.message < before) {
            // What had its identifier on disk when the broker ended counts as sent: nobody knows whether it was.
            let may_be_its = share.qos == QoS::ExactlyOnce
                && share.state == State::Waiting
                && groups[&share.group].ever.contains(&session.number);
            share.is_owed &= !may_be_its;
        }
        for filter in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.leave(client, &filter);
        }
    }

    /// A session has lost its connection: another member may get what it did not acknowledge.
    pub(super) fn loosen(&mut self, client: usize) {
        let Some(session) = self.sessions.get(&client) else { return };
        for flight in session.flights.values().filter(|flight| flight.qos == QoS::AtLeastOnce) {
            if let Origin::Share(share) = flight.origin
                && self.shares[share].state == State::Sent(session.number)
            {
                self.shares[share].state = State::Loose(session.number);
            }
        }
    }

    /// A message that was taken is shared out.
    pub(super) fn share(&mut self, number: usize) {
        let message = &self.messages[number];
        for (name, group) in &self.groups {
            if !group.members.is_empty() && group.filter.matches(&message.topic) {
                let qos = group.qos.min(message.qos);
                let is_owed = qos > QoS::AtMostOnce;
                let (group, state) = (name.clone(), State::Waiting);
                self.shares.push(Share { message: number, group, qos, state, is_owed, was_unkept: false });
            }
        }
    }

    /// The share that a PUBLISH for a session is: of several with the same message one with as long to live, one that
    /// somebody must get, and rather one that nobody has: the other may go on in its session.
    pub(super) fn find_share(&self, session: &Session, key: &str, publish: &Publish) -> Found {
        let told = publish.properties.as_ref().and_then(|properties| properties.message_expiry);
        let is_it = |share: &Share| {
            share.qos == publish.qos
                && self.messages[share.message].key == key
                && self.groups[&share.group].ever.contains(&session.number)
        };
        let mut best = None;
        let mut found = Found::None;
        for (number, share) in self.shares.iter().enumerate().filter(|(_, share)| is_it(share)) {
            match share.state {
                State::Waiting | State::Loose(_) => {
                    let is_exact = self.seconds_left(share.message) == told;
                    let is_new = share.state == State::Waiting;
                    // QoS 2 stays with whom it was sent to [MQTT-4.8.2-5]: after a crash he is known by what he has.
                    let is_free = share.qos < QoS::ExactlyOnce || is_new || share.is_with(session.number);
                    let rank = (is_exact, !self.is_expired(share.message), is_free, share.is_owed, is_new);
                    if best.is_none_or(|best| rank > best) {
                        (best, found) = (Some(rank), Found::Free(number));
                    }
                }
                State::Sent(_) | State::Done if best.is_none() => found = Found::Taken,
                State::Sent(_) | State::Done => {}
            }
        }
        found
    }

    /// A session is sent a share for the first time; the message.
    pub(super) fn give_share(&mut self, number: usize, session: &mut Session) -> usize {
        let share = &mut self.shares[number];
        let old = std::mem::replace(&mut share.state, State::sent_to(session));
        share.was_unkept |= session.expiry == 0;
        if share.qos == QoS::AtMostOnce {
            share.state = State::Done;
        }
        if let State::Loose(holder) = old {
            let others = self.sessions.values_mut().chain([session]);
            others.filter(|session| session.number == holder).for_each(|session| session.move_away(number));
        }
        self.shares[number].message
    }

    /// A session is sent again what seemed to have gone to another member. If there is a second copy of it that anybody may have
    /// got, it was that one.
    pub(super) fn take_moved_back(&mut self, session: &mut Session, packet_id: u16, key: &str, qos: QoS) {
        let moved = session.moved.get(&packet_id);
        let Some((mine, Origin::Share(mine_number))) = moved.map(|flight| (flight, flight.origin)) else {
            return;
        };
        if mine.qos != qos || self.messages[mine.message].key != key {
            return;
        }
        let mine = &self.shares[mine_number];
        let is_other = |(number, share): &(usize, &Share)| {
            let is_free = match share.state {
                State::Waiting => true,
                State::Loose(holder) => holder != session.number,
                State::Sent(_) | State::Done => false,
            };
            let is_same = share.group == mine.group && share.qos == qos;
            is_free && is_same && *number != mine_number && self.messages[share.message].key == key
        };
        let Some((other, _)) = self.shares.iter().enumerate().find(is_other) else { return };
        let (mine, message) = (mine_number, self.shares[other].message);
        for session in self.sessions.values_mut() {
            session.move_away(other);
            for flight in session.flights.values_mut().filter(|flight| flight.origin == Origin::Share(mine)) {
                (flight.origin, flight.message) = (Origin::Share(other), message);
            }
        }
        self.shares[other].state =
            std::mem::replace(&mut self.shares[mine].state, State::Loose(session.number));
        self.shares[other].was_unkept |= self.shares[mine].was_unkept;
        session.flights.extend(session.moved.remove_entry(&packet_id));
    }

    /// A session is sent a share again; whether it still has it.
    pub(super) fn give_share_again(&mut self, number: usize, session: &Session) -> bool {
        let share = &mut self.shares[number];
        let is_with = share.is_with(session.number);
        if is_with {
            share.state = State::sent_to(session);
        }
        is_with
    }

    /// Whether a packet identifier that it had is free: the share went to another member.
    pub(super) fn is_given_up(&self, origin: Origin) -> bool {
        match origin {
            Origin::Share(share) => matches!(self.shares[share].state, State::Loose(_)),
            Origin::Live | Origin::Replay => false,
        }
    }

    /// Whether what a session had may be nobody's: another member was to get it, and it expired on the way or found all
    /// of them gone.
    pub(super) fn is_gone(&self, origin: Origin) -> bool {
        match origin {
            Origin::Share(number) => {
                let share = &self.shares[number];
                self.is_given_up(origin) && (!share.is_owed || self.is_expired(share.message))
            }
            Origin::Live | Origin::Replay => false,
        }
    }

    pub(super) fn settle_share(&mut self, number: usize) {
        self.shares[number].state = State::Done;
    }

    /// A share that somebody should have got.
    pub(super) fn missing_share(&self) -> Option<String> {
        let is_missing =
            |share: &&Share| share.is_owed && share.state != State::Done && !self.is_expired(share.message);
        let share = self.shares.iter().find(is_missing)?;
        Some(format!("{} for {}: {:?}", self.messages[share.message].key, share.group, share.state))
    }
}

impl Session {
    /// What it has of a share seems to have gone to another session.
    fn move_away(&mut self, share: usize) {
        self.moved.extend(self.flights.extract_if(.., |_, flight| flight.origin == Origin::Share(share)));
    }
}

impl State {
    /// A connection that ended in the same call may have been written to before that.
    const fn sent_to(session: &Session) -> Self {
        match session.link {
            Some(_) => Self::Sent(session.number),
            None => Self::Loose(session.number),
        }
    }
}

impl Share {
    fn is_with(&self, session: u64) -> bool {
        matches!(self.state, State::Sent(other) | State::Loose(other) if other == session)
    }
}
