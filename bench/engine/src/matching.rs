//! Topics to subscribers: found in the tree of filters, where no route is remembered.

use anyhow::Result;
use hearth_broker::Limits;
use hearth_protocol::{QoS, Version};

use crate::world::{World, publish};
use crate::{Scenario, Work};

/// Sessions that have the filters.
const SESSIONS: usize = 100;

/// Messages of one step, each to another topic.
const TOPICS: usize = 100;

pub(crate) const SCENARIOS: &[Scenario] = &[
    // Each topic has one subscriber among 10,000 filters.
    scenario("matching/exact", || {
        matching(100, |number| format!("plant/line-{}/device-{number}/value", number % 50))
    }),
    // 1,000 filters that end in `#` or have a `+`: each topic has one of either kind, or two.
    scenario("matching/wildcards", || {
        matching(10, |number| match number % 2 {
            0 => format!("plant/line-{}/device-{number}/#", number % 50),
            _ => format!("plant/+/device-{}/value", number - 1),
        })
    }),
];

const fn scenario(name: &'static str, begin: fn() -> Result<Box<dyn Work>>) -> Scenario {
    Scenario { name, units_per_step: TOPICS as u64, steps: 30, begin }
}

struct Matching {
    world: World,
    publisher: usize,
    /// All messages of a step.
    messages: Vec<u8>,
}

fn matching(filters_per_session: usize, filter: fn(usize) -> String) -> Result<Box<dyn Work>> {
    let mut world = World::new(Limits { topic_cache_max: 0, ..Limits::default() });
    for session in 0..SESSIONS {
        let filters: Vec<String> =
            (0..filters_per_session).map(|own| filter(session * filters_per_session + own)).collect();
        world.join(Version::V311, QoS::AtMostOnce, &filters)?;
    }
    let publisher = world.join(Version::V311, QoS::AtMostOnce, &[])?;
    let mut messages = Vec::new();
    for topic in 0..TOPICS {
        // Even numbers, which both kinds of wildcards match.
        let number = topic * SESSIONS * filters_per_session / TOPICS / 2 * 2;
        let topic = format!("plant/line-{}/device-{number}/value", number % 50);
        messages.extend(publish(&topic, QoS::AtMostOnce, Version::V311, 16)?);
    }
    Ok(Box::new(Matching { world, publisher, messages }))
}

impl Work for Matching {
    fn step(&mut self) {
        self.world.send(self.publisher, &self.messages);
        self.world.flush();
    }

    fn units(&self) -> u64 {
        let stats = self.world.stats();
        // A message that found nobody does not count.
        let [delivered, _, _] = stats.delivered;
        stats.published[0].min(delivered)
    }
}
