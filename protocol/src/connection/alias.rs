//! Topic aliases: of the messages that come in, and of those that go out.

use std::num::NonZeroU16;

use super::ProtocolError;
use crate::packet::Publish;
use crate::{ReasonCode, TopicName};

/// What the peer's aliases stand for (MQTT 5.0, 3.3.2.3.4). Holds memory once the peer uses one.
#[derive(Debug, Default)]
pub(super) struct InboundAliases {
    alias_max: u16,
    topics: Vec<Option<TopicName>>,
}

impl InboundAliases {
    /// Takes aliases from 1 to `alias_max`.
    pub(super) const fn new(alias_max: u16) -> Self {
        Self { alias_max, topics: Vec::new() }
    }

    /// Gives the message its topic and takes the alias away, which means nothing beyond this connection.
    pub(super) fn resolve(&mut self, publish: &mut Publish) -> Result<(), ProtocolError> {
        let Some(alias) = publish.properties.as_mut().and_then(|properties| properties.topic_alias.take())
        else {
            return Ok(());
        };
        if alias > self.alias_max {
            let detail = format!("topic alias: {alias} is above {} [MQTT-3.3.2-9]", self.alias_max);
            return Err(ProtocolError::new(ReasonCode::TopicAliasInvalid, detail));
        }
        let place = usize::from(alias) - 1;
        if publish.topic.as_str().is_empty() {
            let known = self.topics.get(place).and_then(Option::as_ref);
            publish.topic = known
                .ok_or_else(|| {
                    let detail = format!("topic alias: {alias} stands for no topic yet (3.3.4)");
                    ProtocolError::new(ReasonCode::ProtocolError, detail)
                })?
                .clone();
            return Ok(());
        }
        if place >= self.topics.len() {
            self.topics.resize(place + 1, None);
        }
        // Some senders repeat the topic with its alias each time.
        let topic = &mut self.topics[place];
        if topic.as_ref() != Some(&publish.topic) {
            *topic = Some(publish.topic.detached());
        }
        Ok(())
    }
}

/// How a message that goes out names its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicNaming {
    /// By the topic alone.
    Topic,
    /// By the topic, with an alias that stands for it from then on.
    TopicAndAlias(NonZeroU16),
    /// By the alias alone; the topic is empty.
    Alias(NonZeroU16),
}

/// The aliases that this side gave to topics on one connection (MQTT 5.0, 3.3.2.3.4); a new connection needs a new
/// table [MQTT-3.3.2-7].
///
/// Topics that come often keep their alias: each use makes an entry stronger, each topic that finds no place makes one
/// weaker, and only one without strength gives its alias up. So a stream of ever new topics costs no more than itself.
/// The table stands from the first topic on; its buffers are used again, so that nothing is allocated once they have
/// the size of the topics.
#[derive(Debug, Default)]
pub struct OutboundAliases {
    alias_max: u16,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    hash: u32,
    strength: u8,
    /// Empty while the alias stands for nothing.
    topic: String,
}

/// Entries that may hold a topic: so many comparisons of a number at most for each message.
const WAYS: u16 = 8;

/// A longer topic goes out as it is, so that a table has a bound in bytes too.
const TOPIC_BYTES_MAX: usize = 512;

/// The property takes three bytes: below four there is nothing to win.
const TOPIC_BYTES_MIN: usize = 4;

/// A topic that was used much and then no more loses its alias after so many others.
const STRENGTH_MAX: u8 = 15;

impl OutboundAliases {
    /// Gives aliases up to `granted`, which the peer said it takes, and no more than `alias_max` of them, so that a
    /// peer does not choose how much memory it costs here: below 600 bytes for each.
    pub const fn new(granted: u16, alias_max: u16) -> Self {
        let alias_max = if granted < alias_max { granted } else { alias_max };
        Self { alias_max, entries: Vec::new() }
    }

    /// Says how the next message names its topic. What it says holds once the message goes out, in the order of the
    /// calls; a message that was given a new alias and does not go out needs [`OutboundAliases::revoke`].
    pub fn name(&mut self, topic: &str) -> TopicNaming {
        if self.alias_max == 0 || !(TOPIC_BYTES_MIN..=TOPIC_BYTES_MAX).contains(&topic.len()) {
            return TopicNaming::Topic;
        }
        if self.entries.is_empty() {
            self.entries.resize(usize::from(self.alias_max), Entry::default());
        }
        let hash = hash(topic);
        let ways = self.alias_max.min(WAYS);
        let sets = self.alias_max / ways;
        // Below `alias_max`, which is 16 bits wide.
        let first = (hash % u32::from(sets)) as u16 * ways;
        let set = &mut self.entries[usize::from(first)..usize::from(first + ways)];
        let alias = |place: usize| NonZeroU16::MIN.saturating_add(first + place as u16);
        if let Some(place) = set.iter().position(|entry| entry.hash == hash && entry.topic == topic) {
            set[place].strength = (set[place].strength + 1).min(STRENGTH_MAX);
            return TopicNaming::Alias(alias(place));
        }
        let weakest = set.iter().enumerate().min_by_key(|(_, entry)| entry.strength);
        let Some(place) = weakest.map(|(place, _)| place) else { return TopicNaming::Topic };
        let entry = &mut set[place];
        if entry.strength > 0 {
            entry.strength -= 1;
            return TopicNaming::Topic;
        }
        entry.hash = hash;
        entry.strength = 1;
        entry.topic.clear();
        entry.topic.reserve_exact(topic.len());
        entry.topic.push_str(topic);
        TopicNaming::TopicAndAlias(alias(place))
    }

    /// The message that was to make the alias known did not go out.
    pub fn revoke(&mut self, alias: NonZeroU16) {
        if let Some(entry) = self.entries.get_mut(usize::from(alias.get()) - 1) {
            entry.topic.clear();
            entry.strength = 0;
        }
    }
}

impl TopicNaming {
    /// What stands in the packet: the topic, and the alias if there is one.
    pub const fn fields(self, topic: &str) -> (&str, Option<u16>) {
        match self {
            Self::Topic => (topic, None),
            Self::TopicAndAlias(alias) => (topic, Some(alias.get())),
            Self::Alias(alias) => ("", Some(alias.get())),
        }
    }
}

/// FNV-1a. It needs no key: topics that fall into one place take each other's aliases and do no other harm.
fn hash(topic: &str) -> u32 {
    topic.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn known(alias: u16) -> TopicNaming {
        TopicNaming::Alias(NonZeroU16::new(alias).unwrap())
    }

    fn new(alias: u16) -> TopicNaming {
        TopicNaming::TopicAndAlias(NonZeroU16::new(alias).unwrap())
    }

    #[test]
    fn the_first_message_of_a_topic_carries_both_and_the_next_the_alias_alone() {
        let mut aliases = OutboundAliases::new(2, 100);
        assert_eq!(aliases.name("home/a"), new(1));
        assert_eq!(aliases.name("home/b"), new(2));
        assert_eq!((aliases.name("home/a"), aliases.name("home/b")), (known(1), known(2)));
        assert_eq!(new(2).fields("home/b"), ("home/b", Some(2)));
        assert_eq!(known(2).fields("home/b"), ("", Some(2)));
        assert_eq!(TopicNaming::Topic.fields("home/b"), ("home/b", None));
    }

    #[test]
    fn no_alias_is_given_where_none_is_granted_wanted_or_worth_it() {
        for (granted, alias_max) in [(0, 10), (10, 0)] {
            assert_eq!(OutboundAliases::new(granted, alias_max).name("home/a"), TopicNaming::Topic);
        }
        let mut aliases = OutboundAliases::new(10, 10);
        assert_eq!(aliases.name("a/b"), TopicNaming::Topic, "as long as its alias");
        assert_eq!(aliases.name(&"a".repeat(TOPIC_BYTES_MAX + 1)), TopicNaming::Topic);
        assert!(aliases.entries.is_empty(), "no memory before the first alias");
    }

    #[test]
    fn a_topic_that_comes_often_keeps_its_alias_among_ever_new_ones() {
        let mut aliases = OutboundAliases::new(1, 1);
        assert_eq!(aliases.name("home/often"), new(1));
        for number in 0..1000 {
            assert_eq!(aliases.name("home/often"), known(1));
            assert_eq!(aliases.name(&format!("home/{number}")), TopicNaming::Topic);
        }
    }

    #[test]
    fn a_topic_that_comes_no_more_gives_its_alias_up() {
        let mut aliases = OutboundAliases::new(1, 1);
        for _ in 0..1000 {
            aliases.name("home/then");
        }
        for _ in 0..STRENGTH_MAX {
            assert_eq!(aliases.name("home/now"), TopicNaming::Topic);
        }
        assert_eq!((aliases.name("home/now"), aliases.name("home/now")), (new(1), known(1)));
    }

    #[test]
    fn an_alias_that_was_revoked_stands_for_nothing() {
        let mut aliases = OutboundAliases::new(1, 1);
        assert_eq!(aliases.name("home/a"), new(1));
        aliases.revoke(NonZeroU16::MIN);
        assert_eq!((aliases.name("home/a"), aliases.name("home/a")), (new(1), known(1)));
        OutboundAliases::new(1, 1).revoke(NonZeroU16::MIN);
    }

    #[test]
    fn a_receiver_that_obeys_every_alias_sees_the_topics_that_were_sent() {
        let mut random = 1_u64;
        for (granted, alias_max) in [(1, 9), (3, 64), (64, 64), (65_535, 100), (17, 65_535)] {
            let mut aliases = OutboundAliases::new(granted, alias_max);
            let mut receiver: HashMap<u16, String> = HashMap::new();
            let mut saved = 0;
            for _ in 0..20_000 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Low numbers come much more often than high ones.
                let number = (random >> 40) % (1 + (random >> 20) % 300);
                let topic = format!("home/room/{number}");
                let naming = aliases.name(&topic);
                if let TopicNaming::TopicAndAlias(alias) = naming
                    && random >> 60 == 0
                {
                    aliases.revoke(alias);
                    continue;
                }
                let (name, alias) = naming.fields(&topic);
                assert!(alias.is_none_or(|alias| alias > 0 && alias <= granted.min(alias_max)));
                match (name.is_empty(), alias) {
                    (true, alias) => {
                        saved += 1;
                        assert_eq!(receiver[&alias.unwrap()], topic);
                    }
                    (false, Some(alias)) => drop(receiver.insert(alias, topic)),
                    (false, None) => {}
                }
            }
            assert!(saved > 0);
        }
    }
}
