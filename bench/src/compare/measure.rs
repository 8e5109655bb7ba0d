//! Traffic through one broker: what goes through, what it takes, how late it comes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::figures::{Figures, Metric, count};
use crate::accounting;
use crate::crowd::Crowd;
use crate::peer::Peer;
use crate::traffic::Traffic;

/// What a measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Before it counts: connections, caches and memory are as they stay.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// Counters at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    arrived: u64,
    cpu: Duration,
    generator: Duration,
}

/// As much as goes through with so many messages of a publisher under way.
pub(super) fn limit(peer: &Peer, traffic: Traffic, window: u64, times: Times) -> Result<Figures> {
    let mut crowd = Crowd::gather(&peer.door(traffic.version, traffic.way), traffic)?;
    crowd.begin_closed(window);
    crowd.run_closed(times.warm_up)?;
    let begin = Moment::now(&crowd, peer)?;
    crowd.run_closed(times.measured)?;
    let end = Moment::now(&crowd, peer)?;
    crowd.end_closed();
    crowd.drain()?;
    figures(&crowd, peer, begin, end)
}

/// So many messages a second, and how late they come.
pub(super) fn rate(peer: &Peer, traffic: Traffic, messages: f64, times: Times) -> Result<Figures> {
    let mut crowd = Crowd::gather(&peer.door(traffic.version, traffic.way), traffic)?;
    crowd.run_open(messages, times.warm_up)?;
    crowd.take_latency()?;
    let begin = Moment::now(&crowd, peer)?;
    crowd.run_open(messages, times.measured)?;
    let end = Moment::now(&crowd, peer)?;
    crowd.drain()?;
    let mut figures = figures(&crowd, peer, begin, end)?;
    figures.insert(Metric::Offered, messages * count(traffic.pattern.copies() as u64));
    if let Some(latency) = crowd.take_latency()? {
        for (metric, quantile) in [(Metric::P50, 0.5), (Metric::P99, 0.99), (Metric::P999, 0.999)] {
            figures.insert(metric, count(latency.value_at_quantile(quantile)) / 1e3);
        }
    }
    Ok(figures)
}

impl Moment {
    fn now(crowd: &Crowd, peer: &Peer) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            arrived: crowd.receipts().arrived,
            cpu: peer.cpu()?,
            generator: accounting::cpu(std::process::id())?,
        })
    }
}

fn figures(crowd: &Crowd, peer: &Peer, begin: Moment, end: Moment) -> Result<Figures> {
    let arrived = end.arrived - begin.arrived;
    if arrived == 0 {
        bail!("nothing arrived");
    }
    let seconds = (end.at - begin.at).as_secs_f64();
    let cpu = end.cpu.saturating_sub(begin.cpu).as_secs_f64();
    let generator = end.generator.saturating_sub(begin.generator).as_secs_f64();
    Ok(Figures::from([
        (Metric::PerSecond, count(arrived) / seconds),
        (Metric::CpuPerMillion, cpu * 1e6 / count(arrived)),
        (Metric::BrokerCores, cpu * 100.0 / seconds),
        (Metric::GeneratorCores, generator * 100.0 / seconds),
        (Metric::PeakMib, count(peer.peak_bytes()?) / f64::from(1 << 20)),
        (Metric::Lost, count(crowd.receipts().missing())),
        (Metric::Again, count(crowd.receipts().again)),
    ]))
}
