//! One publisher to 1,000 subscribers, of whom some never read.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hearth_protocol::QoS;
use hearth_protocol::packet::{Packet, PacketId};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Broker;
use super::link::{Link, encoded, publish};
use crate::table::Column;

pub(super) const COLUMNS: &[Column] = &[
    Column { title: "delivered/s to those who read", digits: 0 },
    Column { title: "CPU s/million of these", digits: 3 },
    Column { title: "of what was sent, % arrived", digits: 2 },
    Column { title: "peak MiB", digits: 0 },
];

const SUBSCRIBERS: usize = 1000;
/// A reading with its history, or a small picture.
const PAYLOAD: usize = 1024;
/// Messages before it counts: buffers and caches are as they stay.
const WARM_UP: u64 = 160;
/// What only those get who are stuck, so that they are when it begins: more than the sockets and the broker hold for one.
const FILLING: (usize, usize) = (200, 64 << 10);
/// Where they get it.
const FILL_TOPIC: &str = "fill";
/// Messages under way, so that nobody but the stuck ones has more than it can take.
const WINDOW: u64 = 16;
const TOPIC: &str = "overload";

/// Those who read.
struct Readers {
    poll: Poll,
    events: Events,
    sockets: Vec<TcpStream>,
    piece: Box<[u8]>,
    /// Bytes that came.
    bytes: u64,
}

pub(super) fn measure(broker: &Broker, time: Duration, stuck: usize) -> Result<Vec<f64>> {
    let mut readers = Readers::new()?;
    let mut silent = Vec::new();
    for number in 0..SUBSCRIBERS {
        let mut link = Link::open(broker.address, &format!("subscriber {number}"))?;
        link.subscribe(TOPIC, QoS::AtMostOnce)?;
        if number < stuck {
            link.subscribe(FILL_TOPIC, QoS::AtMostOnce)?;
            silent.push(link);
        } else {
            readers.add(link)?;
        }
    }
    let mut publisher = Link::open(broker.address, "publisher")?;
    let filling = Bytes::from(vec![b'.'; FILLING.1]);
    for _ in 0..FILLING.0 {
        publisher.send(&publish(FILL_TOPIC, &filling, Some(PacketId::MIN))?)?;
        let Packet::PubAck(_) = publisher.next()? else { bail!("the broker answers something else") };
    }
    let payload = Bytes::from(vec![b'.'; PAYLOAD]);
    // They get it with QoS 0: without the two bytes of the identifier.
    let packet_bytes = encoded(&publish(TOPIC, &payload, None)?)?.len() as u64;
    let per_message = packet_bytes * (SUBSCRIBERS - stuck) as u64;
    let mut sent = 0;
    let mut run = |readers: &mut Readers, is_over: &dyn Fn(u64, Duration) -> bool| -> Result<u64> {
        let (begin, first) = (Instant::now(), sent);
        while !is_over(sent - first, begin.elapsed()) {
            for _ in 0..WINDOW {
                publisher.send(&publish(TOPIC, &payload, Some(PacketId::MIN))?)?;
            }
            sent += WINDOW;
            for _ in 0..WINDOW {
                let Packet::PubAck(_) = publisher.next()? else { bail!("the broker answers something else") };
            }
            readers.read_until(sent * per_message)?;
        }
        Ok(sent)
    };
    run(&mut readers, &|count, _| count >= WARM_UP)?;
    let (cpu, before, begin) = (broker.cpu()?, readers.bytes, Instant::now());
    let sent = run(&mut readers, &|_, elapsed| elapsed >= time)?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), broker.cpu()?.saturating_sub(cpu));
    let delivered = (readers.bytes - before) as f64 / packet_bytes as f64;
    let arrived = 100.0 * readers.bytes as f64 / (sent * per_message) as f64;
    drop(silent);
    Ok(vec![delivered / seconds, cpu.as_secs_f64() * 1e6 / delivered, arrived, broker.peak_mib()?])
}

impl Readers {
    fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(SUBSCRIBERS),
            sockets: Vec::new(),
            piece: vec![0; 64 << 10].into(),
            bytes: 0,
        })
    }

    fn add(&mut self, link: Link) -> Result<()> {
        link.socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(link.socket);
        self.poll.registry().register(&mut socket, Token(self.sockets.len()), Interest::READABLE)?;
        self.sockets.push(socket);
        Ok(())
    }

    /// Reads until so many bytes came in all, or none does for a while: then some were dropped.
    fn read_until(&mut self, bytes: u64) -> Result<()> {
        const QUIET: Duration = Duration::from_millis(500);
        while self.bytes < bytes {
            self.poll.poll(&mut self.events, Some(QUIET))?;
            if self.events.is_empty() {
                return Ok(());
            }
            for event in &self.events {
                let socket = &mut self.sockets[event.token().0];
                loop {
                    match socket.read(&mut self.piece) {
                        Ok(0) => bail!("the broker ended a connection"),
                        Ok(len) => self.bytes += len as u64,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error).context("a subscriber"),
                    }
                }
            }
        }
        Ok(())
    }
}
