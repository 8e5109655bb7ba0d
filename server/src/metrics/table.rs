//! Every metric, in the order of `docs/metrics.md`.

use hearth_api::StoreState;
use hearth_broker::{DropReason, Limit, Pressure, ReasonCounts};

use super::family::{Family, Kind, Sample, Value, by_shard, by_shard_and, by_shard_and_qos, one};
use crate::figures::Figures;
use crate::own_process::started_at;

/// A row: kind, name, labels, what it means, what to alert on, and the values.
macro_rules! family {
    ($kind:ident $name:literal [$($label:literal),*] $help:literal, $alert:literal, $read:expr) => {
        Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help, alert: $alert, read: $read }
    };
}

/// All of them.
pub(super) static FAMILIES: &[Family] = &[
    family!(Gauge "hearth_build_info" ["version"]
        "Always 1; which version runs.", "",
        |_| vec![Sample { labels: vec![env!("CARGO_PKG_VERSION").to_owned()], value: Value::Count(1) }]),
    family!(Gauge "hearth_connections" ["shard"]
        "Open MQTT connections, those before CONNECT included.",
        "sum above 90% of limits.connections_max",
        |figures| by_shard(figures, |shard| shard.stats.connections)),
    family!(Counter "hearth_connections_opened" ["shard"]
        "MQTT connections that reached a shard.",
        "a rate far above the usual: clients that reconnect in a loop",
        |figures| by_shard(figures, |shard| shard.stats.opened)),
    family!(Gauge "hearth_clients_connected" ["shard"]
        "Clients whose CONNECT was accepted and that are here.",
        "a sudden fall",
        |figures| by_shard(figures, |shard| shard.stats.connected)),
    family!(Counter "hearth_connects_accepted" ["shard"]
        "CONNECTs that were accepted.", "",
        |figures| by_shard(figures, |shard| shard.stats.accepted)),
    family!(Counter "hearth_connects_refused" ["shard", "reason"]
        "CONNECTs that were refused, by the reason that the client was told.",
        "a rate above 0 of `not authorized` or `bad user name or password`: somebody tries passwords, or a device has an old one",
        |figures| by_shard_and(figures, |shard| by_reason(&shard.stats.refused))),
    family!(Counter "hearth_door_refused" ["setting"]
        "Connections that were turned away or had to wait before CONNECT, by the setting that did it.",
        "a rate above 0",
        by_setting),
    family!(Counter "hearth_protocol_errors" ["shard", "reason"]
        "Connections that a packet against the rules has ended, by the reason that the client was told.",
        "a rate above 0: a client is broken, or somebody tries what the broker bears",
        |figures| by_shard_and(figures, |shard| by_reason(&shard.stats.protocol_errors))),
    family!(Gauge "hearth_sessions" ["shard"]
        "Sessions, connected or not.",
        "above 90% of limits.sessions_per_shard_max",
        |figures| by_shard(figures, |shard| shard.stats.sessions)),
    family!(Counter "hearth_sessions_expired" ["shard"]
        "Sessions that ended because nobody came back for them.", "",
        |figures| by_shard(figures, |shard| shard.stats.sessions_expired)),
    family!(Gauge "hearth_subscriptions" ["shard", "kind"]
    "Subscriptions: `own`, or `shared` with others of a group.", "",
    |figures| by_shard_and(figures, |shard| {
        let shared = shard.stats.shared_subscriptions;
        vec![("own", shard.stats.subscriptions.saturating_sub(shared)), ("shared", shared)]
    })),
    family!(Gauge "hearth_wills" ["shard"]
        "Wills that are held.",
        "above 90% of limits.wills_per_shard_max",
        |figures| by_shard(figures, |shard| shard.stats.wills)),
    family!(Counter "hearth_packets_received" ["shard"]
        "Control packets from clients.", "",
        |figures| by_shard(figures, |shard| shard.stats.packets_in)),
    family!(Counter "hearth_packets_sent" ["shard"]
        "Control packets to clients.", "",
        |figures| by_shard(figures, |shard| shard.stats.packets_out)),
    family!(Counter "hearth_packet_bytes_received" ["shard"]
        "Bytes of the packets from clients.", "",
        |figures| by_shard(figures, |shard| shard.stats.bytes_in)),
    family!(Counter "hearth_packet_bytes_sent" ["shard"]
        "Bytes of the packets to clients.", "",
        |figures| by_shard(figures, |shard| shard.stats.bytes_out)),
    family!(Counter "hearth_messages_received" ["shard", "qos"]
        "PUBLISH packets from clients.", "",
        |figures| by_shard_and_qos(figures, |shard| shard.stats.published)),
    family!(Counter "hearth_messages_sent" ["shard", "qos"]
        "PUBLISH packets to clients.", "",
        |figures| by_shard_and_qos(figures, |shard| shard.stats.delivered)),
    family!(Counter "hearth_payload_bytes_received" ["shard", "qos"]
        "Bytes of the payloads from clients.", "",
        |figures| by_shard_and_qos(figures, |shard| shard.stats.payload_bytes_in)),
    family!(Counter "hearth_payload_bytes_sent" ["shard", "qos"]
        "Bytes of the payloads to clients.", "",
        |figures| by_shard_and_qos(figures, |shard| shard.stats.payload_bytes_out)),
    family!(Counter "hearth_messages_forwarded" ["shard"]
        "Messages that went to another shard, once for each.", "",
        |figures| by_shard(figures, |shard| shard.stats.forwarded)),
    family!(Counter "hearth_messages_dropped" ["shard", "reason"]
    "Deliveries that did not take place, by reason; the log names the client when it begins, and $SYS/hearth/dropped/clients those with the most.",
    "a rate above 0 of `queue_full` or `memory_full`: messages were not taken for a client that is away or does not read; of `output_full`: a QoS 0 subscriber is too slow",
    |figures| by_shard_and(figures, |shard| {
        DropReason::ALL.map(|reason| (reason.name(), shard.stats.dropped[reason.as_index()])).to_vec()
    })),
    family!(Counter "hearth_limits_met" ["shard", "limit"]
    "How often a client met a bound, by the setting below `limits`.",
    "a rate above 0",
    |figures| by_shard_and(figures, |shard| {
        Limit::ALL.map(|limit| (limit.name(), shard.stats.limited[limit.as_index()])).to_vec()
    })),
    family!(Gauge "hearth_waiting_messages" ["shard"]
        "QoS 1 and 2 messages that wait for a session or its acknowledgement.",
        "rises for an hour",
        |figures| by_shard(figures, |shard| shard.stats.waiting)),
    family!(Gauge "hearth_waiting_bytes" ["shard"]
        "Bytes of topics, payloads and properties of those messages; one that waits for several sessions counts for each.", "",
        |figures| by_shard(figures, |shard| shard.stats.waiting_bytes)),
    family!(Gauge "hearth_held_bytes" ["shard"]
        "Bytes that a shard holds for clients, retained messages among them: messages once, on the shard where they came in, and output that sockets have not taken.",
        "sum, less hearth_retained_bytes, above 80% of limits.held_bytes_max",
        |figures| by_shard(figures, |shard| shard.stats.held_bytes)),
    family!(Gauge "hearth_pressure" ["shard", "state"]
    "1 for what a shard does about limits.held_bytes_max: `none`; `pausing`, who publishes is not read; `refusing`, who is away or does not read gets nothing more.",
    "`none` is 0",
    |figures| by_shard_and(figures, |shard| {
        Pressure::ALL.map(|state| (state.name(), u64::from(state == shard.stats.pressure))).to_vec()
    })),
    family!(Counter "hearth_publishers_paused" ["shard"]
        "How often a client that publishes had to wait because of that.",
        "a rate above 0",
        |figures| by_shard(figures, |shard| shard.stats.paused)),
    family!(Gauge "hearth_paused_connections" ["shard"]
        "Connections that are not read now because there is no room for what they would cause.",
        "above 0 for minutes",
        |figures| by_shard(figures, |shard| shard.turns.paused)),
    family!(Gauge "hearth_retained_messages" []
        "Retained messages.",
        "above 90% of limits.retained_messages_max",
        |figures| one(figures.retained_messages)),
    family!(Gauge "hearth_retained_bytes" []
        "Bytes of their topics, payloads and properties.",
        "above 90% of limits.retained_bytes_max",
        |figures| one(figures.retained_bytes)),
    family!(Histogram "hearth_turn_seconds" ["shard"]
        "How long each turn of a shard took: no client of it is served meanwhile.",
        "the 99th percentile above 0.1",
        |figures| by_shard(figures, |shard| shard.turns.durations)),
    family!(Counter "hearth_ring_congested_turns" ["shard"]
        "Turns at whose end the ring to another shard had no room; the shard read no sockets until it had.",
        "a large part of the rate of hearth_turn_seconds_count: one shard holds the others up",
        |figures| by_shard(figures, |shard| shard.turns.congested)),
    family!(Gauge "hearth_ring_waiting_entries" ["shard"]
        "Entries that wait for room in the rings to other shards.", "",
        |figures| by_shard(figures, |shard| shard.turns.ring_waiting)),
    family!(Gauge "hearth_store_state" ["state"]
        "1 for the state that the store is in: `off`, `writing` or `failing`.",
        "`failing` is 1: what would have to be kept is not acknowledged",
        store_state),
    family!(Counter "hearth_store_commits" []
        "Commits to the disk that succeeded.", "",
        |figures| of_store(figures, |figures| one(figures.written.commits))),
    family!(Counter "hearth_store_changes" []
        "Rows that they wrote or deleted.", "",
        |figures| of_store(figures, |figures| one(figures.written.changes))),
    family!(Counter "hearth_store_failures" []
        "Commits that failed.",
        "rises",
        |figures| of_store(figures, |figures| one(figures.written.failures))),
    family!(Histogram "hearth_store_commit_seconds" []
        "How long each commit took, the fsync included.",
        "the 99th percentile above 0.5: acknowledgements of QoS 1 and 2 wait for it",
        |figures| of_store(figures, |figures| one(figures.written.durations))),
    family!(Gauge "hearth_history_failing" []
        "Whether the last write of the history failed: 1 or 0.",
        "1",
        |figures| of_history(figures, |history| one(u64::from(history.is_failing)))),
    family!(Counter "hearth_history_values" []
        "Values that were written to the history.", "",
        |figures| of_history(figures, |history| one(history.values))),
    family!(Counter "hearth_history_dropped" ["reason"]
    "Values that were not kept: they came `too_fast`, or `series_max` series are there.",
    "a rate above 0",
    |figures| of_history(figures, |history| {
        let sample = |(reason, count): (&str, u64)| Sample {
            labels: vec![reason.to_owned()],
            value: count.into(),
        };
        [("too_fast", history.dropped), ("series_max", history.without_series)].map(sample).into()
    })),
    family!(Gauge "hearth_history_series" []
        "Series of the history.",
        "above 90% of history.series_max",
        |figures| of_history(figures, |history| one(history.series))),
    family!(Gauge "hearth_history_bytes" []
        "Bytes of its file in use.", "",
        |figures| of_history(figures, |history| one(history.bytes))),
    family!(Gauge "hearth_tree_topics" []
        "Topics in the index of the live tree.",
        "at tree.topics_max",
        |figures| of_tree(figures, |tree| one(tree.topics))),
    family!(Gauge "hearth_tree_bytes" []
        "What they take.",
        "at tree.bytes_max",
        |figures| of_tree(figures, |tree| one(tree.bytes))),
    family!(Gauge "hearth_tree_views" []
        "Subscriptions to the live tree.", "",
        |figures| of_tree(figures, |tree| one(tree.views))),
    family!(Counter "hearth_tree_evicted" []
        "Topics that went from the index because it was full.",
        "a rate above 0 for long",
        |figures| of_tree(figures, |tree| one(tree.evicted))),
    family!(Counter "hearth_tree_left_out" []
        "Messages of topics for which the index had no room.",
        "a rate above 0",
        |figures| of_tree(figures, |tree| one(tree.left_out))),
    family!(Gauge "process_start_time_seconds" []
        "When the broker started, in seconds since 1970.",
        "changes",
        |figures| one(started_at(figures.uptime))),
    family!(Gauge "process_resident_memory_bytes" []
        "Memory of the process (Linux).",
        "above what the machine can spare",
        |figures| of_process(figures, |process| one(process.resident_bytes))),
    family!(Gauge "process_resident_memory_peak_bytes" []
        "The most that it ever was (Linux).", "",
        |figures| of_process(figures, |process| one(process.resident_bytes_peak))),
    family!(Counter "process_cpu_seconds" []
        "Time of a core that all threads have used (Linux).", "",
        |figures| of_process(figures, |process| one(process.cpu.as_secs_f64()))),
    family!(Gauge "process_open_fds" []
        "Open files and sockets (Linux).",
        "above 90% of what the system allows the process",
        |figures| of_process(figures, |process| one(process.open_files))),
];

fn by_reason(counts: &ReasonCounts) -> Vec<(&'static str, u64)> {
    counts.iter().map(|(reason, count)| (reason.as_str(), count)).collect()
}

fn by_setting(figures: &Figures) -> Vec<Sample> {
    let sample = |(setting, count): &(&str, u64)| Sample {
        labels: vec![(*setting).to_owned()],
        value: Value::Count(*count),
    };
    figures.refused.iter().map(sample).collect()
}

fn store_state(figures: &Figures) -> Vec<Sample> {
    let states =
        [("off", StoreState::Off), ("writing", StoreState::Writing), ("failing", StoreState::Failing)];
    let sample = |(name, state): (&str, StoreState)| Sample {
        labels: vec![name.to_owned()],
        value: Value::Count(u64::from(state == figures.store)),
    };
    states.map(sample).into()
}

/// Nothing where there is no store.
fn of_store(figures: &Figures, samples: impl Fn(&Figures) -> Vec<Sample>) -> Vec<Sample> {
    match figures.store {
        StoreState::Off => Vec::new(),
        StoreState::Writing | StoreState::Failing => samples(figures),
    }
}

fn of_history(
    figures: &Figures,
    samples: impl Fn(&crate::history::HistoryCounts) -> Vec<Sample>,
) -> Vec<Sample> {
    figures.history.as_ref().map(samples).unwrap_or_default()
}

fn of_tree(figures: &Figures, samples: impl Fn(&crate::tree::TreeCounts) -> Vec<Sample>) -> Vec<Sample> {
    figures.tree.as_ref().map(samples).unwrap_or_default()
}

fn of_process(
    figures: &Figures,
    samples: impl Fn(&crate::own_process::OwnProcess) -> Vec<Sample>,
) -> Vec<Sample> {
    figures.process.as_ref().map(samples).unwrap_or_default()
}
