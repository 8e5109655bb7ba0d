//! What a client is like: how it connects, what it publishes and subscribes to.

use bytes::Bytes;
use hearth_protocol::generate::Random;
use hearth_protocol::packet::{
    Connect, ConnectProperties, Publish, PublishProperties, RetainHandling, SubscribeProperties,
    Subscription, Will, WillProperties,
};
use hearth_protocol::{QoS, Text, TopicFilter, TopicName, Version};

use super::clients::{CLIENTS, WITNESS};
use super::world::{is_fast, is_of_groups};

/// What a client is like, for the whole of a simulation.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) id: Text,
    pub(super) version: Version,
    /// How its sessions begin.
    start: Start,
    expiry: u32,
    receive_max: Option<u16>,
    packet_max: Option<u32>,
    alias_max: Option<u16>,
    keep_alive: u16,
    no_local: bool,
    as_published: bool,
    pub(super) is_member: bool,
    /// Of so many messages all but one are for groups; without it one of three is.
    jobs: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Clean,
    Kept,
    Either,
}

const TOPICS: [&str; 5] = ["a/b", "a/c", "b", "a/b/c", "x/y"];
const JOBS: [&str; 4] = ["one/a", "one/b/c", "two/a", "three"];
const FILTERS: [&str; 10] = ["#", "a/+", "a/b", "+/b", "a/#", "b", "+", "a/b/c", "+/+/c", "will/+"];
const MEMBER_FILTERS: [&str; 4] = ["a/+", "a/b", "a/#", "b"];
/// Who may be a member of groups.
pub(super) const MEMBERS: [usize; 3] = [5, 6, 7];
/// Each with the QoS that all of its members ask for, and with topics of its own: a message does not say which group
/// it is for.
const SHARED: [(&str, QoS); 3] = [
    ("$share/a/one/#", QoS::AtLeastOnce),
    ("$share/b/two/+", QoS::ExactlyOnce),
    ("$share/a/three", QoS::AtMostOnce),
];
const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

impl Profile {
    pub(super) fn new(random: &mut Random, number: usize, expires: bool, seed: u64) -> Self {
        let is_fast = is_fast(seed);
        let is_member = MEMBERS.contains(&number);
        let mut version = random.pick(&[Version::V5, Version::V5, Version::V311, Version::V31]);
        let mut start = random.pick(&[Start::Clean, Start::Kept, Start::Either, Start::Either]);
        let sees_all = number == WITNESS || number == CLIENTS;
        // Where the network is fast, all members are there after a crash: then nothing may be lost that moved from one to another.
        let stays = number == 5 || (is_member && is_fast);
        if sees_all || stays {
            start = Start::Kept;
        }
        if sees_all || (stays && version == Version::V31) {
            version = Version::V5;
        }
        if version == Version::V31 {
            // CONNACK of 3.1 does not tell whether there is a session. A client whose session was forgotten
            // takes a new message for one that it has, at times: nothing in 3.1 lets it do better.
            start = if expires || random.one_in(2) { Start::Clean } else { Start::Kept };
        }
        let is_v5 = version.is_v5();
        let for_v5 = |random: &mut Random, times| is_v5 && random.one_in(times);
        let as_published = for_v5(random, 3) && !is_member && !sees_all;
        Self {
            id: Text::try_from(format!("client {number}")).unwrap_or_default(),
            version,
            start,
            expiry: if number == WITNESS || (is_member && is_fast) {
                u32::MAX
            } else {
                random.pick(&[0, 10, 40, 300, u32::MAX])
            },
            receive_max: for_v5(random, 2).then(|| random.pick(&[1, 2, 3, 10])),
            packet_max: (for_v5(random, 4) && !is_member && !sees_all).then_some(150),
            alias_max: for_v5(random, 2).then_some(2),
            keep_alive: random.pick(&[0, 0, 20, 60]),
            no_local: for_v5(random, 3) && !sees_all,
            as_published,
            is_member,
            jobs: is_of_groups(seed).then_some(4),
        }
    }

    /// A CONNECT; `last_words` names the message of its will.
    pub(super) fn connect(&self, random: &mut Random, last_words: Option<String>) -> Connect {
        let is_v5 = self.version.is_v5();
        let clean_start = match self.start {
            Start::Clean => true,
            Start::Kept => false,
            Start::Either => random.one_in(4),
        };
        let mut properties = ConnectProperties::default();
        if is_v5 {
            let expiry = if random.one_in(4) { 0 } else { self.expiry };
            properties = ConnectProperties {
                session_expiry: Some(expiry),
                receive_maximum: self.receive_max,
                packet_size_max: self.packet_max,
                topic_alias_maximum: self.alias_max,
                ..ConnectProperties::default()
            };
            if self.start == Start::Kept {
                properties.session_expiry = Some(self.expiry);
            }
        }
        Connect {
            version: self.version,
            bridge: false,
            clean_start,
            keep_alive: self.keep_alive,
            client_id: self.id.clone(),
            will: last_words.map(|key| self.will(random, key)),
            user_name: None,
            password: None,
            properties,
        }
    }

    fn will(&self, random: &mut Random, key: String) -> Will {
        let is_v5 = self.version.is_v5();
        let properties = WillProperties {
            delay: (is_v5 && random.one_in(2)).then(|| random.pick(&[1, 5, 20, 100])),
            message_expiry: (is_v5 && random.one_in(4)).then(|| random.pick(&[5, 30])),
            ..WillProperties::default()
        };
        let topic = format!("will/{}", self.id.as_str().trim_start_matches("client "));
        Will {
            topic: TopicName::try_from(topic.as_str()).unwrap(),
            payload: Bytes::from(key),
            qos: random.pick(&ALL_QOS),
            retain: random.one_in(3),
            properties,
        }
    }

    /// A message with this key, or one that clears the topic.
    pub(super) fn message(&self, random: &mut Random, key: &str) -> Publish {
        let is_job = match self.jobs {
            Some(times) => !random.one_in(times),
            None => random.one_in(3),
        };
        let topic = if is_job { random.pick(&JOBS) } else { random.pick(&TOPICS) };
        let retain = !is_job && random.one_in(3);
        let filling = random.pick(&[0, 0, 0, 10, 300, 5000]);
        let payload = match retain && random.one_in(5) {
            true => String::new(),
            false => format!("{key}{}", ".".repeat(filling)),
        };
        let expiry = (self.version.is_v5() && random.one_in(6)).then(|| random.pick(&[2, 10, 60]));
        let properties = PublishProperties { message_expiry: expiry, ..PublishProperties::default() };
        Publish {
            dup: false,
            qos: random.pick(&ALL_QOS),
            retain,
            topic: TopicName::try_from(topic).unwrap(),
            packet_id: None,
            payload: Bytes::from(payload),
            properties: expiry.map(|_| Box::new(properties)),
        }
    }

    /// A subscription that suits this client.
    pub(super) fn subscription(&self, random: &mut Random) -> (Subscription, SubscribeProperties) {
        let is_v5 = self.version.is_v5();
        let id = (is_v5 && random.one_in(2)).then(|| 1 + random.below(3) as u32);
        let properties = SubscribeProperties { subscription_id: id, ..SubscribeProperties::default() };
        if self.is_member && !random.one_in(4) {
            let (filter, qos) = random.pick(&SHARED);
            return (Subscription::new(TopicFilter::try_from(filter).unwrap(), qos), properties);
        }
        // A member knows its own messages from the group's by their topics.
        let filters = if self.is_member { &MEMBER_FILTERS[..] } else { &FILTERS[..] };
        let filter = TopicFilter::try_from(random.pick(filters)).unwrap();
        let mut subscription = Subscription::new(filter, random.pick(&ALL_QOS));
        if is_v5 {
            subscription.no_local = self.no_local;
            subscription.retain_as_published = self.as_published;
            subscription.retain_handling =
                random.pick(&[RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
            if self.as_published {
                // Whether a message is a retained one can be seen by its flag only without the other use of it.
                subscription.retain_handling = RetainHandling::DoNotSend;
            }
        }
        (subscription, properties)
    }
}
