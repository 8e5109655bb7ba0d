//! Which `$SYS` topics there are, and what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hearth_api::StoreState;
use hearth_broker::{ClientDrops, DropReason, Limit, Stats};
use hearth_protocol::TopicName;
use serde_json::{Map, Value};

use super::load::{Load, WINDOWS};
use crate::figures::{Figures, ShardFigures};
use crate::history::HistoryCounts;
use crate::tree::TreeCounts;

/// Turns figures into messages; knows what the ones before said.
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
    ("publish/bytes/received", |stats| stats.payload_bytes_in.iter().sum()),
    ("publish/bytes/sent", |stats| stats.payload_bytes_out.iter().sum()),
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

    /// The messages of one moment.
    pub(super) fn update(&mut self, figures: &Figures) -> Vec<(TopicName, Bytes)> {
        let elapsed = figures.uptime.saturating_sub(self.uptime);
        self.uptime = figures.uptime;
        for (load, (_, count)) in self.loads.iter_mut().zip(LOADS) {
            load.update(figures.sum(count), elapsed);
        }
        self.add_clients(figures);
        self.add_messages(figures);
        self.add_loads();
        self.add_own(figures);
        std::mem::take(&mut self.messages)
    }

    fn add_clients(&mut self, figures: &Figures) {
        let connected = figures.sum_of_sizes(|stats| stats.connected);
        let total = figures.sum_of_sizes(|stats| stats.sessions);
        self.clients_max = self.clients_max.max(connected);
        let away = total.saturating_sub(connected);
        self.add("broker/version", concat!("hearth version ", env!("CARGO_PKG_VERSION")));
        self.add("broker/uptime", format!("{} seconds", figures.uptime.as_secs()));
        self.add("broker/clients/total", total);
        self.add("broker/clients/connected", connected);
        self.add("broker/clients/active", connected);
        self.add("broker/clients/disconnected", away);
        self.add("broker/clients/inactive", away);
        self.add("broker/clients/maximum", self.clients_max);
        self.add("broker/clients/expired", figures.sum(|stats| stats.sessions_expired));
        self.add("broker/subscriptions/count", figures.sum_of_sizes(|stats| stats.subscriptions));
        let shared = figures.sum_of_sizes(|stats| stats.shared_subscriptions);
        self.add("broker/shared_subscriptions/count", shared);
    }

    fn add_messages(&mut self, figures: &Figures) {
        for (name, count) in COUNTERS {
            self.add(&format!("broker/{name}"), figures.sum(count));
        }
        let dropped = figures.sum(|stats| stats.dropped.iter().sum());
        self.add("broker/publish/messages/dropped", dropped);
        let stored = figures.retained_messages + figures.sum_of_sizes(|stats| stats.waiting);
        self.add("broker/messages/stored", stored);
        self.add("broker/store/messages/count", stored);
        let bytes = figures.retained_bytes + figures.sum_of_sizes(|stats| stats.waiting_bytes);
        self.add("broker/store/messages/bytes", bytes);
        self.add("broker/retained messages/count", figures.retained_messages);
    }

    fn add_loads(&mut self) {
        for (load, (name, _)) in self.loads.into_iter().zip(LOADS) {
            for (average, (window, _)) in load.per_minute().into_iter().zip(WINDOWS) {
                self.add(&format!("broker/load/{name}/{window}"), format!("{average:.2}"));
            }
        }
    }

    fn add_own(&mut self, figures: &Figures) {
        if let Some(process) = &figures.process {
            self.add("broker/heap/current", process.resident_bytes);
            self.add("broker/heap/maximum", process.resident_bytes_peak);
        }
        self.add("hearth/retained/bytes", figures.retained_bytes);
        self.add("hearth/wills", figures.sum_of_sizes(|stats| stats.wills));
        self.add("hearth/refused", figures.sum(|stats| stats.refused.total()));
        self.add("hearth/protocol_errors", figures.sum(|stats| stats.protocol_errors.total()));
        let store = match figures.store {
            StoreState::Off => "off",
            StoreState::Writing => "writing",
            StoreState::Failing => "failing",
        };
        self.add("hearth/store/state", store);
        self.add("hearth/store/commits", figures.written.commits);
        self.add("hearth/store/changes", figures.written.changes);
        self.add("hearth/store/failures", figures.written.failures);
        if let Some(history) = &figures.history {
            self.add_history(history);
        }
        if let Some(tree) = &figures.tree {
            self.add_tree(tree);
        }
        self.add("hearth/held/bytes", figures.sum_of_sizes(|stats| stats.held_bytes));
        self.add("hearth/held/paused", figures.sum(|stats| stats.paused));
        self.add("hearth/held/pressure", figures.pressure().name());
        self.add("hearth/dropped/clients", most_dropped(figures));
        for reason in DropReason::ALL {
            let count = figures.sum(|stats| stats.dropped[reason.as_index()]);
            self.add(&format!("hearth/dropped/{}", reason.name()), count);
        }
        // A bound may be met at the door and in a shard.
        let mut limited: BTreeMap<&str, u64> = BTreeMap::new();
        let of_shards = |limit: Limit| figures.sum(|stats| stats.limited[limit.as_index()]);
        let of_shards = Limit::ALL.into_iter().map(|limit| (limit.name(), of_shards(limit)));
        for (setting, count) in of_shards.chain(figures.refused.iter().copied()) {
            *limited.entry(setting.trim_start_matches("limits.")).or_default() += count;
        }
        for (name, count) in limited {
            self.add(&format!("hearth/limited/{name}"), count);
        }
        for (number, ShardFigures { stats, .. }) in figures.shards.iter().enumerate() {
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

    fn add_tree(&mut self, tree: &TreeCounts) {
        self.add("hearth/tree/topics", tree.topics);
        self.add("hearth/tree/bytes", tree.bytes);
        self.add("hearth/tree/views", tree.views);
        self.add("hearth/tree/evicted", tree.evicted);
        self.add("hearth/tree/left_out", tree.left_out);
    }

    fn add(&mut self, name: &str, value: impl ToString) {
        // The names stand above and hold no wildcard.
        if let Ok(topic) = TopicName::try_from(format!("$SYS/{name}").as_str()) {
            self.messages.push((topic, Bytes::from(value.to_string())));
        }
    }
}

/// The clients of whom the most was dropped, the most first, as JSON: `[{"client_id":"a","queue_full":3}]`.
fn most_dropped(figures: &Figures) -> String {
    let mut clients: Vec<&ClientDrops> =
        figures.shards.iter().flat_map(|shard| &shard.stats.most_dropped).collect();
    clients.sort_by_key(|client| std::cmp::Reverse(client.total()));
    let shown = |client: &&ClientDrops| {
        let counts = DropReason::ALL.into_iter().map(|reason| (reason, client.counts[reason.as_index()]));
        let counts = counts.filter(|(_, count)| *count > 0);
        let mut object: Map<String, Value> =
            counts.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect();
        object.insert("client_id".to_owned(), client.client_id.as_str().into());
        Value::Object(object)
    };
    Value::Array(clients.iter().take(ClientDrops::LISTED_MAX).map(shown).collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own_process::OwnProcess;
    use crate::store::StoreCounts;

    fn said(topics: &mut Topics, figures: &Figures) -> BTreeMap<String, String> {
        let messages = topics.update(figures);
        let count = messages.len();
        let text = |payload: Bytes| String::from_utf8(payload.to_vec()).unwrap();
        let said: BTreeMap<_, _> =
            messages.into_iter().map(|(topic, payload)| (topic.as_str().to_owned(), text(payload))).collect();
        assert_eq!(said.len(), count, "no topic twice");
        said
    }

    fn of_two_shards() -> Figures {
        let mut dropped = [0; DropReason::COUNT];
        dropped[DropReason::Expired.as_index()] = 4;
        let one =
            Stats { connected: 3, sessions: 5, packets_in: 600, published: [1, 2, 3], ..Stats::default() };
        let mut limited = [0; Limit::COUNT];
        limited[Limit::ConnectTime.as_index()] = 2;
        let two = Stats {
            connected: 1,
            sessions: 1,
            most_dropped: vec![ClientDrops { client_id: "slow".try_into().unwrap(), counts: dropped }],
            waiting: 7,
            waiting_bytes: 70,
            dropped,
            limited,
            ..Stats::default()
        };
        let shard = |stats| ShardFigures { stats, ..ShardFigures::default() };
        Figures {
            uptime: Duration::from_secs(60),
            shards: vec![shard(one), shard(two)],
            refused: vec![("limits.connect_seconds_max", 3), ("one.listen", 2)],
            retained_messages: 10,
            retained_bytes: 99,
            store: StoreState::Failing,
            written: StoreCounts { commits: 12, changes: 34, failures: 5, ..StoreCounts::default() },
            history: Some(HistoryCounts {
                values: 90,
                dropped: 8,
                without_series: 7,
                ..HistoryCounts::default()
            }),
            tree: Some(TreeCounts { topics: 11, left_out: 2, ..TreeCounts::default() }),
            process: None,
        }
    }

    #[test]
    fn the_shards_are_added_up_under_the_names_that_dashboards_know() {
        let mut figures = of_two_shards();
        let mut topics = Topics::new();
        let first = said(&mut topics, &figures);
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
            ("$SYS/hearth/history/dropped/series_max", "7"),
            ("$SYS/hearth/tree/topics", "11"),
            ("$SYS/hearth/tree/left_out", "2"),
            ("$SYS/broker/retained messages/count", "10"),
            ("$SYS/broker/load/messages/received/1min", "379.27"),
            ("$SYS/hearth/dropped/expired", "4"),
            ("$SYS/hearth/dropped/clients", r#"[{"client_id":"slow","expired":4}]"#),
            ("$SYS/hearth/limited/topic_levels_max", "0"),
            ("$SYS/hearth/limited/connect_seconds_max", "5"),
            ("$SYS/hearth/limited/one.listen", "2"),
            ("$SYS/hearth/shards/1/waiting", "7"),
        ] {
            assert_eq!(first.get(name).map(String::as_str), Some(value), "{name}");
        }
        figures.shards[0].stats.connected = 0;
        figures.history = None;
        figures.tree = None;
        figures.uptime = Duration::from_secs(70);
        figures.process = Some(OwnProcess {
            resident_bytes: 4096,
            resident_bytes_peak: 8192,
            cpu: Duration::ZERO,
            open_files: 9,
        });
        let second = said(&mut topics, &figures);
        assert_eq!(second["$SYS/broker/clients/maximum"], "4");
        assert_eq!(second["$SYS/broker/clients/connected"], "1");
        assert_eq!(second["$SYS/broker/heap/current"], "4096");
        assert_eq!(second["$SYS/broker/heap/maximum"], "8192");
        for part in ["history", "tree"] {
            let names = format!("$SYS/hearth/{part}/");
            assert!(!second.keys().any(|name| name.starts_with(&names)), "there is no {part}");
        }
    }
}
