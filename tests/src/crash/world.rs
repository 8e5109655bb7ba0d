//! A broker that is killed, and its clients, which are not.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hearth_protocol::connection::client::ClientEvent;
use hearth_protocol::generate::Random;
use hearth_protocol::packet::SubscribeProperties;
use hearth_protocol::packet::Subscription;
use hearth_protocol::{QoS, Version};
use rustix::process::Signal;

use super::Finding;
use super::broker::{Broken, Broker, FLOW, REST};
use super::ledger::{AudienceId, Ledger};
use super::peer::Peer;
use super::publisher::{Publisher, RETAINED_TOPICS, retained_topic};
use super::subscriber::{Habits, Subscriber};
use crate::process::PATIENCE;
use crate::wire::topic_filter;

const PUBLISHERS: [Version; 4] = [Version::V311, Version::V5, Version::V5, Version::V311];

const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

const SUBSCRIBERS: &[Habits] = &[
    Habits::steady("all of 3.1.1", Version::V311, &[("t/#", TWO)]),
    Habits::steady("overlapping", Version::V5, &[("t/#", TWO), ("t/+", ONE), ("t/1", TWO)]),
    Habits::steady("two levels of QoS", Version::V5, &[("t/0", ONE), ("t/1", TWO)]),
    Habits { is_restless: true, ..Habits::steady("restless", Version::V311, &[("t/#", ONE), ("t/2", TWO)]) },
    Habits { is_restless: true, ..Habits::steady("restless and exact", Version::V5, &[("#", TWO)]) },
    Habits { is_fickle: true, ..Habits::steady("fickle", Version::V5, &[("t/4", ONE), ("t/3", TWO)]) },
    Habits::member("member 1", Version::V5, &[("$share/group/t/#", TWO)]),
    Habits { is_restless: true, ..Habits::member("member 2", Version::V311, &[("$share/group/t/#", TWO)]) },
    Habits::member("member 3", Version::V5, &[("$share/group/t/#", TWO)]),
    Habits::steady("watcher", Version::V5, &[("state/#", ONE)]),
];

/// Rounds after which everything must have arrived, so that a finding is close to its cause.
const ROUNDS_BETWEEN_DRAINS: usize = 20;

/// Everything there is.
pub struct World {
    dice: Random,
    broker: Broker,
    ledger: Ledger,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    events: Vec<ClientEvent>,
    pub kills: usize,
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    /// An orderly stop.
    Stop,
}

impl World {
    pub fn new(seed: u64, shards: usize, broken: Option<Broken>) -> Self {
        let mut ledger = Ledger::new(PUBLISHERS.len());
        let mut groups: Vec<(&str, AudienceId)> = Vec::new();
        let mut audience_of = |habits: &Habits| match habits.group {
            None => ledger.add_audience(habits.name),
            Some(group) => match groups.iter().find(|(name, _)| *name == group) {
                Some((_, audience)) => *audience,
                None => {
                    let audience = ledger.add_audience(group);
                    groups.push((group, audience));
                    audience
                }
            },
        };
        let subscribers =
            SUBSCRIBERS.iter().map(|habits| Subscriber::new(habits, audience_of(habits))).collect();
        let publishers = PUBLISHERS.into_iter().enumerate();
        Self {
            dice: Random::new(seed),
            broker: Broker::new(shards, broken),
            publishers: publishers.map(|(number, version)| Publisher::new(number, version)).collect(),
            subscribers,
            ledger,
            events: Vec::new(),
            kills: 0,
        }
    }

    /// Plays rounds, then lets everything arrive and everybody go.
    pub fn play(&mut self, rounds: usize, mut on_round: impl FnMut(usize, &Self)) -> Result<(), Finding> {
        for round in 1..=rounds {
            self.ledger.round = round;
            let played = self.play_round().and_then(|()| match round % ROUNDS_BETWEEN_DRAINS {
                0 => self.drain_and_kill(),
                _ => Ok(()),
            });
            played.map_err(|finding| format!("round {round}: {finding}"))?;
            on_round(round, self);
        }
        self.say_goodbye().map_err(|finding| format!("at the end: {finding}"))
    }

    fn play_round(&mut self) -> Result<(), Finding> {
        if self.dice.one_in(4) {
            // Anywhere in a start, or shortly behind it.
            let longest = (self.broker.start.as_millis() * 5 / 4) as usize;
            let after = Duration::from_millis(self.dice.below(longest.max(1)) as u64);
            self.broker.start_and_kill(after);
            self.kills += 1;
        }
        let address = self.broker.start();
        let life = Duration::from_millis(match self.dice.below(4) {
            0 => self.dice.below(40),
            _ => self.dice.below(500),
        } as u64);
        let end = if self.dice.one_in(12) { End::Stop } else { End::Kill };
        let mut observer = self.dice.one_in(3).then(|| Observer::new(&self.ledger.round.to_string()));
        let begin = Instant::now();
        while begin.elapsed() < life {
            let mut has_moved = self.turn(address, true)?;
            if let Some(observing) = &mut observer {
                has_moved |= observing.turn(address, &mut self.ledger)?;
                if observing.is_done {
                    observer = None;
                }
            }
            if !has_moved {
                sleep(Duration::from_micros(200));
            }
        }
        self.end_round(end)
    }

    /// Kills the broker, and reads what it had said.
    fn end_round(&mut self, end: End) -> Result<(), Finding> {
        if let Some(complaint) = self.broker.complaint() {
            return Err(format!("the broker complains: {complaint}"));
        }
        if end == End::Stop {
            self.broker.signal(Signal::TERM);
            let deadline = Instant::now() + PATIENCE;
            while self.broker.is_running() && Instant::now() < deadline {
                self.read_all()?;
            }
        } else {
            self.kills += 1;
        }
        self.broker.kill();
        let mut events = std::mem::take(&mut self.events);
        for publisher in &mut self.publishers {
            publisher.peer.read_to_end(&mut events)?;
            publisher.take(&events, &mut self.ledger)?;
            events.clear();
        }
        for subscriber in &mut self.subscribers {
            subscriber.peer.read_to_end(&mut events)?;
            subscriber.take(&events, &mut self.ledger)?;
            events.clear();
        }
        self.events = events;
        if end == End::Kill {
            self.ledger.on_kill();
        }
        Ok(())
    }

    /// Whoever is not connected connects, at times; those who are do what they do. Whether anything happened.
    fn turn(&mut self, broker: SocketAddr, is_lively: bool) -> Result<bool, Finding> {
        let dice = &mut self.dice;
        for publisher in &mut self.publishers {
            let peer = &mut publisher.peer;
            if !peer.has_transport() {
                peer.open(broker);
            } else if is_lively && dice.one_in(800) {
                peer.cut();
            } else if is_lively && peer.client.is_connected() {
                let most = 1 + dice.below(4);
                publisher.publish(dice, &mut self.ledger, most);
            }
        }
        for subscriber in &mut self.subscribers {
            let times = if subscriber.habits.is_restless { 60 } else { 800 };
            let peer = &mut subscriber.peer;
            if !peer.has_transport() {
                if !is_lively || dice.one_in(if subscriber.habits.is_restless { 40 } else { 4 }) {
                    peer.open(broker);
                }
            } else if is_lively && dice.one_in(times) {
                if dice.one_in(2) { peer.cut() } else { peer.leave() }
            } else {
                subscriber.act(dice, &mut self.ledger, is_lively);
            }
        }
        self.read_all()
    }

    fn read_all(&mut self) -> Result<bool, Finding> {
        let mut events = std::mem::take(&mut self.events);
        let mut has_moved = false;
        for publisher in &mut self.publishers {
            has_moved |= publisher.peer.turn(&mut events)?;
            publisher.take(&events, &mut self.ledger)?;
            events.clear();
        }
        for subscriber in &mut self.subscribers {
            has_moved |= subscriber.peer.turn(&mut events)?;
            subscriber.take(&events, &mut self.ledger)?;
            events.clear();
        }
        self.events = events;
        Ok(has_moved)
    }

    /// Lets everything arrive that is on its way, and kills the broker then: nothing of it may come again.
    fn drain_and_kill(&mut self) -> Result<(), Finding> {
        let address = self.broker.start();
        self.drain(address)?;
        self.end_round(End::Kill)?;
        self.ledger.settle();
        Ok(())
    }

    fn drain(&mut self, address: SocketAddr) -> Result<(), Finding> {
        let mut deadline = Instant::now() + PATIENCE / 2;
        loop {
            if self.turn(address, false)? {
                deadline = Instant::now() + PATIENCE / 6;
            }
            let is_idle = self.publishers.iter().all(Publisher::is_idle);
            let is_settled = self.subscribers.iter().all(Subscriber::is_settled);
            let missing = if is_idle && is_settled { self.ledger.missing() } else { None };
            if is_idle && is_settled && missing.is_none() {
                break;
            }
            if Instant::now() > deadline {
                return Err(match missing {
                    Some(missing) => format!("{missing}; rows: {:?}", self.broker.rows(FLOW)),
                    None => format!("a publisher or subscriber waits for an answer (idle: {is_idle})"),
                });
            }
            sleep(Duration::from_micros(500));
        }
        // What comes twice comes now.
        let quiet = Instant::now() + Duration::from_millis(50);
        while Instant::now() < quiet {
            self.turn(address, false)?;
            sleep(Duration::from_millis(1));
        }
        let mut observer = Observer::new("drain");
        while !observer.is_done {
            observer.turn(address, &mut self.ledger)?;
            if Instant::now() > deadline {
                return Err("a subscriber of what is retained waits for an answer".to_owned());
            }
        }
        self.ledger.missing().map_or(Ok(()), Err)?;
        self.finish_flows(address)
    }

    /// Everybody goes on to answer until no row is left of what was on its way.
    fn finish_flows(&mut self, address: SocketAddr) -> Result<(), Finding> {
        let deadline = Instant::now() + PATIENCE / 3;
        while self.broker.has_rows(FLOW) {
            if Instant::now() > deadline {
                let rows = self.broker.rows(FLOW);
                return Err(format!("rows are left although nobody needs them: {rows:?}"));
            }
            let end = Instant::now() + Duration::from_millis(20);
            while Instant::now() < end {
                self.turn(address, false)?;
                sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Lets everything arrive; then everybody ends its session, and what is retained is removed.
    fn say_goodbye(&mut self) -> Result<(), Finding> {
        let address = self.broker.start();
        self.drain(address)?;
        for publisher in &mut self.publishers {
            publisher.remove_retained(&mut self.ledger);
        }
        self.drain(address)?;
        let publishers = self.publishers.iter_mut().map(|publisher| &mut publisher.peer);
        let subscribers = self.subscribers.iter_mut().map(|subscriber| &mut subscriber.peer);
        for peer in publishers.chain(subscribers) {
            peer.cut();
            peer.end_session_next();
            peer.open(address);
            let deadline = Instant::now() + PATIENCE;
            while !peer.client.is_connected() && Instant::now() < deadline {
                peer.turn(&mut self.events)?;
            }
            peer.leave();
            peer.read_to_end(&mut self.events)?;
        }
        self.broker.wait_for_no_rows(FLOW)?;
        self.broker.wait_for_no_rows(REST)?;
        self.broker.kill();
        Ok(())
    }

    pub fn summary(&self) -> String {
        format!(
            "{} kills, {} messages, {} deliveries",
            self.kills,
            self.ledger.len(),
            self.ledger.deliveries()
        )
    }
}

/// Looks once at what is retained.
struct Observer {
    peer: Peer,
    /// When it looked, once it has asked.
    since: Option<u64>,
    found: Vec<(String, String)>,
    is_done: bool,
}

impl Observer {
    fn new(name: &str) -> Self {
        let peer = Peer::passing(Version::V5, &format!("observer {name}"));
        Self { peer, since: None, found: Vec::new(), is_done: false }
    }

    fn turn(&mut self, broker: SocketAddr, ledger: &mut Ledger) -> Result<bool, Finding> {
        if !self.peer.has_transport() {
            self.since = None;
            self.peer.open(broker);
        }
        if self.peer.client.is_connected() && self.since.is_none() {
            self.since = Some(ledger.tick());
            self.found.clear();
            let now = self.peer.now();
            let subscription = Subscription::new(topic_filter("state/#"), QoS::AtMostOnce);
            let asked = self.peer.client.subscribe(now, vec![subscription], SubscribeProperties::default());
            asked.unwrap();
            // Its answer comes behind what is retained.
            self.peer.client.ping(now);
        }
        let mut events = Vec::new();
        let has_moved = self.peer.turn(&mut events)?;
        for event in events {
            match event {
                ClientEvent::Message(publish) if publish.retain => {
                    let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                    self.found.push((publish.topic.as_str().to_owned(), payload));
                }
                ClientEvent::Pong { .. } => self.check(ledger)?,
                ClientEvent::Message(_)
                | ClientEvent::Connected { .. }
                | ClientEvent::Refused { .. }
                | ClientEvent::Challenge { .. }
                | ClientEvent::Reauthenticated { .. }
                | ClientEvent::Published { .. }
                | ClientEvent::Subscribed { .. }
                | ClientEvent::Unsubscribed { .. }
                | ClientEvent::Disconnected(_) => {}
            }
        }
        Ok(has_moved)
    }

    fn check(&mut self, ledger: &Ledger) -> Result<(), Finding> {
        let Some(since) = self.since else { return Ok(()) };
        for publisher in 0..PUBLISHERS.len() {
            for topic in (0..RETAINED_TOPICS).map(|topic| retained_topic(publisher, topic)) {
                let found = self.found.iter().find(|(at, _)| *at == topic).map(|(_, payload)| &**payload);
                ledger.check_retained(publisher, &topic, since, found)?;
            }
        }
        self.is_done = true;
        Ok(())
    }
}
