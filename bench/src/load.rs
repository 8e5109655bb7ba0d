//! Publishers in a closed loop: each has a number of messages under way, and sends the next when one is acknowledged.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hearth_protocol::connection::{Client, ClientEvent, ClientOptions};
use hearth_protocol::packet::{ConnectProperties, Publish, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, Text, Time, TopicFilter, TopicName};

use crate::swarm::Swarm;
use crate::tally::Tally;

/// How long connecting and subscribing may take, and messages that are under way.
const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds that a lasting session outlives its connection.
const SESSION_SECONDS: u32 = 3600;

/// What the publishers do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) qos: QoS,
    pub(crate) payload_bytes: usize,
    /// Messages of one publisher under way.
    pub(crate) window: usize,
}

/// Publishers and subscribers at one broker. Publisher N sends to the topic `load/N`.
#[derive(Debug)]
pub(crate) struct Load {
    broker: SocketAddr,
    swarm: Swarm,
    pace: Pace,
    state: State,
}

#[derive(Debug)]
struct State {
    tally: Tally,
    topics: Vec<TopicName>,
    /// Of a connection, its publisher.
    publisher_by_connection: Vec<Option<usize>>,
    connected: usize,
    subscribed: usize,
    /// Messages that may yet be sent.
    budget: u64,
    session_present: bool,
}

impl Load {
    /// Nobody at this broker yet.
    pub(crate) fn new(broker: SocketAddr, pace: Pace) -> Result<Self> {
        let state = State {
            tally: Tally::default(),
            topics: Vec::new(),
            publisher_by_connection: Vec::new(),
            connected: 0,
            subscribed: 0,
            budget: 0,
            session_present: false,
        };
        Ok(Self { broker, swarm: Swarm::new()?, pace, state })
    }

    /// What was sent and what arrived.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.state.tally
    }

    /// Connects a subscriber and subscribes it; its number.
    pub(crate) fn subscribe(&mut self, client_id: &str, filter: &str, is_lasting: bool) -> Result<usize> {
        let number = self.connect(client_id, is_lasting, None)?;
        let filter = TopicFilter::try_from(filter).context("a filter of the benchmark")?;
        let (client, now) = self.swarm.client(number);
        let subscription = Subscription::new(filter, QoS::AtLeastOnce);
        client.subscribe(now, vec![subscription], SubscribeProperties::default())?;
        self.swarm.flush(number)?;
        let due = self.state.subscribed + 1;
        self.wait("SUBACK", PATIENCE, |state| state.subscribed == due)?;
        Ok(number)
    }

    /// Cuts a subscriber's connection.
    pub(crate) fn leave(&mut self, number: usize) {
        self.swarm.close(number);
    }

    /// Connects it again, to the session that it left; whether that was there.
    pub(crate) fn come_back(&mut self, number: usize) -> Result<bool> {
        self.swarm.client(number).0.options_mut().clean_start = false;
        let due = self.state.connected + 1;
        self.swarm.reopen(number, self.broker)?;
        self.wait("CONNACK", PATIENCE, |state| state.connected == due)?;
        Ok(self.state.session_present)
    }

    /// Connects so many publishers, which wait for [`Load::run`].
    pub(crate) fn connect_publishers(&mut self, publishers: usize) -> Result<()> {
        self.state.tally = Tally::new(publishers);
        for publisher in 0..publishers {
            let topic = TopicName::try_from(format!("load/{publisher}").as_str());
            self.state.topics.push(topic.context("a topic of the benchmark")?);
            self.connect(&format!("publisher {publisher}"), false, Some(publisher))?;
        }
        Ok(())
    }

    /// Lets the publishers send for some time, at most so many messages more.
    pub(crate) fn run(&mut self, time: Duration, messages_max: u64) -> Result<()> {
        let is_idle = self.state.budget == 0;
        self.state.budget = messages_max;
        if is_idle {
            self.fill_windows()?;
        }
        self.turns(time, |state| state.budget == 0)?;
        Ok(())
    }

    /// Sends no more, and waits until everything that is under way was acknowledged.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.state.budget = 0;
        self.wait("the last PUBACK", PATIENCE, |state| {
            state.tally.acknowledged + state.tally.refused == state.tally.sent()
        })
    }

    /// Waits until so many messages arrived, or none does any more for some seconds.
    pub(crate) fn wait_for_arrivals(&mut self, messages: u64) -> Result<Duration> {
        const QUIET: Duration = Duration::from_secs(3);
        let begin = Instant::now();
        let mut last = (self.state.tally.arrived, begin.elapsed());
        while last.0 < messages && begin.elapsed() < last.1 + QUIET {
            self.turns(Duration::from_millis(20), |state| state.tally.arrived >= messages)?;
            if self.state.tally.arrived > last.0 {
                last = (self.state.tally.arrived, begin.elapsed());
            }
        }
        Ok(last.1)
    }

    fn connect(&mut self, client_id: &str, is_lasting: bool, publisher: Option<usize>) -> Result<usize> {
        let due = self.state.connected + 1;
        self.state.publisher_by_connection.push(publisher);
        let number = self.swarm.open(self.broker, options(client_id, is_lasting)?)?;
        self.wait("CONNACK", PATIENCE, |state| state.connected == due)?;
        Ok(number)
    }

    fn fill_windows(&mut self) -> Result<()> {
        for connection in 0..self.state.publisher_by_connection.len() {
            let Some(publisher) = self.state.publisher_by_connection[connection] else { continue };
            let (client, now) = self.swarm.client(connection);
            for _ in 0..self.pace.window {
                self.state.publish(self.pace, publisher, client, now)?;
            }
            self.swarm.flush(connection)?;
        }
        Ok(())
    }

    fn wait(&mut self, what: &str, patience: Duration, is_so: impl Fn(&State) -> bool) -> Result<()> {
        if !self.turns(patience, is_so)? {
            bail!("{what} did not come within {} s", patience.as_secs());
        }
        Ok(())
    }

    fn turns(&mut self, patience: Duration, is_so: impl Fn(&State) -> bool) -> Result<bool> {
        let pace = self.pace;
        self.swarm.turn_until(patience, &mut self.state, is_so, |state, connection, client, now, event| {
            state.on_event(pace, connection, client, now, event)
        })
    }
}

impl State {
    fn on_event(
        &mut self,
        pace: Pace,
        connection: usize,
        client: &mut Client,
        now: Time,
        event: ClientEvent,
    ) -> Result<()> {
        match event {
            ClientEvent::Connected { session_present, .. } => {
                self.connected += 1;
                self.session_present = session_present;
            }
            ClientEvent::Subscribed { reasons, .. } => {
                if reasons.iter().any(|reason| reason.is_failure()) {
                    bail!("the broker does not take a subscription: {reasons:?}");
                }
                self.subscribed += 1;
            }
            ClientEvent::Message(publish) => self.tally.on_message(&publish.payload)?,
            ClientEvent::Published { token, reason, .. } => {
                let publisher = self.publisher_by_connection[connection].context("a subscriber published")?;
                self.tally.on_published(publisher, token, reason)?;
                self.publish(pace, publisher, client, now)?;
            }
            ClientEvent::Refused { reason, .. } => {
                bail!("the broker lets connection {connection} not in: {reason}")
            }
            ClientEvent::Disconnected(goodbye) => {
                bail!("the broker ends connection {connection}: {goodbye:?}")
            }
            ClientEvent::Pong { .. } => {}
            ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. }
            | ClientEvent::Unsubscribed { .. } => {
                bail!("the broker answers connection {connection} what nobody asked: {event:?}")
            }
        }
        Ok(())
    }

    fn publish(&mut self, pace: Pace, publisher: usize, client: &mut Client, now: Time) -> Result<()> {
        if self.budget == 0 {
            return Ok(());
        }
        self.budget -= 1;
        let publish = Publish {
            dup: false,
            qos: pace.qos,
            retain: false,
            topic: self.topics[publisher].clone(),
            packet_id: None,
            payload: self.tally.payload(publisher, pace.payload_bytes),
            properties: None,
        };
        let token = client.publish(now, publish)?;
        self.tally.on_sent(publisher, token);
        Ok(())
    }
}

/// A client of version 5.
pub(crate) fn options(client_id: &str, is_lasting: bool) -> Result<ClientOptions> {
    let session_expiry = is_lasting.then_some(SESSION_SECONDS);
    Ok(ClientOptions {
        properties: ConnectProperties { session_expiry, ..ConnectProperties::default() },
        adopt_session: true,
        ..ClientOptions::new(Text::try_from(client_id).context("a client id of the benchmark")?)
    })
}
