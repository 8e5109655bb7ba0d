//! Which `$SYS` topics there are, and what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hearth_api::StoreState;
use hearth_broker::{DropReason, Limit, Stats};
use hearth_protocol::TopicName;

use super::load::{Load, WINDOWS};
use crate::history::HistoryCounts;
use crate::store::StoreCounts;

/// What the broker knew of itself at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) uptime: Duration,
    /// One for each shard.
    pub(super) shards: Vec<Stats>,
    /// How often each setting of the door has turned somebody away.
    pub(super) refused: Vec<(&'static str, u64)>,
    pub(super) retained_messages: usize,
    pub(super) retained_bytes: usize,
    pub(super) store: StoreState,
    /// To the store, if there is one.
    pub(super) written: StoreCounts,
    /// What was kept of values, if any are.
    pub(super) history: Option<HistoryCounts>,
}

/// Turns snapshots into messages; knows what the ones before said.
#[derive(Debug)]
pub(super) struct Topics {
    uptime: Duration,
    clients_max: usize,
    loads: [Load; LOADS.len()],
    messages: Vec<(TopicName, Bytes)>,
}

/// A counter, and the part of its topic below `$SYS/broker/load`.
type LoadSource = (&'static str, fn(&Stats) -> u64);

/// The counters whose averages are published.
const LOADS: [LoadSource; 9] = [
    ("messages/received", |stats| stats.packets_in),
    ("messages/sent", |stats| stats.packets_out),
    ("publish/dropped", |stats| stats.dropped.iter().sum()),
    ("publish/received", |stats| stats.published.iter().sum()),
    ("publish/sent", |stats| stats.delivered.iter().sum()),
    ("bytes/received", |stats| stats.bytes_in),
    ("bytes/sent", |stats| stats.bytes_out),
    ("sockets", |stats| stats.opened),
    ("connections", |stats| stats.accepted),
];

/// A counter that is a topic of its own below `$SYS/broker`.
const COUNTERS: [LoadSource; 8] = [
    ("messages/received", |stats| stats.packets_in),
    ("messages/sent", |stats| stats.packets_out),
    ("bytes/received", |stats| stats.bytes_in),
    ("bytes/sent", |stats| stats.bytes_out),
    ("publish/messages/received", |stats| stats.published.iter().sum()),
    ("publish/messages/sent", |stats| stats.delivered.iter().sum()),
    ("publish/bytes/received", |stats| stats.payload_bytes_in),
    ("publish/bytes/sent", |stats| stats.payload_bytes_out),
];

impl Topics {
    pub(super) fn new() -> Self {
        Self {
            uptime: Duration::ZERO,
            clients_max: 0,
            loads: [Load::default(); LOADS.len()],
            messages: Vec::new(),
        }
    }

    /// The messages of a snapshot.
    pub(super) fn update(&mut self, snapshot: &Snapshot) -> Vec<(TopicName, Bytes)> {
        let elapsed = snapshot.uptime.saturating_sub(self.uptime);
        self.uptime = snapshot.uptime;
        for (load, (_, count)) in self.loads.iter_mut().zip(LOADS) {
            load.update(snapshot.sum(count), elapsed);
        }
        self.add_clients(snapshot);
        self.add_messages(snapshot);
        self.add_loads();
        self.add_own(snapshot);
        std::mem::take(&mut self.messages)
    }

    fn add_clients(&mut self, snapshot: &Snapshot) {
        let connected = snapshot.sum_of_sizes(|stats| stats.connected);
        let total = snapshot.sum_of_sizes(|stats| stats.sessions);
        self.clients_max = self.clients_max.max(connected);
        let away = total.saturating_sub(connected);
        self.add("broker/version", concat!("hearth version ", env!("CARGO_PKG_VERSION")));
        self.add("broker/uptime", format!("{} seconds", snapshot.uptime.as_secs()));
        self.add("broker/clients/total", total);
        self.add("broker/clients/connected", connected);
        self.add("broker/clients/active", connected);
        self.add("broker/clients/disconnected", away);
        self.add("broker/clients/inactive", away);
        self.add("broker/clients/maximum", self.clients_max);
        self.add("broker/clients/expired", snapshot.sum(|stats| stats.sessions_expired));
        self.add("broker/subscriptions/count", snapshot.sum_of_sizes(|stats| stats.subscriptions));
        let shared = snapshot.sum_of_sizes(|stats| stats.shared_subscriptions);
        self.add("broker/shared_subscriptions/count", shared);
    }

    fn add_messages(&mut self, snapshot: &Snapshot) {
        for (name, count) in COUNTERS {
            self.add(&format!("broker/{name}"), snapshot.sum(count));
        }
        let dropped = snapshot.sum(|stats| stats.dropped.iter().sum());
        self.add("broker/publish/messages/dropped", dropped);
        let stored = snapshot.retained_messages + snapshot.sum_of_sizes(|stats| stats.waiting);
        self.add("broker/messages/stored", stored);
        self.add("broker/store/messages/count", stored);
        let bytes = snapshot.retained_bytes + snapshot.sum_of_sizes(|stats| stats.waiting_bytes);
        self.add("broker/store/messages/bytes", bytes);
        self.add("broker/retained messages/count", snapshot.retained_messages);
    }

    fn add_loads(&mut self) {
        for (load, (name, _)) in self.loads.into_iter().zip(LOADS) {
            for (average, (window, _)) in load.per_minute().into_iter().zip(WINDOWS) {
                self.add(&format!("broker/load/{name}/{window}"), format!("{average:.2}"));
            }
        }
    }

    fn add_own(&mut self, snapshot: &Snapshot) {
        self.add("hearth/retained/bytes", snapshot.retained_bytes);
        self.add("hearth/wills", snapshot.sum_of_sizes(|stats| stats.wills));
        self.add("hearth/refused", snapshot.sum(|stats| stats.refused));
        self.add("hearth/protocol_errors", snapshot.sum(|stats| stats.protocol_errors));
        let store = match snapshot.store {
            StoreState::Off => "off",
            StoreState::Writing => "writing",
            StoreState::Failing => "failing",
        };
        self.add("hearth/store/state", store);
        self.add("hearth/store/commits", snapshot.written.commits);
        self.add("hearth/store/changes", snapshot.written.changes);
        self.add("hearth/store/failures", snapshot.written.failures);
        if let Some(history) = &snapshot.history {
            self.add_history(history);
        }
        for reason in DropReason::ALL {
            let count = snapshot.sum(|stats| stats.dropped[reason.as_index()]);
            self.add(&format!("hearth/dropped/{}", reason.name()), count);
        }
        // A bound may be met at the door and in a shard.
        let mut limited: BTreeMap<&str, u64> = BTreeMap::new();
        let of_shards = |limit: Limit| snapshot.sum(|stats| stats.limited[limit.as_index()]);
        let of_shards = Limit::ALL.into_iter().map(|limit| (limit.name(), of_shards(limit)));
        for (setting, count) in of_shards.chain(snapshot.refused.iter().copied()) {
            *limited.entry(setting.trim_start_matches("limits.")).or_default() += count;
        }
        for (name, count) in limited {
            self.add(&format!("hearth/limited/{name}"), count);
        }
        for (number, stats) in snapshot.shards.iter().enumerate() {
            self.add(&format!("hearth/shards/{number}/connections"), stats.connections);
            self.add(&format!("hearth/shards/{number}/sessions"), stats.sessions);
            self.add(&format!("hearth/shards/{number}/waiting"), stats.waiting);
            self.add(&format!("hearth/shards/{number}/forwarded"), stats.forwarded);
        }
    }

    fn add_history(&mut self, history: &HistoryCounts) {
        self.add("hearth/history/state", if history.is_failing { "failing" } else { "writing" });
        self.add("hearth/history/values", history.values);
        self.add("hearth/history/series", history.series);
        self.add("hearth/history/bytes", history.bytes);
        self.add("hearth/history/failures", history.failures);
        self.add("hearth/history/dropped/too_fast", history.dropped);
        self.add("hearth/history/dropped/series_max", history.without_series);
    }

    fn add(&mut self, name: &str, value: impl ToString) {
        // The names stand above and hold no wildcard.
        if let Ok(topic) = TopicName::try_from(format!("$SYS/{name}").as_str()) {
            self.messages.push((topic, Bytes::from(value.to_string())));
        }
    }
}

impl Snapshot {
    fn sum(&self, count: impl Fn(&Stats) -> u64) -> u64 {
        self.shards.iter().map(count).sum()
    }

    fn sum_of_sizes(&self, size: impl Fn(&Stats) -> usize) -> usize {
        self.shards.iter().map(size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(topics: &mut Topics, snapshot: &Snapshot) -> BTreeMap<String, String> {
        let messages = topics.update(snapshot);
        let count = messages.len();
        let text = |payload: Bytes| String::from_utf8(payload.to_vec()).unwrap();
        let said: BTreeMap<_, _> =
            messages.into_iter().map(|(topic, payload)| (topic.as_str().to_owned(), text(payload))).collect();
        assert_eq!(said.len(), count, "no topic twice");
        said
    }

    #[test]
    fn the_shards_are_added_up_under_the_names_that_dashboards_know() {
        let mut dropped = [0; DropReason::COUNT];
        dropped[DropReason::Expired.as_index()] = 4;
        let one =
            Stats { connected: 3, sessions: 5, packets_in: 600, published: [1, 2, 3], ..Stats::default() };
        let mut limited = [0; Limit::COUNT];
        limited[Limit::ConnectTime.as_index()] = 2;
        let two = Stats {
            connected: 1,
            sessions: 1,
            waiting: 7,
            waiting_bytes: 70,
            dropped,
            limited,
            ..Stats::default()
        };
        let mut snapshot = Snapshot {
            uptime: Duration::from_secs(60),
            shards: vec![one, two],
            refused: vec![("limits.connect_seconds_max", 3), ("one.listen", 2)],
            retained_messages: 10,
            retained_bytes: 99,
            store: StoreState::Failing,
            written: StoreCounts { commits: 12, changes: 34, failures: 5 },
            history: Some(HistoryCounts {
                values: 90,
                dropped: 8,
                without_series: 7,
                ..HistoryCounts::default()
            }),
        };
        let mut topics = Topics::new();
        let first = said(&mut topics, &snapshot);
        for (name, value) in [
            ("$SYS/broker/uptime", "60 seconds"),
            ("$SYS/broker/clients/connected", "4"),
            ("$SYS/broker/clients/total", "6"),
            ("$SYS/broker/clients/disconnected", "2"),
            ("$SYS/broker/messages/received", "600"),
            ("$SYS/broker/publish/messages/received", "6"),
            ("$SYS/broker/publish/messages/dropped", "4"),
            ("$SYS/broker/messages/stored", "17"),
            ("$SYS/broker/store/messages/bytes", "169"),
            ("$SYS/hearth/store/state", "failing"),
            ("$SYS/hearth/store/commits", "12"),
            ("$SYS/hearth/store/changes", "34"),
            ("$SYS/hearth/store/failures", "5"),
            ("$SYS/hearth/history/state", "writing"),
            ("$SYS/hearth/history/values", "90"),
            ("$SYS/hearth/history/dropped/too_fast", "8"),
            ("$SYS/hearth/history/dropped/series_max", "7"),
            ("$SYS/broker/retained messages/count", "10"),
            ("$SYS/broker/load/messages/received/1min", "379.27"),
            ("$SYS/hearth/dropped/expired", "4"),
            ("$SYS/hearth/limited/topic_levels_max", "0"),
            ("$SYS/hearth/limited/connect_seconds_max", "5"),
            ("$SYS/hearth/limited/one.listen", "2"),
            ("$SYS/hearth/shards/1/waiting", "7"),
        ] {
            assert_eq!(first.get(name).map(String::as_str), Some(value), "{name}");
        }
        snapshot.shards[0].connected = 0;
        snapshot.history = None;
        snapshot.uptime = Duration::from_secs(70);
        let second = said(&mut topics, &snapshot);
        assert_eq!(second["$SYS/broker/clients/maximum"], "4");
        assert_eq!(second["$SYS/broker/clients/connected"], "1");
        assert!(!second.keys().any(|name| name.starts_with("$SYS/hearth/history/")), "there is none");
    }
}
