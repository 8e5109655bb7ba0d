//! What was published and who got it: the oracle.

use std::collections::HashMap;
use std::fmt;

use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, TopicFilter};

use super::Finding;

/// A moment: every event of the harness has its own.
pub type Moment = u64;

/// A message, from the time when it was handed to its publisher's client.
#[derive(Debug)]
pub struct Entry {
    pub topic: String,
    pub qos: QoS,
    /// It has no payload, by which others are known, and takes away what is retained.
    pub is_removal: bool,
    pub made: Moment,
    pub made_in_round: usize,
    /// When the last acknowledgement came.
    pub acknowledged: Option<Moment>,
    /// When the broker was killed last before that: it may have forgotten the message until its publisher sends it again.
    pub unsure: Option<Moment>,
}

/// A filter that one audience has, or had.
#[derive(Debug)]
struct Wish {
    filter: TopicFilter,
    qos: QoS,
    /// From SUBACK…
    from: Moment,
    /// …until UNSUBSCRIBE went out.
    until: Option<Moment>,
}

/// One subscriber, or all members of a group: who is to get each message once.
#[derive(Debug, Default)]
struct Audience {
    name: String,
    wishes: Vec<Wish>,
    /// Times that each message came, by publisher and number.
    received: HashMap<(usize, usize), u32>,
    /// How many messages came before those.
    deliveries: usize,
    /// The newest message by client, publisher, topic and QoS, where the order must hold.
    newest: HashMap<(String, usize, String, QoS), usize>,
}

/// Names an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudienceId(usize);

/// The book of everything.
#[derive(Debug, Default)]
pub struct Ledger {
    clock: Moment,
    pub round: usize,
    /// By publisher, in the order in which they were made.
    entries: Vec<Vec<Entry>>,
    /// By publisher, how many of them everybody has who is to have them.
    settled: Vec<usize>,
    /// By publisher and topic, in their order.
    retained: HashMap<(usize, String), Vec<usize>>,
    audiences: Vec<Audience>,
}

impl Ledger {
    pub fn new(publishers: usize) -> Self {
        Self {
            entries: (0..publishers).map(|_| Vec::new()).collect(),
            settled: vec![0; publishers],
            ..Self::default()
        }
    }

    pub fn tick(&mut self) -> Moment {
        self.clock += 1;
        self.clock
    }

    pub fn add_audience(&mut self, name: &str) -> AudienceId {
        self.audiences.push(Audience { name: name.to_owned(), ..Audience::default() });
        AudienceId(self.audiences.len() - 1)
    }

    /// A message is about to be published; its number.
    pub fn make(&mut self, publisher: usize, topic: &str, qos: QoS, retain: bool, is_removal: bool) -> usize {
        let (made, made_in_round) = (self.tick(), self.round);
        let entries = &mut self.entries[publisher];
        let number = entries.len();
        let topic = topic.to_owned();
        if retain {
            self.retained.entry((publisher, topic.clone())).or_default().push(number);
        }
        entries.push(Entry { topic, qos, is_removal, made, made_in_round, acknowledged: None, unsure: None });
        number
    }

    pub fn acknowledge(&mut self, publisher: usize, number: usize) {
        let now = self.tick();
        self.entries[publisher][number].acknowledged = Some(now);
    }

    /// The broker was killed, and everything that it had said is known.
    pub fn on_kill(&mut self) {
        let now = self.tick();
        for (entries, settled) in self.entries.iter_mut().zip(&self.settled) {
            for entry in entries[*settled..].iter_mut().filter(|entry| entry.acknowledged.is_none()) {
                entry.unsure = Some(now);
            }
        }
    }

    /// SUBACK came.
    pub fn begin(&mut self, audience: AudienceId, filter: &TopicFilter, qos: QoS) {
        let from = self.tick();
        let wishes = &mut self.audiences[audience.0].wishes;
        if !wishes.iter().any(|wish| wish.filter == *filter && wish.until.is_none()) {
            wishes.push(Wish { filter: filter.clone(), qos, from, until: None });
        }
    }

    /// UNSUBSCRIBE goes out.
    pub fn end(&mut self, audience: AudienceId, filter: &TopicFilter) {
        let now = self.tick();
        for wish in &mut self.audiences[audience.0].wishes {
            if wish.filter == *filter {
                wish.until.get_or_insert(now);
            }
        }
    }

    /// A message came to a client of this audience, which has these filters or had them.
    pub fn receive(
        &mut self,
        audience: AudienceId,
        client: &str,
        filters: &[TopicFilter],
        publish: &Publish,
    ) -> Result<(), Finding> {
        let said = String::from_utf8_lossy(&publish.payload).into_owned();
        let topic = publish.topic.as_str();
        if !filters.iter().any(|filter| filter.matches(&publish.topic)) {
            return Err(format!("{client} got {said:?} at {topic}, for which it has not asked"));
        }
        if said.is_empty() && self.retained.keys().any(|(_, known)| known == topic) {
            return Ok(());
        }
        let nowhere = || format!("{client} got {said:?} at {topic}, which nobody has published there");
        let (publisher, number) = self.find(&said).ok_or_else(nowhere)?;
        let entry = &self.entries[publisher][number];
        if entry.topic != topic {
            return Err(nowhere());
        }
        if publish.retain {
            return Ok(());
        }
        if number < self.settled[publisher] {
            return Err(format!("{client} got {said:?} at {topic} once more, which all had before: {entry}"));
        }
        let audience = &mut self.audiences[audience.0];
        // A second try of what was sent before SUBACK may be the first that comes, behind newer ones.
        let has_asked_before = audience.wishes.iter().any(|wish| {
            wish.from < entry.made && wish.until.is_none() && wish.filter.matches(&publish.topic)
        });
        let times = audience.received.entry((publisher, number)).or_insert(0);
        *times += 1;
        let is_first = *times == 1;
        if publish.qos == QoS::ExactlyOnce && *times > 1 {
            return Err(format!(
                "{} got {said:?} at {topic} {times} times with QoS 2: {entry}",
                audience.name
            ));
        }
        // A second try of QoS 1 comes after newer ones, and of a group any member may be behind the others.
        let place = (client.to_owned(), publisher, topic.to_owned(), entry.qos);
        let newest = audience.newest.entry(place).or_insert(number);
        // Of what nobody was told that it is safe, a newer one may be kept without this one, and then comes before the second
        // try of both. QoS 2 is kept in its order.
        let is_second_try = entry.qos == QoS::AtLeastOnce
            && entry.unsure.is_some_and(|killed| self.entries[publisher][*newest].made < killed);
        if is_first && has_asked_before && number < *newest && !is_second_try && audience.name == client {
            return Err(format!("{client} got {said:?} at {topic} behind {newest} of the same publisher"));
        }
        *newest = number.max(*newest);
        Ok(())
    }

    fn find(&self, payload: &str) -> Option<(usize, usize)> {
        let (publisher, number) = payload.split_once(' ')?;
        let (publisher, number): (usize, usize) = (publisher.parse().ok()?, number.parse().ok()?);
        self.entries.get(publisher)?.get(number).map(|_| (publisher, number))
    }

    /// The first message that somebody must have and has not; for when nothing is under way any more.
    pub fn missing(&self) -> Option<Finding> {
        let mut missing = 0;
        let mut first = None;
        for audience in &self.audiences {
            for (publisher, entries) in self.entries.iter().enumerate() {
                for (number, entry) in entries.iter().enumerate().skip(self.settled[publisher]) {
                    if audience.is_due(entry) && !audience.received.contains_key(&(publisher, number)) {
                        missing += 1;
                        first.get_or_insert_with(|| {
                            format!("{} never got \"{publisher} {number}\": {entry}", audience.name)
                        });
                    }
                }
            }
        }
        first.map(|first| format!("{first} ({missing} are missing)"))
    }

    /// Everybody has everything: none of it may come again.
    pub fn settle(&mut self) {
        self.settled = self.entries.iter().map(Vec::len).collect();
        for audience in &mut self.audiences {
            audience.deliveries += audience.received.len();
            audience.received.clear();
            audience.wishes.retain(|wish| wish.until.is_none());
        }
    }

    /// What is retained at a topic must be the last that was acknowledged before `since`, or a later one.
    pub fn check_retained(
        &self,
        publisher: usize,
        topic: &str,
        since: Moment,
        found: Option<&str>,
    ) -> Result<(), Finding> {
        let key = (publisher, topic.to_owned());
        let numbers = self.retained.get(&key).map_or(&[][..], Vec::as_slice);
        let entries = &self.entries[publisher];
        let is_acknowledged =
            |number: &usize| entries[*number].acknowledged.is_some_and(|moment| moment < since);
        let last = numbers.iter().rposition(is_acknowledged);
        let candidates = &numbers[last.unwrap_or(0)..];
        let is_right = match found {
            Some(payload) => {
                let (of, number) = self.find(payload).ok_or_else(|| format!("{payload:?} is retained"))?;
                of == publisher && candidates.contains(&number)
            }
            None => last.is_none() || candidates.iter().any(|number| entries[*number].is_removal),
        };
        if is_right {
            return Ok(());
        }
        let last = last.map(|place| format!("{}, {}", numbers[place], entries[numbers[place]]));
        let last = last.unwrap_or_else(|| "none".to_owned());
        Err(format!("{found:?} is retained at {topic}; the last that was acknowledged is {last}"))
    }

    /// How many messages there were.
    pub fn len(&self) -> usize {
        self.entries.iter().map(Vec::len).sum()
    }

    /// How many came to somebody.
    pub fn deliveries(&self) -> usize {
        self.audiences.iter().map(|audience| audience.deliveries + audience.received.len()).sum()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { qos, made_in_round, acknowledged, .. } = self;
        let acknowledged = if acknowledged.is_some() { "and acknowledged" } else { "not acknowledged" };
        let kind = if self.is_removal { "a removal" } else { "a message" };
        write!(f, "{kind} of round {made_in_round} with {qos:?}, {acknowledged}")
    }
}

impl Audience {
    fn is_due(&self, entry: &Entry) -> bool {
        let topic = hearth_protocol::TopicName::try_from(entry.topic.as_str()).unwrap();
        self.wishes.iter().any(|wish| {
            let is_in_time = wish.from < entry.made
                && wish.until.is_none_or(|until| entry.acknowledged.is_some_and(|moment| moment < until));
            !entry.is_removal && wish.qos > QoS::AtMostOnce && is_in_time && wish.filter.matches(&topic)
        })
    }
}
