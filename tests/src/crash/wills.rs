//! What clients leave to be published comes once, at its time, whenever the broker is killed, and not of those that said goodbye.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_protocol::connection::client::ClientEvent;
use hearth_protocol::generate::Random;
use hearth_protocol::packet::{Disconnect, SubscribeProperties, Subscription, Will, WillProperties};
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};
use rustix::process::Signal;

use super::broker::{Broken, Broker, FLOW};
use super::peer::Peer;
use super::{Finding, broken_rules, number, shards};
use crate::process::PATIENCE;
use crate::wire::topic_filter;

/// Rounds of the ordinary tests: each takes somewhat longer than a will waits.
const ROUNDS: usize = 2;

/// Rounds within which a broken rule must show.
const ROUNDS_TO_NOTICE: usize = 20;

/// Clients that leave a will. The first say goodbye, so that the CONNACK of others comes behind that and tells that it is on disk.
const CLIENTS: usize = 12;
const POLITE: usize = 2;
/// This one says goodbye and asks for its will all the same.
const DEMANDING: usize = 2;

/// Subscribers that are told, enough for several shards.
const WATCHERS: usize = 3;

/// How long a will waits that comes in its round, and one whose client is back before.
const SHORT_SECONDS: u32 = 1;
const LONG_SECONDS: u32 = 3600;

/// While this lasts, wills that wait for nothing are on their way to sessions and to the disk.
const WAYS_MS: usize = 40;

/// By how much a will may seem to come early: each process counts whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(5);

struct World {
    dice: Random,
    broker: Broker,
    clients: Vec<Peer>,
    /// What the will of each client says.
    words: Vec<String>,
    watchers: Vec<Watcher>,
    /// What must come in this round, by payload.
    expected: BTreeMap<String, Expected>,
    /// Those of the round before with QoS 1: one that a process had sent and not written down comes once more from the next, which
    /// may be as late as this round.
    before: BTreeSet<String>,
    told: usize,
}

/// A will that must come.
struct Expected {
    qos: QoS,
    delay: Duration,
    /// Not before its delay is over; known once its client is gone.
    since: Option<Instant>,
}

/// Somebody who is told, and how often and since when it was told what.
struct Watcher {
    peer: Peer,
    told: BTreeMap<String, (usize, Instant)>,
    /// It is away while wills come, and hears of them after the restart.
    is_late: bool,
}

impl Watcher {
    fn turn(&mut self) -> Result<(), Finding> {
        let mut events = Vec::new();
        self.peer.turn(&mut events)?;
        self.take(events);
        Ok(())
    }

    fn take(&mut self, events: Vec<ClientEvent>) {
        for event in events {
            if let ClientEvent::Message(publish) = event {
                let key = String::from_utf8_lossy(&publish.payload).into_owned();
                self.told.entry(key).or_insert_with(|| (0, Instant::now())).0 += 1;
            }
        }
    }
}

impl World {
    fn new(seed: u64, broken: Option<Broken>) -> Self {
        let client = |number: usize| {
            let version = if number % 4 == 3 { Version::V311 } else { Version::V5 };
            Peer::new(version, &format!("mortal {number}"))
        };
        let watcher = |number: usize| Watcher {
            peer: Peer::new(Version::V5, &format!("watcher {number}")),
            told: BTreeMap::new(),
            is_late: number == 0,
        };
        Self {
            dice: Random::new(seed),
            broker: Broker::new(shards(), broken),
            clients: (0..CLIENTS).map(client).collect(),
            words: vec![String::new(); CLIENTS],
            watchers: (0..WATCHERS).map(watcher).collect(),
            expected: BTreeMap::new(),
            before: BTreeSet::new(),
            told: 0,
        }
    }

    fn play(&mut self, rounds: usize) -> Result<(), Finding> {
        let address = self.broker.start();
        self.begin_to_watch(address)?;
        self.end(false)?;
        for round in 1..=rounds {
            self.play_round(round).map_err(|finding| format!("round {round} of wills: {finding}"))?;
            if round % 50 == 0 {
                eprintln!("{round} rounds of wills, {} came", self.told);
            }
        }
        Ok(())
    }

    fn begin_to_watch(&mut self, address: SocketAddr) -> Result<(), Finding> {
        for watcher in &mut self.watchers {
            connect(&mut watcher.peer, address)?;
            let asked = vec![Subscription::new(topic_filter("wills/#"), QoS::ExactlyOnce)];
            let now = watcher.peer.now();
            let token = watcher.peer.client.subscribe(now, asked, SubscribeProperties::default()).unwrap();
            let is_it = |event: &ClientEvent| matches!(event, ClientEvent::Subscribed { token: other, .. } if *other == token);
            until(&mut watcher.peer, "SUBACK", |_, events| events.iter().any(is_it))?;
        }
        Ok(())
    }

    /// Clients come, some say goodbye, some are cut off, and the broker ends; then each will comes once.
    fn play_round(&mut self, round: usize) -> Result<(), Finding> {
        let address = self.broker.start();
        for number in 0..CLIENTS {
            self.bring(number, round, address)?;
        }
        let cut = DEMANDING + 1 + self.dice.below(CLIENTS - DEMANDING);
        for number in DEMANDING + 1..cut.min(CLIENTS) {
            self.lose(number);
            self.clients[number].cut();
        }
        // At times right behind the last CONNACK, or while wills are on their way.
        let life = match self.dice.below(3) {
            0 => 0,
            1 => self.dice.below(WAYS_MS),
            _ => self.dice.below(1500),
        };
        self.watch(address, Duration::from_millis(life as u64), false)?;
        let is_orderly = self.dice.one_in(6);
        if is_orderly {
            self.lose_all();
        }
        self.end(is_orderly)?;
        self.lose_all();
        match self.dice.below(3) {
            0 => {
                let after = Duration::from_millis(self.dice.below(1500) as u64);
                self.broker.start_and_kill(after);
            }
            1 => {
                // What the last process left without a delay is on its way.
                self.broker.start();
                sleep(Duration::from_millis(self.dice.below(WAYS_MS) as u64));
                self.broker.kill();
            }
            _ => {}
        }
        let address = self.broker.start();
        self.wait_for_all(address)?;
        self.check()?;
        self.end(false)
    }

    /// A client comes with a new will; some leave at once.
    fn bring(&mut self, number: usize, round: usize, address: SocketAddr) -> Result<(), Finding> {
        let dice = &mut self.dice;
        let client = &mut self.clients[number];
        let qos = dice.pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let delay = match client.client.options().version.is_v5() {
            true => dice.pick(&[None, Some(SHORT_SECONDS), Some(SHORT_SECONDS), Some(LONG_SECONDS)]),
            false => None,
        };
        let key = format!("{number} in round {round} after {} s", delay.unwrap_or(0));
        self.words[number].clone_from(&key);
        client.client.options_mut().will = Some(Will {
            topic: TopicName::try_from(format!("wills/{number}").as_str()).unwrap(),
            payload: Bytes::from(key.clone()),
            qos,
            retain: false,
            properties: WillProperties { delay, ..WillProperties::default() },
        });
        connect(client, address)?;
        if number < POLITE {
            return part(client, ReasonCode::Success);
        }
        if delay != Some(LONG_SECONDS) {
            let delay = Duration::from_secs(u64::from(delay.unwrap_or(0)));
            self.expected.insert(key, Expected { qos, delay, since: None });
        }
        if number == DEMANDING {
            self.lose(number);
            part(&mut self.clients[number], ReasonCode::DisconnectWithWill)?;
        }
        Ok(())
    }

    /// A client is about to lose its connection, if it had one still.
    fn lose(&mut self, number: usize) {
        if let Some(expected) = self.expected.get_mut(&self.words[number]) {
            expected.since.get_or_insert_with(|| Instant::now() + expected.delay);
        }
    }

    fn lose_all(&mut self) {
        (0..CLIENTS).for_each(|number| self.lose(number));
    }

    /// Everybody watches for a while.
    fn watch(&mut self, address: SocketAddr, duration: Duration, is_with_all: bool) -> Result<(), Finding> {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            for watcher in self.watchers.iter_mut().filter(|watcher| is_with_all || !watcher.is_late) {
                if !watcher.peer.has_transport() {
                    watcher.peer.open(address);
                }
                watcher.turn()?;
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Waits until all have come, and all that has come is acknowledged for good: no later process may send it again.
    fn wait_for_all(&mut self, address: SocketAddr) -> Result<(), Finding> {
        let deadline = Instant::now() + PATIENCE / 2;
        loop {
            self.watch(address, Duration::from_millis(20), true)?;
            let missing = self.missing();
            if missing.is_none() && !self.broker.has_rows(FLOW) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let rows = self.broker.rows(FLOW);
                return Err(format!("{}; rows: {rows:?}", missing.as_deref().unwrap_or("rows are left")));
            }
        }
    }

    /// Ends the broker, and reads what it had said.
    fn end(&mut self, is_orderly: bool) -> Result<(), Finding> {
        if let Some(complaint) = self.broker.complaint() {
            return Err(format!("the broker complains: {complaint}"));
        }
        if is_orderly {
            self.broker.signal(Signal::TERM);
            let deadline = Instant::now() + PATIENCE;
            while self.broker.is_running() && Instant::now() < deadline {
                self.watchers.iter_mut().try_for_each(Watcher::turn)?;
            }
        }
        self.broker.kill();
        for watcher in &mut self.watchers {
            let mut events = Vec::new();
            watcher.peer.read_to_end(&mut events)?;
            watcher.take(events);
        }
        self.clients.iter_mut().for_each(Peer::cut);
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        self.watchers.iter().enumerate().find_map(|(number, watcher)| {
            let missing = self.expected.keys().find(|key| !watcher.told.contains_key(*key))?;
            Some(format!("watcher {number} was not told of the will of {missing}"))
        })
    }

    /// Nothing was told twice or too early, and nothing that was taken back.
    fn check(&mut self) -> Result<(), Finding> {
        let expected = std::mem::take(&mut self.expected);
        for (number, watcher) in self.watchers.iter_mut().enumerate() {
            for (key, (times, first)) in std::mem::take(&mut watcher.told) {
                let of = format!("watcher {number} was told of the will of {key}");
                if self.before.contains(&key) {
                    continue;
                }
                let Some(Expected { qos, since, .. }) = expected.get(&key) else {
                    return Err(format!("{of}, which was taken back, had come before or has to wait"));
                };
                if since.is_none_or(|since| first + ROUNDING < since) {
                    return Err(format!("{of} too early"));
                }
                if *qos == QoS::ExactlyOnce && times > 1 {
                    return Err(format!("{of} {times} times"));
                }
                self.told += 1;
            }
        }
        let of_qos_1 = expected.into_iter().filter(|(_, expected)| expected.qos == QoS::AtLeastOnce);
        self.before = of_qos_1.map(|(key, _)| key).collect();
        Ok(())
    }
}

/// Connects, and waits for CONNACK.
fn connect(peer: &mut Peer, address: SocketAddr) -> Result<(), Finding> {
    peer.open(address);
    until(peer, "CONNACK", |peer, _| peer.client.is_connected())
}

/// Says goodbye, and waits for the end of the connection.
fn part(peer: &mut Peer, reason: ReasonCode) -> Result<(), Finding> {
    let now = peer.now();
    peer.client.disconnect(now, Disconnect::new(reason));
    until(peer, "the end of its connection", |peer, _| !peer.has_transport())
}

/// Lets a client go on until something is so.
fn until(peer: &mut Peer, what: &str, is_so: impl Fn(&Peer, &[ClientEvent]) -> bool) -> Result<(), Finding> {
    let deadline = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    while !is_so(peer, &events) {
        if Instant::now() > deadline {
            return Err(format!("{}: waits for {what}", peer.client.options().client_id));
        }
        peer.turn(&mut events)?;
        sleep(Duration::from_micros(200));
    }
    Ok(())
}

#[test]
fn each_will_comes_once_whenever_the_broker_is_killed() {
    let rounds = number("HEARTH_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let seed = number("HEARTH_CRASH_SEED").unwrap_or(1);
    let mut world = World::new(seed, None);
    if let Err(finding) = world.play(rounds) {
        panic!("seed {seed} with {} shards, {finding}", shards());
    }
    eprintln!("{rounds} rounds of wills passed with {} shards: {} came", shards(), world.told);
}

#[test]
#[ignore = "needs a program that breaks rules, which `cargo xtask crash` builds"]
fn every_broken_rule_of_wills_shows() {
    for broken in broken_rules() {
        let rule = broken.rule.clone();
        match World::new(number("HEARTH_CRASH_SEED").unwrap_or(1), Some(broken)).play(ROUNDS_TO_NOTICE) {
            Ok(()) => panic!("{ROUNDS_TO_NOTICE} rounds of wills have not shown the broken rule {rule}"),
            Err(finding) => eprintln!("broken on purpose, {rule}: {finding}"),
        }
    }
}
