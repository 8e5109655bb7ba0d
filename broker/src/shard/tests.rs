//! Whole brokers in memory: shards, clients and a clock that stands still until it is moved.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearth_protocol::connection::client::{Client, ClientEvent, ClientOptions, Token};
use hearth_protocol::packet::{
    Disconnect, Publish, PublishProperties, RetainHandling, SubscribeProperties, Subscription, Will,
    WillProperties,
};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter, TopicName, Version};

use super::Shard;
use crate::{ConnectionId, Effect, Event, Limits, Peer, ShardCount, ShardId, Shared, Transport};

struct Broker {
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    links: HashMap<usize, (usize, ConnectionId)>,
    clients: Vec<Client>,
    heard: Vec<Vec<ClientEvent>>,
    events: Vec<Event>,
    now: Time,
}

impl Broker {
    fn new(shards: u16) -> Self {
        Self::with_limits(shards, Limits::default())
    }

    fn with_limits(shards: u16, limits: Limits) -> Self {
        let count = ShardCount::new(NonZeroU16::new(shards).unwrap());
        let shared = Arc::new(Shared::new(count, limits, [3, 5]));
        let shards = (0..shards).map(|id| Shard::new(Arc::clone(&shared), ShardId::new(id))).collect();
        let now = Time::from_millis(1000);
        Self {
            shared,
            shards,
            links: HashMap::new(),
            clients: Vec::new(),
            heard: Vec::new(),
            events: Vec::new(),
            now,
        }
    }

    fn client(&mut self, options: ClientOptions) -> usize {
        self.clients.push(Client::new(options));
        self.heard.push(Vec::new());
        let client = self.clients.len() - 1;
        self.connect(client);
        client
    }

    fn connect(&mut self, client: usize) {
        let client_id = self.clients[client].options().client_id.clone();
        let assigned_client_id = Text::try_from("assigned").unwrap();
        let hashed = if client_id.is_empty() { &assigned_client_id } else { &client_id };
        let shard = self.shared.shard_of(hashed).as_index();
        let peer = Peer { address: None, transport: Transport::Tcp, assigned_client_id };
        let id = self.shards[shard].handle_open(self.now, peer);
        self.links.insert(client, (shard, id));
        self.clients[client].handle_open(self.now);
        self.run();
    }

    /// The network between client and broker is gone.
    fn cut(&mut self, client: usize) {
        if let Some((shard, id)) = self.links.remove(&client) {
            self.shards[shard].handle_closed(self.now, id);
        }
        self.clients[client].handle_close(self.now);
        self.run();
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        while self.now < end {
            self.now = self.now.saturating_add(Duration::from_secs(1)).min(end);
            for shard in &mut self.shards {
                shard.handle_timeout(self.now);
            }
            for client in &mut self.clients {
                client.handle_timeout(self.now).unwrap();
            }
            self.run();
        }
    }

    /// Moves bytes and effects until nothing moves any more.
    fn run(&mut self) {
        while self.step() {}
        for (client, heard) in self.clients.iter_mut().zip(&mut self.heard) {
            heard.extend(std::iter::from_fn(|| client.poll_event()));
        }
    }

    fn step(&mut self) -> bool {
        let mut moved = false;
        for (&client, &(shard, id)) in &self.links {
            if let Some(mut bytes) = self.clients[client].take_output() {
                moved = true;
                self.shards[shard].handle_input(self.now, id, &mut bytes);
            }
        }
        for shard in 0..self.shards.len() {
            while let Some(effect) = self.shards[shard].poll_effect() {
                moved = true;
                match effect {
                    Effect::Forward { to, forward } => {
                        self.shards[to.as_index()].handle_forward(self.now, forward);
                    }
                    Effect::Close(id) => self.close(shard, id),
                    Effect::Event(event) => self.events.push(event),
                }
            }
            while let Some(id) = self.shards[shard].poll_dirty() {
                moved = true;
                let bytes = self.shards[shard].output(id).unwrap().take_contiguous();
                self.receive(shard, id, &bytes);
                self.shards[shard].handle_flushed(self.now, id);
            }
        }
        moved
    }

    fn receive(&mut self, shard: usize, id: ConnectionId, bytes: &[u8]) {
        let client = self.links.iter().find(|(_, link)| **link == (shard, id)).map(|(client, _)| *client);
        if let Some(client) = client {
            self.clients[client].handle_input(self.now, &mut BytesMut::from(bytes)).unwrap();
        }
    }

    fn close(&mut self, shard: usize, id: ConnectionId) {
        let bytes = self.shards[shard].take_output(id).take_contiguous();
        self.receive(shard, id, &bytes);
        if let Some(client) =
            self.links.iter().find(|(_, link)| **link == (shard, id)).map(|(client, _)| *client)
        {
            self.links.remove(&client);
            self.clients[client].handle_close(self.now);
        }
    }

    fn subscribe(&mut self, client: usize, subscription: Subscription) -> ReasonCode {
        self.subscribe_with_id(client, subscription, None)
    }

    fn subscribe_with_id(
        &mut self,
        client: usize,
        subscription: Subscription,
        id: Option<u32>,
    ) -> ReasonCode {
        let properties = SubscribeProperties { subscription_id: id, ..Default::default() };
        let token = self.clients[client].subscribe(self.now, vec![subscription], properties).unwrap();
        self.run();
        let answer = self.heard[client].iter().find_map(|event| {
            let ClientEvent::Subscribed { token: other, reasons } = event else { return None };
            (*other == token).then(|| reasons[0])
        });
        answer.unwrap()
    }

    fn publish(&mut self, client: usize, publish: Publish) -> Option<ReasonCode> {
        let token = self.clients[client].publish(self.now, publish).unwrap();
        self.run();
        self.published(client, token)
    }

    fn published(&self, client: usize, token: Token) -> Option<ReasonCode> {
        self.heard[client].iter().find_map(|event| {
            let ClientEvent::Published { token: other, reason } = event else { return None };
            (*other == token).then_some(*reason)
        })
    }

    /// What came to a client since it was asked last.
    fn messages(&mut self, client: usize) -> Vec<Publish> {
        let heard = std::mem::take(&mut self.heard[client]);
        let message = |event| if let ClientEvent::Message(publish) = event { Some(publish) } else { None };
        heard.into_iter().filter_map(message).collect()
    }

    fn payloads(&mut self, client: usize) -> Vec<Bytes> {
        self.messages(client).into_iter().map(|publish| publish.payload).collect()
    }
}

fn options(client_id: &str) -> ClientOptions {
    ClientOptions::new(Text::try_from(client_id).unwrap())
}

fn persistent(client_id: &str) -> ClientOptions {
    let mut options = options(client_id);
    options.clean_start = false;
    options.properties.session_expiry = Some(3600);
    options
}

fn filter(filter: &str, qos: QoS) -> Subscription {
    Subscription::new(TopicFilter::try_from(filter).unwrap(), qos)
}

fn message(topic: &str, payload: &'static str, qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::try_from(topic).unwrap(),
        packet_id: None,
        payload: Bytes::from_static(payload.as_bytes()),
        properties: None,
    }
}

fn retained(topic: &str, payload: &'static str) -> Publish {
    Publish { retain: true, ..message(topic, payload, QoS::AtLeastOnce) }
}

fn will(topic: &str, delay: Option<u32>) -> Will {
    Will {
        topic: TopicName::try_from(topic).unwrap(),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties { delay, ..WillProperties::default() },
    }
}

const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn every_qos_pair_and_version_delivers_once_within_and_across_shards() {
    for shards in 1..=3 {
        let mut broker = Broker::new(shards);
        let versions = [Version::V31, Version::V311, Version::V5];
        let clients: Vec<usize> = (0..12)
            .map(|number| {
                broker.client(ClientOptions {
                    version: versions[number % 3],
                    ..options(&format!("client {number}"))
                })
            })
            .collect();
        for (publish_qos, subscribe_qos) in ALL_QOS.iter().flat_map(|qos| ALL_QOS.map(|other| (*qos, other)))
        {
            for client in &clients {
                assert_eq!(
                    broker.subscribe(*client, filter("home/+/x", subscribe_qos)).byte(),
                    subscribe_qos.bits()
                );
            }
            for publisher in &clients {
                broker.publish(*publisher, message("home/a/x", "21.5", publish_qos));
                for client in &clients {
                    let got = broker.messages(*client);
                    assert_eq!(got.len(), 1, "{shards} shards, {publish_qos:?} to {subscribe_qos:?}");
                    assert_eq!(got[0].qos, publish_qos.min(subscribe_qos));
                    assert_eq!(got[0].payload, "21.5");
                    assert!(!got[0].retain);
                }
            }
        }
    }
}

#[test]
fn a_later_subscriber_gets_the_retained_message_with_its_flag_and_an_empty_one_clears_it() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, retained("a/b", "1"));
    broker.publish(publisher, retained("a/b", "2"));
    for client_id in ["s", "t", "u"] {
        let subscriber = broker.client(options(client_id));
        broker.subscribe(subscriber, filter("a/#", QoS::AtMostOnce));
        let got = broker.messages(subscriber);
        assert_eq!(got.len(), 1);
        assert!(got[0].retain);
        assert_eq!(got[0].payload, "2");
        broker.publish(publisher, retained("a/b", "2"));
        assert!(!broker.messages(subscriber)[0].retain, "to an established subscription it is not retained");
    }
    broker.publish(publisher, retained("a/b", ""));
    let subscriber = broker.client(options("v"));
    broker.subscribe(subscriber, filter("a/#", QoS::AtMostOnce));
    assert_eq!(broker.messages(subscriber), []);
}

#[test]
fn retain_handling_and_retain_as_published_are_obeyed() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, retained("a", "1"));
    let subscriber = broker.client(options("s"));
    let with = |retain_handling, retain_as_published| Subscription {
        retain_handling,
        retain_as_published,
        ..filter("a", QoS::AtMostOnce)
    };
    broker.subscribe(subscriber, with(RetainHandling::DoNotSend, true));
    assert_eq!(broker.messages(subscriber), []);
    broker.publish(publisher, retained("a", "2"));
    assert!(broker.messages(subscriber)[0].retain);
    broker.subscribe(subscriber, with(RetainHandling::SendIfNew, false));
    assert_eq!(broker.messages(subscriber), []);
    broker.subscribe(subscriber, with(RetainHandling::Send, false));
    assert_eq!(broker.messages(subscriber).len(), 1);
}

#[test]
fn a_persistent_session_gets_what_it_missed_in_order() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    for (payload, qos) in [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)] {
        broker.publish(publisher, message("a", payload, qos));
    }
    broker.connect(subscriber);
    assert!(
        broker.heard[subscriber]
            .iter()
            .any(|event| matches!(event, ClientEvent::Connected { session_present: true, .. }))
    );
    assert_eq!(broker.payloads(subscriber), ["1", "2"]);
}

#[test]
fn a_session_ends_with_its_expiry_and_a_clean_start_begins_a_new_one() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    broker.wait(Duration::from_secs(3602));
    assert!(
        broker.shards.iter().all(|shard| shard.stats().sessions == 0 && shard.stats().subscriptions == 0)
    );
    broker.connect(subscriber);
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    broker.clients[subscriber].options_mut().clean_start = true;
    broker.connect(subscriber);
    assert!(broker.shards.iter().all(|shard| shard.stats().subscriptions == 0));
}

#[test]
fn the_same_client_id_takes_the_session_over_and_the_old_connection_is_told() {
    let mut broker = Broker::new(2);
    let first = broker.client(persistent("s"));
    broker.subscribe(first, filter("a", QoS::AtLeastOnce));
    broker.heard[first].clear();
    let second = broker.client(persistent("s"));
    let told = Disconnect::new(ReasonCode::SessionTakenOver);
    assert_eq!(broker.heard[first], [ClientEvent::Disconnected(told)]);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, message("a", "1", QoS::AtLeastOnce));
    assert_eq!(broker.payloads(second), ["1"]);
    assert_eq!(broker.payloads(first), [""; 0]);
}

#[test]
fn a_will_goes_out_when_the_connection_is_lost_and_not_after_a_goodbye() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let mortal = broker.client(ClientOptions { will: Some(will("will", None)), ..options("m") });
    broker.cut(mortal);
    assert_eq!(broker.payloads(watcher), ["gone"]);
    broker.connect(mortal);
    let now = broker.now;
    broker.clients[mortal].disconnect(now, Disconnect::new(ReasonCode::Success));
    broker.run();
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.connect(mortal);
    broker.clients[mortal].disconnect(now, Disconnect::new(ReasonCode::DisconnectWithWill));
    broker.run();
    assert_eq!(broker.payloads(watcher), ["gone"]);
}

#[test]
fn a_delayed_will_waits_and_is_taken_back_by_a_return() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let mortal = broker.client(ClientOptions { will: Some(will("will", Some(10))), ..persistent("m") });
    broker.cut(mortal);
    broker.wait(Duration::from_secs(5));
    broker.connect(mortal);
    broker.wait(Duration::from_secs(20));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.cut(mortal);
    broker.wait(Duration::from_secs(9));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.wait(Duration::from_secs(3));
    assert_eq!(broker.payloads(watcher), ["gone"]);
}

#[test]
fn a_silent_client_is_disconnected_and_its_will_published() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let silent = ClientOptions { keep_alive: 10, will: Some(will("will", None)), ..options("m") };
    let mortal = broker.client(silent);
    // Its bytes go nowhere from now on.
    let link = broker.links.remove(&mortal);
    broker.clients[mortal].handle_close(broker.now);
    broker.wait(Duration::from_secs(14));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.wait(Duration::from_secs(3));
    assert_eq!(broker.payloads(watcher), ["gone"]);
    assert!(link.is_some());
}

#[test]
fn overlapping_subscriptions_bring_one_message_with_all_identifiers() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(options("s"));
    broker.subscribe_with_id(subscriber, filter("a/#", QoS::AtMostOnce), Some(1));
    broker.subscribe_with_id(subscriber, filter("a/b", QoS::ExactlyOnce), Some(2));
    for client_id in ["p", "q", "r"] {
        let publisher = broker.client(options(client_id));
        broker.publish(publisher, message("a/b", "x", QoS::ExactlyOnce));
        let got = broker.messages(subscriber);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].qos, QoS::ExactlyOnce);
        assert_eq!(got[0].properties.as_ref().unwrap().subscription_ids, [1, 2]);
    }
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut broker = Broker::new(2);
    let client = broker.client(options("s"));
    broker.subscribe(client, Subscription { no_local: true, ..filter("a", QoS::AtLeastOnce) });
    broker.publish(client, message("a", "own", QoS::AtLeastOnce));
    let other = broker.client(options("p"));
    broker.publish(other, message("a", "other", QoS::AtLeastOnce));
    assert_eq!(broker.payloads(client), ["other"]);
}

#[test]
fn properties_reach_the_subscriber_and_the_expiry_counts_down() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    let pair = |name: &str| (Text::try_from(name).unwrap(), Text::try_from("v").unwrap());
    let properties = PublishProperties {
        message_expiry: Some(60),
        response_topic: Some(TopicName::try_from("answer").unwrap()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user_properties: ["b", "a", "b"].map(pair).into_iter().collect(),
        ..PublishProperties::default()
    };
    let publish = |expiry| Publish {
        properties: Some(Box::new(PublishProperties { message_expiry: Some(expiry), ..properties.clone() })),
        ..message("a", "x", QoS::AtLeastOnce)
    };
    broker.publish(publisher, publish(60));
    broker.publish(publisher, publish(5));
    broker.wait(Duration::from_secs(10));
    broker.connect(subscriber);
    let got = broker.messages(subscriber);
    assert_eq!(got.len(), 1, "the other one expired");
    let expected = PublishProperties { message_expiry: Some(50), ..properties };
    assert_eq!(*got[0].properties.clone().unwrap(), expected);
}

#[test]
fn a_publisher_learns_that_nobody_listens() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    let reason = broker.publish(publisher, message("nobody", "x", QoS::AtLeastOnce));
    assert_eq!(reason, Some(ReasonCode::NoMatchingSubscribers));
}

#[test]
fn a_full_queue_refuses_is_counted_and_told_once() {
    let limits = Limits { queued_messages_max: 2, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    let reasons: Vec<_> =
        (0..4).map(|_| broker.publish(publisher, message("a", "x", QoS::AtLeastOnce)).unwrap()).collect();
    use ReasonCode::{QuotaExceeded, Success};
    assert_eq!(reasons, [Success, Success, QuotaExceeded, QuotaExceeded]);
    let told = broker.events.iter().filter(|event| matches!(event, Event::Dropping { .. })).count();
    assert_eq!(told, 1);
    assert_eq!(broker.shards[0].stats().dropped[crate::DropReason::QueueFull as usize], 2);
}

#[test]
fn many_retained_messages_come_in_portions_and_none_is_lost() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut broker = Broker::with_limits(2, limits);
    let publisher = broker.client(options("p"));
    for number in 0..500 {
        broker.publish(publisher, retained(&format!("a/{number}"), "0123456789"));
    }
    let subscriber = broker.client(options("s"));
    broker.subscribe(subscriber, filter("#", QoS::AtMostOnce));
    assert_eq!(broker.messages(subscriber).len(), 500);
}

#[test]
fn the_window_of_the_client_is_never_exceeded_and_everything_arrives() {
    let mut broker = Broker::new(2);
    let mut few = options("s");
    few.properties.receive_maximum = Some(1);
    let subscriber = broker.client(few);
    broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
    let publisher = broker.client(options("p"));
    for payload in ["1", "2", "3"] {
        let now = broker.now;
        broker.clients[publisher].publish(now, message("a", payload, QoS::ExactlyOnce)).unwrap();
    }
    broker.run();
    assert_eq!(broker.payloads(subscriber), ["1", "2", "3"]);
}

#[test]
fn a_message_larger_than_the_client_takes_is_counted_and_the_flow_goes_on() {
    let mut broker = Broker::new(1);
    let mut small = options("s");
    small.properties.packet_size_max = Some(30);
    let subscriber = broker.client(small);
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    let publisher = broker.client(options("p"));
    for payload in ["0123456789012345678901234567890123456789", "short"] {
        broker.publish(publisher, message("a", payload, QoS::AtLeastOnce));
    }
    assert_eq!(broker.payloads(subscriber), ["short"]);
    assert_eq!(broker.shards[0].stats().dropped[crate::DropReason::PacketTooLarge as usize], 1);
}

#[test]
fn a_stop_is_announced_with_its_reason_and_wills_go_out() {
    let mut broker = Broker::new(2);
    let client = broker.client(options("s"));
    broker.heard[client].clear();
    let now = broker.now;
    for shard in &mut broker.shards {
        shard.handle_shutdown(now);
    }
    broker.run();
    let told = Disconnect::new(ReasonCode::ServerShuttingDown);
    assert_eq!(broker.heard[client], [ClientEvent::Disconnected(told)]);
    assert!(broker.shards.iter().all(|shard| shard.stats().connections == 0));
}

#[test]
fn what_is_the_brokers_own_cannot_be_published_to() {
    let mut broker = Broker::new(1);
    let publisher = broker.client(options("p"));
    let reason = broker.publish(publisher, message("$SYS/x", "x", QoS::AtLeastOnce));
    assert_eq!(reason, Some(ReasonCode::NotAuthorized));
}

#[test]
fn an_empty_client_id_is_assigned_or_refused_by_the_rules_of_its_version() {
    let mut broker = Broker::new(1);
    let v5 = broker.client(options(""));
    assert_eq!(broker.clients[v5].options().client_id.as_str(), "assigned");
    let v311 = ClientOptions { version: Version::V311, clean_start: false, ..options("") };
    let refused = broker.client(v311);
    assert!(matches!(
        broker.heard[refused][..],
        [ClientEvent::Refused { reason: ReasonCode::ClientIdentifierNotValid, .. }]
    ));
}
