//! The one table of settings: names, defaults and reasons.
//!
//! The file, the environment, `docs/settings.md` and `hearth check-config` all follow it.

use super::number::Unit;
use super::setting::{Field, Setting};

/// Shards at most: each pair of them shares a ring, so their memory grows with the square.
const SHARDS_MAX: u16 = 256;

/// Every setting, in the order of the reference.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        flag: Some("--data"),
        meaning: "Folder for what outlives the process.",
        reason: "Beside where Hearth was started, so that nothing is written to a place that nobody chose.",
        default_words: None,
        field: Field::Folder(|config| &mut config.data),
    },
    Setting {
        key: "shards",
        flag: Some("--shards"),
        meaning: "Threads that serve clients.",
        reason: "One a core: a shard shares nothing that is written, so each core adds its whole strength.",
        default_words: Some("the number of cores, 32 at most"),
        field: Field::Number {
            unit: Unit::Count,
            min: 1,
            max: SHARDS_MAX as u64,
            read: |config| u64::from(config.shards),
            write: |config, number| config.shards = u16::try_from(number).unwrap_or(SHARDS_MAX),
        },
    },
    Setting {
        key: "log",
        flag: Some("--log"),
        meaning: "Which log lines are written to standard error: a level (`error`, `warn`, `info`, `debug`, \
                  `trace`, `off`), or parts such as `info,hearth=debug`.",
        reason: "Says what an operator acts on and stays quiet about ordinary traffic.",
        default_words: None,
        field: Field::LogFilter(|config| &mut config.log),
    },
    Setting {
        key: "demo",
        flag: Some("--demo"),
        meaning: "Runs a small simulated home as ordinary MQTT clients.",
        reason: "A broker for real devices must not show made-up ones.",
        default_words: None,
        field: Field::Switch(|config| &mut config.demo),
    },
    Setting {
        key: "mqtt.listen",
        flag: Some("--mqtt"),
        meaning: "Where MQTT over TCP listens: ports or addresses, or `none`.",
        reason: "Port 1883 is MQTT's own. Anonymous clients are served, so only this machine is let in unless \
                 told otherwise.",
        default_words: Some("`localhost:1883`"),
        field: Field::Addresses(|config| &mut config.mqtt),
    },
    Setting {
        key: "http.listen",
        flag: Some("--http"),
        meaning: "Where the web app is served, with MQTT over WebSocket at `/mqtt`: ports or addresses, or `none`.",
        reason: "Port 8080 needs no rights. Only this machine is let in unless told otherwise.",
        default_words: Some("`localhost:8080`"),
        field: Field::Addresses(|config| &mut config.http),
    },
    Setting {
        key: "http.allowed_origins",
        flag: None,
        meaning: "Other web sites whose pages may connect to `/mqtt`, such as `https://panel.example`; `*` for all.",
        reason: "A page of a strange site must not reach the broker through a visitor's browser. Pages of the \
                 same host are always let in.",
        default_words: None,
        field: Field::Origins(|config| &mut config.http_allowed_origins),
    },
    Setting {
        key: "ws.listen",
        flag: Some("--ws"),
        meaning: "Where MQTT over WebSocket is served at any path: ports or addresses, or `none`.",
        reason: "Port 9001 is what other brokers use. Only this machine is let in unless told otherwise.",
        default_words: Some("`localhost:9001`"),
        field: Field::Addresses(|config| &mut config.ws),
    },
    Setting {
        key: "ws.allowed_origins",
        flag: None,
        meaning: "Web sites whose pages may connect to the `ws` listeners; `*` for all.",
        reason: "As `http.allowed_origins`.",
        default_words: None,
        field: Field::Origins(|config| &mut config.ws_allowed_origins),
    },
];

impl Setting {
    /// The setting of a key.
    pub fn by_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The setting of a flag, with its dashes.
    pub fn by_flag(flag: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.flag == Some(flag))
    }
}
