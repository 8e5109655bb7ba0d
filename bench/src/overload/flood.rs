//! Publishers that are faster than their subscriber.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hearth_protocol::QoS;
use hearth_protocol::packet::{Packet, PacketId, PublishAck};

use super::Broker;
use super::link::{Link, publish};
use crate::table::Column;

pub(super) const COLUMNS: &[Column] = &[
    Column { title: "acknowledged/s", digits: 0 },
    Column { title: "arrived/s", digits: 0 },
    Column { title: "refused, told so", digits: 0 },
    Column { title: "acknowledged and lost", digits: 0 },
    Column { title: "peak MiB", digits: 0 },
];

const PUBLISHERS: u16 = 4;
const PAYLOAD: usize = 16 << 10;
/// Of one publisher under way.
const WINDOW: usize = 100;
/// One message in this time is what the subscriber takes.
const STEP: Duration = Duration::from_micros(500);
const TOPIC: &str = "flood";
/// Bytes at the start of a payload: publisher and number.
const NUMBER: usize = 8;

/// What became of the messages of one publisher.
#[derive(Debug, Default)]
struct Told {
    accepted: Vec<u64>,
    refused: u64,
}

pub(super) fn measure(broker: &Broker, time: Duration) -> Result<Vec<f64>> {
    let mut subscriber = Link::open(broker.address, "subscriber")?;
    subscriber.subscribe(TOPIC, QoS::AtLeastOnce)?;
    let is_over = AtomicBool::new(false);
    let (told, arrived, in_time) = std::thread::scope(|scope| -> Result<_> {
        let reader = scope.spawn(|| read(&mut subscriber, &is_over));
        let publishers: Vec<_> =
            (0..PUBLISHERS).map(|number| scope.spawn(move || flood(broker, number, time))).collect();
        let told: Result<Vec<Told>> = publishers.into_iter().map(|it| joined(it.join())).collect();
        is_over.store(true, Ordering::Relaxed);
        let (arrived, in_time) = joined(reader.join())?;
        Ok((told?, arrived, in_time))
    })?;
    let accepted: Vec<u64> = told.iter().flat_map(|told| told.accepted.iter().copied()).collect();
    let lost = accepted.iter().filter(|number| !arrived.contains(number)).count();
    let refused: u64 = told.iter().map(|told| told.refused).sum();
    let seconds = time.as_secs_f64();
    Ok(vec![accepted.len() as f64 / seconds, in_time, refused as f64, lost as f64, broker.peak_mib()?])
}

/// Publishes for so long, as fast as the window allows, and waits for the last answer.
fn flood(broker: &Broker, publisher: u16, time: Duration) -> Result<Told> {
    let mut link = Link::open(broker.address, &format!("publisher {publisher}"))?;
    let (begin, mut told, mut under_way) = (Instant::now(), Told::default(), 0);
    let mut numbers = vec![0; WINDOW + 1];
    let mut next = 0;
    loop {
        while under_way < WINDOW && begin.elapsed() < time {
            let number = u64::from(publisher) << 48 | next;
            let mut payload = vec![b'.'; PAYLOAD];
            payload[..NUMBER].copy_from_slice(&number.to_be_bytes());
            // Between 1 and WINDOW: answers come in the order of the messages [MQTT-4.6.0-2].
            let id = next as usize % WINDOW + 1;
            numbers[id] = number;
            let packet_id = u16::try_from(id).ok().and_then(PacketId::new);
            link.send(&publish(TOPIC, &Bytes::from(payload), packet_id)?)?;
            next += 1;
            under_way += 1;
        }
        if under_way == 0 {
            return Ok(told);
        }
        let Packet::PubAck(ack) = link.next()? else { bail!("the broker answers something else") };
        under_way -= 1;
        if ack.reason.is_failure() {
            told.refused += 1;
        } else {
            told.accepted.push(numbers[usize::from(ack.packet_id.get())]);
        }
    }
}

/// Takes messages at its pace until the publishers are done, and then what is left; which, and how many a second until then.
fn read(link: &mut Link, is_over: &AtomicBool) -> Result<(BTreeSet<u64>, f64)> {
    let (mut arrived, begin, mut in_time, mut taken) = (BTreeSet::new(), Instant::now(), None, 0_u32);
    link.socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    loop {
        let ended = is_over.load(Ordering::Relaxed);
        if ended {
            in_time.get_or_insert_with(|| arrived.len() as f64 / begin.elapsed().as_secs_f64());
        } else {
            let due = begin + STEP * taken;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let packet = match link.next() {
            Ok(packet) => packet,
            // Nothing came for the time of the socket: that was all.
            Err(_) if ended => return Ok((arrived, in_time.unwrap_or_default())),
            Err(error) => return Err(error),
        };
        let Packet::Publish(publish) = packet else { bail!("the broker sends something else") };
        let number = publish.payload.first_chunk::<NUMBER>().context("a message that nobody sent")?;
        arrived.insert(u64::from_be_bytes(*number));
        taken += 1;
        if let Some(packet_id) = publish.packet_id {
            link.send(&Packet::PubAck(PublishAck::success(packet_id)))?;
        }
    }
}

fn joined<T>(result: std::thread::Result<Result<T>>) -> Result<T> {
    result.unwrap_or_else(|_| bail!("a thread of the benchmark ended by a panic"))
}
