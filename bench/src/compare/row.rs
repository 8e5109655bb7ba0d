//! The rows of the comparison: what is measured of every broker.

use hearth_protocol::{QoS, Version};
use serde::{Deserialize, Serialize};

use crate::traffic::{Pattern, Traffic, Way};

/// Payloads unless a row is about them: a reading with its name and time.
const PAYLOAD_BYTES: usize = 64;
/// Bytes that are under way to each subscriber at most, so that no broker drops for want of room.
const UNDER_WAY_BYTES: usize = 256 << 10;
/// Messages of one publisher under way, where many publish and where one does.
const WINDOW_OF_MANY: u64 = 20;
const WINDOW_OF_ONE: u64 = 100;

/// One thing that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// For `--only`, the results and the page.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) subjects: Subjects,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// As much as goes through in a closed loop with so many messages of a publisher under way.
    Limit { traffic: Traffic, window: u64 },
    /// So many messages a second in an open loop.
    Rate { traffic: Traffic, messages: u32 },
    /// Half of the messages a second that the first subject carried in the closed loop.
    Half { traffic: Traffic },
    /// Clients that connect and leave.
    Storm(Way),
    /// So many clients that do nothing.
    Idle(Way, usize),
    /// So many retained messages for a new subscriber.
    Retained(usize),
}

/// Of which brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// All that speak so.
    All,
    /// Hearth as it comes, and with one shard.
    Shards,
    /// This peer and Hearth.
    Duel(String),
}

/// Part of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    Limit,
    Rate,
    Half,
    Shards,
    Storm,
    Idle,
    Retained,
}

impl Row {
    /// All rows; the peers are those that Hearth is held against at half of their limits.
    pub(crate) fn all(peers: &[&str]) -> Vec<Self> {
        let mut rows = limits();
        rows.extend(rates());
        for peer in peers {
            for (pattern, qos) in
                [(Pattern::FanOut(100), QoS::AtMostOnce), (Pattern::Pairs(50), QoS::AtLeastOnce)]
            {
                let traffic = tcp(pattern, qos, PAYLOAD_BYTES);
                let id = format!("half of {peer}: {}", describe(&traffic));
                rows.push(Self {
                    id,
                    kind: Kind::Half { traffic },
                    subjects: Subjects::Duel((*peer).to_owned()),
                });
            }
        }
        for (pattern, qos) in [
            (Pattern::FanOut(100), QoS::AtMostOnce),
            (Pattern::Pairs(50), QoS::AtMostOnce),
            (Pattern::Pairs(50), QoS::AtLeastOnce),
        ] {
            let limit = limit(tcp(pattern, qos, PAYLOAD_BYTES));
            rows.push(Self { id: format!("shards: {}", limit.id), subjects: Subjects::Shards, ..limit });
        }
        for (pattern, qos, messages) in
            [(Pattern::Pairs(50), QoS::AtMostOnce, 50_000), (Pattern::FanIn(50), QoS::AtLeastOnce, 10_000)]
        {
            let rate = rate(tcp(pattern, qos, PAYLOAD_BYTES), messages);
            rows.push(Self { id: format!("shards: {}", rate.id), subjects: Subjects::Shards, ..rate });
        }
        for way in [Way::Tcp, Way::WebSocket] {
            rows.push(Self::of(format!("connect storm{}", suffix(way)), Kind::Storm(way)));
        }
        for way in [Way::Tcp, Way::WebSocket] {
            rows.push(Self::of(format!("10,000 idle connections{}", suffix(way)), Kind::Idle(way, 10_000)));
        }
        rows.push(Self::of("replay of 100,000 retained messages".to_owned(), Kind::Retained(100_000)));
        rows
    }

    /// Which tables it stands in.
    pub(crate) fn group(&self) -> Group {
        match (&self.subjects, self.kind) {
            (Subjects::Shards, _) => Group::Shards,
            (_, Kind::Limit { .. }) => Group::Limit,
            (_, Kind::Rate { .. }) => Group::Rate,
            (_, Kind::Half { .. }) => Group::Half,
            (_, Kind::Storm(_)) => Group::Storm,
            (_, Kind::Idle(..)) => Group::Idle,
            (_, Kind::Retained(_)) => Group::Retained,
        }
    }

    /// The version and the transport that a broker needs for it.
    pub(crate) const fn needs(&self) -> (Version, Way) {
        match self.kind {
            Kind::Limit { traffic, .. } | Kind::Rate { traffic, .. } | Kind::Half { traffic } => {
                (traffic.version, traffic.way)
            }
            Kind::Storm(way) | Kind::Idle(way, _) => (Version::V311, way),
            Kind::Retained(_) => (Version::V311, Way::Tcp),
        }
    }

    /// Whether it says the same in every round, and is measured in the first alone.
    pub(crate) const fn is_steady(&self) -> bool {
        match self.kind {
            Kind::Idle(..) | Kind::Retained(_) => true,
            Kind::Limit { .. } | Kind::Rate { .. } | Kind::Half { .. } | Kind::Storm(_) => false,
        }
    }

    /// Whether the server that only hands bytes on can do it.
    pub(crate) const fn has_floor(&self) -> bool {
        match self.kind {
            Kind::Limit { traffic, .. } | Kind::Rate { traffic, .. } => {
                let is_plain =
                    matches!(traffic.pattern, Pattern::FanOut(_) | Pattern::FanIn(_) | Pattern::Pairs(_));
                is_plain && matches!(traffic.way, Way::Tcp)
            }
            Kind::Half { .. } | Kind::Storm(_) | Kind::Idle(..) | Kind::Retained(_) => false,
        }
    }

    fn of(id: String, kind: Kind) -> Self {
        Self { id, kind, subjects: Subjects::All }
    }
}

impl Group {
    /// In the order of the page.
    pub(crate) const ALL: [Self; 7] =
        [Self::Limit, Self::Rate, Self::Half, Self::Shards, Self::Storm, Self::Idle, Self::Retained];
}

/// The name of traffic, without what it has in common with most.
pub(crate) fn describe(traffic: &Traffic) -> String {
    let mut text = format!("{}, QoS {}", traffic.pattern.name(), traffic.qos as u8);
    if traffic.payload_bytes != PAYLOAD_BYTES {
        text += &match traffic.payload_bytes {
            bytes if bytes >= 1024 => format!(", {} KiB", bytes >> 10),
            bytes => format!(", {bytes} B"),
        };
    }
    if traffic.version.is_v5() {
        text += ", MQTT 5";
    }
    text + suffix(traffic.way)
}

const fn suffix(way: Way) -> &'static str {
    match way {
        Way::Tcp => "",
        Way::WebSocket => ", WebSocket",
    }
}

fn limits() -> Vec<Row> {
    let mut rows = Vec::new();
    let patterns = [Pattern::FanOut(100), Pattern::FanOut(1000), Pattern::FanIn(50), Pattern::Pairs(50)];
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        rows.extend(patterns.map(|pattern| limit(tcp(pattern, qos, PAYLOAD_BYTES))));
    }
    for (pattern, qos) in [(Pattern::FanOut(100), QoS::AtMostOnce), (Pattern::Pairs(50), QoS::AtLeastOnce)] {
        rows.extend([16, 1 << 10, 64 << 10].map(|bytes| limit(tcp(pattern, qos, bytes))));
    }
    rows.extend(
        [1000].map(|filters| limit(tcp(Pattern::Wildcards(filters), QoS::AtMostOnce, PAYLOAD_BYTES))),
    );
    rows.extend([100_000].map(|filters| limit(tcp(Pattern::Exact(filters), QoS::AtMostOnce, PAYLOAD_BYTES))));
    let pairs = tcp(Pattern::Pairs(50), QoS::AtLeastOnce, PAYLOAD_BYTES);
    rows.push(limit(Traffic { version: Version::V5, ..pairs }));
    for (pattern, qos) in [
        (Pattern::FanOut(100), QoS::AtMostOnce),
        (Pattern::FanIn(50), QoS::AtMostOnce),
        (Pattern::Pairs(50), QoS::AtLeastOnce),
    ] {
        rows.push(limit(Traffic { way: Way::WebSocket, ..tcp(pattern, qos, PAYLOAD_BYTES) }));
    }
    rows
}

fn rates() -> Vec<Row> {
    let fan_out = tcp(Pattern::FanOut(100), QoS::AtMostOnce, PAYLOAD_BYTES);
    [
        (fan_out, 1000),
        (Traffic { way: Way::WebSocket, ..fan_out }, 1000),
        (tcp(Pattern::FanIn(50), QoS::AtMostOnce, PAYLOAD_BYTES), 20_000),
        (tcp(Pattern::FanIn(50), QoS::AtLeastOnce, PAYLOAD_BYTES), 10_000),
        (tcp(Pattern::Pairs(50), QoS::AtMostOnce, PAYLOAD_BYTES), 50_000),
        (tcp(Pattern::Pairs(50), QoS::AtLeastOnce, PAYLOAD_BYTES), 10_000),
        (tcp(Pattern::Pairs(50), QoS::ExactlyOnce, PAYLOAD_BYTES), 5_000),
        (tcp(Pattern::Pairs(1), QoS::AtMostOnce, PAYLOAD_BYTES), 5_000),
    ]
    .map(|(traffic, messages)| rate(traffic, messages))
    .into()
}

fn rate(traffic: Traffic, messages: u32) -> Row {
    let deliveries = messages as usize * traffic.pattern.copies();
    let id = format!("{}, {}k/s", describe(&traffic), deliveries / 1000);
    Row::of(id, Kind::Rate { traffic, messages })
}

fn limit(traffic: Traffic) -> Row {
    let most = if traffic.pattern.publishers() == 1 { WINDOW_OF_ONE } else { WINDOW_OF_MANY };
    // Of a thousand copies the generator would have too many at once.
    let most = if traffic.pattern.copies() > 100 { most / 5 } else { most };
    let fitting = (UNDER_WAY_BYTES / traffic.payload_bytes).max(2) as u64;
    Row::of(describe(&traffic), Kind::Limit { traffic, window: most.min(fitting) })
}

const fn tcp(pattern: Pattern, qos: QoS, payload_bytes: usize) -> Traffic {
    Traffic { pattern, qos, payload_bytes, version: Version::V311, way: Way::Tcp }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let rows = Row::all(&["Mosquitto", "aedes"]);
        let names: HashSet<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(names.len(), rows.len());
        assert!(names.contains("fan-out 1 to 100, QoS 0, 64 KiB"), "{names:?}");
        assert!(names.contains("half of aedes: 50 pairs, QoS 1"), "{names:?}");
    }

    #[test]
    fn large_messages_have_few_under_way() {
        let windows: Vec<_> = limits()
            .iter()
            .filter_map(|row| match row.kind {
                Kind::Limit { traffic, window } => Some((traffic, window)),
                Kind::Rate { .. }
                | Kind::Half { .. }
                | Kind::Storm(_)
                | Kind::Idle(..)
                | Kind::Retained(_) => None,
            })
            .collect();
        assert!(windows.iter().all(|(traffic, window)| {
            *window >= 2 && traffic.payload_bytes * usize::try_from(*window).unwrap() <= UNDER_WAY_BYTES
        }));
    }

    #[test]
    fn every_group_has_rows() {
        let rows = Row::all(&["Mosquitto"]);
        for group in Group::ALL {
            assert!(rows.iter().any(|row| row.group() == group), "{group:?}");
        }
    }
}
