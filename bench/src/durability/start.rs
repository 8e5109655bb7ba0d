//! How long a broker takes to be back after a kill, and how much it still has.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hearth_protocol::connection::{ClientEvent, ClientOptions};
use hearth_protocol::packet::{Publish, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, Text, TopicFilter, TopicName};

use super::count;
use crate::broker::Broker;
use crate::load::options;
use crate::swarm::Swarm;
use crate::table::Column;

pub(super) const COLUMNS: &[Column] = &[
    Column { title: "takes connections, ms", digits: 0 },
    Column { title: "first SUBACK, ms", digits: 0 },
    Column { title: "first retained message, ms", digits: 0 },
    Column { title: "CPU s until then", digits: 2 },
    Column { title: "memory then, MiB", digits: 1 },
    Column { title: "retained messages kept", digits: 0 },
    Column { title: "sessions kept, %", digits: 0 },
];

const RETAINED: usize = 100_000;
const SESSIONS: usize = 10_000;
/// Sessions that are made at once.
const AT_ONCE: usize = 100;
/// One session in so many is looked for.
const SAMPLE: usize = 100;
const PAYLOAD_BYTES: usize = 64;
/// How long filling may take: one that writes everything at each change would take hours.
const FILL_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// No more retained messages come when none came for so long.
const QUIET: Duration = Duration::from_secs(1);

/// No figures of a broker that cannot be filled in the time.
pub(super) fn measure(broker: &mut Broker) -> Result<Vec<f64>> {
    let retained = retain(broker)?;
    if retained < RETAINED {
        eprintln!("left out: {retained} of {RETAINED} retained messages within {} s", FILL_MAX.as_secs());
        return Ok(vec![f64::NAN; COLUMNS.len()]);
    }
    (0..SESSIONS).step_by(AT_ONCE).try_for_each(|first| make_sessions(broker, first))?;
    broker.kill()?;
    let begin = Instant::now();
    let listening = broker.start_again()?;
    let mut reader = Reader::subscribe(broker, &format!("retained/{}", RETAINED / 2))?;
    let answered = begin.elapsed();
    let served = (reader.wait_for(1)? == 1).then(|| begin.elapsed());
    let (cpu, memory) = (broker.cpu()?, broker.resident_bytes()?);
    let kept = sessions_kept(broker)?;
    let retained = Reader::subscribe(broker, "retained/#")?.wait_for(RETAINED as u64)?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(vec![
        milliseconds(listening),
        milliseconds(answered),
        served.map_or(f64::NAN, milliseconds),
        cpu.as_secs_f64(),
        count(memory) / f64::from(1 << 20),
        count(retained),
        kept,
    ])
}

/// How many retained messages the broker has taken in the time.
fn retain(broker: &Broker) -> Result<usize> {
    let mut swarm = Swarm::new()?;
    let publisher = swarm.open(
        broker.address,
        ClientOptions { queue_max: RETAINED, topic_aliases_max: 0, ..options("publisher", false)? },
    )?;
    let (client, now) = swarm.client(publisher);
    for number in 0..RETAINED {
        client.publish(now, retained(number)?)?;
    }
    let mut published = 0;
    swarm.turn_until(
        FILL_MAX,
        &mut published,
        |published| *published == RETAINED,
        |published, _, _, _, event| {
            if let ClientEvent::Published { reason, .. } = event {
                if reason.is_failure() {
                    bail!("the broker does not retain a message: {reason}");
                }
                *published += 1;
            }
            Ok(())
        },
    )?;
    Ok(published)
}

fn make_sessions(broker: &Broker, first: usize) -> Result<()> {
    let mut swarm = Swarm::new()?;
    for number in first..first + AT_ONCE {
        swarm.open(broker.address, options(&session(number), true)?)?;
    }
    let mut subscribed = 0;
    let is_whole = swarm.turn_until(
        PATIENCE,
        &mut subscribed,
        |subscribed| *subscribed == AT_ONCE,
        |subscribed, connection, client, now, event| {
            if let ClientEvent::Connected { .. } = event {
                let filter = filter(&format!("session/{}/+", first + connection))?;
                let subscription = Subscription::new(filter, QoS::AtLeastOnce);
                client.subscribe(now, vec![subscription], SubscribeProperties::default())?;
            } else if let ClientEvent::Subscribed { .. } = event {
                *subscribed += 1;
            } else {
                bail!("a session cannot be made: {event:?}");
            }
            Ok(())
        },
    )?;
    if !is_whole {
        bail!("{AT_ONCE} sessions were not made within {} s", PATIENCE.as_secs());
    }
    Ok(())
}

/// A subscriber that counts.
struct Reader {
    swarm: Swarm,
    state: Read,
}

#[derive(Clone, Copy, Debug, Default)]
struct Read {
    is_subscribed: bool,
    arrived: u64,
}

impl Reader {
    /// Returns when SUBACK is there.
    fn subscribe(broker: &Broker, pattern: &str) -> Result<Self> {
        let mut swarm = Swarm::new()?;
        swarm.open(broker.address, options("reader", false)?)?;
        let mut reader = Self { swarm, state: Read::default() };
        let pattern = filter(pattern)?;
        if !reader.turn_until(PATIENCE, Some(&pattern), |state| state.is_subscribed)? {
            bail!("no SUBACK within {} s", PATIENCE.as_secs());
        }
        Ok(reader)
    }

    /// Waits until so many messages arrived, or none does for a while; how many did.
    fn wait_for(&mut self, expected: u64) -> Result<u64> {
        loop {
            let before = self.state.arrived;
            let is_whole = self.turn_until(QUIET, None, |state| state.arrived >= expected)?;
            if is_whole || self.state.arrived == before {
                return Ok(self.state.arrived);
            }
        }
    }

    fn turn_until(
        &mut self,
        patience: Duration,
        pattern: Option<&TopicFilter>,
        is_so: impl Fn(&Read) -> bool,
    ) -> Result<bool> {
        self.swarm.turn_until(patience, &mut self.state, is_so, |state, _, client, now, event| {
            if let (ClientEvent::Connected { .. }, Some(pattern)) = (&event, pattern) {
                let subscription = Subscription::new(pattern.clone(), QoS::AtLeastOnce);
                client.subscribe(now, vec![subscription], SubscribeProperties::default())?;
            }
            state.is_subscribed |= matches!(event, ClientEvent::Subscribed { .. });
            state.arrived += u64::from(matches!(event, ClientEvent::Message(_)));
            Ok(())
        })
    }
}

/// Of a sample, how many percent are there.
fn sessions_kept(broker: &Broker) -> Result<f64> {
    let mut swarm = Swarm::new()?;
    let looked_for = SESSIONS / SAMPLE;
    for number in (0..SESSIONS).step_by(SAMPLE) {
        swarm
            .open(broker.address, ClientOptions { clean_start: false, ..options(&session(number), true)? })?;
    }
    let mut answers = (0, 0);
    swarm.turn_until(
        PATIENCE,
        &mut answers,
        |(connected, _)| *connected == looked_for,
        |(connected, present), _, _, _, event| {
            if let ClientEvent::Connected { session_present, .. } = event {
                *connected += 1;
                *present += u64::from(session_present);
            }
            Ok(())
        },
    )?;
    Ok(count(answers.1) * 100.0 / count(looked_for as u64))
}

fn retained(number: usize) -> Result<Publish> {
    Ok(Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: TopicName::try_from(format!("retained/{number}").as_str())
            .context("a topic of the benchmark")?,
        packet_id: None,
        payload: Bytes::from(vec![b'.'; PAYLOAD_BYTES]),
        properties: None,
    })
}

fn filter(text: &str) -> Result<TopicFilter> {
    TopicFilter::new(Text::try_from(text).context("a filter of the benchmark")?)
        .context("a filter of the benchmark")
}

fn session(number: usize) -> String {
    format!("session {number}")
}
