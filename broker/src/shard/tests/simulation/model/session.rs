//! A session as the model sees it, and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hearth_protocol::packet::{Publish, PublishProperties, Will};
use hearth_protocol::{QoS, Time, TopicFilter, TopicName};

use super::Model;
use super::promised::Promised;
use super::retained::Replay;

/// What the broker holds for a client.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Each session has its own, so that one can be told from the next of the same client.
    pub(super) number: u64,
    pub(super) link: Option<usize>,
    /// The connection that it has or had last.
    pub(super) link_last: usize,
    pub(super) expiry: u32,
    /// Whether CONNECT asked for one: DISCONNECT ends it together with what it leaves.
    pub(super) is_kept: bool,
    /// Whether it was kept at any time.
    pub(super) had_rows: bool,
    pub(super) expires_at: Option<Time>,
    pub(super) will: Option<Will>,
    pub(super) will_due: Option<Time>,
    pub(super) packet_max: Option<usize>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    /// Its shared subscriptions.
    pub(super) groups: BTreeSet<String>,
    /// QoS 2 messages of the client whose PUBREL did not come.
    pub(super) held: BTreeMap<u16, usize>,
    /// Messages for the client that were not sent yet, in order.
    pub(super) waiting: Vec<Entry>,
    pub(super) flights: BTreeMap<u16, Flight>,
    pub(super) flights_begun: u64,
    /// What seems to have gone to another member of a group; of two copies it may have been the other one.
    pub(super) moved: BTreeMap<u16, Flight>,
    pub(super) replays: Vec<Replay>,
    /// It asked for the retain flag as the publisher set it: then the flag does not tell retained messages apart.
    pub(super) as_published: bool,
    /// What was sent, to tell a second time from a mistake.
    pub(super) seen: BTreeSet<String>,
    /// QoS 0 messages that were left out.
    pub(super) lost: BTreeSet<String>,
    /// Messages that were taken more than once around a crash, where one of those need not come: which one was sent nobody knows.
    pub(super) unclear: BTreeSet<String>,
    /// Messages that are lost with a broker that had not acknowledged them.
    pub(super) missing: BTreeSet<usize>,
    /// What the client was told of it.
    pub(super) promised: Promised,
    /// Messages that were taken before it came back from the disk although its client may know it as ended.
    pub(super) back_since: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) filter: TopicFilter,
    pub(super) qos: QoS,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) id: Option<u32>,
    /// Messages that were taken before there was one with this filter.
    pub(super) since: usize,
}

/// A message that a session has to get.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) message: usize,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) ids: Vec<u32>,
    /// Whether it may not come although it could.
    pub(super) is_optional: bool,
    /// Another one than [`Origin::Live`] where it was sent before the broker ended.
    pub(super) origin: Origin,
}

/// A message that was sent and is not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) message: usize,
    pub(super) qos: QoS,
    /// The connection on which it was sent last.
    pub(super) link: usize,
    /// Its place in the order of first sending.
    pub(super) place: u64,
    pub(super) is_released: bool,
    /// It came as one that is sent again, of a time before the broker ended: the client may know it from then.
    pub(super) is_again: bool,
    /// PUBREL was sent.
    pub(super) is_told: bool,
    /// The client acknowledged it with PUBACK or PUBREC, and the broker ended: that may be on disk or not.
    pub(super) may_be_over: bool,
    pub(super) origin: Origin,
    pub(super) retain: bool,
    pub(super) ids: Vec<u32>,
}

/// Why a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Live,
    Replay,
    /// Number of the share.
    Share(usize),
}

impl Flight {
    /// Whether it is this that was sent.
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        self.message == entry.message && self.qos == entry.qos && self.origin == entry.origin
    }
}

impl Session {
    /// Whether it asked for messages of a topic before this one was taken.
    pub(super) fn asked_before(&self, topic: &TopicName, number: usize) -> bool {
        let mut matching = self.subscriptions.values().filter(|asked| asked.filter.matches(topic));
        matching.any(|asked| asked.since <= number)
    }

    pub(super) fn new(number: u64, link: usize) -> Self {
        Self {
            number,
            link: Some(link),
            link_last: link,
            expiry: 0,
            is_kept: false,
            had_rows: false,
            expires_at: None,
            will: None,
            will_due: None,
            packet_max: None,
            subscriptions: BTreeMap::new(),
            groups: BTreeSet::new(),
            held: BTreeMap::new(),
            waiting: Vec::new(),
            flights: BTreeMap::new(),
            flights_begun: 0,
            moved: BTreeMap::new(),
            replays: Vec::new(),
            as_published: false,
            seen: BTreeSet::new(),
            lost: BTreeSet::new(),
            unclear: BTreeSet::new(),
            missing: BTreeSet::new(),
            promised: Promised::default(),
            back_since: 0,
        }
    }
}

impl Model {
    /// A session loses its connection: it waits for another one, or ends.
    pub(super) fn detach(&mut self, client: usize) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&client) else { return };
        session.link = None;
        session.replays.retain(|replay| replay.qos > QoS::AtMostOnce);
        let life = Duration::from_secs(u64::from(session.expiry));
        session.expires_at = (session.expiry != u32::MAX).then(|| now.saturating_add(life));
        let expiry = session.expiry;
        let delay = session.will.as_ref().map_or(0, |will| will.properties.delay.unwrap_or(0));
        self.loosen(client);
        if delay == 0 || expiry == 0 {
            self.publish_will(client);
        } else if let Some(session) = self.sessions.get_mut(&client) {
            let due = now.saturating_add(Duration::from_secs(u64::from(delay)));
            session.will_due = Some(session.expires_at.map_or(due, |at| at.min(due)));
        }
        if expiry == 0 {
            self.end_session(client);
        }
    }

    /// A session is over, and with it the reason to wait with its will.
    pub(super) fn end_session(&mut self, client: usize) {
        self.publish_will(client);
        self.leave_groups(client);
        self.sessions.remove(&client);
    }

    /// Publishes what a client left to be published, if it is still there.
    pub(super) fn publish_will(&mut self, client: usize) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        session.will_due = None;
        let Some(will) = session.will.take() else { return };
        let (number, is_kept) = (session.number, session.is_kept);
        let properties = PublishProperties {
            message_expiry: will.properties.message_expiry,
            ..PublishProperties::default()
        };
        let publish = Publish {
            dup: false,
            qos: will.qos,
            retain: will.retain,
            topic: will.topic,
            packet_id: None,
            payload: will.payload,
            properties: Some(Box::new(properties)),
        };
        self.take_from(client, number, &publish, is_kept);
    }

    /// How many sessions there are.
    pub(in super::super) fn sessions_len(&self) -> usize {
        self.sessions.len()
    }
}
