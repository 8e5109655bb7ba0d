//! Messages a second in a closed loop, and the broker's processor time for them.

use std::time::{Duration, Instant};

use anyhow::Result;
use hearth_protocol::QoS;

use super::{count, cpu_a_million};
use crate::broker::Broker;
use crate::load::{Load, Pace};
use crate::table::Column;

pub(super) const COLUMNS: &[Column] = &[
    Column { title: "acknowledged/s", digits: 0 },
    Column { title: "arrived/s", digits: 0 },
    Column { title: "CPU s/million acknowledged", digits: 2 },
    Column { title: "lost", digits: 0 },
];

/// As many as an installation has that would notice.
const PUBLISHERS: usize = 50;
/// 20 under way each is what Mosquitto lets a client have; 64 bytes are a reading with its name and time.
pub(super) const PACE: Pace = Pace { qos: QoS::AtLeastOnce, payload_bytes: 64, window: 20 };
/// Before it counts: connections, caches and files are as they stay.
const WARM_UP: Duration = Duration::from_millis(500);

/// Who listens.
#[derive(Debug)]
pub(super) struct Audience {
    filters: Vec<String>,
    is_lasting: bool,
    is_connected: bool,
}

/// One session with everything.
pub(super) fn one_subscriber(is_connected: bool) -> Audience {
    Audience { filters: vec!["load/#".to_owned()], is_lasting: true, is_connected }
}

/// One for each publisher.
pub(super) fn pairs() -> Audience {
    let filters = (0..PUBLISHERS).map(|publisher| format!("load/{publisher}")).collect();
    Audience { filters, is_lasting: false, is_connected: true }
}

pub(super) fn measure(broker: &Broker, time: Duration, audience: &Audience) -> Result<Vec<f64>> {
    let mut load = Load::new(broker.address, PACE)?;
    let mut subscribers = Vec::new();
    for (number, filter) in audience.filters.iter().enumerate() {
        subscribers.push(load.subscribe(&format!("subscriber {number}"), filter, audience.is_lasting)?);
    }
    if !audience.is_connected {
        subscribers.iter().for_each(|number| load.leave(*number));
    }
    load.connect_publishers(PUBLISHERS)?;
    load.run(WARM_UP, u64::MAX)?;
    let (acknowledged, arrived, cpu) = (load.tally().acknowledged, load.tally().arrived, broker.cpu()?);
    let begin = Instant::now();
    load.run(time, u64::MAX)?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = broker.cpu()?.saturating_sub(cpu);
    let acknowledged = load.tally().acknowledged - acknowledged;
    let arrived = load.tally().arrived - arrived;
    load.stop()?;
    if !audience.is_connected {
        for number in &subscribers {
            load.come_back(*number)?;
        }
    }
    load.wait_for_arrivals(load.tally().acknowledged)?;
    Ok(vec![
        count(acknowledged) / seconds,
        if audience.is_connected { count(arrived) / seconds } else { f64::NAN },
        cpu_a_million(cpu, acknowledged),
        count(load.tally().lost()),
    ])
}

/// Connects the publishers of the other scenarios.
pub(super) fn connect_publishers(load: &mut Load) -> Result<()> {
    load.connect_publishers(PUBLISHERS)
}
