//! What clients cost that come, stay or ask for what is kept.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hearth_protocol::connection::{ClientEvent, ClientOptions};
use hearth_protocol::packet::{Disconnect, Publish, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName, Version};

use super::figures::{Figures, Metric, count};
use super::measure::Times;
use crate::peer::Peer;
use crate::swarm::{Door, Swarm};

/// Clients that connect at once: some brokers have a queue of a hundred.
const AT_ONCE: usize = 50;
/// How long all clients may take to connect, and retained messages to be taken.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until a broker has given back what it does not need.
const SETTLE: Duration = Duration::from_millis(1500);
/// No more retained messages come when none came for so long.
const QUIET: Duration = Duration::from_secs(2);
const RETAINED_BYTES: usize = 64;
const MIB: f64 = (1 << 20) as f64;

/// Clients that connect, hear that they are connected, and leave; each place is taken by a new one.
pub(super) fn storm(peer: &Peer, door: &Door, times: Times) -> Result<Figures> {
    let mut swarm = Swarm::new()?;
    for number in 0..AT_ONCE {
        swarm.open(door.clone(), options(number)?)?;
    }
    let (mut next, mut done, mut connected) = (AT_ONCE, Vec::new(), 0_u64);
    let warm = Instant::now() + times.warm_up;
    let mut begin = None;
    loop {
        if begin.is_none() && Instant::now() >= warm {
            begin = Some((Instant::now(), connected, peer.cpu()?));
        }
        if begin.is_some_and(|(at, _, _)| at.elapsed() >= times.measured) {
            break;
        }
        swarm.turn(Duration::from_millis(10), &mut |number, client, now, event| {
            if !matches!(event, ClientEvent::Connected { .. }) {
                bail!("the broker lets a client not in: {event:?}");
            }
            client.disconnect(now, Disconnect::new(ReasonCode::Success));
            done.push(number);
            Ok(())
        })?;
        connected += done.len() as u64;
        for number in done.drain(..) {
            *swarm.client(number).0.options_mut() = options(next)?;
            next += 1;
            swarm.reopen(number, door.clone())?;
        }
    }
    let (at, before, cpu) = begin.context("a measurement of no time")?;
    let (seconds, connected) = (at.elapsed().as_secs_f64(), connected - before);
    let cpu = peer.cpu()?.saturating_sub(cpu).as_secs_f64();
    if connected == 0 {
        bail!("nobody was let in");
    }
    Ok(Figures::from([
        (Metric::PerSecond, count(connected) / seconds),
        (Metric::CpuPerMillion, cpu * 1e6 / count(connected)),
        (Metric::PeakMib, count(peer.peak_bytes()?) / MIB),
    ]))
}

/// Clients that connected and do nothing more.
pub(super) fn idle(peer: &Peer, door: &Door, clients: usize) -> Result<Figures> {
    let before = peer.resident_bytes()?;
    let mut swarm = Swarm::new()?;
    let mut connected = 0;
    let begin = Instant::now();
    while connected < clients {
        while swarm.len() < clients.min(connected + AT_ONCE) {
            let number = swarm.len();
            swarm.open(door.clone(), options(number)?)?;
        }
        swarm.turn(Duration::from_millis(100), &mut |_, _, _, event| {
            if !matches!(event, ClientEvent::Connected { .. }) {
                bail!("the broker lets a client not in: {event:?}");
            }
            connected += 1;
            Ok(())
        })?;
        if begin.elapsed() > PATIENCE {
            bail!("{connected} of {clients} clients connected within {} s", PATIENCE.as_secs());
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    swarm.turn_until(SETTLE, &mut (), |()| false, |(), _, _, _, _| Ok(()))?;
    let after = peer.resident_bytes()?;
    Ok(Figures::from([
        (Metric::KibEach, count(after.saturating_sub(before)) / 1024.0 / count(clients as u64)),
        (Metric::PeakMib, count(peer.peak_bytes()?) / MIB),
        (Metric::PerSecond, count(clients as u64) / seconds),
    ]))
}

/// A subscriber that gets so many retained messages.
pub(super) fn retained(peer: &Peer, door: &Door, messages: usize) -> Result<Figures> {
    let mut swarm = Swarm::new()?;
    let publisher = swarm.open(door.clone(), ClientOptions { queue_max: messages, ..options(0)? })?;
    let (client, now) = swarm.client(publisher);
    for number in 0..messages {
        client.publish(now, retained_message(number)?)?;
    }
    let mut published = 0;
    swarm.turn_until(
        PATIENCE,
        &mut published,
        |published| *published == messages,
        |published, _, _, _, event| {
            *published += usize::from(matches!(event, ClientEvent::Published { .. }));
            Ok(())
        },
    )?;
    if published < messages {
        bail!("{published} of {messages} retained messages were taken within {} s", PATIENCE.as_secs());
    }
    let reader = swarm.open(door.clone(), options(1)?)?;
    let mut arrived = (0_u64, Instant::now());
    let (begin, cpu) = (Instant::now(), peer.cpu()?);
    while arrived.0 < messages as u64 && arrived.1.elapsed() < QUIET {
        swarm.turn(Duration::from_millis(20), &mut |number, client, now, event| {
            if number == reader && matches!(event, ClientEvent::Connected { .. }) {
                let filter = TopicFilter::try_from("retained/#").context("a filter of the benchmark")?;
                let subscription = Subscription::new(filter, QoS::AtMostOnce);
                client.subscribe(now, vec![subscription], SubscribeProperties::default())?;
            } else if matches!(event, ClientEvent::Message(_)) {
                arrived = (arrived.0 + 1, Instant::now());
            }
            Ok(())
        })?;
    }
    let (seconds, cpu) = ((arrived.1 - begin).as_secs_f64(), peer.cpu()?.saturating_sub(cpu).as_secs_f64());
    if arrived.0 == 0 {
        bail!("no retained message came");
    }
    Ok(Figures::from([
        (Metric::PerSecond, count(arrived.0) / seconds),
        (Metric::CpuPerMillion, cpu * 1e6 / count(arrived.0)),
        (Metric::PeakMib, count(peer.peak_bytes()?) / MIB),
        (Metric::Lost, count(messages as u64) - count(arrived.0)),
    ]))
}

fn options(number: usize) -> Result<ClientOptions> {
    let client_id =
        Text::try_from(format!("client-{number}").as_str()).context("a client id of the benchmark")?;
    Ok(ClientOptions { version: Version::V311, keep_alive: 600, ..ClientOptions::new(client_id) })
}

fn retained_message(number: usize) -> Result<Publish> {
    Ok(Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: TopicName::try_from(format!("retained/{number}").as_str())
            .context("a topic of the benchmark")?,
        packet_id: None,
        payload: Bytes::from(vec![b'.'; RETAINED_BYTES]),
        properties: None,
    })
}
