//! Publishers and subscribers of some traffic at one broker, in a closed or an open loop.
//!
//! In the closed loop a publisher has a number of messages under way and sends the next when one has arrived everywhere and was
//! acknowledged. In the open loop messages are due at times that nothing delays, and how late each arrives is counted from
//! then on: a broker that stalls is not asked less, and its stall is seen by every message that would have come in it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use hearth_protocol::connection::{Client, ClientEvent, ClientOptions};
use hearth_protocol::packet::{Publish, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, Text, Time, TopicFilter, TopicName};

use crate::receipts::Receipts;
use crate::schedule::{STEP, Schedule};
use crate::swarm::{Door, Swarm};
use crate::traffic::Traffic;

/// How long connecting and subscribing may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clients that connect at once: some brokers have a queue of a hundred.
const AT_ONCE: usize = 50;
/// Filters in one SUBSCRIBE.
const FILTERS_AT_ONCE: usize = 100;
/// What did not arrive for so long does not arrive any more.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// The longest delay that is told apart from longer ones, in nanoseconds.
const LATENCY_MAX: u64 = 60_000_000_000;
/// Digits of a delay that are kept.
const LATENCY_DIGITS: u8 = 3;

/// The clients, connected and subscribed.
#[derive(Debug)]
pub(crate) struct Crowd {
    swarm: Swarm,
    state: State,
}

#[derive(Debug)]
struct State {
    traffic: Traffic,
    begin: Instant,
    receipts: Receipts,
    subscribers: Vec<Subscriber>,
    publishers: Vec<Publisher>,
    roles: Vec<Role>,
    connected: usize,
    /// SUBACKs that are due.
    unanswered: usize,
    /// Publishers that may send.
    ready: Vec<usize>,
    /// Messages of one publisher that are under way in a closed loop.
    window: u64,
    latency: Option<Histogram<u64>>,
}

/// What a connection is for; the number is that of its kind.
#[derive(Clone, Copy, Debug)]
enum Role {
    Subscriber(usize),
    Publisher(usize),
}

#[derive(Debug)]
struct Subscriber {
    /// What it has not subscribed to yet.
    filters: Vec<Subscription>,
}

#[derive(Debug)]
struct Publisher {
    connection: usize,
    topics: Vec<TopicName>,
    topic_next: usize,
    /// Arrivals and acknowledgements that it may have outstanding.
    credit: u64,
    is_ready: bool,
}

impl Crowd {
    /// Connects all of them and waits until they are subscribed.
    pub(crate) fn gather(door: &Door, traffic: Traffic) -> Result<Self> {
        let pattern = traffic.pattern;
        let mut crowd = Self { swarm: Swarm::new()?, state: State::new(traffic)? };
        for subscriber in 0..pattern.subscribers() {
            crowd.open(door, &format!("subscriber-{subscriber}"), Role::Subscriber(subscriber))?;
        }
        crowd.wait("CONNACK", |state| state.connected == state.roles.len())?;
        crowd.wait("SUBACK", |state| state.unanswered == 0)?;
        for publisher in 0..pattern.publishers() {
            let number = crowd.open(door, &format!("publisher-{publisher}"), Role::Publisher(publisher))?;
            crowd.state.publishers[publisher].connection = number;
        }
        crowd.wait("CONNACK", |state| state.connected == state.roles.len())?;
        Ok(crowd)
    }

    /// What was sent and what arrived.
    pub(crate) const fn receipts(&self) -> &Receipts {
        &self.state.receipts
    }

    /// How late messages arrived since the last call, in nanoseconds; from then on it is counted.
    pub(crate) fn take_latency(&mut self) -> Result<Option<Histogram<u64>>> {
        let empty = Histogram::new_with_max(LATENCY_MAX, LATENCY_DIGITS)?;
        Ok(self.state.latency.replace(empty))
    }

    /// From now on each publisher has so many messages under way.
    pub(crate) fn begin_closed(&mut self, window: u64) {
        self.state.window = window;
        self.state.grant();
    }

    /// Nobody begins a message any more.
    pub(crate) fn end_closed(&mut self) {
        self.state.window = 0;
        self.state.grant();
    }

    /// Lets the closed loop run for some time. Where nothing arrives for long, what was under way is given up, so that a broker that
    /// drops messages goes on.
    pub(crate) fn run_closed(&mut self, time: Duration) -> Result<()> {
        let deadline = Instant::now() + time;
        let mut last = (self.state.receipts.arrived, Instant::now());
        while Instant::now() < deadline {
            self.send_ready()?;
            self.turn(Duration::from_millis(20))?;
            if self.state.receipts.arrived != last.0 {
                last = (self.state.receipts.arrived, Instant::now());
            } else if last.1.elapsed() > LOST_AFTER {
                last.1 = Instant::now();
                self.state.grant();
            }
        }
        Ok(())
    }

    /// Sends so many messages a second, of all publishers together, for some time; how long that took.
    pub(crate) fn run_open(&mut self, rate: f64, time: Duration) -> Result<Duration> {
        let begin = Instant::now();
        let origin = self.state.since_begin();
        let mut schedule = Schedule::new(rate, time);
        self.swarm.tick(STEP)?;
        let mut turned = Ok(());
        while turned.is_ok() && !schedule.is_over() {
            turned = self.send_due(&mut schedule, origin, begin.elapsed());
            turned = turned.and_then(|()| self.turn(Duration::from_millis(1)));
        }
        self.swarm.tick_no_more();
        turned.map(|()| begin.elapsed())
    }

    /// Sends nothing and waits until everything arrived, or nothing does any more.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let mut last = (self.state.receipts.arrived, Instant::now());
        while self.state.receipts.missing() > 0 && last.1.elapsed() < LOST_AFTER {
            self.turn(Duration::from_millis(20))?;
            if self.state.receipts.arrived != last.0 {
                last = (self.state.receipts.arrived, Instant::now());
            }
        }
        Ok(())
    }

    fn open(&mut self, door: &Door, client_id: &str, role: Role) -> Result<usize> {
        self.wait("CONNACK", |state| state.connected + AT_ONCE > state.roles.len())?;
        self.state.roles.push(role);
        let client_id = Text::try_from(client_id).context("a client id of the benchmark")?;
        self.swarm.open(
            door.clone(),
            ClientOptions {
                version: self.state.traffic.version,
                keep_alive: 60,
                // An alias would make the packets of one version smaller than those of the other.
                topic_aliases_max: 0,
                queue_max: usize::MAX,
                ..ClientOptions::new(client_id)
            },
        )
    }

    fn send_ready(&mut self) -> Result<()> {
        while let Some(publisher) = self.state.ready.pop() {
            self.state.publishers[publisher].is_ready = false;
            let unit = self.state.unit();
            let connection = self.state.publishers[publisher].connection;
            let due = self.state.since_begin();
            while self.state.publishers[publisher].credit >= unit {
                self.state.publishers[publisher].credit -= unit;
                let (client, now) = self.swarm.client(connection);
                self.state.publish(publisher, due, client, now)?;
            }
            self.swarm.flush(connection)?;
        }
        Ok(())
    }

    fn send_due(&mut self, schedule: &mut Schedule, origin: Duration, elapsed: Duration) -> Result<()> {
        let publishers = self.state.publishers.len() as u64;
        let first = schedule.next;
        while let Some((message, due)) = schedule.pop(elapsed) {
            let publisher = usize::try_from(message % publishers)?;
            let connection = self.state.publishers[publisher].connection;
            let (client, now) = self.swarm.client(connection);
            self.state.publish(publisher, origin + due, client, now)?;
        }
        for message in first..schedule.next.min(first + publishers) {
            let publisher = usize::try_from(message % publishers)?;
            self.swarm.flush(self.state.publishers[publisher].connection)?;
        }
        Ok(())
    }

    fn wait(&mut self, what: &str, is_so: impl Fn(&State) -> bool) -> Result<()> {
        let is_whole = self.swarm.turn_until(
            PATIENCE,
            &mut self.state,
            is_so,
            |state, number, client, now, event| state.on_event(number, client, now, event),
        )?;
        if !is_whole {
            bail!("{what} did not come within {} s", PATIENCE.as_secs());
        }
        Ok(())
    }

    fn turn(&mut self, patience: Duration) -> Result<()> {
        let state = &mut self.state;
        self.swarm
            .turn(patience, &mut |number, client, now, event| state.on_event(number, client, now, event))
    }
}

impl State {
    fn new(traffic: Traffic) -> Result<Self> {
        let pattern = traffic.pattern;
        let mut subscribers = Vec::new();
        for subscriber in 0..pattern.subscribers() {
            let filters = pattern.filters(subscriber).into_iter().map(|filter| {
                let filter = TopicFilter::try_from(filter.as_str()).context("a filter of the benchmark")?;
                Ok(Subscription::new(filter, traffic.qos))
            });
            subscribers.push(Subscriber { filters: filters.collect::<Result<_>>()? });
        }
        let mut publishers = Vec::new();
        for publisher in 0..pattern.publishers() {
            let topics = pattern.topics(publisher).into_iter();
            let topics =
                topics.map(|topic| TopicName::try_from(topic.as_str()).context("a topic of the benchmark"));
            let topics = topics.collect::<Result<_>>()?;
            publishers.push(Publisher { connection: 0, topics, topic_next: 0, credit: 0, is_ready: false });
        }
        Ok(Self {
            traffic,
            begin: Instant::now(),
            receipts: Receipts::new(pattern.publishers(), pattern.copies()),
            subscribers,
            publishers,
            roles: Vec::new(),
            connected: 0,
            unanswered: 0,
            ready: Vec::new(),
            window: 0,
            latency: None,
        })
    }

    /// What a message gives back, one after the other: its arrivals, and its acknowledgement.
    fn unit(&self) -> u64 {
        self.traffic.pattern.copies() as u64 + u64::from(self.traffic.qos != QoS::AtMostOnce)
    }

    fn grant(&mut self) {
        let credit = self.window * self.unit();
        for (number, publisher) in self.publishers.iter_mut().enumerate() {
            publisher.credit = credit;
            if credit > 0 && !publisher.is_ready {
                publisher.is_ready = true;
                self.ready.push(number);
            }
        }
    }

    fn give_back(&mut self, publisher: usize) {
        let unit = self.unit();
        let waiting = &mut self.publishers[publisher];
        waiting.credit += 1;
        if waiting.credit >= unit && !waiting.is_ready {
            waiting.is_ready = true;
            self.ready.push(publisher);
        }
    }

    fn since_begin(&self) -> Duration {
        self.begin.elapsed()
    }

    fn publish(&mut self, publisher: usize, due: Duration, client: &mut Client, now: Time) -> Result<()> {
        let stamp = self.receipts.send(publisher, nanos(due));
        let publisher = &mut self.publishers[publisher];
        let topic = publisher.topics[publisher.topic_next].clone();
        publisher.topic_next = (publisher.topic_next + 1) % publisher.topics.len();
        let Traffic { qos, payload_bytes, .. } = self.traffic;
        let payload = stamp.payload(payload_bytes);
        let publish =
            Publish { dup: false, qos, retain: false, topic, packet_id: None, payload, properties: None };
        client.publish(now, publish)?;
        if qos == QoS::AtMostOnce {
            // It tells at once that it was handed over, and of nothing else.
            while let Some(event) = client.poll_event() {
                self.check_published(&event)?;
            }
        }
        Ok(())
    }

    fn check_published(&self, event: &ClientEvent) -> Result<()> {
        if !matches!(event, ClientEvent::Published { reason, .. } if !reason.is_failure()) {
            bail!("a message of QoS {} was not sent: {event:?}", self.traffic.qos as u8);
        }
        Ok(())
    }

    fn on_event(&mut self, number: usize, client: &mut Client, now: Time, event: ClientEvent) -> Result<()> {
        let role = self.roles[number];
        match (event, role) {
            (ClientEvent::Connected { .. }, role) => {
                self.connected += 1;
                if let Role::Subscriber(subscriber) = role {
                    self.subscribe(subscriber, client, now)?;
                }
                Ok(())
            }
            (ClientEvent::Subscribed { reasons, .. }, Role::Subscriber(subscriber)) => {
                if reasons.iter().any(|reason| reason.is_failure()) {
                    bail!("the broker does not take a subscription: {reasons:?}");
                }
                self.unanswered -= 1;
                self.subscribe(subscriber, client, now)
            }
            (ClientEvent::Message(publish), Role::Subscriber(subscriber)) => {
                self.on_message(subscriber, &publish.payload)
            }
            (event @ ClientEvent::Published { .. }, Role::Publisher(publisher)) => {
                self.check_published(&event)?;
                self.give_back(publisher);
                Ok(())
            }
            (ClientEvent::Pong { .. }, _) => Ok(()),
            (event, _) => bail!("the broker does to connection {number} what nobody asked for: {event:?}"),
        }
    }

    fn subscribe(&mut self, subscriber: usize, client: &mut Client, now: Time) -> Result<()> {
        let filters = &mut self.subscribers[subscriber].filters;
        if filters.is_empty() {
            return Ok(());
        }
        let some = filters.split_off(filters.len().saturating_sub(FILTERS_AT_ONCE));
        client.subscribe(now, some, SubscribeProperties::default())?;
        self.unanswered += 1;
        Ok(())
    }

    fn on_message(&mut self, subscriber: usize, payload: &[u8]) -> Result<()> {
        let (stamp, is_new) = self.receipts.receive(subscriber, payload)?;
        if let Some(latency) = &mut self.latency {
            let delay = nanos(self.begin.elapsed()).saturating_sub(stamp.due_nanos);
            latency.saturating_record(delay);
        }
        if is_new {
            self.give_back(stamp.publisher as usize);
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use hearth_protocol::Version;

    use super::*;
    use crate::floor;
    use crate::traffic::{Pattern, Way};

    /// A door to the server that only hands bytes on, in a thread that ends with the tests.
    fn floor() -> Door {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || floor::serve(listener));
        address.into()
    }

    #[test]
    fn both_loops_bring_every_message_once_in_every_pattern_version_and_qos() {
        let door = floor();
        for pattern in [Pattern::FanOut(20), Pattern::FanIn(5), Pattern::Pairs(7)] {
            for version in [Version::V311, Version::V5] {
                for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                    let traffic = Traffic { pattern, qos, payload_bytes: 40, version, way: Way::Tcp };
                    let mut crowd = Crowd::gather(&door, traffic).unwrap();
                    crowd.begin_closed(3);
                    while crowd.receipts().arrived < 200 {
                        crowd.run_closed(Duration::from_millis(1)).unwrap();
                    }
                    crowd.end_closed();
                    crowd.drain().unwrap();
                    let closed = crowd.receipts().sent();
                    assert!(crowd.take_latency().unwrap().is_none());
                    crowd.run_open(20_000.0, Duration::from_millis(5)).unwrap();
                    crowd.drain().unwrap();
                    let receipts = crowd.receipts();
                    assert_eq!((receipts.missing(), receipts.again), (0, 0), "{traffic:?}");
                    assert_eq!(receipts.sent() - closed, 100, "{traffic:?}");
                    let latency = crowd.take_latency().unwrap().unwrap();
                    assert_eq!(latency.len(), 100 * pattern.copies() as u64, "{traffic:?}");
                }
            }
        }
    }
}
