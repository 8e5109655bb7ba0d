//! What messages cost that wait for a session, and how fast it gets them when it returns.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::traffic::{PACE, connect_publishers};
use super::{count, cpu_a_million};
use crate::broker::Broker;
use crate::load::Load;
use crate::table::Column;

pub(super) const COLUMNS: &[Column] = &[
    Column { title: "drained/s", digits: 0 },
    Column { title: "CPU s/million drained", digits: 2 },
    Column { title: "queued/s", digits: 0 },
    Column { title: "queued", digits: 0 },
    Column { title: "memory, bytes a message", digits: 0 },
    Column { title: "disk, bytes a message", digits: 0 },
    Column { title: "lost", digits: 0 },
];

/// Messages that wait in the end.
const MESSAGES: u64 = 100_000;
/// A broker that writes everything at each change gets slower with each message.
const FILL_MAX: Duration = Duration::from_secs(30);
/// Until what is written behind the acknowledgements is on disk.
const SETTLE: Duration = Duration::from_millis(1500);

pub(super) fn measure(broker: &Broker) -> Result<Vec<f64>> {
    let mut load = Load::new(broker.address, PACE)?;
    let subscriber = load.subscribe("subscriber", "load/#", true)?;
    load.leave(subscriber);
    connect_publishers(&mut load)?;
    let (memory, disk) = (broker.resident_bytes()?, broker.disk_bytes()?);
    let begin = Instant::now();
    load.run(FILL_MAX, MESSAGES)?;
    load.stop()?;
    let filled = begin.elapsed().as_secs_f64();
    let queued = load.tally().acknowledged;
    std::thread::sleep(SETTLE);
    let memory = broker.resident_bytes()?.saturating_sub(memory);
    let disk = broker.disk_bytes()?.saturating_sub(disk);
    let (begin, cpu) = (Instant::now(), broker.cpu()?);
    if !load.come_back(subscriber)? {
        bail!("the session is gone");
    }
    let connected = begin.elapsed();
    let drained = (connected + load.wait_for_arrivals(queued)?).as_secs_f64();
    let cpu = broker.cpu()?.saturating_sub(cpu);
    let arrived = load.tally().arrived;
    Ok(vec![
        count(arrived) / drained,
        cpu_a_million(cpu, arrived),
        count(queued) / filled,
        count(queued),
        count(memory) / count(queued),
        count(disk) / count(queued),
        count(load.tally().lost()),
    ])
}
